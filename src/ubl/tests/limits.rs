//! Does one past each limit hurt anybody?

use super::told;
use crate::model::{Kind, on_one_line};
use crate::ubl::limits::{
    ACCOUNTS_MAX, DOCUMENT_BYTES_MAX, IDS_PER_PARTY_MAX, REFERENCE_PATH_BYTES_MAX, REFERENCES_MAX,
    REMARKS_MAX, TEXT_BYTES_MAX, XML_ATTRIBUTE_BYTES_MAX, XML_ATTRIBUTES_MAX, XML_DEPTH_MAX,
    XML_NAME_BYTES_MAX, XML_NAMESPACES_MAX,
};
use crate::ubl::{Read, RemarkCode, read};

/// Reads an invoice with `content` behind what every invoice has.
fn invoice(content: &str) -> Read {
    read(
        format!(
            "<Invoice xmlns='urn:oasis:names:specification:ubl:schema:xsd:Invoice-2'>\
             <CustomizationID>urn:cen.eu:en16931:2017</CustomizationID>\
             <IssueDate>2026-03-14</IssueDate>{content}\
             <AccountingSupplierParty><Party><EndpointID>1</EndpointID></Party></AccountingSupplierParty>\
             <AccountingCustomerParty><Party><EndpointID>2</EndpointID></Party></AccountingCustomerParty>\
             </Invoice>"
        )
        .as_bytes(),
    )
}

/// Asserts that `within` is an invoice and that `beyond` is refused for `code`.
fn refused_one_past(within: &str, beyond: &str, code: RemarkCode) {
    assert_eq!(invoice(within).reading.kind, Kind::Invoice);

    let refused = invoice(beyond).reading;

    assert_eq!(refused.kind, Kind::Unreadable);
    assert_eq!(refused.remarks[0].code, code);
    assert_eq!(refused.number, None);
}

#[test]
fn one_byte_too_many_is_unreadable() {
    let mut bytes = vec![b' '; DOCUMENT_BYTES_MAX];
    bytes[0] = b'<';
    assert_eq!(read(&bytes).reading.remarks[0].code, RemarkCode::BrokenXml);

    bytes.push(b' ');
    let read = read(&bytes);

    assert_eq!(read.reading.kind, Kind::Unreadable);
    assert_eq!(told(&read), "it is larger than 100 MiB");
}

#[test]
fn one_level_too_deep_is_unreadable() {
    let nested = |levels: usize| {
        format!(
            "<ID>1</ID>{}{}",
            "<a>".repeat(levels),
            "</a>".repeat(levels)
        )
    };

    refused_one_past(
        &nested(XML_DEPTH_MAX - 1),
        &nested(XML_DEPTH_MAX),
        RemarkCode::TooDeep,
    );
}

#[test]
fn one_attribute_too_many_is_unreadable() {
    let element = |count: usize| {
        let attributes: String = (0..count).map(|nth| format!(" a{nth}=''")).collect();
        format!("<ID>1</ID><a{attributes}/>")
    };

    refused_one_past(
        &element(XML_ATTRIBUTES_MAX),
        &element(XML_ATTRIBUTES_MAX + 1),
        RemarkCode::TooManyAttributes,
    );
}

#[test]
fn one_attribute_too_long_is_unreadable() {
    let element = |bytes: usize| format!("<ID>1</ID><a b='{}'/>", "x".repeat(bytes));

    refused_one_past(
        &element(XML_ATTRIBUTE_BYTES_MAX),
        &element(XML_ATTRIBUTE_BYTES_MAX + 1),
        RemarkCode::TooLarge,
    );
}

#[test]
fn one_name_too_long_is_unreadable() {
    let element = |bytes: usize| format!("<ID>1</ID><{}/>", "x".repeat(bytes));

    refused_one_past(
        &element(XML_NAME_BYTES_MAX),
        &element(XML_NAME_BYTES_MAX + 1),
        RemarkCode::TooLarge,
    );
}

#[test]
fn one_namespace_too_many_is_unreadable() {
    let nested = |count: usize| {
        let half = |from: usize, to: usize| -> String {
            (from..to)
                .map(|nth| format!(" xmlns:n{nth}='urn:{nth}'"))
                .collect()
        };
        format!("<ID>1</ID><a{}><b{}/></a>", half(0, 64), half(64, count))
    };

    // The root declares one itself.
    refused_one_past(
        &nested(XML_NAMESPACES_MAX - 1),
        &nested(XML_NAMESPACES_MAX),
        RemarkCode::TooManyAttributes,
    );
}

#[test]
fn a_field_one_byte_too_long_is_left_out_and_a_note_is_not_a_field() {
    let long =
        |element: &str, bytes: usize| format!("<{element}>{}</{element}>", "x".repeat(bytes));

    let within = invoice(&long("ID", TEXT_BYTES_MAX));
    let beyond = invoice(&long("ID", TEXT_BYTES_MAX + 1));
    let note = invoice(&format!("<ID>1</ID>{}", long("Note", 10 * TEXT_BYTES_MAX)));

    assert_eq!(
        within.reading.number.map(|number| number.len()),
        Some(TEXT_BYTES_MAX)
    );
    assert_eq!(beyond.reading.number, None);
    assert_eq!(
        told(&beyond),
        "`ID` is longer than 4096 bytes; it is left out\nit has no number"
    );
    assert_eq!(told(&note), "");
}

