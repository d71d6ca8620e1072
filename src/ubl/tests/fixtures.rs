//! Is every flavour of the trade read, whoever wrote it?

use super::{attachments, fixture, keys, references, summary, told};
use crate::ubl::{Reading, read, show};

/// File, summary, remarks.
macro_rules! flavours {
    ($($name:ident, $file:literal, $summary:literal, $told:literal;)*) => {$(
        #[test]
        fn $name() {
            let read = read(fixture!($file));

            assert_eq!(summary(&read), $summary);
            assert_eq!(told(&read), $told);
        }
    )*};
}

flavours! {
    a_peppol_invoice, "peppol-invoice.xml",
        "invoice | 380 | F-2026-0117 | 2026-03-14 | 2026-04-13 | 212.00 | EUR | Molens Ter Leie | Bakkerij De Korenaar BV",
        "";
    a_peppol_credit_note, "peppol-credit-note.xml",
        "credit_note | 381 | C-2026-0009 | 2026-03-20 | 2026-04-13 | 26.50 | EUR | Molens Ter Leie | Bakkerij De Korenaar BV",
        "";
    a_self_billed_invoice_by_its_code, "self-billed-389.xml",
        "invoice | 389 | SB-0042 | 2026-03-14 | 2026-04-13 | 1210.00 | EUR | Schrijnwerk Van Aerde BV | Bakkerij De Korenaar BV | self-billed",
        "";
    a_self_billed_invoice_by_its_root, "self-billed-root.xml",
        "invoice | ZF-7 | 2026-03-14 | 2026-04-13 | 121.00 | EUR | Schrijnwerk Van Aerde BV | Bakkerij De Korenaar BV | self-billed",
        "it names no customization; read by its structure";
    a_self_billed_credit_note_by_its_root, "self-billed-credit-note-root.xml",
        "credit_note | 261 | ZC-1 | 2026-03-14 | 2026-04-13 | 12.10 | EUR | Schrijnwerk Van Aerde BV | Bakkerij De Korenaar BV | self-billed",
        "";
    an_invoice_of_ubl_be, "ubl-be.xml",
        "invoice | 380 | V01/15000042 | 2026-03-14 | 2026-04-13 | 212.00 | EUR | Imprimerie du Sablon SRL | Bakkerij De Korenaar BV",
        "";
    a_credit_note_of_efff_1, "efff-1-credit-note.xml",
        "credit_note | 381 | NC 2026/3 | 2026-03-14 | 2026-04-13 | 212.00 | EUR | Imprimerie du Sablon SRL | Bakkerij De Korenaar BV",
        "";
    an_invoice_of_efff_3, "efff-3.xml",
        "invoice | 380 | 2026-88 | 2026-03-14 | 2026-04-13 | 212.00 | EUR | Imprimerie du Sablon SRL | Bakkerij De Korenaar BV",
        "";
    an_invoice_from_the_netherlands, "nlcius.xml",
        "invoice | 380 | 2026.0031 | 2026-03-14 | 2026-04-13 | 212.00 | EUR | Papierhandel Zuidas B.V. | Bakkerij De Korenaar BV",
        "";
    an_invoice_from_germany, "xrechnung.xml",
        "invoice | 380 | RE-4711 | 2026-03-14 | 2026-04-13 | 212.00 | EUR | Werkzeugbau Rheinblick GmbH | Bakkerij De Korenaar BV",
        "";
    an_invoice_from_france, "french-cius.xml",
        "invoice | 380 | FA-2026-12 | 2026-03-14 | 2026-04-13 | 212.00 | EUR | Atelier Lumière & Fils SAS | Bakkerij De Korenaar BV",
        "";
    an_invoice_of_eb2b, "eb2b.xml",
        "invoice | 380 | EB-5 | 2026-03-14 | 2026-04-13 | 212.00 | EUR | Schrijnwerk Van Aerde BV | Bakkerij De Korenaar BV",
        "";
    an_invoice_of_the_old_peppol, "old-bis-5a.xml",
        "invoice | 380 | OUD-1 | 2015-06-01 | 2015-07-01 | 212.00 | EUR | Molens Ter Leie NV | Bakkerij De Korenaar BV",
        "it was written for Peppol BIS 4A or 5A, which is out of use";
    an_invoice_in_an_envelope, "sbdh-invoice.xml",
        "invoice | 380 | F-2026-0117 | 2026-03-14 | 2026-04-13 | 212.00 | EUR | Molens Ter Leie | Bakkerij De Korenaar BV",
        "";
    an_envelope_around_something_else, "sbdh-binary.xml",
        "other",
        "the envelope holds something that is not XML";
    an_invoice_in_utf_16, "utf-16.xml",
        "invoice | 380 | U-16 | 2026-03-14 | 2026-04-13 | 212.00 | EUR | Imprimerie du Sablon Crème SRL | Bakkerij De Korenaar BV",
        "";
    an_invoice_in_latin_1, "iso-8859-1.xml",
        "invoice | 380 | L-1 | 2026-03-14 | 2026-04-13 | 212.00 | EUR | Imprimerie du Sablon Crème SRL | Bakkerij De Korenaar BV",
        "";
    an_invoice_with_odd_prefixes, "odd-prefixes.xml",
        "invoice | 380 | P-1 | 2026-03-14 | 2026-04-13 | 212.00 | EUR | Molens Ter Leie | Bakkerij De Korenaar BV",
        "";
    an_invoice_in_cii, "cii.xml",
        "cii | 380 | CII-8 | 2026-03-14 | 2026-04-13 | 119.00 | EUR | Werkzeugbau Rheinblick GmbH | Bakkerij De Korenaar BV",
        "it is a Cross Industry Invoice, which no linked program reads";
    an_answer, "application-response.xml",
        "response | IR-1 | 2026-03-16",
        "it is an answer about a document, which no linked program reads";
    an_order, "order.xml",
        "other | B-331 | 2026-03-02 | Molens Ter Leie | Bakkerij De Korenaar BV",
        "it is a UBL message of another kind: `Order`";
    a_bomb_of_entities, "dtd-bomb.xml",
        "unreadable",
        "it declares a document type, which is never read (line 2, byte 39)";
    a_broken_invoice, "broken.xml",
        "unreadable",
        "`</cac:LegalMonetaryTotaal>` stands where `</cac:LegalMonetaryTotal>` should (line 39, byte 2717)";
    a_mail, "not-xml.txt",
        "unreadable",
        "it is not XML: it does not begin with `<`";
    an_invoice_with_an_empty_attachment, "empty-attachment.xml",
        "invoice | 380 | LEEG-1 | 2026-03-14 | 2026-04-13 | 212.00 | EUR | Molens Ter Leie | Bakkerij De Korenaar BV",
        "attachment 1 (`LEEG-1.pdf`) is empty";
    an_invoice_of_an_unknown_agreement, "unknown-customization.xml",
        "invoice | 380 | EIGEN-1 | 2026-03-14 | 2026-04-13 | 212.00 | EUR | Schrijnwerk Van Aerde BV | Bakkerij De Korenaar BV",
        "the customization `urn:example:eigen:1.0` is unknown; read by its structure";
    a_pdf_that_carries_an_invoice, "hybrid.pdf",
        "other",
        "it is a PDF that carries an invoice inside (Factur-X, ZUGFeRD), which no linked program reads";
}

