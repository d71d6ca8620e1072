//! Is this surely a newer version of that document, so that no person need look?
//!
//! What makes a person look is loose: a number written otherwise, a seller known by one of several numbers. What
//! takes a document away without anybody is not: whatever says that they are two, counts.

use super::named::words;
use super::plan::{is_number, is_registration, is_sure};
use crate::model::{Doubt, Kind, PartyId, PartyIdSource};
use crate::ubl::{Party, Reading};

/// Returns what speaks against it that a document takes the place of an older one with the same business key, if
/// anything does: of the newer by itself, or of the two.
///
/// Of the buyer less is asked, where the number is not his: a corrected name, or a number that was added, is what
/// newer versions come for. One that was left out is not.
pub fn doubt(newer: &Reading, older: &Reading) -> Option<Doubt> {
    doubt_alone(newer).or_else(|| doubt_of_two(newer, older))
}

/// Returns why nothing gives way to a document, whatever it looks like: a name, and a number that is nobody's alone, may
/// be borne by several, and `CONCEPT` or `0` is no number of a document.
///
/// An electronic address is often a parent's or a provider's, so it counts only where no other number stands.
pub(super) fn doubt_alone(reading: &Reading) -> Option<Doubt> {
    let is_known = |party: &Party| {
        let has_other = |id: &PartyId| id.source != PartyIdSource::Endpoint && is_number(&id.key);
        let by_address = !party.ids.iter().any(has_other);
        let counts = |id: &PartyId| is_sure(id) && (by_address || is_registration(id));
        party.ids.iter().any(counts)
    };
    let number = reading.number.as_deref().unwrap_or_default();
    let speaks = [
        (
            !number.contains(|c: char| c.is_numeric() && c != '0'),
            Doubt::Number,
        ),
        (!is_known(&reading.seller), Doubt::Seller),
        (
            reading.self_billed && !is_known(&reading.buyer),
            Doubt::Buyer,
        ),
    ];
    first(speaks)
}

/// Returns what says that a document is no newer version of that one: a number that is written otherwise but for case
/// and spaces, another type, two sellers, two buyers, another account.
pub(super) fn doubt_of_two(newer: &Reading, older: &Reading) -> Option<Doubt> {
    let buyers_agree = if newer.self_billed {
        may_be_one(&newer.buyer, &older.buyer)
    } else {
        !are_surely_two(&newer.buyer, &older.buyer) && !is_nobody_known(&newer.buyer, &older.buyer)
    };
    let sellers_agree =
        may_be_one(&newer.seller, &older.seller) && !are_two_places(&newer.seller, &older.seller);
    first([
        (written(newer) != written(older), Doubt::Number),
        (!sellers_agree, Doubt::Seller),
        (!buyers_agree, Doubt::Buyer),
        (!are_of_one_type(newer, older), Doubt::Type),
        (is_paid_elsewhere(newer, older), Doubt::Account),
    ])
}

fn first(speaks: impl IntoIterator<Item = (bool, Doubt)>) -> Option<Doubt> {
    let mut speaks = speaks.into_iter();
    speaks.find_map(|(is_so, doubt)| is_so.then_some(doubt))
}

/// A pro forma (325) or an advance (386) is no newer version of the invoice (380) that bears its number; nor, for all
/// that we know, is a correction (384), nor what gives back what the other charges. Codes are those of BT-3.
fn are_of_one_type(newer: &Reading, older: &Reading) -> bool {
    let usual = |kind| match kind {
        Kind::CreditNote => "381",
        _ => "380",
    };
    let code = |reading: &Reading| {
        let code = reading.type_code.clone();
        code.unwrap_or_else(|| usual(reading.kind).to_owned())
    };
    let signs_agree = match (gives_back(newer), gives_back(older)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    };
    code(newer) == code(older) && signs_agree
}

