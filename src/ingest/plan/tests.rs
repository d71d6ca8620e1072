//! Does each arrival become what it should?

use super::*;
use crate::model::{Approval, Declared, Transfer};
use crate::ubl::Sbdh;

/// A minimal reading of an invoice with this number.
pub(crate) fn invoice(number: &str) -> Reading {
    Reading {
        kind: Kind::Invoice,
        type_code: Some("380".to_owned()),
        number: Some(number.to_owned()),
        issued: Some("2026-03-14".to_owned()),
        issued_odd: None,
        due: None,
        currency: Some("EUR".to_owned()),
        payable: Some("121.00".to_owned()),
        payable_currency: None,
        accounts: None,
        seller: party(&[(PartyIdSource::LegalEntity, "0500453583")]),
        buyer: party(&[(PartyIdSource::LegalEntity, "0451827384")]),
        self_billed: false,
        customization: None,
        profile: None,
        references: Vec::new(),
        attachments: Vec::new(),
        sbdh: None,
        remarks: Vec::new(),
    }
}

/// A party with these identifiers.
pub(crate) fn party(ids: &[(PartyIdSource, &str)]) -> Party {
    Party {
        name: None,
        ids: ids
            .iter()
            .map(|(source, raw)| PartyId::new(*source, None, raw))
            .collect(),
    }
}

fn setup(transfer: Transfer, device: Option<i64>) -> Setup {
    Setup {
        dossiers: [("0208:0239843188".to_owned(), DossierId(1))].into(),
        links: vec![LinkRule {
            id: LinkId(7),
            dossier: DossierId(1),
            device: device.map(DeviceId),
            rule: Rule {
                transfer,
                approval: Approval::Required,
                from: None,
            },
            folder: None,
        }],
        names: BTreeMap::new(),
        default_device: None,
        calendar: Calendar::default(),
        duplicates: Duplicates::Hold,
    }
}

const NOW: Timestamp = Timestamp(1_767_225_600_000);

/// Decides of an arrival of which nothing is said.
fn planned(reading: &Reading, setup: &Setup, known: &Known) -> Plan {
    let readiness = Readiness::arriving(Declared::default(), reading, NOW);
    plan(reading, &readiness, setup, known, NOW)
}

fn purchase() -> Reading {
    let mut reading = invoice("F-1");
    reading.buyer = party(&[(PartyIdSource::LegalEntity, "0239843188")]);
    reading
}

fn first(plan: Plan) -> Planned {
    match plan {
        Plan::Keep(planned) => planned.into_iter().next().unwrap(),
        other => panic!("not kept: {other:?}"),
    }
}

#[test]
fn a_purchase_is_offered_to_the_links_device() {
    let planned = first(planned(
        &purchase(),
        &setup(Transfer::AtOnce, Some(3)),
        &Known::default(),
    ));

    assert_eq!(
        (planned.device, planned.flow, planned.hold),
        (Some(DeviceId(3)), Some(Flow::Purchase), None)
    );
}

#[test]
fn what_has_no_device_or_no_hour_waits_with_its_reason() {
    let no_device = first(planned(
        &purchase(),
        &setup(Transfer::AtOnce, None),
        &Known::default(),
    ));
    let manual = first(planned(
        &purchase(),
        &setup(Transfer::Manual, Some(3)),
        &Known::default(),
    ));

    assert_eq!(no_device.hold, Some(HeldReason::NoDevice));
    assert_eq!(manual.hold, Some(HeldReason::Manual));
}

#[test]
fn a_dossier_without_a_link_waits_for_one() {
    let mut setup = setup(Transfer::AtOnce, Some(3));
    setup.links.clear();

    let planned = first(planned(&purchase(), &setup, &Known::default()));

    assert_eq!(
        (planned.dossier, planned.hold),
        (Some(DossierId(1)), Some(HeldReason::NoLink))
    );
}

