//! Is what is not sound XML refused, with what and where?

use super::{fixture, keys, told};
use crate::model::Kind;
use crate::ubl::{RemarkCode, read, show};

const ROOT: &str = "<Invoice xmlns='urn:oasis:names:specification:ubl:schema:xsd:Invoice-2'>";

#[test]
fn what_breaks_is_unreadable_wherever_it_breaks() {
    #[rustfmt::skip]
    let cases = [
        ("{root}<ID>1</ID>",                        "it ends before every element is closed (line 1, byte 82)"),
        ("{root}<ID>1</ID></Invoice><a/>",          "a second root element begins (line 1, byte 92)"),
        ("{root}</Invoice>\n\nrest",                "text stands outside the root element (line 1, byte 82)"),
        ("rest{root}</Invoice>",                    "it is not XML: it does not begin with `<`"),
        ("{root}</Invoice>&amp;",                   "a reference stands outside the root element (line 1, byte 82)"),
        ("{root}</Invoice><![CDATA[]]>",            "text stands outside the root element (line 1, byte 82)"),
        ("{root}\n<a></b></Invoice>",               "`</b>` stands where `</a>` should (line 2, byte 76)"),
        ("{root}</Invoice></a>",                    "`</a>` closes nothing (line 1, byte 82)"),
        ("{root}<a b='1' b='2'/></Invoice>",        "the attribute `b` stands twice in one tag (line 1, byte 72)"),
        ("{root}<a b='<'/></Invoice>",              "a `<` stands in an attribute (line 1, byte 72)"),
        ("{root}<x:a/></Invoice>",                  "the prefix `x` is not declared (line 1, byte 72)"),
        ("{root}<a x:b=''/></Invoice>",             "the prefix `x` is not declared (line 1, byte 72)"),
        ("{root}<1a/></Invoice>",                   "`1a` is no name (line 1, byte 72)"),
        ("{root}]]></Invoice>",                     "`]]>` stands in text (line 1, byte 72)"),
        ("{root}a & b</Invoice>",                   "a `&` begins no reference (line 1, byte 74)"),
        ("{root}&#0;</Invoice>",                    "`&#0;` is no character (line 1, byte 72)"),
        ("{root}&#xD800;</Invoice>",                "`&#xD800;` is no character (line 1, byte 72)"),
        ("{root}\u{1}</Invoice>",                   "a control character stands in it (line 1, byte 72)"),
        ("{root}<?xml version='1.0'?></Invoice>",   "an XML declaration stands inside (line 1, byte 72)"),
        ("<?xml?>{root}</Invoice>",                 "the XML declaration is odd (line 1, byte 0)"),
        ("{root}<?a]b?></Invoice>",                 "an instruction has no name (line 1, byte 72)"),
        ("{root}<a b='1'c='2'/></Invoice>",         "two attributes stand without a space between (line 1, byte 72)"),
        ("<!-- nothing -->",                        "it has no root element (line 1, byte 16)"),
    ];
    for (template, expected) in cases {
        let read = read(template.replace("{root}", ROOT).as_bytes());

        assert_eq!(told(&read), expected, "{template}");
        assert_eq!(read.reading.kind, Kind::Unreadable, "{template}");
        assert_eq!(read.reading.number, None, "{template}");
    }
}

#[test]
fn no_document_type_and_no_entity_is_ever_read() {
    #[rustfmt::skip]
    let cases = [
        ("<!DOCTYPE Invoice>{root}</Invoice>",              "it declares a document type, which is never read (line 1, byte 0)"),
        ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",    "it declares a document type, which is never read (line 1, byte 0)"),
        ("<!DOCTYPE html><html></html>",                    "it declares a document type, which is never read (line 1, byte 0)"),
        ("{root}<ID>&eacute;</ID></Invoice>",               "it refers to the entity `&eacute;`, which is never read (line 1, byte 76)"),
        ("{root}<ID a='&x;'/></Invoice>",                   "it refers to the entity `&x;`, which is never read (line 1, byte 72)"),
    ];
    for (template, expected) in cases {
        let read = read(template.replace("{root}", ROOT).as_bytes());

        assert_eq!(told(&read), expected, "{template}");
        assert_eq!(read.reading.kind, Kind::Unreadable, "{template}");
        assert_eq!(
            read.reading.remarks[0].code,
            RemarkCode::DtdOrEntity,
            "{template}"
        );
    }
}

