//! Which documents would harm whoever reads them carelessly?
//!
//! One table for every door. Each is made here, of invented parties; those that are sound XML are an
//! invoice of the mill to the bakery, so that what is accepted is offered under a name that is seen.

use crate::gateway::{BAKERY, MILL};

use super::names::WORDS;

/// A document that means harm.
pub struct Hostile {
    pub name: String,
    pub bytes: Vec<u8>,
    pub becomes: Becomes,
}

/// What becomes of it, whichever door it comes in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Becomes {
    /// It is offered to the bakery's program.
    Offered,
    /// It is kept, and waits for a person.
    Held,
    /// It is kept, and nobody can read it, for a reason that says this.
    Unreadable(&'static str),
}

use Becomes::{Held, Offered, Unreadable};

/// Every hostile document; `port` is one of this machine at which nobody should ever knock.
pub fn all(port: u16) -> Vec<Hostile> {
    let mut all = vec![];
    entities(&mut all, port);
    sizes(&mut all);
    encodings(&mut all);
    odd_bytes(&mut all);
    structures(&mut all);
    attachments(&mut all);
    words(&mut all);
    strangers(&mut all);
    all
}

/// What a document says, each part of it as it is written.
struct Invoice<'a> {
    before: &'a str,
    number: &'a str,
    seller: &'a str,
    inside: &'a str,
}

impl Invoice<'_> {
    fn text(&self) -> String {
        let Self {
            before,
            number,
            seller,
            inside,
        } = self;
        let party = |id: &str, name: &str| {
            format!(
                "<cac:Party><cbc:EndpointID schemeID=\"0208\">{id}</cbc:EndpointID><cac:PartyLegalEntity>\
                 <cbc:RegistrationName>{name}</cbc:RegistrationName>\
                 <cbc:CompanyID schemeID=\"0208\">{id}</cbc:CompanyID></cac:PartyLegalEntity></cac:Party>"
            )
        };
        let (from, to) = (party(MILL, seller), party(BAKERY, "De Korenaar"));
        format!(
            "{before}<Invoice xmlns=\"urn:oasis:names:specification:ubl:schema:xsd:Invoice-2\" \
             xmlns:cac=\"urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2\" \
             xmlns:cbc=\"urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2\">\
             <cbc:CustomizationID>urn:cen.eu:en16931:2017</cbc:CustomizationID><cbc:ID>{number}</cbc:ID>\
             <cbc:IssueDate>2026-03-14</cbc:IssueDate><cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>\
             <cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>{inside}\
             <cac:AccountingSupplierParty>{from}</cac:AccountingSupplierParty>\
             <cac:AccountingCustomerParty>{to}</cac:AccountingCustomerParty>\
             <cac:LegalMonetaryTotal><cbc:PayableAmount currencyID=\"EUR\">121.00</cbc:PayableAmount>\
             </cac:LegalMonetaryTotal></Invoice>\n"
        )
    }
}

/// Adds documents to the table, numbered so that none is another's duplicate.
trait Table {
    fn put(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>, becomes: Becomes);

    fn invoice(&mut self, name: &str, before: &str, inside: &str, becomes: Becomes);
}

impl Table for Vec<Hostile> {
    fn put(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>, becomes: Becomes) {
        self.push(Hostile {
            name: name.into(),
            bytes: bytes.into(),
            becomes,
        });
    }

    fn invoice(&mut self, name: &str, before: &str, inside: &str, becomes: Becomes) {
        let number = format!("H-{}", self.len());
        let invoice = Invoice {
            before,
            number: &number,
            seller: "Molens",
            inside,
        };
        self.put(name, invoice.text(), becomes);
    }
}

fn note(text: &str) -> String {
    format!("<cbc:Note>{text}</cbc:Note>")
}