#[test]
fn the_three_levels_of_duplicates() {
    let setup = setup(Transfer::AtOnce, Some(3));
    let old = DocumentId(5);
    let with = |known: Known| planned(&purchase(), &setup, &known);

    assert_eq!(
        with(Known {
            bytes: Some(old),
            ..Known::default()
        }),
        Plan::Recognise(old)
    );
    assert_eq!(
        with(Known {
            envelope: Some((old, true)),
            ..Known::default()
        }),
        Plan::Recognise(old)
    );
    for suspected in [
        Known {
            business: Some(old),
            ..Known::default()
        },
        Known {
            content: Some(old),
            ..Known::default()
        },
        Known {
            envelope: Some((old, false)),
            ..Known::default()
        },
    ] {
        assert_eq!(
            first(with(suspected)).hold,
            Some(HeldReason::SuspectedDuplicate)
        );
    }
}

#[test]
fn a_firm_that_lets_newer_versions_replace_decides_of_versions_and_of_nothing_else() {
    let mut setup = setup(Transfer::AtOnce, Some(3));
    setup.duplicates = Duplicates::Replace;
    let old = DocumentId(5);
    let first_had = transfer::Earlier {
        delivery: DeliveryId(9),
        document: old,
        books: Books {
            dossier: Some(DossierId(1)),
            flow: Some(Flow::Purchase),
            link: Some(LinkId(7)),
        },
        stand: transfer::Stand::Had,
        is_beside: false,
    };
    let version = Known {
        business: Some(old),
        earlier: vec![first_had],
        ..Known::default()
    };
    let revision = first(planned(&purchase(), &setup, &version));
    assert_eq!((revision.hold, revision.revision_of), (None, Some(old)));
    assert_eq!(revision.duplicate_of, Some(old));

    for suspected in [
        Known {
            content: Some(old),
            ..version.clone()
        },
        Known {
            envelope: Some((old, false)),
            ..version
        },
    ] {
        let held = first(planned(&purchase(), &setup, &suspected));
        assert_eq!(held.hold, Some(HeldReason::SuspectedDuplicate));
        assert_eq!(held.revision_of, None);
    }
}

#[test]
fn nothing_received_is_thrown_away() {
    let mut reading = invoice("F-1");
    reading.kind = Kind::Unreadable;
    assert!(matches!(
        planned(&reading, &Setup::default(), &Known::default()),
        Plan::Quarantine(_)
    ));

    for kind in [
        Kind::Invoice,
        Kind::CreditNote,
        Kind::Cii,
        Kind::Response,
        Kind::Other,
    ] {
        reading.kind = kind;
        let planned = first(planned(&reading, &Setup::default(), &Known::default()));
        assert!(planned.hold.is_some(), "{kind:?}");
    }
}

#[test]
fn numbers_are_compared_as_a_bookkeeper_would() {
    let key = |number| business_key(&invoice(number)).unwrap();

    assert_eq!(key("V01/15000001"), key("v01-15000001"));
    assert_eq!(key("V01\u{2013}15"), key("V01-15"));
    assert_eq!(key("\u{feff}V01\u{ad}15"), key("V0115"));
    assert_eq!(key("000 17"), key("17"));
    assert_ne!(key("17"), key("170"));
    assert_eq!(key("000"), key("0 00"));
}

#[test]
fn a_self_billed_number_is_one_of_the_buyers() {
    let self_billed = |buyer| Reading {
        self_billed: true,
        buyer: party(&[(PartyIdSource::LegalEntity, buyer)]),
        ..invoice("2026-001")
    };
    let by_bakery = self_billed("0239843188");

    assert_eq!(
        business_key(&by_bakery),
        business_key(&self_billed("BE 0239.843.188"))
    );
    assert_ne!(
        business_key(&by_bakery),
        business_key(&self_billed("0762986459"))
    );
    // What the seller writes to different buyers bears different numbers of his own.
    let own = |of: Reading| Reading {
        self_billed: false,
        ..of
    };
    assert_eq!(
        business_key(&own(by_bakery)),
        business_key(&own(self_billed("0762986459")))
    );
}

