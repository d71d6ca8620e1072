//! What is moved: sound invoices, of any size, that read alike on every run.

/// Whose books: the buyer of every invoice.
pub const BUYER: &str = "0771234528";
const SELLER: &str = "0451827384";

/// An invoice with this number, of `bytes` bytes at least, most of it an embedded attachment as in real life.
pub fn invoice(number: &str, bytes: usize) -> Vec<u8> {
    invoice_to(BUYER, number, bytes)
}

/// The same to another buyer.
pub fn invoice_to(buyer: &str, number: &str, bytes: usize) -> Vec<u8> {
    let party = |id: &str| {
        format!(
            "<cac:Party><cbc:EndpointID schemeID=\"0208\">{id}</cbc:EndpointID>\
             <cac:PartyName><cbc:Name>Onderneming {id}</cbc:Name></cac:PartyName>\
             <cac:PartyTaxScheme><cbc:CompanyID>BE{id}</cbc:CompanyID><cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:PartyTaxScheme>\
             <cac:PartyLegalEntity><cbc:RegistrationName>Onderneming {id}</cbc:RegistrationName>\
             <cbc:CompanyID schemeID=\"0208\">{id}</cbc:CompanyID></cac:PartyLegalEntity></cac:Party>"
        )
    };
    let head = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Invoice xmlns=\"urn:oasis:names:specification:ubl:schema:xsd:Invoice-2\" \
         xmlns:cac=\"urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2\" \
         xmlns:cbc=\"urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2\">\
         <cbc:CustomizationID>urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0</cbc:CustomizationID>\
         <cbc:ID>{number}</cbc:ID><cbc:IssueDate>2026-03-14</cbc:IssueDate><cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>\
         <cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>\
         <cac:AdditionalDocumentReference><cbc:ID>{number}</cbc:ID><cac:Attachment>\
         <cbc:EmbeddedDocumentBinaryObject mimeCode=\"application/pdf\" filename=\"{number}.pdf\">"
    );
    let tail = format!(
        "</cbc:EmbeddedDocumentBinaryObject></cac:Attachment></cac:AdditionalDocumentReference>\
         <cac:AccountingSupplierParty>{}</cac:AccountingSupplierParty>\
         <cac:AccountingCustomerParty>{}</cac:AccountingCustomerParty>\
         <cac:LegalMonetaryTotal><cbc:PayableAmount currencyID=\"EUR\">121.00</cbc:PayableAmount></cac:LegalMonetaryTotal></Invoice>\n",
        party(SELLER),
        party(buyer)
    );
    let mut xml = head.into_bytes();
    let fill = bytes.saturating_sub(xml.len() + tail.len()) / 4 * 4;
    // Base64 of something, so that neither a disk nor a cipher finds it easy.
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = number
        .bytes()
        .fold(0x9E37_79B9_u32, |s, b| s.rotate_left(5) ^ u32::from(b))
        | 1;
    xml.extend((0..fill).map(|_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        ALPHABET[(state >> 26) as usize]
    }));
    xml.extend_from_slice(tail.as_bytes());
    xml
}
