//! Does the guard hold its limits, and remember across a restart?

use super::*;
use crate::model::Penalty;

/// An address of nobody, and one of a device's office.
const NOBODY: [u8; 4] = [192, 0, 2, 66];
const OFFICE: [u8; 4] = [198, 51, 100, 7];

async fn catalog(folder: &tempfile::TempDir) -> Catalog {
    Catalog::open(&folder.path().join("catalog.sqlite"))
        .await
        .unwrap()
}

async fn guard(folder: &tempfile::TempDir, lines: &str) -> Guard {
    let config = toml::from_str(lines).unwrap();
    Guard::open(catalog(folder).await, config, Timestamp(0))
        .await
        .unwrap()
}

fn try_in(guard: &Guard, address: [u8; 4], now: i64) -> Result<(Place, Patience), Refusal> {
    let mut place = guard.enter(50)?;
    let patience = place.named(address.into(), Timestamp(now))?;
    Ok((place, patience))
}

fn fail(guard: &Guard, address: [u8; 4], fault: Fault, now: i64) {
    try_in(guard, address, now)
        .unwrap()
        .0
        .failed(fault, Timestamp(now));
}

#[tokio::test]
async fn one_past_each_limit_is_turned_away_and_a_place_that_is_left_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let guard = guard(&folder, "startups = '5:0:5'\nnetwork_startups_max = 3").await;

    let mut held: Vec<_> = (0..3).map(|_| try_in(&guard, NOBODY, 0).unwrap()).collect();
    assert_eq!(try_in(&guard, NOBODY, 0).err(), Some(Refusal::Network));
    held.push(try_in(&guard, OFFICE, 0).unwrap());
    held.push(try_in(&guard, [127, 0, 0, 1], 0).unwrap());
    assert_eq!(try_in(&guard, OFFICE, 0).err(), Some(Refusal::Startups));
    held.remove(0);

    assert!(try_in(&guard, NOBODY, 0).is_ok());
    drop(held);
    let state = guard.state();
    assert_eq!((state.startups, state.by_network.len()), (0, 0));
}

#[tokio::test]
async fn a_network_of_ipv6_is_counted_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let guard = guard(&folder, "network_startups_max = 1").await;
    let enter = |address: &str| {
        let mut place = guard.enter(50).unwrap();
        place
            .named(address.parse().unwrap(), Timestamp(0))
            .map(|_| place)
    };

    let _one = enter("2001:db8:1:2::1").ok().unwrap();
    assert_eq!(enter("2001:db8:1:2:3::1").err(), Some(Refusal::Network));
    assert!(enter("2001:db8:1:3::1").is_ok());
    let _mapped = enter("::ffff:192.0.2.66").ok().unwrap();
    assert_eq!(enter("192.0.2.66").err(), Some(Refusal::Network));
}

#[tokio::test]
async fn a_bar_outlives_a_restart_and_what_is_lifted_is_open_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let before = guard(&folder, "").await;
    fail(&before, NOBODY, Fault::Protocol, 0);
    fail(&before, OFFICE, Fault::Refused, 0);
    before.round(Timestamp(1000)).await;
    before.catalog.clone().close().await;

    let after = guard(&folder, "").await;
    assert_eq!(try_in(&after, NOBODY, 2000).err(), Some(Refusal::Barred));
    fail(&after, OFFICE, Fault::Refused, 2000);
    fail(&after, OFFICE, Fault::Refused, 2000);
    assert!(
        try_in(&after, OFFICE, 2000).is_ok(),
        "13 s, for 2 have passed"
    );

    let range = "192.0.2.0/24".parse().unwrap();
    let lifted = after.catalog.lift_penalties(&range, Timestamp(3000)).await;
    assert_eq!(lifted.unwrap(), ["192.0.2.66/32".parse().unwrap()]);
    assert!(
        try_in(&after, NOBODY, 3000).is_err(),
        "nobody has read it yet"
    );
    after.round(Timestamp(3000)).await;

    assert!(try_in(&after, NOBODY, 3000).is_ok());
    let written = after.catalog.penalties().await.unwrap();
    let office = Penalty {
        until: Timestamp(15_000),
        is_bar: false,
        fault: Fault::Refused,
    };
    assert_eq!(written, [("198.51.100.7/32".parse().unwrap(), office)]);
}

#[tokio::test]
async fn behind_one_address_a_forgotten_script_does_not_lock_a_device_out() {
    let folder = tempfile::tempdir().unwrap();
    let guard = guard(&folder, "").await;
    try_in(&guard, OFFICE, 0).unwrap().0.logged_in(Timestamp(0));
    for _ in 0..10 {
        fail(&guard, OFFICE, Fault::Refused, 1000);
    }

    // The script has eight places, and there are others.
    let mut scripts: Vec<_> = (0..8)
        .map(|_| try_in(&guard, OFFICE, 2000).unwrap())
        .collect();
    assert!(
        scripts
            .iter()
            .all(|(_, patience)| *patience == Patience::Narrowed)
    );
    let (device, _) = try_in(&guard, OFFICE, 2000).unwrap();
    while scripts.len() + 1 < NARROW_MAX {
        scripts.push(try_in(&guard, OFFICE, 2000).unwrap());
    }
    assert_eq!(try_in(&guard, OFFICE, 2000).err(), Some(Refusal::Barred));
    device.logged_in(Timestamp(2000));

    let (_, patience) = try_in(&guard, OFFICE, 2000).unwrap();
    assert_eq!(patience, Patience::Usual, "a login forgives");
    for (script, _) in scripts {
        script.failed(Fault::Refused, Timestamp(2000));
    }

    // Nobody logs in from there any more: after a week it is a network as any other.
    let later = KNOWN_MS + 2000;
    fail(&guard, OFFICE, Fault::Protocol, later);
    assert_eq!(try_in(&guard, OFFICE, later).err(), Some(Refusal::Barred));
}

#[tokio::test]
async fn who_is_exempt_draws_no_lot_and_is_not_counted_against_others() {
    let folder = tempfile::tempdir().unwrap();
    let guard = guard(&folder, "startups = '2:100:5'").await;
    let exempt = [127, 0, 0, 1];

    // Two of those do not bring the lot upon anybody else; past two others it falls on nobody exempt.
    let mut held: Vec<_> = [exempt, exempt, NOBODY, OFFICE]
        .map(|address| try_in(&guard, address, 0).unwrap())
        .into();
    assert_eq!(try_in(&guard, NOBODY, 0).err(), Some(Refusal::Startups));
    held.push(try_in(&guard, exempt, 0).unwrap());
    assert_eq!(
        try_in(&guard, exempt, 0).err(),
        Some(Refusal::Startups),
        "full is full"
    );

    drop(held);
    let state = guard.state();
    assert_eq!((state.startups, state.exempt), (0, 0));
}

#[tokio::test]
async fn who_is_exempt_is_never_barred() {
    let folder = tempfile::tempdir().unwrap();
    let guard = guard(
        &folder,
        "exempt = ['198.51.100.0/24']\nnetwork_startups_max = 1",
    )
    .await;

    let _held = try_in(&guard, OFFICE, 0).unwrap();
    for _ in 0..10 {
        fail(&guard, OFFICE, Fault::Protocol, 0);
    }

    assert!(try_in(&guard, OFFICE, 0).is_ok());
    guard.round(Timestamp(0)).await;
    assert_eq!(guard.catalog.penalties().await.unwrap(), []);
}
