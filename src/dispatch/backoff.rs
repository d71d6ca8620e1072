//! When is what failed tried again, and when is it given up?

use crate::model::Timestamp;

/// How often an event is tried before it is a dead letter.
///
/// With the waits below that is some two days. A receiver may be away for longer: while nobody is called
/// because of the breaker, only the event that is tried now and then loses attempts.
pub const ATTEMPTS_MAX: i64 = 20;

/// The longest wait after the first failure; each further one may be twice as long.
const FIRST_WAIT_MS_MAX: i64 = 10_000;

/// No wait is longer.
pub(super) const WAIT_MS_MAX: i64 = 12 * 3_600_000;

/// A receiver that asks for more patience than this does not get it.
pub(super) const RETRY_AFTER_MS_MAX: i64 = 3_600_000;
const _: () = assert!(RETRY_AFTER_MS_MAX <= WAIT_MS_MAX);

/// Returns how long to wait after so many failures: anything up to the longest, for those that failed
/// together should not all come back together ("full jitter").
///
/// `random` is any number, from all alike.
pub(super) fn wait_ms(failures: i64, random: u64) -> i64 {
    let longest = longest_ms(failures);
    i64::try_from(random % (longest.unsigned_abs() + 1)).unwrap_or(longest)
}

fn longest_ms(failures: i64) -> i64 {
    // Beyond thirty it is the longest anyway, and nothing overflows.
    let doublings = failures.saturating_sub(1).clamp(0, 30);
    (FIRST_WAIT_MS_MAX << doublings).min(WAIT_MS_MAX)
}

/// Whether `until` is to be waited for, where no wait is longer than so many milliseconds. One that is farther away
/// was set before the clock went back, and is over.
pub(super) fn is_ahead(until: Timestamp, ms_max: i64, now: Timestamp) -> bool {
    now < until && until <= now.plus_ms(ms_max)
}

/// Returns for how long a receiver asks not to be called: whole seconds, or a date (RFC 9110 §10.2.3).
pub(super) fn retry_after_ms(field: &str, now: Timestamp) -> Option<i64> {
    let field = field.trim();
    let asked = match field.parse::<u32>() {
        Ok(seconds) => i64::from(seconds) * 1000,
        Err(_) if field.bytes().all(|byte| byte.is_ascii_digit()) && !field.is_empty() => {
            RETRY_AFTER_MS_MAX
        }
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(field).ok()?;
            at.timestamp().as_millisecond().saturating_sub(now.0)
        }
    };
    Some(asked.clamp(0, RETRY_AFTER_MS_MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_wait_doubles_until_half_a_day() {
        let longest: Vec<_> = [0, 1, 2, 3, 10, 13, 14, 20, i64::MAX]
            .into_iter()
            .map(longest_ms)
            .collect();

        assert_eq!(
            longest,
            [
                10_000, 10_000, 20_000, 40_000, 5_120_000, 40_960_000, 43_200_000, 43_200_000,
                43_200_000
            ]
        );
    }

    #[test]
    fn an_event_is_tried_for_two_days_on_the_average() {
        let longest: i64 = (1..ATTEMPTS_MAX).map(longest_ms).sum();

        assert_eq!(longest / 2 / 3_600_000, 47);
    }

    #[test]
    fn a_receiver_may_ask_for_seconds_or_name_a_date_within_bounds() {
        let now = Timestamp(1_773_475_200_000); // Sat, 14 Mar 2026 08:00:00 GMT
        let table = [
            ("120", Some(120_000)),
            (" 0 ", Some(0)),
            ("3600", Some(3_600_000)),
            ("3601", Some(3_600_000)),
            ("99999999999999", Some(3_600_000)),
            ("Sat, 14 Mar 2026 08:01:00 GMT", Some(60_000)),
            ("Sat, 14 Mar 2026 07:00:00 GMT", Some(0)),
            ("Sun, 14 Mar 2027 08:00:00 GMT", Some(3_600_000)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ];

        for (field, expected) in table {
            assert_eq!(retry_after_ms(field, now), expected, "{field}");
        }
    }

    proptest! {
        #[test]
        fn every_wait_is_within_its_bounds(failures in any::<i64>(), random in any::<u64>()) {
            let wait = wait_ms(failures, random);

            prop_assert!((0..=longest_ms(failures)).contains(&wait));
        }
    }
}
