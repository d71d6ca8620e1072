//! Whose books is this document for?
//!
//! Judged from the parties, never from who sent it: the seller's dossier books a sale, the buyer's a
//! purchase. Self-billing changes nothing, for the seller stays the seller.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::named::Named;
use super::plan::{is_coded, is_number, is_registration};
use crate::model::{
    DossierId, EnterpriseNumber, Flow, HeldReason, Kind, PartyId, PartyIdSource, belgian_numbers_in,
};
use crate::ubl::{Party, Reading};

/// Which dossier each identifier of a firm belongs to, by key.
pub type DossierIndex = BTreeMap<String, DossierId>;

/// Why a document went where it went: kept with the delivery, and shown by `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routing {
    /// The rule that decided.
    pub rule: Rule,
    /// The identifiers that matched a dossier.
    pub matched: Vec<Match>,
    /// The identifiers of a party that speak against the dossier whose address it has; where nobody is known, all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub against: Vec<Stranger>,
    /// What the sender said, if it named a dossier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<Named>,
}

impl Routing {
    /// A rule, and what matched.
    pub(crate) fn new(rule: Rule, matched: Vec<Match>) -> Self {
        Self {
            rule,
            matched,
            against: Vec::new(),
            named: None,
        }
    }
}

/// The rules of routing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The seller is a dossier of the firm: a sale.
    SellerIsOurs,
    /// The buyer is a dossier of the firm: a purchase.
    BuyerIsOurs,
    /// Neither is.
    NeitherIsOurs,
    /// Both are the same one.
    SameDossierTwice,
    /// The identifiers of one party contradict each other.
    PartyContradictsItself,
    /// It is not an invoice or credit note in UBL.
    NoInvoice,
    /// The sender named the dossier, and one party bears its name and nobody's number.
    SenderNamed,
    /// The sender named a dossier, and the parties are another.
    SenderDisagrees,
    /// The folder into which the sender put it is that of several dossiers.
    CodeUnclear,
    /// The sender named a dossier, and nothing says whether that sells or buys.
    FlowUnknown,
    /// A person said so.
    ByHand,
}

impl Rule {
    /// Returns the word that JSON and explanations use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SellerIsOurs => "seller_is_ours",
            Self::BuyerIsOurs => "buyer_is_ours",
            Self::NeitherIsOurs => "neither_is_ours",
            Self::SameDossierTwice => "same_dossier_twice",
            Self::PartyContradictsItself => "party_contradicts_itself",
            Self::NoInvoice => "no_invoice",
            Self::SenderNamed => "sender_named",
            Self::SenderDisagrees => "sender_disagrees",
            Self::CodeUnclear => "code_unclear",
            Self::FlowUnknown => "flow_unknown",
            Self::ByHand => "by_hand",
        }
    }
}

/// An identifier in a document that is one of a dossier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// `seller` or `buyer`.
    pub party: String,
    /// Where it stood.
    pub source: PartyIdSource,
    /// As written.
    pub value: String,
    /// As compared.
    pub key: String,
    /// Whose it is.
    pub dossier: DossierId,
}

/// An identifier in a document that is somebody else's than a dossier's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    /// `seller` or `buyer`.
    pub party: String,
    /// Where it stood.
    pub source: PartyIdSource,
    /// As written.
    pub value: String,
    /// As compared.
    pub key: String,
}

/// Where a document belongs: to one or two dossiers, or nowhere for a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To these books.
    To(Vec<(DossierId, Flow, Routing)>),
    /// Nowhere yet.
    Hold(HeldReason, Routing),
}