#[test]
fn what_stands_for_no_number_makes_no_two_sellers_one() {
    use PartyIdSource::{Identification, LegalEntity, Vat};
    let (sound, other) = ("BE0239843188", "BE0762986459");
    for placeholder in ["NVT", "0208:NVT", "0208:0000000000", "0208:9999999999", "0"] {
        let key = |vat| {
            business_key(&Reading {
                seller: party(&[(LegalEntity, placeholder), (Vat, vat)]),
                ..invoice("F-1")
            })
        };
        assert_ne!(key(sound), key(other), "{placeholder}");
        assert_ne!(
            key("NL820098395B01"),
            key("NL820098395B02"),
            "{placeholder}"
        );
    }
    let held = |seller: Party, self_billed| {
        let reading = Reading {
            seller,
            buyer: Party::default(),
            self_billed,
            ..invoice("F-1")
        };
        choice_for(&reading, Duplicates::Replace) == Duplicates::Hold
    };
    let named = Party {
        name: Some("Jan Peeters".to_owned()),
        ..Party::default()
    };
    assert!(held(named, false), "two people may have one name");
    assert!(held(party(&[(Identification, "17")]), false));
    assert!(held(party(&[(LegalEntity, "0208:9999999999")]), false));
    assert!(held(party(&[(LegalEntity, sound)]), true), "whose is it?");
    assert!(!held(party(&[(LegalEntity, sound)]), false));
}

#[test]
fn an_address_that_two_sellers_share_makes_them_no_one() {
    use PartyIdSource::{Endpoint, LegalEntity, Vat};
    let key = |ids: &[(PartyIdSource, &str)]| {
        business_key(&Reading {
            seller: party(ids),
            ..invoice("F-1")
        })
    };
    let (parent, other) = ("0208:0899965307", "0208:0239843188");
    let german = key(&[(Vat, "DE123456789"), (Endpoint, parent)]);

    let dutch = [
        (Vat, "NL820098395B01"),
        (LegalEntity, "0106:12345678"),
        (Endpoint, parent),
    ];
    assert_ne!(german, key(&dutch));
    // Its legal number is left away.
    assert_eq!(key(&dutch), key(&[(Vat, "NL820098395B01")]));
    assert_ne!(key(&dutch), key(&[(LegalEntity, "0106:87654321")]));
    assert_eq!(german, key(&[(Vat, "DE123456789"), (Endpoint, other)]));
    assert_eq!(german, key(&[(LegalEntity, "HRB 1"), (Vat, "DE123456789")]));
    assert_eq!(
        key(&[(LegalEntity, "NVT"), (Endpoint, parent)]),
        key(&[(Endpoint, parent)])
    );
}

#[test]
fn a_belgian_seller_is_one_however_its_number_is_written() {
    use PartyIdSource::{LegalEntity, Vat};
    let key = |id: PartyId| {
        let mut reading = invoice("F-1");
        reading.seller.ids = vec![id];
        business_key(&reading)
    };
    let plain = key(PartyId::new(Vat, None, "BE0500453583"));
    for (scheme, raw) in [
        (Some("VAT"), "0500453583"),
        (Some("BE:EN"), "0500.453.583"),
        (Some("UN/ECE 5153"), "0500453583"),
        (None, "BTW BE 0500.453.583 RPR Gent"),
        (None, "KBO 0500.453.583"),
        (None, "O.N. 0500.453.583"),
        (None, "BE0500453583-001"),
    ] {
        let written = key(PartyId::new(LegalEntity, scheme, raw));
        assert_eq!(written, plain, "{scheme:?} {raw}");
    }
    for (scheme, raw) in [
        (Some("0106"), "0500453583"),
        (Some("NL:KVK"), "0500453583"),
        (None, "PL0500453583"),
    ] {
        let other = key(PartyId::new(LegalEntity, scheme, raw));
        assert_ne!(other, plain, "{scheme:?} {raw}");
    }
}

#[test]
fn nothing_gives_way_where_the_document_has_no_number_of_its_own() {
    let held = |number| choice_for(&invoice(number), Duplicates::Replace) == Duplicates::Hold;
    for none in ["/", "0", "000", "undefined", "NVT", "CONCEPT"] {
        assert!(held(none), "{none}");
    }
    assert!(!held("F-1"));
}

