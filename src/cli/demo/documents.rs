//! Which documents does the invented office receive?
//!
//! Our own fixtures, where no name and no number belongs to anybody. Their parties are exchanged
//! where the office wants a sale, or somebody whom it does not know.

use std::fs;

use super::office::Office;
use crate::cli::Error;
use crate::ingest::Arrival;

macro_rules! fixture {
    ($file:literal) => {
        include_str!(concat!("../../../tests/fixtures/ubl/", $file))
    };
}

const INVOICE: &str = fixture!("peppol-invoice.xml");

/// File, text, and what is written otherwise in it.
type Sample = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// The order in which they arrive: the copy in an envelope comes after what it copies.
#[rustfmt::skip]
const SAMPLES: &[Sample] = &[
    ("F-2026-0117.xml",         INVOICE, &[]),
    ("credit-note.xml",         fixture!("peppol-credit-note.xml"), &[]),
    ("self-billed.xml",         fixture!("self-billed-389.xml"), &[]),
    ("ubl-be-with-pdf.xml",     fixture!("ubl-be.xml"), &[]),
    ("e-fff.xml",               fixture!("efff-3.xml"), &[]),
    ("e-fff-credit-note.xml",   fixture!("efff-1-credit-note.xml"), &[]),
    ("from-the-netherlands.xml", fixture!("nlcius.xml"), &[]),
    ("from-germany.xml",        fixture!("xrechnung.xml"), &[]),
    ("in-an-envelope.xml",      fixture!("sbdh-invoice.xml"), &[("F-2026-0117", "F-2026-0118"), ("6f1d3c1e", "6f1d3c1f")]),
    ("sale.xml",                INVOICE, &[("F-2026-0117", "V-2026-0031"), ("0771234528", "@buyer"), ("0451827384", "0771234528"), ("@buyer", "0809172614"),
                                           ("Bakkerij De Korenaar BV", "@buyer"), ("Molens Ter Leie NV", "Bakkerij De Korenaar BV"), ("Molens Ter Leie", "Bakkerij De Korenaar BV"), ("@buyer", "Imprimerie du Sablon SRL")]),
    ("same-number-again.xml",   INVOICE, &[("Tarwebloem", "Roggebloem")]),
    ("for-somebody-else.xml",   INVOICE, &[("F-2026-0117", "X-77"), ("0771234528", "0512345684"), ("0451827384", "0623456711"), ("Bakkerij De Korenaar BV", "Slagerij Onbekend BV"), ("Molens Ter Leie", "Zaagwerk Elders")]),
    ("other-syntax.xml",        fixture!("cii.xml"), &[]),
    ("response.xml",            fixture!("application-response.xml"), &[]),
    ("broken.xml",              fixture!("broken.xml"), &[]),
];

/// An invoice that has not arrived yet, for whoever wants to see one arrive.
const NEXT: Sample = (
    "next-invoice.xml",
    INVOICE,
    &[("F-2026-0117", "F-2026-0119")],
);

/// Takes the documents in, and leaves one more beside the drop folder.
pub(in crate::cli) async fn take_in(office: &Office) -> Result<(), Error> {
    let arrival = |sample: &Sample| Arrival::new(format!("demo:{}", sample.0), text(sample));
    let arrivals = SAMPLES.iter().map(arrival).collect();
    let house = &office.house;
    house
        .ingest
        .take(office.firm.id, arrivals, house.clock.read())
        .await?;
    let next = office.folder.join(NEXT.0);
    fs::write(&next, text(&NEXT)).map_err(Error::file("write", &next))
}

fn text((_, text, changes): &Sample) -> String {
    let changed = changes.iter();
    changed.fold((*text).to_owned(), |text, (from, to)| {
        text.replace(from, to)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;
    use crate::ubl;

    #[test]
    fn the_sale_has_its_parties_exchanged() {
        let sale = SAMPLES
            .iter()
            .find(|sample| sample.0 == "sale.xml")
            .unwrap();

        let reading = ubl::read(text(sale).as_bytes()).reading;

        assert_eq!(reading.kind, Kind::Invoice);
        assert_eq!(reading.number.as_deref(), Some("V-2026-0031"));
        assert_eq!(reading.seller.ids[0].raw, "0771234528");
        assert_eq!(
            reading.seller.name.as_deref(),
            Some("Bakkerij De Korenaar BV")
        );
        assert_eq!(reading.buyer.ids[0].raw, "0809172614");
    }
}