/// Judges whose books a document is for.
pub fn route(reading: &Reading, dossiers: &DossierIndex) -> Route {
    let hold = |reason, rule, matched| Route::Hold(reason, Routing::new(rule, matched));
    match reading.kind {
        Kind::Invoice | Kind::CreditNote => {}
        Kind::Response => return hold(HeldReason::NotAnInvoice, Rule::NoInvoice, Vec::new()),
        Kind::Cii | Kind::Other | Kind::Unreadable => {
            return hold(HeldReason::Format, Rule::NoInvoice, Vec::new());
        }
    }
    let seller = find("seller", &reading.seller, dossiers);
    let buyer = find("buyer", &reading.buyer, dossiers);
    let matched = || {
        [&seller, &buyer]
            .into_iter()
            .flat_map(|found| found.matched.clone())
            .collect::<Vec<_>>()
    };
    if seller.contradicts || buyer.contradicts {
        let routing = Routing::new(Rule::PartyContradictsItself, matched());
        let against = [seller.against, buyer.against].concat();
        return Route::Hold(HeldReason::PartiesDisagree, Routing { against, ..routing });
    }
    match (seller.dossier, buyer.dossier) {
        (None, None) => {
            let routing = Routing::new(Rule::NeitherIsOurs, Vec::new());
            let sells = numbers("seller", &reading.seller);
            let against = sells.chain(numbers("buyer", &reading.buyer)).collect();
            Route::Hold(HeldReason::UnknownDossier, Routing { against, ..routing })
        }
        (Some(one), Some(other)) if one == other => {
            hold(HeldReason::SameDossier, Rule::SameDossierTwice, matched())
        }
        (sells, buys) => {
            let sale = sells.map(|id| {
                (
                    id,
                    Flow::Sale,
                    Routing::new(Rule::SellerIsOurs, seller.matched),
                )
            });
            let purchase = buys.map(|id| {
                (
                    id,
                    Flow::Purchase,
                    Routing::new(Rule::BuyerIsOurs, buyer.matched),
                )
            });
            Route::To(sale.into_iter().chain(purchase).collect())
        }
    }
}

struct Found {
    dossier: Option<DossierId>,
    matched: Vec<Match>,
    against: Vec<Stranger>,
    contradicts: bool,
}

fn find(role: &str, party: &Party, dossiers: &DossierIndex) -> Found {
    let matching = |id: &PartyId, key: &str| {
        Some(Match {
            party: role.to_owned(),
            source: id.source,
            value: id.raw.clone(),
            key: key.to_owned(),
            dossier: *dossiers.get(key)?,
        })
    };
    let ids = party.ids.iter();
    let mut matched: Vec<Match> = ids.filter_map(|id| matching(id, &id.key)).collect();
    let known = matched.first().map(|first| first.dossier);
    let worded = party.ids.iter().filter(|id| may_hold_a_number(id));
    for id in worded.filter(|id| !dossiers.contains_key(&id.key)) {
        let within = belgian_numbers_in(&id.raw).filter_map(|key| matching(id, &key));
        let within: Vec<Match> = within.collect();
        // One that holds a number of the dossier itself speaks for it.
        let is_own = within.iter().any(|one| Some(one.dossier) == known);
        if !is_own {
            matched.extend(within);
        }
    }
    let dossier = matched.first().map(|first| first.dossier);
    let two_dossiers = matched.iter().any(|one| Some(one.dossier) != dossier);
    let against = strangers(role, party, &matched, dossiers);
    let contradicts = two_dossiers || !against.is_empty();
    Found {
        dossier,
        matched,
        against,
        contradicts,
    }
}

/// Whether a Belgian number that stands in an identifier, with words around it or under a scheme that nobody knows, is the
/// party's: it is where its registrations stand, unless the register or the country is named, and is another.
pub(super) fn may_hold_a_number(id: &PartyId) -> bool {
    let (scheme, number) = id.key.split_once(':').unwrap_or_default();
    let names_another = match scheme {
        "vat" => TEN_DIGITS_ABROAD.iter().any(|country| {
            let number = number.strip_prefix(country);
            number.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        }),
        // Thirteen digits are taken for a GLN.
        "0088" => id.scheme.is_some(),
        // Under the scheme of its own, whatever that is called.
        "0208" => false,
        scheme => is_coded(scheme) || names_a_foreign_register(id),
    };
    is_registration(id) && !names_another
}