/// Whether an amount is below nothing; none where it is no number, and so says neither.
fn gives_back(reading: &Reading) -> Option<bool> {
    let Some(amount) = reading.payable.as_deref() else {
        return Some(false);
    };
    let digits = amount.strip_prefix(['-', '+']).unwrap_or(amount);
    let is_number = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let is_nothing = !digits.contains(|c: char| matches!(c, '1'..='9'));
    is_number.then(|| amount.starts_with('-') && !is_nothing)
}

fn written(reading: &Reading) -> Option<String> {
    let number = reading.number.as_deref()?.chars();
    let letters = number.filter(|c| !c.is_whitespace());
    Some(letters.flat_map(char::to_uppercase).collect())
}

/// Several enterprises bear the VAT number of their unit, and then only the legal number or the name tells them apart.
fn may_be_one(one: &Party, other: &Party) -> bool {
    let names_agree = !have_two_names(one, other);
    let knows = |party: &Party, id: &PartyId| registrations(party).any(|own| own.key == id.key);
    let legal = |party: &Party, of: &Party| {
        numbers(party, PartyIdSource::LegalEntity).all(|id| knows(of, id))
    };
    let vat = |party: &Party| numbers(party, PartyIdSource::Vat).next().is_some();
    let vat_agrees = !vat(one)
        || !vat(other)
        || numbers(one, PartyIdSource::Vat).any(|id| knows(other, id))
        || numbers(other, PartyIdSource::Vat).any(|id| knows(one, id));
    names_agree && legal(one, other) && legal(other, one) && vat_agrees
}

/// Several branches of one seller may each count from one, and so may bear one number on one day: a GLN, the number of an
/// establishment, or an address of its own then says which it is.
fn are_two_places(one: &Party, other: &Party) -> bool {
    disagree(one, other, |id| id.source == PartyIdSource::Identification)
        || disagree(one, other, |id| id.source == PartyIdSource::Endpoint)
}

/// Where nothing tells the branches of a seller apart, only the buyers tell two invoices of theirs, by numbers of one
/// scheme of which they share none, or where they share no number at all by two names. `NVT` is none that they share, and
/// an address may be their provider's.
fn are_surely_two(one: &Party, other: &Party) -> bool {
    let legal = |id: &PartyId| id.source == PartyIdSource::LegalEntity;
    let listed = |id: &PartyId| id.source == PartyIdSource::Identification;
    let counts = |id: &PartyId| is_number(&id.key) && id.source != PartyIdSource::Endpoint;
    let bears = |party: &Party, number: &PartyId| {
        let mut ids = party.ids.iter();
        ids.any(|own| counts(own) && own.key == number.key)
    };
    let share_one = one.ids.iter().any(|id| counts(id) && bears(other, id));
    disagree(one, other, legal)
        || disagree(one, other, is_registration)
        || disagree(one, other, listed)
        || disagree_by_address(one, other)
        || (!share_one && have_two_names(one, other))
}

/// Whether the newer's buyer has no number, or only an address that is not the older's, where that one has a number: many
/// are called `Particulier`, and an address may be their provider's.
fn is_nobody_known(newer: &Party, older: &Party) -> bool {
    let has = |key: &str| older.ids.iter().any(|own| own.key == key);
    let older_is_known = older.ids.iter().any(|id| is_number(&id.key));
    let counts = |id: &PartyId| {
        let says_who = id.source != PartyIdSource::Endpoint || !older_is_known || has(&id.key);
        is_number(&id.key) && says_who
    };
    !newer.ids.iter().any(counts)
}

/// Whether both have such numbers of one scheme, and none of those in common.
fn disagree(one: &Party, other: &Party, counts: impl Fn(&PartyId) -> bool) -> bool {
    let those = |party: &Party| -> Vec<String> {
        let such = party
            .ids
            .iter()
            .filter(|id| counts(id) && is_number(&id.key));
        such.map(|id| id.key.clone()).collect()
    };
    let scheme = |key: &str| key.split_once(':').unwrap_or_default().0.to_owned();
    let (its, others) = (those(one), those(other));
    its.iter().any(|key| {
        let alike = |own: &&String| scheme(own) == scheme(key);
        let has_alike = others.iter().any(|own| alike(&own));
        has_alike && !its.iter().filter(alike).any(|own| others.contains(own))
    })
}

