//! What becomes of what waited, now that a command has changed something?

use super::{Exit, print};
use crate::app::House;
use crate::model::{FirmId, with_causes};
use crate::sending::{self, Released, Waiting};

/// How many of those that failed are named: more would not be read.
const NAMED_MAX: usize = 10;

/// What came of a look at what waits, until it is told.
#[must_use = "a person is to know what waits on"]
pub(super) struct Looked(Result<Released, sending::Error>);

impl Looked {
    /// Nothing was looked at: nothing can have changed for what waits.
    pub(super) fn at_nothing() -> Self {
        Self(Ok(Released::default()))
    }

    /// Tells how many documents a change has set free, and which it might have but could not. A listing for programs
    /// is on the other output.
    pub(super) fn tell(self) -> Exit {
        match self.0 {
            Ok(released) => {
                match released.sent {
                    0 => {}
                    1 => print::note("one waiting document was offered"),
                    more => print::note(&format!("{more} waiting documents were offered")),
                }
                tell_failed(&released)
            }
            Err(error) => {
                print::note(&format!(
                    "the change is made, but what waits could not be looked at again: {}; a server that runs does so within a minute, else `sluis serve` does at its start",
                    with_causes(&error)
                ));
                Exit::Failed
            }
        }
    }
}

/// Names what could not be looked at; a command that has left something so has failed.
pub(super) fn tell_failed(released: &Released) -> Exit {
    for one in released.failed.iter().take(NAMED_MAX) {
        let (id, why) = (one.id, &one.why);
        print::note(&format!(
            "delivery {id} waits on, for it could not be looked at again: {why}"
        ));
    }
    if released.failed.len() > NAMED_MAX {
        let more = released.failed.len() - NAMED_MAX;
        print::note(&format!("{more} more wait on likewise"));
    }
    Exit::failed_if(!released.failed.is_empty())
}

/// Looks again at what waits at a firm, after a change that is made: whatever comes of it, that stands.
pub(super) async fn look_again(house: &House, firm: FirmId, waiting: Waiting) -> Looked {
    let now = house.clock.read();
    Looked(house.sending.look_again(firm, waiting, now).await)
}