#[test]
fn parties_are_known_by_their_numbers_in_order_of_trust() {
    assert_eq!(
        keys(&read(fixture!("peppol-invoice.xml"))),
        "legal_entity 0208:0451827384, vat 0208:0451827384, endpoint 0208:0451827384 -> \
         legal_entity 0208:0771234528, vat 0208:0771234528, endpoint 0208:0771234528"
    );
    assert_eq!(
        keys(&read(fixture!("efff-1-credit-note.xml"))),
        "identification 0208:0809172614 -> vat 0208:0771234528"
    );
    assert_eq!(
        keys(&read(fixture!("cii.xml"))),
        "legal_entity vat:HRB98765, vat vat:DE123456788, identification fc:20111340209 -> \
         legal_entity 0208:0771234528"
    );
}

#[test]
fn orders_contracts_and_preceding_invoices_are_named() {
    assert_eq!(
        references(&read(fixture!("peppol-invoice.xml"))),
        r#"{"id":"B-331","issued":null,"kind":"order"}
{"id":"V-9001","issued":null,"kind":"sales_order"}
{"id":"RAAM-2025","issued":null,"kind":"contract"}"#
    );
    assert_eq!(
        references(&read(fixture!("peppol-credit-note.xml"))),
        r#"{"id":"F-2026-0117","issued":"2026-03-14","kind":"invoice"}"#
    );
    assert_eq!(
        references(&read(fixture!("application-response.xml"))),
        r#"{"id":"F-2026-0117","issued":"2026-03-14","kind":"answered"}"#
    );
}