fn entities(all: &mut Vec<Hostile>, port: u16) {
    const REFUSED: Becomes = Unreadable("it declares a document type, which is never read");
    let laughs: String = (1..10)
        .map(|nth| {
            let ten = format!("&l{};", nth - 1).repeat(10);
            format!("<!ENTITY l{nth} \"{ten}\">")
        })
        .collect();
    let laughs = format!("<!DOCTYPE Invoice [<!ENTITY l0 \"ha\">{laughs}]>");
    all.invoice("billion laughs", &laughs, &note("&l9;"), REFUSED);
    let long = "x".repeat(100_000);
    let quadratic = format!("<!DOCTYPE Invoice [<!ENTITY x \"{long}\">]>");
    all.invoice(
        "quadratic blow-up",
        &quadratic,
        &note(&"&x;".repeat(10_000)),
        REFUSED,
    );
    let declared: [(&str, &str); 6] = [
        (
            "a file",
            "<!DOCTYPE i [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>",
        ),
        (
            "a page",
            "<!DOCTYPE i [<!ENTITY x SYSTEM \"http://127.0.0.1:{port}/x\">]>",
        ),
        (
            "a DTD elsewhere",
            "<!DOCTYPE i SYSTEM \"http://127.0.0.1:{port}/x.dtd\">",
        ),
        (
            "a public DTD",
            "<!DOCTYPE i PUBLIC \"-//x\" \"http://127.0.0.1:{port}/x.dtd\">",
        ),
        (
            "a parameter entity",
            "<!DOCTYPE i [<!ENTITY % p SYSTEM \"http://127.0.0.1:{port}/p\">%p;]>",
        ),
        (
            "a notation",
            "<!DOCTYPE i [<!NOTATION n SYSTEM \"/bin/sh\"><!ENTITY x SYSTEM \"/dev/zero\" NDATA n>]>",
        ),
    ];
    for (name, before) in declared {
        let before = before.replace("{port}", &port.to_string());
        all.invoice(name, &before, &note("&x;"), REFUSED);
    }
    let undeclared = Unreadable("it refers to the entity `&x;`, which is never read");
    all.invoice("an entity of nobody", "", &note("&x;"), undeclared);
    let include = format!(
        "<cbc:Note><xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"http://127.0.0.1:{port}/x\"/>\
         <xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"file:///etc/passwd\" parse=\"text\"/></cbc:Note>"
    );
    all.invoice("XInclude", "", &include, Offered);
    let sheet =
        format!("<?xml-stylesheet href=\"http://127.0.0.1:{port}/x.xsl\" type=\"text/xsl\"?>");
    all.invoice("a style sheet", &sheet, "", Offered);
    let schema = format!(
        "<cbc:Note xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:schemaLocation=\"urn:x http://127.0.0.1:{port}/x.xsd\">x</cbc:Note>"
    );
    all.invoice("a schema elsewhere", "", &schema, Offered);
}