/// Countries whose VAT numbers may have ten digits, as a Belgian one has. Other letters before a number are words: `O.N.`,
/// `N.E.`, `H.R.`, `Nr.`
const TEN_DIGITS_ABROAD: [&str; 8] = ["BG", "CZ", "PL", "RO", "RU", "SK", "TR", "UA"];

/// An electronic address says where a document was sent, not whose it is: when the party's legal or
/// VAT number is a sound Belgian number of somebody else, or such a number stands in it among other words or under a
/// scheme that nobody knows, the address alone does not decide. Neither does it
/// against a foreign number that no dossier bears, unless a legal or VAT number of the dossier stands beside
/// that: enterprises are registered in several countries.
fn strangers(
    role: &str,
    party: &Party,
    matched: &[Match],
    dossiers: &DossierIndex,
) -> Vec<Stranger> {
    let is_weak = |source| {
        matches!(
            source,
            PartyIdSource::Endpoint | PartyIdSource::Identification
        )
    };
    if !matched.first().is_some_and(|first| is_weak(first.source)) {
        return Vec::new();
    }
    let by_address = matched.iter().all(|one| is_weak(one.source));
    let is_own = |key: String| {
        let dossier = dossiers.get(&key);
        dossier.is_some_and(|own| matched.iter().any(|one| one.dossier == *own))
    };
    let counts = |id: &&PartyId| match id.enterprise_digits() {
        _ if is_weak(id.source) => false,
        Some(digits) => digits.parse::<EnterpriseNumber>().is_ok(),
        // What stands around a number, and under what name, is anybody's choice.
        None if belgian_numbers_in(&id.raw).any(is_own) => false,
        None => belgian_numbers_in(&id.raw).next().is_some() || (by_address && is_foreign(id)),
    };
    let ids = party.ids.iter().filter(counts);
    let unknown = ids.filter(|id| !dossiers.contains_key(&id.key));
    unknown.map(|id| stranger(role, id)).collect()
}

/// What is a number of a party, so that a person can say whose.
fn numbers(role: &str, party: &Party) -> impl Iterator<Item = Stranger> {
    let ids = party.ids.iter().filter(|id| is_number(&id.key));
    ids.map(move |id| stranger(role, id))
}

fn stranger(role: &str, id: &PartyId) -> Stranger {
    Stranger {
        party: role.to_owned(),
        source: id.source,
        value: id.raw.clone(),
        key: id.key.clone(),
    }
}

/// Whether an identifier says that the enterprise is registered abroad: whatever stands where a VAT number does and
/// has a digit, and a legal number of a register that has a code, or is written as `NL:KVK`. An unsound Belgian number
/// says nothing, and a GLN is of a place.
pub(super) fn is_foreign(id: &PartyId) -> bool {
    let (scheme, number) = id.key.split_once(':').unwrap_or_default();
    match (id.source, scheme) {
        _ if !is_number(&id.key) => false,
        (PartyIdSource::LegalEntity | PartyIdSource::Vat, "vat") => !number.starts_with("BE"),
        (PartyIdSource::Vat, scheme) => scheme != "0208",
        (PartyIdSource::LegalEntity, "0208" | "0088") => false,
        (PartyIdSource::LegalEntity, scheme) => is_coded(scheme) || names_a_foreign_register(id),
        (PartyIdSource::Endpoint | PartyIdSource::Identification, _) => false,
    }
}

/// Registers of the neighbours, as they are written where their code should be.
const FOREIGN_REGISTERS: [&str; 8] = [
    "KVK", "SIREN", "SIRENE", "SIRET", "CVR", "HRB", "ORGNR", "RCS",
];