#[test]
fn sound_xml_that_is_not_ours_is_something_else() {
    #[rustfmt::skip]
    let cases = [
        ("<html/>",                 "the root `html` is in no namespace, so it is no document known here"),
        ("<Invoice><ID>1</ID></Invoice>", "the root `Invoice` is in no namespace, so it is no document known here"),
        ("<a xmlns='urn:b'/>",      "the root `a` in `urn:b` is no document known here"),
    ];
    for (text, expected) in cases {
        let read = read(text.as_bytes());

        assert_eq!(read.reading.kind, Kind::Other);
        assert_eq!(read.reading.remarks[0].code, RemarkCode::UnknownRoot);
        assert_eq!(told(&read), expected);
    }
}

#[test]
fn references_and_cdata_are_text() {
    let read = read(
        format!("{ROOT}<ID> A&amp;<![CDATA[<B>]]>&#x43;&#100;<!-- no -->e </ID></Invoice>")
            .as_bytes(),
    );

    assert_eq!(read.reading.number.as_deref(), Some("A&<B>Cde"));
}

#[test]
fn an_element_in_a_foreign_namespace_is_not_taken_for_ours() {
    let read = read(
        format!("{ROOT}<ID xmlns='urn:example'>wrong</ID><UBLExtensions><x><ID>wrong</ID></x></UBLExtensions><ID>1</ID></Invoice>").as_bytes(),
    );

    assert_eq!(read.reading.number.as_deref(), Some("1"));
}

#[test]
fn an_element_that_stands_twice_is_remarked() {
    let read = read(format!("{ROOT}<ID>1</ID><ID>2</ID></Invoice>").as_bytes());

    assert_eq!(read.reading.number.as_deref(), Some("1"));
    assert!(told(&read).starts_with("`ID` stands in it twice; the first is read"));
}

#[test]
fn who_ordered_or_delivered_is_not_who_buys_or_sells() {
    let party = |role: &str, number: &str| {
        format!(
            "<{role}><Party><PartyName><Name>{role}</Name></PartyName><PartyLegalEntity><CompanyID>{number}</CompanyID>\
             </PartyLegalEntity></Party></{role}>"
        )
    };
    let sides = |content: &str| {
        let read = read(format!("{ROOT}<ID>1</ID>{content}</Invoice>").as_bytes());
        keys(&read)
    };
    let (accounting, ours) = ("0500453583", "0239843188");
    let buyer = party("BuyerCustomerParty", ours);
    let seller = party("SellerSupplierParty", ours);
    let customer = party("AccountingCustomerParty", accounting);
    let supplier = party("AccountingSupplierParty", accounting);

    let expected = sides(&format!("{supplier}{customer}"));
    assert!(expected.contains(accounting) && !expected.contains(ours));
    assert_eq!(
        sides(&format!("{seller}{supplier}{buyer}{customer}")),
        expected
    );
    assert_eq!(
        sides(&format!("{supplier}{seller}{customer}{buyer}")),
        expected
    );
    // Without the one, the other says more than nothing.
    assert!(sides(&format!("{seller}{buyer}")).contains(ours));
}

#[test]
fn of_a_party_that_stands_twice_the_first_is_read() {
    let party = |number: &str| {
        format!("<Party><PartyTaxScheme><CompanyID>{number}</CompanyID></PartyTaxScheme></Party>")
    };
    let (first, second) = (party("BE0500453583"), party("BE0239843188"));
    let role =
        |parties: &str| format!("<AccountingCustomerParty>{parties}</AccountingCustomerParty>");
    for twice in [
        role(&first) + &role(&second),
        role(&format!("{first}{second}")),
        role("") + &role(&first) + &role(&second),
    ] {
        let read = read(format!("{ROOT}<ID>1</ID>{twice}</Invoice>").as_bytes());

        let ids: Vec<_> = read.reading.buyer.ids.iter().map(|id| &id.raw).collect();
        assert_eq!(ids, ["BE0500453583"]);
        let remark = "`AccountingCustomerParty/Party` stands in it twice; the first is read";
        assert_eq!(told(&read).matches(remark).count(), 1, "{}", told(&read));
    }
}

#[test]
fn what_is_odd_or_missing_is_remarked_and_the_rest_is_read() {
    let read = read(
        format!("{ROOT}<ID> </ID><IssueDate>14/03/2026</IssueDate><LegalMonetaryTotal><PayableAmount>1,00</PayableAmount></LegalMonetaryTotal></Invoice>").as_bytes(),
    );

    assert_eq!(read.reading.kind, Kind::Invoice);
    assert_eq!(read.reading.payable.as_deref(), Some("1,00"));
    assert_eq!(
        told(&read),
        "it has no number\n\
         it has no seller\n\
         it has no buyer\n\
         the issue date `14/03/2026` is no date\n\
         the amount `1,00` is no number\n\
         it names no customization; read by its structure"
    );
}