#[test]
fn nothing_gives_way_by_a_number_that_several_may_bear() {
    use PartyIdSource::{Endpoint, Identification, LegalEntity, Vat};
    let choice = |seller: Party| {
        let reading = Reading {
            seller,
            ..invoice("F-1")
        };
        choice_for(&reading, Duplicates::Replace)
    };
    let mail = PartyId::new(Endpoint, Some("EM"), "a.b2@c.be");
    let by_mail = Party {
        name: None,
        ids: vec![mail],
    };
    assert_eq!(choice(by_mail), Duplicates::Hold);
    let parent = (Endpoint, "0208:0899965307");
    #[rustfmt::skip]
    let table: &[(&[(PartyIdSource, &str)], Duplicates)] = &[
        (&[(LegalEntity, "HRB 12345")],                    Duplicates::Hold),
        (&[(LegalEntity, "HRB 12345"), parent],            Duplicates::Hold),
        (&[(LegalEntity, "1234")],                         Duplicates::Hold),
        (&[(LegalEntity, "0208:12345678")],                Duplicates::Hold),
        (&[(Vat, "820098395B01")],                         Duplicates::Hold),
        (&[(Identification, "17"), parent],                Duplicates::Hold),
        (&[parent],                                        Duplicates::Replace),
        (&[(LegalEntity, "NVT"), parent],                  Duplicates::Replace),
        (&[(Vat, "DE123456789"), parent],                  Duplicates::Replace),
        (&[(LegalEntity, "1234"), (Vat, "DE123456789")],   Duplicates::Replace),
        (&[(LegalEntity, "0106:12345678")],                Duplicates::Replace),
        (&[(LegalEntity, "BE 0239.843.188")],              Duplicates::Replace),
    ];
    for (ids, expected) in table {
        assert_eq!(choice(party(ids)), *expected, "{ids:?}");
    }
}

#[test]
fn what_may_be_another_document_is_held_whatever_the_firm_chose() {
    let mut setup = setup(Transfer::AtOnce, Some(3));
    setup.duplicates = Duplicates::Replace;
    let version = Known {
        business: Some(DocumentId(5)),
        ..Known::default()
    };
    let doubtful = Known {
        is_doubtful: true,
        ..version.clone()
    };

    let hold = |known: &Known| first(planned(&purchase(), &setup, known)).hold;

    assert_eq!(hold(&version), None);
    assert_eq!(hold(&doubtful), Some(HeldReason::SuspectedDuplicate));
}

#[test]
fn a_document_without_a_number_is_no_ones_duplicate() {
    let mut reading = invoice("F-1");
    reading.number = None;

    assert_eq!(business_key(&reading), None);
}

#[test]
fn what_bears_a_date_that_is_none_is_known_by_what_is_written() {
    let dated = |odd: &str| Reading {
        issued: None,
        issued_odd: Some(odd.to_owned()),
        ..invoice("F-1")
    };
    let key = |odd| business_key(&dated(odd)).unwrap();

    assert_eq!(key("14/03/2026"), key("14/03/2026"));
    assert_ne!(key("14/03/2026"), key("15/03/2026"));
    let undated = Reading {
        issued: None,
        ..invoice("F-1")
    };
    assert_eq!(business_key(&undated), None);
}

#[test]
fn what_bears_a_date_that_is_none_waits_where_the_link_has_a_beginning() {
    let mut setup = setup(Transfer::AtOnce, Some(3));
    let odd = Reading {
        issued: None,
        issued_odd: Some("14/03/2019".to_owned()),
        ..purchase()
    };
    let undated = Reading {
        issued: None,
        ..purchase()
    };
    let hold =
        |setup: &Setup, reading: &Reading| first(planned(reading, setup, &Known::default())).hold;
    assert_eq!(hold(&setup, &odd), None);

    setup.links[0].rule.from = Some("2025-01-01".parse().unwrap());

    assert_eq!(hold(&setup, &odd), Some(HeldReason::BeforeStart));
    assert_eq!(hold(&setup, &undated), None, "it is of the day it came");
}

#[test]
fn an_envelope_is_known_by_its_sender_and_instance() {
    let mut reading = invoice("F-1");
    let sbdh = Sbdh {
        instance: Some("i-1".to_owned()),
        sender: Some("0208:1".to_owned()),
        ..Sbdh::default()
    };
    reading.sbdh = Some(sbdh);

    assert_eq!(envelope_key(&reading).as_deref(), Some("0208:1|i-1"));
}