#[test]
fn one_reference_past_the_limit_is_counted_and_not_listed() {
    let one = "<BillingReference><InvoiceDocumentReference><ID>1</ID></InvoiceDocumentReference></BillingReference>";

    let read = invoice(&format!("<ID>1</ID>{}", one.repeat(REFERENCES_MAX + 1)));

    assert_eq!(read.reading.references.len(), REFERENCES_MAX);
    assert_eq!(told(&read), "it names 501 other documents; 500 are listed");
}

/// An invoice from somebody with so many identifiers that nobody trusts, before and behind `more`.
fn from_one_with(before: usize, more: &str, behind: usize) -> Read {
    let ids = |from: usize, to: usize| -> String {
        (from..to)
            .map(|nth| format!("<PartyIdentification><ID>{nth}</ID></PartyIdentification>"))
            .collect()
    };
    let (before, behind) = (ids(0, before), ids(before, before + behind));
    let party = "AccountingSupplierParty><Party>";
    read(
        format!(
            "<Invoice xmlns='urn:oasis:names:specification:ubl:schema:xsd:Invoice-2'>\
             <{party}{before}{more}{behind}</Party></AccountingSupplierParty></Invoice>"
        )
        .as_bytes(),
    )
}

#[test]
fn one_identifier_past_the_limit_is_counted_and_not_kept() {
    let past = from_one_with(IDS_PER_PARTY_MAX + 1, "", 0);

    assert_eq!(past.reading.seller.ids.len(), IDS_PER_PARTY_MAX);
    let expected = "the seller has 33 identifiers; 32 are kept";
    assert!(told(&past).contains(expected), "{}", told(&past));
    let within = from_one_with(IDS_PER_PARTY_MAX, "", 0);
    assert!(!told(&within).contains("identifiers"));
}

#[test]
fn one_account_past_the_limit_is_counted_and_not_kept() {
    let with = |count: usize| {
        let means = |nth| {
            let account = format!("<ID>A{nth}</ID>");
            format!(
                "<PaymentMeans><PayeeFinancialAccount>{account}</PayeeFinancialAccount></PaymentMeans>"
            )
        };
        invoice(&(0..count).map(means).collect::<String>())
    };

    let past = with(ACCOUNTS_MAX + 1);

    assert_eq!(past.reading.accounts.as_ref().unwrap().len(), ACCOUNTS_MAX);
    let expected = "it names 33 accounts to pay to; 32 are listed";
    assert!(told(&past).contains(expected), "{}", told(&past));
    assert!(!told(&with(ACCOUNTS_MAX)).contains("accounts"));
}

#[test]
fn no_number_of_identifiers_pushes_out_those_that_are_trusted_more() {
    let trusted = "<EndpointID>e</EndpointID>\
                   <PartyTaxScheme><CompanyID>v</CompanyID></PartyTaxScheme>\
                   <PartyLegalEntity><CompanyID>l</CompanyID></PartyLegalEntity>";
    for (before, behind) in [(0, 40), (20, 20), (31, 9), (40, 0)] {
        let ids = from_one_with(before, trusted, behind).reading.seller.ids;

        let first: Vec<_> = ids.iter().map(|id| id.raw.as_str()).take(5).collect();
        assert_eq!(first, ["l", "v", "e", "0", "1"], "{before} before");
        assert_eq!(ids.len(), IDS_PER_PARTY_MAX);
    }
}

#[test]
fn one_byte_further_from_the_root_a_reference_is_not_looked_at() {
    let below = |bytes: usize| {
        let names = ["a".repeat(200), "b".repeat(200)];
        let rest = "c".repeat(bytes - 400 - "///OrderReference".len());
        let open = format!("<{}><{}><{rest}>", names[0], names[1]);
        let close = format!("</{rest}></{}></{}>", names[1], names[0]);
        invoice(&format!(
            "<ID>1</ID>{open}<OrderReference><ID>7</ID></OrderReference>{close}"
        ))
    };

    let listed = |bytes| below(bytes).reading.references.len();

    assert_eq!(listed(REFERENCE_PATH_BYTES_MAX), 1);
    assert_eq!(listed(REFERENCE_PATH_BYTES_MAX + 1), 0);
}

#[test]
fn no_number_of_remarks_pushes_out_why_it_is_unreadable() {
    let doubled: String = (0..80).map(|nth| format!("<ID>{nth}</ID>")).collect();
    let broken = invoice(&format!("{doubled}<a></b>"));
    let whole = invoice(&doubled);
    assert_eq!(whole.reading.remarks.len(), REMARKS_MAX);

    assert_eq!(broken.reading.kind, Kind::Unreadable);
    let [why] = &broken.reading.remarks[..] else {
        panic!("{}", told(&broken));
    };
    assert_eq!(why.code, RemarkCode::BrokenXml);
}

#[test]
fn what_is_too_long_is_named_on_one_line() {
    let name = "b\u{202e}\u{2028}c";
    let element = format!(
        "<ID>1</ID><a {name}='{}'/>",
        "x".repeat(XML_ATTRIBUTE_BYTES_MAX + 1)
    );

    let read = invoice(&element);

    assert_eq!(read.reading.kind, Kind::Unreadable);
    let text = told(&read);
    assert_eq!(on_one_line(&text), text);
}