#[test]
fn a_pro_forma_is_remarked() {
    let told_of = |code: &str| {
        let text = format!("{ROOT}<ID>1</ID><InvoiceTypeCode>{code}</InvoiceTypeCode></Invoice>");
        told(&read(text.as_bytes()))
    };

    assert!(told_of("325").contains("that is no invoice to book"));
    assert!(!told_of("380").contains("no invoice to book"));
}

#[test]
fn type_codes_say_who_wrote_it_and_what_it_is() {
    for (code, is_credit, is_self_billed) in [
        ("380", false, false),
        ("389", false, true),
        ("261", true, true),
        ("384", false, false),
        ("472", false, false),
        ("471", false, true),
        ("473", false, true),
        ("500", false, true),
        ("501", false, true),
        ("502", true, true),
        ("503", true, false),
        ("262", true, false),
    ] {
        let text = format!("{ROOT}<ID>1</ID><InvoiceTypeCode>{code}</InvoiceTypeCode></Invoice>");
        let reading = read(text.as_bytes()).reading;

        assert_eq!(reading.kind == Kind::CreditNote, is_credit, "{code}");
        assert_eq!(reading.self_billed, is_self_billed, "{code}");
    }
}

const SBDH: &str = "http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader";

#[test]
fn a_document_that_leans_on_the_default_namespace_of_its_envelope_stands_alone() {
    let text = format!(
        "<e:StandardBusinessDocument xmlns:e='{SBDH}' xmlns='urn:oasis:names:specification:ubl:schema:xsd:Invoice-2' xmlns:s=\"urn:'s'\">\
         <Invoice><ID>1</ID><a xmlns:s='urn:t'><s:b/></a><s:c/></Invoice></e:StandardBusinessDocument>"
    );

    let read = read(text.as_bytes());

    assert_eq!(
        String::from_utf8(read.inner.unwrap()).unwrap(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Invoice xmlns=\"urn:oasis:names:specification:ubl:schema:xsd:Invoice-2\" xmlns:s=\"urn:'s'\">\
         <ID>1</ID><a xmlns:s='urn:t'><s:b/></a><s:c/></Invoice>"
    );
    assert_eq!(read.reading.number.as_deref(), Some("1"));
    assert_eq!(
        read.reading.remarks[0].to_string(),
        "the envelope has no header"
    );
}

#[test]
fn of_two_elements_the_one_in_a_namespace_counts() {
    let invoice = |ids: &str| {
        let text = format!(
            "<Invoice xmlns='urn:oasis:names:specification:ubl:schema:xsd:Invoice-2' \
             xmlns:c='urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2'>{ids}</Invoice>"
        );
        let read = read(text.as_bytes());
        let is_told = told(&read).contains("`ID` stands in it twice");
        (read.reading.number.unwrap_or_default(), is_told)
    };
    let (ours, alien) = ("<c:ID>F-1</c:ID>", "<ID xmlns=''>X</ID>");
    let number = |number: &str, is_told| (number.to_owned(), is_told);

    assert_eq!(invoice(&format!("{alien}{ours}")), number("F-1", true));
    assert_eq!(invoice(&format!("{ours}{alien}")), number("F-1", true));
    assert_eq!(invoice(&format!("{alien}<c:ID/>")), number("X", false));
    assert_eq!(invoice(alien), number("X", false));
    assert_eq!(
        invoice(&format!("{ours}<c:ID>F-2</c:ID>")),
        number("F-1", true)
    );
}

#[test]
fn the_amount_is_in_the_currency_beside_it() {
    let invoice = |named: &str, amount: &str| {
        let text = format!(
            "<Invoice xmlns='urn:oasis:names:specification:ubl:schema:xsd:Invoice-2'>{named}\
             <LegalMonetaryTotal><PayableAmount {amount}>1.00</PayableAmount></LegalMonetaryTotal></Invoice>"
        );
        let read = read(text.as_bytes());
        let taken = told(&read).contains("that of the amount due is taken");
        let other = told(&read).contains("the amount due is in `USD`, and the document in `EUR`");
        let amount = read.reading.amount().unwrap_or_default();
        (
            read.reading.currency.unwrap_or_default(),
            amount,
            [taken, other],
        )
    };
    let named = "<DocumentCurrencyCode>EUR</DocumentCurrencyCode>";

    #[rustfmt::skip]
    let table = [
        ("",    "currencyID='USD'", "USD", "1.00 USD", [true, false]),
        (named, "currencyID='USD'", "EUR", "1.00 USD", [false, true]),
        (named, "currencyID='eur'", "EUR", "1.00 EUR", [false, false]),
        (named, "",                 "EUR", "1.00 EUR", [false, false]),
        ("",    "",                 "",    "1.00",     [false, false]),
    ];
    let long = format!("currencyID='E&#10;{}'", "U".repeat(5000));
    let (shown, _, _) = invoice("", &long);
    assert!(shown.starts_with("E U") && shown.len() < 90, "{shown}");
    for (named, amount, currency, shown, remarked) in table {
        let expected = (currency.to_owned(), shown.to_owned(), remarked);
        assert_eq!(invoice(named, amount), expected, "{named} {amount}");
    }
}

#[test]
fn the_accounts_to_pay_to_are_read_each_once() {
    let means = |account: &str| {
        format!(
            "<PaymentMeans><PayeeFinancialAccount><ID>{account}</ID><FinancialInstitutionBranch><ID>KREDBEBB</ID>\
             </FinancialInstitutionBranch></PayeeFinancialAccount><PayerFinancialAccount><ID>BE1</ID>\
             </PayerFinancialAccount></PaymentMeans>"
        )
    };
    let all = ["BE71 0961 2345 6769", "be71096123456769", " ", "001-123"].map(means);
    let credit = "<CreditNote xmlns='urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2'>";
    for (root, end) in [(ROOT, "</Invoice>"), (credit, "</CreditNote>")] {
        let of = |means: &str| {
            let read = read(format!("{root}<ID>1</ID>{means}{end}").as_bytes());
            (
                read.reading.accounts.clone().unwrap(),
                show::text("f", &read.reading),
            )
        };

        let (accounts, text) = of(&all.concat());
        assert_eq!(accounts, ["BE71 0961 2345 6769", "001-123"]);
        assert!(text.contains("\n  account: 001-123\n"), "{text}");
        assert!(of("").0.is_empty());
    }
}

#[test]
fn what_stands_before_the_declaration_is_told() {
    let declaration = "<?xml version='1.0'?>";
    let invoice = format!("{ROOT}<ID>1</ID></Invoice>");
    let before = "something stands before the XML declaration, mostly a space or an empty line";
    for (text, expected) in [
        (
            format!(" {declaration}{invoice}"),
            format!("{before} (line 1, byte 1)"),
        ),
        (
            format!("\n{declaration}{invoice}"),
            format!("{before} (line 2, byte 1)"),
        ),
        (
            format!("<!-- -->{declaration}{invoice}"),
            format!("{before} (line 1, byte 8)"),
        ),
    ] {
        let read = read(text.as_bytes());
        assert_eq!(
            (read.reading.kind, told(&read)),
            (Kind::Unreadable, expected)
        );
        assert_eq!(read.reading.remarks[0].code, RemarkCode::BeforeDeclaration);
    }
    let read = read(format!("{invoice}{declaration}").as_bytes());
    assert!(told(&read).contains("an XML declaration stands inside"));
    assert_eq!(read.reading.remarks[0].code, RemarkCode::BrokenXml);
}

#[test]
fn an_envelope_must_hold_one_document() {
    let header = "<StandardBusinessDocumentHeader/>";
    #[rustfmt::skip]
    let cases = [
        ("",                                    "the envelope holds no document as XML: nothing, or only text"),
        ("<![CDATA[<Invoice/>]]>",              "the envelope holds no document as XML: nothing, or only text"),
        ("<a xmlns=''/><b/>",                   "the envelope holds 2 documents; one was expected"),
        ("<StandardBusinessDocument/>",         "the envelope holds another envelope, which is not opened"),
        ("<TextContent>x</TextContent>",        "the envelope holds something that is not XML"),
    ];
    for (content, expected) in cases {
        let text = format!(
            "<StandardBusinessDocument xmlns='{SBDH}'>{header}{content}</StandardBusinessDocument>"
        );

        let read = read(text.as_bytes());

        assert_eq!(
            (read.reading.kind, told(&read).as_str()),
            (Kind::Other, expected)
        );
        assert_eq!(read.inner, None);
        assert!(read.reading.sbdh.is_some());
    }
}

#[test]
fn an_envelope_that_breaks_behind_its_document_is_unreadable() {
    let bytes = fixture!("sbdh-invoice.xml");

    let read = read(&bytes[..bytes.len() - 5]);

    assert_eq!(read.reading.kind, Kind::Unreadable);
    assert_eq!(read.inner, None);
}
