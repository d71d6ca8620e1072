//! What does it change that the sender named a dossier?
//!
//! It put the document into the folder of a dossier's code. The parties still decide whose books it is
//! for: a word that agrees with them changes nothing, and one that does not holds the document. Only where
//! they name nobody of the firm does the word decide, and only when the document bears it out.

use serde::{Deserialize, Serialize};

use super::plan::is_registration;
use super::plan::{LinkRule, Setup};
use super::route::{Route, Routing, Rule, is_foreign, route};
use crate::layout::safe_folder_name;
use crate::model::{DossierId, EnterpriseNumber, Flow, HeldReason, belgian_numbers_in, fold};
use crate::ubl::{Party, Reading};

/// What a sender said, as it was understood when the document came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The folder into which it was put.
    pub code: String,
    /// Whose code that was; none when it was that of several dossiers.
    pub dossier: Option<DossierId>,
}

/// Returns what the folder of a dossier's code is called; a blank code has none.
///
/// ```
/// # use sluis::ingest::named::folder_of;
/// assert_eq!(folder_of("ACME"), Some("ACME".to_owned()));
/// assert_eq!(folder_of("A/12"), Some("A-12".to_owned()));
/// assert_eq!(folder_of(" "), None);
/// ```
pub fn folder_of(code: &str) -> Option<String> {
    (!code.trim().is_empty()).then(|| safe_folder_name(code))
}

impl Named {
    /// Reads the folder into which a document was put: a word only when all links of that code are of one dossier.
    pub fn read(folder: &str, links: &[LinkRule]) -> Self {
        let key = fold(folder);
        let of_code = |link: &&LinkRule| link.folder.as_deref().map(fold) == Some(key.clone());
        let mut dossiers = links.iter().filter(of_code).map(|link| link.dossier);
        let first = dossiers.next();
        let dossier = first.filter(|first| dossiers.all(|other| other == *first));
        Self {
            code: folder.to_owned(),
            dossier,
        }
    }
}

/// Judges whose books a document is for, whose sender named a dossier.
pub fn route_named(reading: &Reading, setup: &Setup, named: &Named) -> Route {
    let routed = route(reading, &setup.dossiers);
    match compared(routed, reading, setup, named) {
        Route::To(routes) => Route::To(
            routes
                .into_iter()
                .map(|(dossier, flow, routing)| (dossier, flow, noting(routing, named)))
                .collect(),
        ),
        Route::Hold(reason, routing) => Route::Hold(reason, noting(routing, named)),
    }
}

fn noting(routing: Routing, named: &Named) -> Routing {
    Routing {
        named: Some(named.clone()),
        ..routing
    }
}

fn compared(routed: Route, reading: &Reading, setup: &Setup, named: &Named) -> Route {
    match routed {
        Route::To(routes) => {
            // A dossier that is gone may be here anew, and what was unclear may have become clear. The
            // parties must say the same.
            let in_use = |dossier: &DossierId| setup.names.contains_key(dossier);
            let meant = named.dossier.filter(in_use);
            let meant = meant.or_else(|| Named::read(&named.code, &setup.links).dossier);
            if routes.iter().any(|(to, ..)| Some(*to) == meant) {
                return Route::To(routes);
            }
            let matched = routes.into_iter().flat_map(|(.., why)| why.matched);
            let (reason, rule) = match meant {
                Some(_) => (HeldReason::SenderDisagrees, Rule::SenderDisagrees),
                None => (HeldReason::CodeUnclear, Rule::CodeUnclear),
            };
            Route::Hold(reason, Routing::new(rule, matched.collect()))
        }
        Route::Hold(HeldReason::UnknownDossier, routing) => match named.dossier {
            None => Route::Hold(
                HeldReason::CodeUnclear,
                Routing::new(Rule::CodeUnclear, routing.matched),
            ),
            Some(dossier) => match side_of(reading, setup, dossier) {
                Some(flow) => Route::To(vec![(
                    dossier,
                    flow,
                    Routing::new(Rule::SenderNamed, Vec::new()),
                )]),
                None => Route::Hold(
                    HeldReason::FlowUnknown,
                    Routing::new(Rule::FlowUnknown, Vec::new()),
                ),
            },
        },
        held @ Route::Hold(..) => held,
    }
}

