//! Who is told of what, since when, and until when?

use super::*;

const DAY: i64 = 24 * 3600 * 1000;
const NOW: Timestamp = Timestamp(100 * DAY);

fn days(text: &str) -> Patience {
    text.parse().unwrap()
}

fn ago(days: i64) -> Timestamp {
    NOW.plus_ms(-days * DAY)
}

#[test]
fn what_has_lasted_as_long_as_may_be_is_told_and_a_moment_before_is_not() {
    #[rustfmt::skip]
    let table = [
        ("4d",    ago(4),             true),
        ("4d",    ago(4).plus_ms(1),  false),
        ("4d",    ago(400),           true),
        ("4d",    NOW.plus_ms(DAY),   false), // the clock was set back
        ("never", ago(400),           false),
        ("1s",    NOW.plus_ms(-1000), true),
    ];
    for (patience, since, is_over) in table {
        assert_eq!(
            days(patience).is_over(since, NOW),
            is_over,
            "{patience} {since}"
        );
    }
}

#[test]
fn an_office_that_is_closed_over_a_long_weekend_is_not_told() {
    let at = |text: &str| Timestamp::parse(text).unwrap();
    let limit = Limits::default().uncollected;
    // Easter 2026: from Friday evening to Tuesday morning.
    let friday = at("2026-04-03T17:00:00Z");

    assert!(!limit.is_over(friday, at("2026-04-07T08:00:00Z")));
    assert!(limit.is_over(friday, at("2026-04-07T17:00:00Z")));
}

#[test]
fn the_table_of_who_is_missed_and_since_when() {
    use DeviceKind::*;
    let of = |kind, seen: Option<i64>, expected: Option<i64>, waits: Option<i64>| Presence {
        kind,
        added_at: ago(30),
        seen: seen.map(ago),
        is_connected: false,
        is_disabled: false,
        expected_since: expected.map(ago),
        waits_since: waits.map(ago),
    };
    #[rustfmt::skip]
    let table = [
        // A script that has stopped, whether or not something waits.
        (of(Pull,   Some(5), Some(20), None),    Some(5)),
        (of(Pull,   Some(5), Some(20), Some(9)), Some(5)),
        (of(Bridge, Some(5), Some(20), None),    Some(5)),
        // It never logged in: since it was added, or had something to do.
        (of(Pull,   None,    Some(30), None),    Some(30)),
        (of(Pull,   None,    Some(2),  None),    Some(2)),
        // Nothing goes there: a spare, or one that is done with. Unless something does wait there.
        (of(Pull,   Some(5), None,     None),    None),
        (of(Pull,   Some(5), None,     Some(3)), Some(3)),
        // A drive that nobody opens, for nothing is there; and one on which something waits.
        (of(Mount,  Some(5), Some(20), None),    None),
        (of(Mount,  Some(5), Some(20), Some(9)), Some(5)),
        (of(Mount,  Some(9), Some(20), Some(1)), Some(1)),
        (of(Mount,  None,    Some(20), Some(1)), Some(1)),
        // It comes when it has something to bring.
        (of(Source, Some(5), None,     None),    None),
        (of(Source, None,    Some(20), Some(9)), None),
    ];
    for (presence, missed) in table {
        assert_eq!(presence.missed_since(), missed.map(ago), "{presence:?}");
        let connected = Presence {
            is_connected: true,
            ..presence
        };
        assert_eq!(connected.missed_since(), None);
        let disabled = Presence {
            is_disabled: true,
            ..presence
        };
        assert_eq!(disabled.missed_since(), None);
    }
}

#[test]
fn an_alarm_stays_up_as_long_as_its_reason_and_no_longer() {
    let up = Up {
        subject: Subject::Device(DeviceId(1)),
        since: ago(5),
        raised_at: NOW,
    };
    #[rustfmt::skip]
    let table = [
        ("4d",    Some(ago(5)),  NOW,                true),
        ("4d",    Some(ago(5)),  NOW.plus_ms(DAY),   true),
        ("4d",    None,          NOW,                false), // collected, removed, or no longer expected
        ("4d",    Some(NOW),     NOW.plus_ms(1),     false), // seen
        ("6d",    Some(ago(5)),  NOW,                false), // one may wait longer now
        ("never", Some(ago(5)),  NOW,                false),
        ("4d",    Some(ago(5)),  ago(3),             true),  // the clock was set back
        ("4d",    Some(ago(3)),  ago(3),             false), // and then it was seen
        ("4d",    Some(ago(40)), NOW,                true),
    ];
    for (patience, reason, now, stays) in table {
        assert_eq!(
            up.stays(reason, days(patience), now),
            stays,
            "{patience} {reason:?} {now}"
        );
    }
}

#[test]
fn one_alarm_past_either_limit_waits_for_the_next_look() {
    assert_eq!(room(0), RAISED_PER_LOOK_MAX);
    assert_eq!(room(UP_MAX - 1), 1);
    assert_eq!(room(UP_MAX), 0);
    assert_eq!(room(UP_MAX + 1), 0);
}

#[test]
fn a_firm_leaves_to_the_operator_what_it_does_not_decide() {
    let configured = Limits::default();
    let own = OwnLimits {
        uncollected: "never".parse().unwrap(),
        unseen: "default".parse().unwrap(),
    };

    let limits = own.or(configured);

    assert_eq!(limits.uncollected, Patience::Never);
    assert_eq!(limits.unseen, configured.unseen);
    for text in ["default", "never", "3d", "12h"] {
        assert_eq!(text.parse::<OrConfig>().unwrap().to_string(), text);
    }
}

#[test]
fn what_no_event_of_an_alarm_says_is_not_understood() {
    for bad in [
        "",
        "unseen",
        "lost since 1970-01-01T00:00:00.000Z",
        "unseen since then",
    ] {
        assert_eq!(Told::parse(bad), None, "{bad}");
    }
}