/// Whether a scheme is the name of a register abroad: a country and a name, or a name that is known.
fn names_a_foreign_register(id: &PartyId) -> bool {
    let scheme = id.scheme.as_deref().unwrap_or_default().to_uppercase();
    match scheme.split_once(':') {
        Some((country, _)) => {
            country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase()) && country != "BE"
        }
        None => FOREIGN_REGISTERS.contains(&scheme.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ingest::plan::tests::{invoice, party};

    const BAKER: &str = "0239843188";
    const MILLER: &str = "0762986459";
    const STRANGER: &str = "0500453583";

    fn dossiers() -> DossierIndex {
        [(BAKER, 1), (MILLER, 2), ("0756996413", 1)]
            .map(|(digits, id)| (format!("0208:{digits}"), DossierId(id)))
            .into()
    }

    /// Seller, buyer, and what comes of it.
    type Case<'a> = (
        &'a [(PartyIdSource, &'a str)],
        &'a [(PartyIdSource, &'a str)],
        &'a str,
    );

    fn routed(seller: &[(PartyIdSource, &str)], buyer: &[(PartyIdSource, &str)]) -> String {
        let mut reading = invoice("F-1");
        reading.seller = party(seller);
        reading.buyer = party(buyer);
        match route(&reading, &dossiers()) {
            Route::To(routes) => routes
                .iter()
                .map(|(id, flow, why)| format!("{} {id} {}; ", flow.as_str(), why.rule.as_str()))
                .collect(),
            Route::Hold(reason, _) => format!("held {}", reason.as_str()),
        }
    }

    #[test]
    fn the_table_of_routing() {
        use PartyIdSource::{Endpoint, Identification, LegalEntity, Vat};
        #[rustfmt::skip]
        let table: &[Case<'_>] = &[
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, BAKER)],    "purchase 1 buyer_is_ours; "),
            (&[(LegalEntity, BAKER)],    &[(LegalEntity, STRANGER)], "sale 1 seller_is_ours; "),
            (&[(Vat, "BE0762.986.459")], &[(Endpoint, BAKER)],       "sale 2 seller_is_ours; purchase 1 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, STRANGER)], "held unknown_dossier"),
            (&[],                        &[],                        "held unknown_dossier"),
            (&[(LegalEntity, BAKER)],    &[(Vat, "BE0756996413")],   "held same_dossier"),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, BAKER), (Vat, MILLER)], "held parties_disagree"),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, STRANGER), (Vat, BAKER)], "purchase 1 buyer_is_ours; "),
            (&[(LegalEntity, MILLER)],   &[(LegalEntity, STRANGER), (Endpoint, BAKER)], "held parties_disagree"),
            (&[(LegalEntity, STRANGER)], &[(Vat, "NL820098395B01"), (Endpoint, BAKER)], "held parties_disagree"),
            (&[(LegalEntity, STRANGER)], &[(Vat, "NL820098395B01"), (LegalEntity, BAKER)], "purchase 1 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(Endpoint, BAKER), (Vat, "NL820098395B01"), (LegalEntity, BAKER)], "purchase 1 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(Vat, "BE12"), (Endpoint, BAKER)], "purchase 1 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "0106:12345678"), (Endpoint, BAKER)], "held parties_disagree"),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "0002:732829320"), (Endpoint, BAKER)], "held parties_disagree"),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "HRB 12345"), (Endpoint, BAKER)], "held parties_disagree"),
            (&[(LegalEntity, STRANGER)], &[(Vat, "820098395B01"), (Endpoint, BAKER)], "held parties_disagree"),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "0106:12345678"), (Vat, BAKER), (Endpoint, BAKER)], "purchase 1 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "0088:5412345000013"), (Endpoint, BAKER)], "purchase 1 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "1234"), (Vat, "NVT"), (Endpoint, BAKER)], "purchase 1 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "0123123123"), (Endpoint, BAKER)], "purchase 1 buyer_is_ours; "),
            // Another dossier's number, or a stranger's, with words around it that are in no list.
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "BE 0762.986.459 Griffie Gent"), (Endpoint, BAKER)], "held parties_disagree"),
            (&[(LegalEntity, STRANGER)], &[(Vat, "0500453583-001"), (Endpoint, BAKER)], "held parties_disagree"),
            (&[(LegalEntity, "Handelsregister 0762.986.459"), (Endpoint, BAKER)], &[(LegalEntity, STRANGER)], "held parties_disagree"),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "BE 0239.843.188 Griffie Gent"), (Endpoint, BAKER)], "purchase 1 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "0756996413 / 0762986459"), (Endpoint, BAKER)], "purchase 1 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "5412345000013"), (Endpoint, BAKER)], "purchase 1 buyer_is_ours; "),
            // Where nothing else says who it is, such a number does, if it is a dossier's.
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "BE 0762.986.459 Griffie Gent")], "purchase 2 buyer_is_ours; "),
            (&[(Vat, "0762986459-001")], &[(LegalEntity, STRANGER)], "sale 2 seller_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "Griffie Gent 0500.453.583")], "held unknown_dossier"),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "Griffie 0762.986.459"), (Vat, "0239843188-1")], "held parties_disagree"),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "0106:0762986459")], "held unknown_dossier"),
            // Under its own scheme with words in no list, as without a scheme; in an address they leave a doubt.
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "0208:0762986459 (KBO)")], "purchase 2 buyer_is_ours; "),
            (&[(Vat, "9925:0762.986.459 Gent")], &[(LegalEntity, STRANGER)], "sale 2 seller_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "0208:0500453583 (KBO)")], "held unknown_dossier"),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "0208:0762986459 (KBO)"), (Vat, BAKER)], "held parties_disagree"),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "0208:0762986458 (KBO)")], "held unknown_dossier"),
            (&[(LegalEntity, STRANGER)], &[(Endpoint, "0208:0762986459 (KBO)")], "held unknown_dossier"),
            (&[(LegalEntity, STRANGER)], &[(Endpoint, "0208:0762986459 (BTW)")], "purchase 2 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(Vat, "PL0762986459")], "held unknown_dossier"),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "O.N. 0762.986.459")], "purchase 2 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "H.R. 0762.986.459")], "purchase 2 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(Endpoint, "0762986459@example.be")], "held unknown_dossier"),
            // Beside a number of a dossier, such a one of another dossier makes two of the party; a stranger's does not.
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, BAKER), (Vat, "BE 0762.986.459 Griffie Gent")], "held parties_disagree"),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, "Griffie Gent 0762.986.459"), (Vat, BAKER)], "held parties_disagree"),
            (&[(LegalEntity, BAKER), (Vat, "0762986459-001")], &[(LegalEntity, STRANGER)], "held parties_disagree"),
            (&[(LegalEntity, STRANGER)], &[(Vat, "0762986459-001"), (Identification, BAKER)], "held parties_disagree"),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, BAKER), (Vat, "BE 0239.843.188 Griffie Gent")], "purchase 1 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, BAKER), (Vat, "0756996413 / 0762986459")], "purchase 1 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, BAKER), (Vat, "BE 0500.453.583 Griffie Gent")], "purchase 1 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, BAKER), (Vat, "PL0762986459")], "purchase 1 buyer_is_ours; "),
            (&[(LegalEntity, STRANGER)], &[(LegalEntity, BAKER), (Endpoint, "0762986459@example.be")], "purchase 1 buyer_is_ours; "),
        ];
        for (seller, buyer, expected) in table {
            assert_eq!(
                routed(seller, buyer),
                *expected,
                "{seller:?} sells to {buyer:?}"
            );
        }
    }

    #[test]
    fn what_a_person_gave_a_dossier_words_and_all_is_that_dossiers() {
        let worded = PartyId::new(PartyIdSource::Vat, None, "BE 0762.986.459 Griffie Gent");
        let mut reading = invoice("F-1");
        reading.buyer = party(&[(PartyIdSource::LegalEntity, BAKER)]);
        reading.buyer.ids.push(worded.clone());
        let mut dossiers = dossiers();
        assert!(matches!(route(&reading, &dossiers), Route::Hold(..)));

        dossiers.insert(worded.key, DossierId(1));

        assert!(matches!(route(&reading, &dossiers), Route::To(_)));
    }

    #[test]
    fn a_number_counts_whatever_its_scheme_is_called() {
        let routed = |scheme: &str, raw: &str| {
            let mut reading = invoice("F-1");
            reading.buyer = party(&[(PartyIdSource::Endpoint, BAKER)]);
            let id = PartyId::new(PartyIdSource::LegalEntity, Some(scheme), raw);
            reading.buyer.ids.insert(0, id);
            matches!(route(&reading, &dossiers()), Route::To(_))
        };
        for (scheme, raw, goes) in [
            ("BE:EN", MILLER, false),
            ("CompanyID", MILLER, false),
            ("CompanyID", STRANGER, false),
            ("UBLBE", BAKER, true),
            ("NL:KVK", "12345678", false),
            ("siret", "73282932000074", false),
            ("DK:CVR", "DK12345678", false),
            ("CompanyID", "12345678", true),
            ("BE:NBB", "12", true),
        ] {
            assert_eq!(routed(scheme, raw), goes, "{scheme} {raw}");
        }
    }

    #[test]
    fn what_speaks_against_an_address_is_named() {
        use PartyIdSource::{Endpoint, LegalEntity, Vat};
        let mut reading = invoice("F-1");
        reading.buyer = party(&[
            (LegalEntity, "0106:12345678"),
            (Vat, "NVT"),
            (Endpoint, BAKER),
        ]);

        let Route::Hold(_, routing) = route(&reading, &dossiers()) else {
            panic!("an address alone has decided");
        };

        let against = &routing.against;
        let values: Vec<_> = against.iter().map(|one| one.value.as_str()).collect();
        assert_eq!(values, ["0106:12345678"]);
        let json = serde_json::to_string(&routing).unwrap();
        assert_eq!(serde_json::from_str::<Routing>(&json).unwrap(), routing);
        let before = r#"{"rule":"buyer_is_ours","matched":[]}"#;
        assert!(serde_json::from_str::<Routing>(before).is_ok());
    }

    #[test]
    fn a_self_billed_invoice_is_still_the_sellers_sale() {
        let mut reading = invoice("SB-1");
        reading.self_billed = true;
        reading.type_code = Some("389".to_owned());
        reading.seller = party(&[(PartyIdSource::LegalEntity, BAKER)]);

        assert!(matches!(route(&reading, &dossiers()), Route::To(to) if to[0].1 == Flow::Sale));
    }

    #[test]
    fn what_is_no_invoice_is_never_put_in_an_invoice_folder() {
        for kind in [Kind::Cii, Kind::Response, Kind::Other, Kind::Unreadable] {
            let mut reading = invoice("F-1");
            reading.kind = kind;
            reading.buyer = party(&[(PartyIdSource::LegalEntity, BAKER)]);

            assert!(
                matches!(route(&reading, &dossiers()), Route::Hold(..)),
                "{kind:?}"
            );
        }
    }

    proptest! {
        /// A document goes only to a dossier that one of its own parties names.
        #[test]
        fn nothing_goes_to_a_dossier_that_no_party_names(
            seller in proptest::collection::vec(0usize..5, 0..4),
            buyer in proptest::collection::vec(0usize..5, 0..4),
        ) {
            let numbers = [BAKER, MILLER, STRANGER, "0756996413", "0899965307"];
            let side = |picked: &[usize]| -> Vec<_> {
                picked.iter().map(|&at| (PartyIdSource::LegalEntity, numbers[at])).collect()
            };
            let mut reading = invoice("F-1");
            reading.seller = party(&side(&seller));
            reading.buyer = party(&side(&buyer));

            if let Route::To(routes) = route(&reading, &dossiers()) {
                for (dossier, flow, why) in routes {
                    let named = if flow == Flow::Sale { &reading.seller } else { &reading.buyer };
                    prop_assert!(named.ids.iter().any(|id| dossiers().get(&id.key) == Some(&dossier)));
                    prop_assert!(why.matched.iter().all(|found| found.dossier == dossier));
                }
            }
        }
    }
}