/// On which side a dossier stands that no number names: that of the one party that bears its name.
///
/// A name alone never decides; here the sender has named the dossier, and the name says no more than
/// whether it sells or buys. A supplier that writes no number of its customer is told apart so from a
/// customer that has none, where the dossier sells under a number that nobody noted.
fn side_of(reading: &Reading, setup: &Setup, dossier: DossierId) -> Option<Flow> {
    let name = words(setup.names.get(&dossier)?);
    let may_be = |party: &Party| {
        let called = party.name.as_deref().map(words).unwrap_or_default();
        !called.is_empty() && called == name && !has_own_number(party, setup, dossier)
    };
    match (may_be(&reading.seller), may_be(&reading.buyer)) {
        (true, false) => Some(Flow::Sale),
        (false, true) => Some(Flow::Purchase),
        (true, true) | (false, false) => None,
    }
}

/// A sound Belgian number or a foreign one: of somebody else, unless it is the dossier's among other words.
fn has_own_number(party: &Party, setup: &Setup, dossier: DossierId) -> bool {
    let sound = |digits: &str| digits.parse::<EnterpriseNumber>().is_ok();
    let is_its = |key: String| setup.dossiers.get(&key) == Some(&dossier);
    party.ids.iter().any(|id| {
        if id.enterprise_digits().is_some_and(sound) {
            return true;
        }
        let mut others = belgian_numbers_in(&id.raw).filter(|_| is_registration(id));
        match others.next() {
            Some(first) => !is_its(first) && !others.any(is_its),
            None => id.key.starts_with("vat:") || is_foreign(id),
        }
    })
}

/// The words of a name, as a person compares them: without case, dots and the legal form.
pub(super) fn words(name: &str) -> Vec<String> {
    let name = fold(name).replace('.', "");
    name.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !LEGAL_FORMS.contains(word))
        .map(ToOwned::to_owned)
        .collect()
}

