//! Does every rule send when a calendar on the wall says so, and never to anybody else?

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::model::Delay;

const PC: DeviceId = DeviceId(3);

fn brussels(hour: &str) -> Calendar {
    Calendar {
        zone: TimeZone::get("Europe/Brussels").unwrap(),
        hour: hour.parse().unwrap(),
    }
}

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn rule(transfer: &str) -> Rule {
    Rule {
        transfer: transfer.parse().unwrap(),
        approval: Approval::Required,
        from: None,
    }
}

fn arrived(at: Timestamp, issued: &str) -> Readiness {
    Readiness {
        status: Status::Sent,
        origin: Origin::Own,
        approved: false,
        issued: Some(issued.parse().unwrap()),
        has_odd_date: false,
        received_at: at,
        ready_at: at,
    }
}

/// When a rule sends what arrived then.
fn due_at(transfer: &str, hour: &str, received: &str, issued: &str) -> String {
    let received = at(received);
    let (rule, calendar) = (rule(transfer), brussels(hour));
    let readiness = arrived(received, issued);
    match plan(&rule, &calendar, Some(PC), &readiness, received) {
        Plan::Until(due) => due.to_string().replace(":00.000Z", "Z"),
        Plan::Send(_) => "now".to_owned(),
        Plan::Wait(why) => why.as_str().to_owned(),
    }
}

#[test]
#[rustfmt::skip]
fn each_rule_against_a_calendar() {
    let cases = [
        // rule, hour, arrived, dated, sent
        ("at-once",   "02:00", "2026-03-14T12:00:00Z", "2026-03-14", "now"),
        ("manual",    "02:00", "2026-03-14T12:00:00Z", "2026-03-14", "manual"),
        ("after=10m", "02:00", "2026-03-14T12:00:00Z", "2026-03-14", "2026-03-14T12:10Z"),
        ("after=3d",  "02:00", "2026-03-27T12:00:00Z", "2026-03-14", "2026-03-30T12:00Z"), // days of 24 hours
        ("nightly",   "02:00", "2026-03-14T12:00:00Z", "2026-03-14", "2026-03-15T01:00Z"),
        ("nightly",   "23:00", "2026-03-14T12:00:00Z", "2026-03-14", "2026-03-14T22:00Z"),
        ("nightly",   "02:00", "2026-03-15T00:59:59Z", "2026-03-14", "2026-03-15T01:00Z"),
        ("nightly",   "02:00", "2026-03-15T01:00:00Z", "2026-03-14", "2026-03-16T01:00Z"), // at the hour itself: the next
        // The night of 29 March 2026 has no 02:30: clocks go from 02:00 to 03:00.
        ("nightly",   "02:30", "2026-03-28T12:00:00Z", "2026-03-14", "2026-03-29T01:30Z"),
        ("nightly",   "02:30", "2026-03-29T01:30:00Z", "2026-03-14", "2026-03-30T00:30Z"),
        // That of 25 October 2026 has two; the first is taken, and only once.
        ("nightly",   "02:30", "2026-10-24T12:00:00Z", "2026-10-14", "2026-10-25T00:30Z"),
        ("nightly",   "02:30", "2026-10-25T00:30:00Z", "2026-10-14", "2026-10-26T01:30Z"),
        ("nightly",   "02:30", "2026-10-25T01:15:00Z", "2026-10-14", "2026-10-26T01:30Z"), // between the two
        // A leap day, and its absence.
        ("nightly",   "02:00", "2028-02-28T12:00:00Z", "2028-02-28", "2028-02-29T01:00Z"),
        ("nightly",   "02:00", "2027-02-28T12:00:00Z", "2027-02-28", "2027-03-01T01:00Z"),
        ("month-end", "02:00", "2028-02-29T12:00:00Z", "2028-02-29", "2028-03-01T01:00Z"),
        ("month-end", "02:00", "2026-03-14T12:00:00Z", "2026-03-14", "2026-04-01T00:00Z"),
        ("month-end", "02:00", "2026-12-31T22:59:00Z", "2026-12-31", "2027-01-01T01:00Z"),
        ("month-end", "02:00", "2026-12-31T23:30:00Z", "2026-12-31", "2027-01-01T01:00Z"), // in Brussels it is the first already
        ("month-end", "02:00", "2027-01-01T01:00:00Z", "2026-12-31", "2027-02-01T01:00Z"), // the run of January has begun
        ("month-end", "02:00", "2026-04-10T12:00:00Z", "2026-03-31", "2026-05-01T00:00Z"), // of March, late
        ("month-end", "02:00", "2026-04-10T12:00:00Z", "2026-06-15", "2026-07-01T00:00Z"), // dated ahead
        ("month-end", "02:00", "2026-04-10T12:00:00Z", "2026-07-10", "2026-08-01T00:00Z"), // as far as one may be
        ("month-end", "02:00", "2026-04-10T12:00:00Z", "2026-07-11", "dated_ahead"),
        ("month-end", "02:00", "2026-04-10T12:00:00Z", "2062-04-10", "dated_ahead"),
        ("nightly",   "02:00", "2026-04-10T12:00:00Z", "2062-04-10", "2026-04-11T00:00Z"),
        ("month-end", "02:00", "9999-11-30T12:00:00Z", "9999-12-31", "9999-12-01T01:00Z"), // the end of the calendar
    ];
    for (transfer, hour, received, issued, sent) in cases {
        assert_eq!(due_at(transfer, hour, received, issued), sent, "{transfer} at {hour}, arrived {received}");
    }
}