fn sizes(all: &mut Vec<Hostile>) {
    let nested = |levels: usize| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
    all.invoice("as deep as it may be", "", &nested(99), Offered);
    let deep = Unreadable("elements are nested more than 100 deep");
    all.invoice("one level too deep", "", &nested(100), deep);
    all.invoice("a hundred thousand deep", "", &nested(100_000), deep);
    let deep_json = "[".repeat(100_000);
    all.invoice("deep in a note", "", &note(&deep_json), Offered);
    let long = format!("<a b=\"{}\"/>", "x".repeat(64 * 1024 + 1));
    all.invoice(
        "a huge attribute",
        "",
        &long,
        Unreadable("is longer than 65536 bytes"),
    );
    let many: String = (0..1_000_000).map(|nth| format!(" a{nth}=''")).collect();
    let many = format!("<a{many}/>");
    all.invoice(
        "a million attributes",
        "",
        &many,
        Unreadable("more than 100 attributes"),
    );
    let spaces: String = (0..100_000)
        .map(|nth| format!(" xmlns:n{nth}='u'"))
        .collect();
    let spaces = format!("<a{spaces}/>");
    all.invoice(
        "too many namespaces",
        "",
        &spaces,
        Unreadable("128 namespaces"),
    );
    all.invoice("a million elements", "", &"<a/>".repeat(1_000_000), Offered);
    all.invoice("a huge text", "", &note(&"x ".repeat(4_000_000)), Offered);
    all.invoice(
        "a huge comment",
        "",
        &format!("<!--{}-->", "x".repeat(2_000_000)),
        Offered,
    );
    all.invoice(
        "a million references",
        "",
        &note(&"&amp;".repeat(1_000_000)),
        Offered,
    );
    all.invoice(
        "a long name",
        "",
        &format!("<{}/>", "x".repeat(257)),
        Unreadable("a name is longer"),
    );
    let field = format!("<cbc:DueDate>{}</cbc:DueDate>", "9".repeat(1_000_000));
    all.invoice("a huge field", "", &field, Offered);
    let order = "<cac:BillingReference><cac:InvoiceDocumentReference><cbc:ID>1</cbc:ID>\
                 </cac:InvoiceDocumentReference></cac:BillingReference>";
    all.invoice(
        "too many other documents",
        "",
        &order.repeat(20_000),
        Offered,
    );
    let ids =
        "<cac:PartyIdentification><cbc:ID>1</cbc:ID></cac:PartyIdentification>".repeat(20_000);
    let payee = format!("<cac:PayeeParty>{ids}</cac:PayeeParty>");
    all.invoice("a payee of many names", "", &payee, Offered);
}

/// A number that no other document of the table has.
fn number(all: &[Hostile]) -> String {
    format!("E-{}", all.len())
}

fn declared(label: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"{label}\"?>")
}

/// An invoice of a seller with accents.
fn text(before: &str, number: &str) -> String {
    let invoice = Invoice {
        before,
        number,
        seller: "Café Zoë",
        inside: "",
    };
    invoice.text()
}

fn latin(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap()).collect()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn encodings(all: &mut Vec<Hostile>) {
    let n = number(all);
    all.put(
        "says UTF-8, is Latin-1",
        latin(&text(&declared("UTF-8"), &n)),
        Offered,
    );
    let n = number(all);
    all.put(
        "says UTF-16, is ASCII",
        text(&declared("UTF-16"), &n),
        Offered,
    );
    let n = number(all);
    all.put(
        "says Latin-1, is UTF-8",
        text(&declared("ISO-8859-1"), &n),
        Offered,
    );
    let n = number(all);
    let marked = [
        &b"\xef\xbb\xbf"[..],
        text(&declared("ISO-8859-1"), &n).as_bytes(),
    ]
    .concat();
    all.put("a mark against the declaration", marked, Offered);
    let n = number(all);
    let marked = [&b"\xff\xfe"[..], &wide(&text(&declared("UTF-8"), &n))].concat();
    all.put("a wide mark against the declaration", marked, Offered);
    let n = number(all);
    all.put(
        "wide without a mark",
        wide(&text(&declared("UTF-8"), &n)),
        Offered,
    );
    for label in ["UTF-7", "UTF-32", "IBM037", "x-user-defined", "hz-gb-2312"] {
        let n = number(all);
        all.put(format!("says {label}"), text(&declared(label), &n), Offered);
    }
    let n = number(all);
    let climbs = text(&declared("../../etc/passwd"), &n);
    let odd = Unreadable("the XML declaration is odd");
    all.put("says that it is a file", climbs, odd);
    let n = number(all);
    all.put(
        "a long label",
        text(&declared(&"x".repeat(100_000)), &n),
        Offered,
    );
}