/// Legal forms of Belgium and its neighbours, which one writes and another leaves out.
const LEGAL_FORMS: &[&str] = &[
    "bv", "bvba", "srl", "sprl", "nv", "sa", "vof", "snc", "commv", "scomm", "cv", "cvba", "sc",
    "scrl", "vzw", "asbl", "gmbh", "sas", "sarl",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ingest::plan::tests::{invoice, party};
    use crate::model::{Approval, DeviceId, Kind, LinkId, PartyIdSource, Transfer};
    use crate::transfer::{Calendar, Rule};

    const BAKER: &str = "0239843188";
    const MILLER: &str = "0762986459";
    const STRANGER: &str = "0500453583";

    fn link(id: i64, dossier: i64, code: &str) -> LinkRule {
        LinkRule {
            id: LinkId(id),
            dossier: DossierId(dossier),
            device: Some(DeviceId(1)),
            rule: Rule {
                transfer: Transfer::AtOnce,
                approval: Approval::Required,
                from: None,
            },
            folder: folder_of(code),
        }
    }

    /// The baker is 1 and `BAKER`, the miller 2; `TWO` is a code of both, `A/1` and `A-1` share a folder.
    fn setup() -> Setup {
        Setup {
            dossiers: [(BAKER, 1), (MILLER, 2)]
                .map(|(digits, id)| (format!("0208:{digits}"), DossierId(id)))
                .into(),
            names: [(DossierId(1), "De Korenaar BV"), (DossierId(2), "De Molen")]
                .map(|(id, name)| (id, name.to_owned()))
                .into(),
            links: vec![
                link(1, 1, "BAKER"),
                link(2, 1, "baker"),
                link(3, 2, "MILL"),
                link(4, 1, "TWO"),
                link(5, 2, "two"),
                link(6, 1, "A/1"),
                link(7, 2, "A-1"),
                link(8, 2, " "),
            ],
            default_device: None,
            calendar: Calendar::default(),
            duplicates: crate::model::Duplicates::Hold,
        }
    }

    fn told(route: &Route) -> String {
        match route {
            Route::To(routes) => {
                let each = routes
                    .iter()
                    .map(|(id, flow, why)| format!("{} {id} {}", flow.as_str(), why.rule.as_str()));
                each.collect::<Vec<_>>().join("; ")
            }
            Route::Hold(reason, why) => format!("held {} {}", reason.as_str(), why.rule.as_str()),
        }
    }

    /// A name and a legal number, either of which may be missing.
    type Side<'a> = (&'a str, &'a str);

    fn reading(seller: Side<'_>, buyer: Side<'_>) -> Reading {
        let side = |(name, number): Side<'_>| Party {
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            ..match number {
                "" => Party::default(),
                number => party(&[(PartyIdSource::LegalEntity, number)]),
            }
        };
        Reading {
            seller: side(seller),
            buyer: side(buyer),
            ..invoice("F-1")
        }
    }

    fn routed(code: &str, seller: Side<'_>, buyer: Side<'_>) -> String {
        let named = Named::read(code, &setup().links);
        told(&route_named(&reading(seller, buyer), &setup(), &named))
    }

    #[test]
    fn the_table_of_what_a_senders_word_changes() {
        let (us, mill, other) = (("", BAKER), ("", MILLER), ("Iemand", STRANGER));
        #[rustfmt::skip]
        let table: &[(&str, Side<'_>, Side<'_>, &str)] = &[
            // It says what the document says.
            ("BAKER", other, us,   "purchase 1 buyer_is_ours"),
            ("baker", us, other,   "sale 1 seller_is_ours"),
            // The other dossier's books are not forgotten.
            ("BAKER", mill, us,    "sale 2 seller_is_ours; purchase 1 buyer_is_ours"),
            // It says something else.
            ("MILL",  other, us,   "held sender_disagrees sender_disagrees"),
            ("BAKER", mill, other, "held sender_disagrees sender_disagrees"),
            // It could be either of two.
            ("TWO",   other, us,   "held code_unclear code_unclear"),
            ("A-1",   other, us,   "held code_unclear code_unclear"),
            ("TWO",   other, ("De Korenaar", ""), "held code_unclear code_unclear"),
            ("NOBODY", other, us,  "held code_unclear code_unclear"),
            // The document names nobody of ours.
            ("BAKER", other, ("De Korenaar", ""),      "purchase 1 sender_named"),
            ("BAKER", ("de korenaar b.v.", ""), other, "sale 1 sender_named"),
            ("BAKER", ("", ""), ("KORENAAR, DE", ""),  "held flow_unknown flow_unknown"),
            ("BAKER", other, ("Een ander", ""),        "held flow_unknown flow_unknown"),
            ("BAKER", other, ("", ""),                 "held flow_unknown flow_unknown"),
            ("BAKER", other, ("De Korenaar", "0899965307"), "held flow_unknown flow_unknown"),
            ("BAKER", other, ("De Korenaar", "0106:12345678"), "held flow_unknown flow_unknown"), // its namesake abroad
            ("BAKER", other, ("De Korenaar", "0239843189"), "purchase 1 sender_named"), // a slip of the pen
            ("BAKER", ("De Korenaar", ""), ("De Korenaar", ""), "held flow_unknown flow_unknown"),
            ("BAKER", ("BV", ""), ("", ""),            "held flow_unknown flow_unknown"),
            // What is held whoever sent it.
            ("BAKER", us, us,      "held same_dossier same_dossier_twice"),
        ];
        for (code, seller, buyer, expected) in table {
            assert_eq!(
                routed(code, *seller, *buyer),
                *expected,
                "{code}: {seller:?} sells to {buyer:?}"
            );
        }
    }

    #[test]
    fn what_is_no_invoice_is_held_for_that_whatever_the_sender_says() {
        for kind in [Kind::Cii, Kind::Response, Kind::Other] {
            let document = Reading {
                kind,
                ..reading(("Iemand", STRANGER), ("De Korenaar", ""))
            };
            let named = Named::read("BAKER", &setup().links);

            let route = route_named(&document, &setup(), &named);

            assert!(told(&route).ends_with("no_invoice"), "{kind:?}");
        }
    }

    #[test]
    fn what_was_said_is_what_was_meant_then_whatever_the_code_means_now() {
        let named = Named::read("BAKER", &setup().links);
        let mut later = setup();
        later.links = vec![link(9, 2, "BAKER"), link(3, 1, "OTHER")];
        let to_us = reading(("Iemand", STRANGER), ("", BAKER));
        let to_mill = reading(("Iemand", STRANGER), ("", MILLER));
        let to_nobody = reading(("Iemand", STRANGER), ("De Molen", ""));

        let again = |document: &Reading| told(&route_named(document, &later, &named));

        assert_eq!(again(&to_us), "purchase 1 buyer_is_ours");
        assert_eq!(again(&to_mill), "held sender_disagrees sender_disagrees");
        assert_eq!(again(&to_nobody), "held flow_unknown flow_unknown");
    }

    #[test]
    fn a_dossier_that_was_added_anew_is_what_its_code_names() {
        let named = Named::read("BAKER", &setup().links);
        let mut later = setup();
        later.names = [(DossierId(3), "De Korenaar".to_owned())].into();
        later.dossiers = [(format!("0208:{BAKER}"), DossierId(3))].into();
        later.links = vec![link(9, 3, "BAKER")];
        let to_us = reading(("Iemand", STRANGER), ("", BAKER));
        let to_nobody = reading(("Iemand", STRANGER), ("De Korenaar", ""));

        let again = |document: &Reading| told(&route_named(document, &later, &named));

        assert_eq!(again(&to_us), "purchase 3 buyer_is_ours");
        assert_eq!(again(&to_nobody), "held flow_unknown flow_unknown");
    }

    #[test]
    fn a_code_that_became_clear_counts_only_where_the_parties_say_the_same() {
        let named = Named::read("TWO", &setup().links);
        let mut later = setup();
        later.links.retain(|link| link.id != LinkId(5));
        let to_us = reading(("Iemand", STRANGER), ("", BAKER));
        let to_mill = reading(("Iemand", STRANGER), ("", MILLER));
        let to_nobody = reading(("Iemand", STRANGER), ("De Korenaar", ""));

        let again = |document: &Reading| told(&route_named(document, &later, &named));

        assert_eq!(again(&to_us), "purchase 1 buyer_is_ours");
        assert_eq!(again(&to_mill), "held sender_disagrees sender_disagrees");
        assert_eq!(again(&to_nobody), "held code_unclear code_unclear");
    }

    proptest! {
        /// Whatever is said and written: books get a document only when its parties name them, or when the
        /// sender did and nobody else is named; and a word never sends it where it would not have gone.
        #[test]
        fn a_word_books_nothing_that_the_parties_speak_against(
            code in proptest::sample::select(vec!["BAKER", "MILL", "TWO", "A-1", "none"]),
            numbers in (0_usize..4, 0_usize..4),
            names in (0_usize..4, 0_usize..4),
        ) {
            let number = ["", BAKER, MILLER, STRANGER];
            let name = ["", "De Korenaar", "De Molen NV", "Iemand"];
            let document = reading((name[names.0], number[numbers.0]), (name[names.1], number[numbers.1]));
            let named = Named::read(code, &setup().links);
            let bare = route(&document, &setup().dossiers);

            if let Route::To(routes) = route_named(&document, &setup(), &named) {
                let kept = |routes: &[(DossierId, Flow, Routing)]| {
                    routes.iter().map(|(id, flow, _)| (*id, *flow)).collect::<Vec<_>>()
                };
                prop_assert!(routes.iter().any(|(to, ..)| Some(*to) == named.dossier));
                match bare {
                    Route::To(bare) => prop_assert_eq!(kept(&bare), kept(&routes)),
                    Route::Hold(reason, _) => {
                        prop_assert_eq!(reason, HeldReason::UnknownDossier);
                        prop_assert_eq!(routes.len(), 1);
                    }
                }
            }
        }
    }
}