#[test]
fn what_a_person_must_do_first_is_named_first() {
    let calendar = brussels("02:00");
    let now = at("2026-03-14T12:00:00Z");
    let reason = |rule: &Rule, device, readiness: &Readiness| match plan(
        rule, &calendar, device, readiness, now,
    ) {
        Plan::Wait(reason) => reason.as_str(),
        Plan::Until(_) => "until",
        Plan::Send(_) => "send",
    };
    let mut nightly = rule("nightly");
    let mut readiness = arrived(now, "2026-03-14");
    (readiness.status, readiness.origin) = (Status::Draft, Origin::Incoming);
    nightly.from = Some("2026-03-15".parse().unwrap());

    assert_eq!(reason(&rule("manual"), None, &readiness), "draft");
    assert_eq!(reason(&nightly, None, &readiness), "draft");
    readiness.status = Status::Paid;
    assert_eq!(reason(&rule("manual"), None, &readiness), "approval");
    readiness.approved = true;
    assert_eq!(reason(&rule("manual"), None, &readiness), "manual");
    assert_eq!(reason(&nightly, None, &readiness), "before_start");
    nightly.from = Some("2026-03-14".parse().unwrap());
    assert_eq!(reason(&nightly, None, &readiness), "no_device");
    assert_eq!(reason(&nightly, Some(PC), &readiness), "until");
    assert_eq!(reason(&rule("at-once"), Some(PC), &readiness), "send");
}

#[test]
fn incoming_documents_wait_unless_the_link_says_otherwise() {
    let (calendar, now) = (brussels("02:00"), at("2026-03-14T12:00:00Z"));
    let mut readiness = arrived(now, "2026-03-14");
    readiness.origin = Origin::Incoming;
    let mut at_once = rule("at-once");

    let asked = plan(&at_once, &calendar, Some(PC), &readiness, now);
    at_once.approval = Approval::NotNeeded;
    let trusting = plan(&at_once, &calendar, Some(PC), &readiness, now);

    assert_eq!(asked, Plan::Wait(HeldReason::Approval));
    assert_eq!(trusting, Plan::Send(PC));
}

#[test]
fn a_document_without_a_date_is_of_the_day_it_arrived() {
    let (calendar, now) = (brussels("02:00"), at("2026-03-31T22:30:00Z"));
    let mut readiness = arrived(now, "2026-03-14");
    readiness.issued = None;
    let mut at_once = rule("at-once");
    at_once.from = Some("2026-04-01".parse().unwrap());

    // In Brussels it is the first of April already.
    assert_eq!(
        plan(&at_once, &calendar, Some(PC), &readiness, now),
        Plan::Send(PC)
    );
}

#[test]
fn what_is_approved_late_waits_from_then_on() {
    let calendar = brussels("02:00");
    let mut readiness = arrived(at("2026-03-14T12:00:00Z"), "2026-03-14");
    readiness.ready_at = at("2026-03-20T12:00:00Z");

    let planned = plan(
        &rule("nightly"),
        &calendar,
        Some(PC),
        &readiness,
        readiness.ready_at,
    );

    assert_eq!(planned, Plan::Until(at("2026-03-21T01:00:00Z")));
}

