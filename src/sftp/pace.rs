//! How long does a refusal take?
//!
//! Always a whole number of steps from the question on, whatever was looked up or computed for it: so
//! its time does not tell whether a login is known. The first keys that an agent offers take one short
//! step, which nobody notices; whoever goes on, or guesses passwords, waits.

use std::time::Duration;

use crate::guard::Patience;

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tried {
    /// A key.
    Key,
    /// A password.
    Password,
}

/// The step of what is refused to an honest device: longer than a lookup takes.
pub(super) const STEP: Duration = Duration::from_millis(10);

/// Keys that an honest device may offer before the right one.
const HONEST_KEYS: u32 = 3;

/// The step of further keys.
const KEYS_STEP: Duration = Duration::from_millis(100);

/// The step of a password: longer than its hash takes, also when others are being hashed.
const PASSWORD_STEP: Duration = Duration::from_millis(500);

/// The step where the network would be barred, were it not known.
const NARROWED_STEP: Duration = Duration::from_secs(2);

/// Returns when the refusal may be told that comes after `before` others, as a time after the question
/// was asked; `elapsed` has passed already.
pub(super) fn told_after(
    tried: Tried,
    before: u32,
    patience: Patience,
    elapsed: Duration,
) -> Duration {
    let step = match (patience, tried) {
        (Patience::Usual, Tried::Key) if before < HONEST_KEYS => STEP,
        (Patience::Usual, Tried::Key) => KEYS_STEP,
        (Patience::Usual, Tried::Password) => PASSWORD_STEP,
        (Patience::Narrowed, _) => NARROWED_STEP,
    };
    let steps = elapsed.as_micros().div_ceil(step.as_micros()).max(1);
    step.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_keys_take_no_time_and_guessing_does() {
        use Patience::{Narrowed, Usual};
        #[rustfmt::skip]
        let table = [
            // tried          before  patience  elapsed  told after, in ms
            (Tried::Key,      0,      Usual,    0,       10),
            (Tried::Key,      2,      Usual,    1,       10),
            (Tried::Key,      2,      Usual,    10,      10),
            (Tried::Key,      2,      Usual,    11,      20),
            (Tried::Key,      3,      Usual,    1,       100),
            (Tried::Password, 0,      Usual,    40,      500),
            (Tried::Password, 5,      Usual,    501,     1000),
            (Tried::Key,      0,      Narrowed, 1,       2000),
            (Tried::Password, 0,      Narrowed, 1,       2000),
        ];
        for (tried, before, patience, elapsed, told) in table {
            let found = told_after(tried, before, patience, Duration::from_millis(elapsed));
            assert_eq!(
                found,
                Duration::from_millis(told),
                "{tried:?} after {before}, {patience:?}, {elapsed} ms"
            );
        }
    }

    proptest! {
        #[test]
        fn a_lookup_more_or_less_is_not_seen(before in 0_u32..8, known in 0_u64..10_000, unknown in 0_u64..10_000) {
            let told = |elapsed| told_after(Tried::Key, before, Patience::Usual, Duration::from_micros(elapsed));
            prop_assert_eq!(told(known), told(unknown));
            prop_assert!(told(known) >= Duration::from_micros(known));
        }
    }
}