#[test]
fn the_picture_of_the_invoice_is_found_among_its_attachments() {
    assert_eq!(
        attachments(&read(fixture!("ubl-be.xml"))),
        r#"{"bytes":584,"is_invoice_pdf":false,"mime":"application/pdf","name":"proef.pdf"}
{"bytes":595,"is_invoice_pdf":true,"mime":"application/pdf","name":"V01-15000042.pdf"}"#
    );
    assert_eq!(
        attachments(&read(fixture!("peppol-invoice.xml"))),
        r#"{"bytes":19,"is_invoice_pdf":false,"mime":"text/csv","name":"leveringsbon.csv"}"#
    );
    assert_eq!(attachments(&read(fixture!("empty-attachment.xml"))), "");
}

#[test]
fn an_envelope_is_kept_and_its_document_stands_alone() {
    let wrapped = read(fixture!("sbdh-invoice.xml"));
    let inner = wrapped.inner.clone().unwrap();

    let bare = read(&inner);

    assert_eq!(
        show::json_line("", &wrapped.reading)["sbdh"],
        serde_json::json!({
            "instance": "6f1d3c1e-5a52-4b0a-9c5e-0d8f6b7a1c42",
            "sender": "0208:0451827384",
            "receiver": "0208:0771234528",
            "document_id": "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2::Invoice##urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0::2.1",
            "process_id": "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0",
        })
    );
    let root = std::str::from_utf8(&inner).unwrap().lines().nth(1).unwrap();
    assert_eq!(
        root,
        "<ubl:Invoice xmlns:cac=\"urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2\" \
         xmlns:cbc=\"urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2\" \
         xmlns:ubl=\"urn:oasis:names:specification:ubl:schema:xsd:Invoice-2\">"
    );
    assert_eq!(bare.inner, None);
    let without_envelope = Reading {
        sbdh: None,
        ..wrapped.reading
    };
    assert_eq!(bare.reading, without_envelope);
    assert_eq!(read(fixture!("sbdh-invoice.xml")).inner, Some(inner));
}

#[test]
fn a_program_sees_every_key_and_null_for_what_is_absent() {
    let line = show::json_line("post/not-xml.txt", &read(fixture!("not-xml.txt")).reading);

    assert_eq!(
        line.to_string(),
        r#"{"accounts":null,"attachments":[],"buyer":{"ids":[],"name":null},"currency":null,"customization":null,"due":null,"file":"post/not-xml.txt","issued":null,"kind":"unreadable","number":null,"payable":null,"payable_currency":null,"profile":null,"references":[],"remarks":["it is not XML: it does not begin with `<`"],"sbdh":null,"self_billed":false,"seller":{"ids":[],"name":null},"type_code":null}"#
    );
}

#[test]
fn what_was_kept_before_accounts_and_contents_were_read_comes_back_without() {
    let mut kept = serde_json::to_value(read(fixture!("ubl-be.xml")).reading).unwrap();
    kept.as_object_mut().unwrap().remove("accounts").unwrap();
    for file in kept["attachments"].as_array_mut().unwrap() {
        file.as_object_mut()
            .unwrap()
            .remove("base64_digest")
            .unwrap();
    }

    let back: Reading = serde_json::from_value(kept).unwrap();

    assert_eq!(back.accounts, None);
    assert_eq!(back.attachments[0].base64_digest, None);
}

#[test]
fn a_person_sees_a_few_lines() {
    let read = read(fixture!("ubl-be.xml"));

    assert_eq!(
        show::text("ubl-be.xml", &read.reading),
        "\
ubl-be.xml: invoice V01/15000042 of 2026-03-14 due 2026-04-13 for 212.00 EUR
  seller: Imprimerie du Sablon SRL (0809172614, BE0809172614, 0809172614)
  buyer: Bakkerij De Korenaar BV (0771234528, BE0771234528, 0771234528)
  attachment: proef.pdf (application/pdf, 584 bytes)
  attachment: V01-15000042.pdf (application/pdf, 595 bytes, the invoice itself)
"
    );
}