#[test]
fn a_clock_that_is_set_back_sends_nothing_early_and_moves_nothing() {
    let calendar = brussels("02:00");
    let readiness = arrived(at("2026-03-14T12:00:00Z"), "2026-03-14");
    let due = Plan::Until(at("2026-03-15T01:00:00Z"));
    let planned = |now: &str| plan(&rule("nightly"), &calendar, Some(PC), &readiness, at(now));

    assert_eq!(planned("2026-03-14T12:00:00Z"), due);
    assert_eq!(planned("2020-01-01T00:00:00Z"), due);
    assert_eq!(planned("2026-03-15T01:00:00Z"), Plan::Send(PC));
    assert_eq!(planned("2026-03-15T00:59:59Z"), due);
}

#[test]
fn an_hour_is_an_hour() {
    for text in ["00:00", "02:30", "23:59"] {
        assert_eq!(text.parse::<NightHour>().unwrap().to_string(), text);
    }
    for text in [
        "24:00", "2:30", "02:60", "02", "02:30:00", "-1:00", "+2:00", "aa:bb", "",
    ] {
        assert!(text.parse::<NightHour>().is_err(), "{text}");
    }
}

fn transfers() -> impl Strategy<Value = Transfer> {
    prop_oneof![
        Just(Transfer::AtOnce),
        Just(Transfer::Manual),
        Just(Transfer::Nightly),
        Just(Transfer::MonthEnd),
        (1u32..100_000)
            .prop_map(|seconds| { Transfer::After(Delay::parse(&format!("{seconds}s")).unwrap()) }),
    ]
}

prop_compose! {
    fn readinesses()(
        received in 1_700_000_000_000i64..1_900_000_000_000,
        later in 0i64..10_000_000_000,
        draft: bool, incoming: bool, approved: bool,
        day in proptest::option::of(19_000i32..22_500),
    ) -> Readiness {
        let epoch: Date = "1970-01-01".parse().unwrap();
        Readiness {
            status: if draft { Status::Draft } else { Status::Sent },
            origin: if incoming { Origin::Incoming } else { Origin::Own },
            approved,
            issued: day.map(|day| epoch.checked_add(jiff::Span::new().days(day)).unwrap()),
            has_odd_date: false,
            received_at: Timestamp(received),
            ready_at: Timestamp(received + later),
        }
    }
}

proptest! {
    #[test]
    fn planning_twice_changes_nothing_and_time_only_brings_it_nearer(
        transfer in transfers(),
        readiness in readinesses(),
        device in proptest::option::of(1i64..4),
        hour in 0i8..24,
        before in 0i64..100_000_000_000,
    ) {
        let calendar = brussels(&format!("{hour:02}:30"));
        let rule = Rule { transfer, approval: Approval::Required, from: None };
        let device = device.map(DeviceId);
        let now = readiness.ready_at;
        let first = plan(&rule, &calendar, device, &readiness, now);

        prop_assert_eq!(plan(&rule, &calendar, device, &readiness, now), first);
        match first {
            // Never to anybody but whom the link or the firm names.
            Plan::Send(to) => prop_assert_eq!(Some(to), device),
            Plan::Wait(why) => {
                let later = Timestamp(now.0 + before);
                prop_assert_eq!(plan(&rule, &calendar, device, &readiness, later), Plan::Wait(why));
            }
            Plan::Until(due) => {
                prop_assert!(due > now);
                let sooner = Timestamp(due.0 - 1);
                prop_assert_eq!(plan(&rule, &calendar, device, &readiness, sooner), Plan::Until(due));
                prop_assert_eq!(Plan::Send(device.unwrap()), plan(&rule, &calendar, device, &readiness, due));
            }
        }
    }

    #[test]
    fn there_is_one_night_each_day(from in 1_700_000_000_000i64..1_900_000_000_000, hour in 0i8..24, minute in 0i8..60) {
        let calendar = brussels(&format!("{hour:02}:{minute:02}"));
        let night = calendar.next_night(Timestamp(from));
        let next = calendar.next_night(night);

        prop_assert!(night > Timestamp(from));
        prop_assert!(night.0 - from <= 25 * 3_600_000);
        prop_assert_eq!(calendar.date(next), calendar.date(night).tomorrow().unwrap());
    }
}