/// An address is often a parent's or a provider's, so it counts where neither has another number.
fn disagree_by_address(one: &Party, other: &Party) -> bool {
    let by_address = |party: &Party| registrations(party).next().is_none();
    let address = |id: &PartyId| id.source == PartyIdSource::Endpoint;
    by_address(one) && by_address(other) && disagree(one, other, address)
}

fn have_two_names(one: &Party, other: &Party) -> bool {
    let named = |party: &Party| party.name.as_deref().map(words).unwrap_or_default();
    let (its, others) = (named(one), named(other));
    !its.is_empty() && !others.is_empty() && its != others
}

fn numbers(party: &Party, source: PartyIdSource) -> impl Iterator<Item = &PartyId> {
    registrations(party).filter(move |id| id.source == source)
}

fn registrations(party: &Party) -> impl Iterator<Item = &PartyId> {
    let counts = |id: &&PartyId| is_registration(id) && is_number(&id.key);
    party.ids.iter().filter(counts)
}

/// Whether the newer names an account to pay to that the older does not: whoever wants another's money sends his invoice
/// again so. What was read before accounts were may have named it, or not.
fn is_paid_elsewhere(newer: &Reading, older: &Reading) -> bool {
    let [its, others] = [newer, older].map(|one| one.compared_accounts().unwrap_or_default());
    !its.is_subset(&others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::plan::tests::{invoice, party};

    fn may_replace(newer: &Reading, older: &Reading) -> bool {
        doubt_of_two(newer, older).is_none()
    }

    fn by(seller: &[(PartyIdSource, &str)], number: &str) -> Reading {
        Reading {
            seller: party(seller),
            ..invoice(number)
        }
    }

    #[test]
    fn what_speaks_against_one_is_named() {
        let self_billed = Reading {
            self_billed: true,
            buyer: Party::default(),
            ..invoice("F-1")
        };
        let paid_back = Reading {
            payable: Some("-121.00".to_owned()),
            ..invoice("F-1")
        };
        #[rustfmt::skip]
        let table = [
            (invoice("F-1"),                           None),
            (invoice("CONCEPT"),                       Some(Doubt::Number)),
            (invoice("F-01"),                          Some(Doubt::Number)),
            (by(&[], "F-1"),                           Some(Doubt::Seller)),
            (by(&[(PartyIdSource::Vat, "BE0871234571")], "F-1"), Some(Doubt::Seller)),
            (self_billed,                              Some(Doubt::Buyer)),
            (paid_back,                                Some(Doubt::Type)),
        ];
        for (newer, expected) in table {
            assert_eq!(doubt(&newer, &invoice("F-1")), expected, "{newer:?}");
        }
    }

    #[test]
    fn whatever_says_that_two_sellers_are_two_counts() {
        use PartyIdSource::{Endpoint, Identification, LegalEntity, Vat};
        const BAKER: &str = "0239843188";
        const UNIT: &str = "BE0500453583";
        type Ids<'a> = &'a [(PartyIdSource, &'a str)];
        #[rustfmt::skip]
        let table: &[(Ids<'_>, Ids<'_>, bool)] = &[
            (&[(LegalEntity, BAKER)], &[(LegalEntity, BAKER)], true),
            (&[(LegalEntity, BAKER)], &[(Vat, "BE0239843188")], true),
            (&[(LegalEntity, BAKER), (Vat, "BE0239843188")], &[(Vat, "BE 0239.843.188")], true),
            (&[(Endpoint, BAKER)], &[(Endpoint, BAKER)], true),
            // Members of one VAT unit.
            (&[(Vat, UNIT)], &[(Vat, UNIT)], true),
            (&[(Vat, UNIT)], &[(LegalEntity, "0899965300"), (Vat, UNIT)], false),
            (&[(LegalEntity, "HRB 12345"), (Vat, "DE123456789")], &[(LegalEntity, "HRB 678"), (Vat, "DE123456789")], false),
            // Numbers that each office counts for itself.
            (&[(LegalEntity, "1234"), (Vat, "DE123456789")], &[(LegalEntity, "1234"), (Vat, "NL820098395B01")], false),
            // Two shops of one.
            (&[(LegalEntity, BAKER), (Identification, "0088:5412345000013")], &[(LegalEntity, BAKER), (Identification, "0088:5412345000020")], false),
            (&[(LegalEntity, BAKER), (Identification, "2.123.456.789")], &[(LegalEntity, BAKER), (Identification, "2.123.456.888")], false),
            (&[(LegalEntity, BAKER), (Endpoint, "0088:5412345000013")], &[(LegalEntity, BAKER), (Endpoint, "0088:5412345000020")], false),
            (&[(LegalEntity, BAKER), (Identification, "K1")], &[(LegalEntity, BAKER)], true),
            (&[(LegalEntity, BAKER), (Endpoint, BAKER)], &[(LegalEntity, BAKER), (Endpoint, "0088:5412345000020")], true),
        ];
        for (one, other, expected) in table {
            for (one, other) in [(one, other), (other, one)] {
                let may = may_replace(&by(one, "F-1"), &by(other, "F-1"));
                assert_eq!(may, *expected, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn another_type_of_document_takes_no_place() {
        let of = |code: Option<&str>, payable: &str| Reading {
            type_code: code.map(ToOwned::to_owned),
            payable: Some(payable.to_owned()),
            ..invoice("F-1")
        };
        let invoice = of(Some("380"), "121.00");
        for (code, payable, may) in [
            (Some("380"), "242.00", true),
            (Some("380"), "0.00", true),
            (Some("380"), "-0.00", true),
            (None, "121.00", true),
            (Some("325"), "121.00", false),
            (Some("384"), "121.00", false),
            (Some("386"), "121.00", false),
            (Some("380"), "-121.00", false),
            (Some("380"), "121.00-", false),
            (Some("380"), "\u{2212}121.00", false),
            (Some("380"), "EUR 121.00", false),
        ] {
            let other = of(code, payable);
            assert_eq!(may_replace(&other, &invoice), may, "{code:?} {payable}");
            assert_eq!(may_replace(&invoice, &other), may, "{code:?} {payable}");
        }
    }

    #[test]
    fn what_is_to_be_paid_to_another_account_takes_no_place() {
        const OURS: &str = "BE71 0961 2345 6769";
        const OTHER: &str = "BE68539007547034";
        type Accounts<'a> = Option<&'a [&'a str]>;
        let table: &[(Accounts<'_>, Accounts<'_>, bool)] = &[
            (Some(&[OURS]), Some(&[OURS]), true),
            (Some(&[OURS]), Some(&["be71096123456769"]), true),
            (Some(&[OURS]), Some(&[OTHER]), false),
            // One that is added would be the only one in the version after.
            (Some(&[OURS]), Some(&[OTHER, OURS]), false),
            (Some(&[OTHER, OURS]), Some(&[OURS]), true),
            (Some(&[]), Some(&[OTHER]), false),
            (Some(&[OURS]), Some(&[]), true),
            // It was read before they were, and may have named another.
            (None, Some(&[OTHER]), false),
            (None, Some(&[]), true),
            (None, None, true),
            (Some(&[OURS]), None, true),
        ];
        let paid_to = |accounts: Accounts<'_>| Reading {
            accounts: accounts.map(|all| all.iter().map(ToString::to_string).collect()),
            ..invoice("F-1")
        };
        for (older, newer, expected) in table {
            let may = may_replace(&paid_to(*newer), &paid_to(*older));
            assert_eq!(may, *expected, "{older:?} and then {newer:?}");
        }
    }

    #[test]
    fn a_number_is_the_same_but_for_case_and_spaces() {
        let may = |one, other| may_replace(&invoice(one), &invoice(other));

        assert!(may("f 1", "F1"));
        for (one, other) in [("017", "17"), ("G/1-2", "G-1/2"), ("F-1", "F1")] {
            assert!(!may(one, other), "{one} and {other}");
        }
    }

    #[test]
    fn buyers_that_are_surely_two_bear_two_invoices() {
        use PartyIdSource::{Endpoint, Identification, LegalEntity, Vat};
        const BAKER: &str = "0239843188";
        const OTHER: &str = "0899965307";
        const UNIT: &str = "BE0500453583";
        type Ids<'a> = &'a [(PartyIdSource, &'a str)];
        #[rustfmt::skip]
        let table: &[(Ids<'_>, Ids<'_>, bool)] = &[
            (&[(LegalEntity, BAKER)], &[(LegalEntity, OTHER)], false),
            (&[(LegalEntity, BAKER)], &[(Vat, "BE0899965307")], false),
            (&[(LegalEntity, BAKER)], &[(Vat, "BE0239843188")], true),
            // A number that was added, or written where it was not.
            (&[(LegalEntity, BAKER)], &[(LegalEntity, BAKER), (Vat, "DE123456789")], true),
            // Members of one VAT unit.
            (&[(LegalEntity, BAKER), (Vat, UNIT)], &[(LegalEntity, OTHER), (Vat, UNIT)], false),
            // A number of the seller's own list.
            (&[(Identification, "K1")], &[(Identification, "K2")], false),
            (&[(Identification, "K1"), (LegalEntity, BAKER)], &[(LegalEntity, BAKER)], true),
            // A provider's address says nothing beside a number.
            (&[(Endpoint, BAKER)], &[(Endpoint, OTHER)], false),
            (&[(Endpoint, OTHER), (LegalEntity, BAKER)], &[(Endpoint, UNIT), (LegalEntity, BAKER)], true),
        ];
        let to = |buyer: &[(PartyIdSource, &str)]| Reading {
            buyer: party(buyer),
            ..invoice("F-1")
        };
        for (one, other, expected) in table {
            for (one, other) in [(one, other), (other, one)] {
                assert_eq!(
                    may_replace(&to(one), &to(other)),
                    *expected,
                    "{one:?} and {other:?}"
                );
            }
        }
    }

    #[test]
    fn a_buyers_number_may_be_added_and_not_left_out() {
        use PartyIdSource::{Endpoint, Identification, LegalEntity};
        const BAKER: &str = "0239843188";
        const PROVIDER: &str = "0899965307";
        type Ids<'a> = &'a [(PartyIdSource, &'a str)];
        #[rustfmt::skip]
        let table: &[(Ids<'_>, Ids<'_>, bool, bool)] = &[
            (&[],                      &[],                      false, false),
            (&[],                      &[(LegalEntity, BAKER)],  true,  false),
            (&[],                      &[(Identification, "K1")], true, false),
            (&[],                      &[(Endpoint, PROVIDER)],  true,  false),
            (&[(LegalEntity, "NVT")],  &[(LegalEntity, BAKER)],  true,  false),
            // An address that the other does not bear is no number of him who had one.
            (&[(Endpoint, PROVIDER)],  &[(LegalEntity, BAKER)],  true,  false),
            (&[(Endpoint, PROVIDER)],  &[(LegalEntity, BAKER), (Endpoint, PROVIDER)], true, true),
            (&[(Endpoint, BAKER)],     &[(LegalEntity, BAKER)],  true,  true),
            (&[(Endpoint, PROVIDER)],  &[(Endpoint, PROVIDER)],  true,  true),
        ];
        let to = |buyer: Ids<'_>| Reading {
            buyer: Party {
                name: Some("Particulier".to_owned()),
                ..party(buyer)
            },
            ..invoice("F-1")
        };
        for (less, more, added, left_out) in table {
            let (less, more) = (to(less), to(more));
            assert_eq!(
                may_replace(&more, &less),
                *added,
                "{less:?} and then {more:?}"
            );
            assert_eq!(
                may_replace(&less, &more),
                *left_out,
                "{more:?} and then {less:?}"
            );
        }
        let by_himself = |buyer| Reading {
            self_billed: true,
            ..to(buyer)
        };
        let (known, unknown) = (by_himself(&[(LegalEntity, BAKER)]), by_himself(&[]));
        assert_eq!(
            doubt(&unknown, &known),
            Some(Doubt::Buyer),
            "nothing gives way to it"
        );
    }

    #[test]
    fn two_names_are_two_buyers_unless_they_share_a_number() {
        use PartyIdSource::{Endpoint, Identification, LegalEntity, Vat};
        const BAKER: &str = "0239843188";
        type Ids<'a> = &'a [(PartyIdSource, &'a str)];
        #[rustfmt::skip]
        let table: &[(Ids<'_>, Ids<'_>, bool)] = &[
            (&[], &[], false),
            (&[(LegalEntity, BAKER)], &[], false),
            (&[(LegalEntity, BAKER)], &[(LegalEntity, BAKER)], true),
            (&[(LegalEntity, BAKER)], &[(Vat, "BE0239843188")], true),
            (&[(Identification, "K1")], &[(Identification, "K1")], true),
            // What was written because a field wanted something.
            (&[(LegalEntity, "NVT")], &[(LegalEntity, "NVT")], false),
            (&[(Identification, "000")], &[(Identification, "000")], false),
            // A provider's address.
            (&[(Endpoint, BAKER)], &[(Endpoint, BAKER)], false),
            (&[(Endpoint, BAKER), (Identification, "K1")], &[(Endpoint, BAKER)], false),
            (&[(Endpoint, BAKER)], &[(LegalEntity, BAKER)], false),
        ];
        let to = |name: &str, buyer: Ids<'_>| Reading {
            buyer: Party {
                name: Some(name.to_owned()),
                ..party(buyer)
            },
            ..invoice("F-1")
        };
        for (one, other, expected) in table {
            for (one, other) in [(one, other), (other, one)] {
                let first = to("Jan Maes", one);
                let may = may_replace(&to("An Claes", other), &first);
                assert_eq!(may, *expected, "{one:?} and {other:?}");
                // Who has no number may be another of that name.
                let mut written = other.iter();
                let is_known =
                    written.any(|(_, raw)| raw.contains(|c: char| matches!(c, '1'..='9')));
                assert_eq!(may_replace(&to("JAN MAES", other), &first), is_known);
            }
        }
    }

    #[test]
    fn two_names_are_two_sellers_and_two_buyers_where_those_wrote_it() {
        let called = |name: &str| Party {
            name: Some(name.to_owned()),
            ..party(&[(PartyIdSource::Vat, "BE0500453583")])
        };
        let sold_by = |name| Reading {
            seller: called(name),
            ..invoice("F-1")
        };
        let written_by = |name, self_billed| Reading {
            buyer: called(name),
            self_billed,
            ..invoice("F-1")
        };

        assert!(may_replace(&sold_by("De Molen BV"), &sold_by("DE MOLEN")));
        assert!(!may_replace(&sold_by("Lid A"), &sold_by("Lid B")));
        for (self_billed, expected) in [(true, false), (false, true)] {
            let (one, other) = (
                written_by("Lid A", self_billed),
                written_by("Lid B", self_billed),
            );
            assert_eq!(may_replace(&one, &other), expected);
        }
    }
}
