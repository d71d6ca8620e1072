//! What is read from each fixture, and what would become of it at an office?
//!
//! Snapshots: a change of reading or routing shows as a change of text, which somebody must accept.

use std::collections::BTreeMap;

use sluis::catalog::Known;
use sluis::ingest::plan::{LinkRule, Plan, Setup, plan};
use sluis::model::{
    Approval, Declared, DeviceId, DossierId, Duplicates, LinkId, Timestamp, Transfer,
};
use sluis::transfer::{Calendar, Readiness, Rule};
use sluis::ubl;

use crate::gateway::{BAKERY, MILL};

#[test]
fn what_is_read_from_each_fixture() {
    for (name, bytes) in fixtures() {
        let read = ubl::read(&bytes);

        insta::assert_snapshot!(
            format!("reading_{name}"),
            ubl::show::text(&name, &read.reading)
        );
    }
}

#[test]
fn what_becomes_of_each_fixture_at_an_office() {
    let setup = office();
    let line = |(name, bytes): (String, Vec<u8>)| {
        let (reading, now) = (ubl::read(&bytes).reading, Timestamp(1_767_225_600_000));
        let readiness = Readiness::arriving(Declared::default(), &reading, now);
        let plan = plan(&reading, &readiness, &setup, &Known::default(), now);
        format!("{name}: {}", told(&plan))
    };

    let plans: Vec<_> = fixtures().into_iter().map(line).collect();

    insta::assert_snapshot!("plans", plans.join("\n"));
}

/// The bakery has a link, the mill one that sends by hand, the joiner none.
fn office() -> Setup {
    let ids = [(BAKERY, 1), (MILL, 2), ("1003456783", 3)];
    let link = |id, dossier, transfer| LinkRule {
        id: LinkId(id),
        dossier: DossierId(dossier),
        device: Some(DeviceId(1)),
        rule: Rule {
            transfer,
            approval: Approval::Required,
            from: None,
        },
        folder: None,
    };
    Setup {
        dossiers: ids
            .map(|(digits, id)| (format!("0208:{digits}"), DossierId(id)))
            .into(),
        links: vec![link(1, 1, Transfer::AtOnce), link(2, 2, Transfer::Manual)],
        names: BTreeMap::new(),
        default_device: None,
        calendar: Calendar::default(),
        duplicates: Duplicates::Hold,
    }
}

fn told(plan: &Plan) -> String {
    match plan {
        Plan::Recognise(document) => format!("recognised as {document}"),
        Plan::Quarantine(why) => format!("quarantined: {why}"),
        Plan::Keep(planned) => {
            let each = planned.iter().map(|one| {
                let flow = one.flow.map_or("-", sluis::model::Flow::as_str);
                let dossier = one
                    .dossier
                    .map_or_else(|| "-".to_owned(), |id| id.to_string());
                let what = one.hold.map_or("offered", sluis::model::HeldReason::as_str);
                format!("{flow} of {dossier} {what} ({})", one.routing.rule.as_str())
            });
            each.collect::<Vec<_>>().join("; ")
        }
    }
}

fn fixtures() -> BTreeMap<String, Vec<u8>> {
    let folder = format!("{}/tests/fixtures/ubl", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let documents = files.filter(|path| path.extension().is_none_or(|extension| extension != "md"));
    let named = documents.map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(path).unwrap())
    });
    named.collect()
}