/// Bytes that fit no encoding, or another than they should.
fn odd_bytes(all: &mut Vec<Hostile>) {
    // What a careless decoder takes for `../` and `<`.
    let n = number(all);
    let overlong = text("", &n).replace("Café Zoë", "é\u{1}").into_bytes();
    let overlong = replaced(
        &overlong,
        b"\x01",
        b"\xc0\xae\xc0\xae\xc0\xaf\xe0\x80\xaf\xc0\xbcx",
    );
    all.put("overlong UTF-8", overlong, Offered);
    let n = number(all);
    let surrogate = text("", &n).replace("Café Zoë", "é\u{1}").into_bytes();
    let surrogate = replaced(&surrogate, b"\x01", b"\xed\xa0\x80\xed\xb0\x80");
    all.put("surrogates in UTF-8", surrogate, Offered);
    let n = number(all);
    let mut halves = wide(&text("", &n));
    let at = halves.len() / 2 * 2 - 40;
    halves.splice(at..at, [0x00, 0xd8]);
    all.put("half a surrogate", halves, Unreadable(""));
    let mut odd = wide(&text("", &number(all)));
    odd.pop();
    all.put("half a letter at the end", odd, Unreadable(""));
    let far = [&b"\xff\xfe\0\0"[..], b"<\0\0\0a\0\0\0"].concat();
    all.put("UTF-32", far, Unreadable("UTF-32"));
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes
        .windows(old.len())
        .position(|part| part == old)
        .unwrap();
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

fn structures(all: &mut Vec<Hostile>) {
    let control = Unreadable("a control character stands in it");
    all.invoice("NUL in a text", "", &note("a\0b"), control);
    all.invoice(
        "NUL as a reference",
        "",
        &note("a&#0;b"),
        Unreadable("`&#0;` is no character"),
    );
    all.invoice("an escape in a text", "", &note("\u{1b}[2J"), control);
    all.invoice(
        "a surrogate as a reference",
        "",
        &note("&#xD800;"),
        Unreadable("is no character"),
    );
    all.invoice(
        "a number past all",
        "",
        &note("&#99999999999;"),
        Unreadable("is no character"),
    );
    for (name, inside) in [
        ("an unfinished tag", "<a b='"),
        ("an unfinished comment", "<!-- "),
        ("an unfinished CDATA", "<![CDATA["),
        ("an unfinished instruction", "<?a "),
        ("an unfinished reference", "<a>&amp"),
        ("a tag that is not closed", "<a>"),
        ("a tag that was not opened", "</a>"),
        ("tags that cross", "<a><b></a></b>"),
        ("the end of CDATA in a text", "<a>]]></a>"),
        ("a comment in a comment", "<!-- <!-- --> -->"),
        ("a declaration inside", "<?xml version='1.0'?>"),
        ("a name that is none", "<../../x/>"),
        ("an attribute twice", "<a b='1' b='2'/>"),
        ("a prefix of nobody", "<x:a/>"),
        ("a `<` in an attribute", "<a b='<'/>"),
    ] {
        all.invoice(name, "", inside, Unreadable(""));
    }
    all.invoice(
        "an instruction to run",
        "",
        "<?php system('touch /tmp/sluis-was-here'); ?>",
        Offered,
    );
    let many = "<?a b?>".repeat(100_000);
    all.invoice("many instructions", "", &many, Offered);
    let split = note("<![CDATA[]]]]><![CDATA[><script>alert(1)</script>]]>");
    all.invoice("CDATA in pieces", "", &split, Offered);
    let other = "<cbc:ID xmlns:cbc=\"urn:other\">WRONG</cbc:ID><cac:AccountingSupplierParty xmlns:cac='urn:other'>\
                 <cbc:ID>WRONG</cbc:ID></cac:AccountingSupplierParty>";
    all.invoice("a prefix bound anew", "", other, Offered);
    all.invoice(
        "a reserved prefix",
        "",
        "<a xmlns:xml='urn:other'/>",
        Unreadable(""),
    );
    all.invoice(
        "the default bound to nothing",
        "",
        "<a xmlns=''><ID>WRONG</ID></a>",
        Offered,
    );
    all.invoice("a second root", "<a/>", "", Unreadable("a second root"));
}

fn attachments(all: &mut Vec<Hostile>) {
    let object = |name: &str, mime: &str, content: &str| {
        format!(
            "<cac:AdditionalDocumentReference><cbc:ID>1</cbc:ID><cac:Attachment>\
             <cbc:EmbeddedDocumentBinaryObject mimeCode=\"{mime}\" filename=\"{name}\">{content}\
             </cbc:EmbeddedDocumentBinaryObject></cac:Attachment></cac:AdditionalDocumentReference>"
        )
    };
    for (what, written) in WORDS.iter().map(|word| (word.what, word.in_xml())) {
        let one = object(&written, "application/pdf", "JVBERi0xLjQK");
        all.invoice(&format!("attached: {what}"), "", &one, Offered);
    }
    let many = object("a.pdf", "application/pdf", "JVBERi0xLjQK").repeat(2_000);
    all.invoice("two thousand attachments", "", &many, Offered);
    let script = "PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==";
    for (what, mime, content) in [
        (
            "a script that calls itself a PDF",
            "application/pdf",
            script,
        ),
        (
            "a type that is two lines",
            "text/html&#13;&#10;X-Evil: 1",
            script,
        ),
        ("base64 that is none", "application/pdf", "%%%not-base64%%%"),
        ("base64 that ends early", "application/pdf", "JVBERi0xLjQ"),
        (
            "base64 behind its end",
            "application/pdf",
            "JVBERi0xLjQK====AAAA",
        ),
        ("nothing", "application/pdf", ""),
    ] {
        all.invoice(
            &format!("attached: {what}"),
            "",
            &object("a.pdf", mime, content),
            Offered,
        );
    }
    let large = object("a.pdf", "application/pdf", &"JVBERi0xLjQK".repeat(300_000));
    all.invoice("attached: much", "", &large, Offered);
}

/// Numbers and names become files' names through templates, and stand in listings.
fn words(all: &mut Vec<Hostile>) {
    for word in WORDS {
        let written = word.in_xml();
        let invoice = |number: &str, seller: &str| {
            Invoice {
                before: "",
                number,
                seller,
                inside: "",
            }
            .text()
        };
        all.put(
            format!("numbered {}", word.what),
            invoice(&written, "Molens"),
            Offered,
        );
        let number = format!("W-{}", all.len());
        all.put(
            format!("sold by {}", word.what),
            invoice(&number, &written),
            Offered,
        );
    }
}

fn strangers(all: &mut Vec<Hostile>) {
    all.put("nothing", "", Unreadable("there is nothing in it"));
    all.put(
        "spaces",
        " \r\n".repeat(1000),
        Unreadable("there is nothing in it"),
    );
    all.put("a mark alone", b"\xef\xbb\xbf".to_vec(), Unreadable(""));
    all.put("one letter", "<", Unreadable(""));
    all.put("NUL alone", vec![0u8; 4096], Unreadable("it is not XML"));
    all.put("many openings", "<".repeat(1_000_000), Unreadable(""));
    all.put(
        "many ends",
        "]]>".repeat(100_000),
        Unreadable("it is not XML"),
    );
    all.put("a web page", "<html><script>alert(1)</script></html>", Held);
    all.put(
        "a picture that is a script",
        "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        Held,
    );
    all.put(
        "an archive",
        b"PK\x03\x04../../../x".to_vec(),
        Unreadable("ZIP"),
    );
    all.put(
        "a program",
        b"\x7fELF\x02\x01\x01\0".to_vec(),
        Unreadable("it is not XML"),
    );
    all.put(
        "a PDF",
        b"%PDF-1.7 /JavaScript (app.alert(1))".to_vec(),
        Held,
    );
    let sbdh = "http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader";
    let open = format!("<s:StandardBusinessDocument xmlns:s='{sbdh}'>");
    let nested = format!(
        "{}{}",
        open.repeat(50),
        "</s:StandardBusinessDocument>".repeat(50)
    );
    all.put("envelopes in envelopes", nested, Held);
    let many = format!(
        "{open}{}</s:StandardBusinessDocument>",
        "<a/>".repeat(100_000)
    );
    all.put("an envelope of many", many, Held);
}
