//! Can the server do its work?

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::wellness::Wellness;

/// Something that keeps the server from its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unready {
    /// Which part.
    pub part: &'static str,
    /// What is wrong with it.
    pub why: String,
}

/// What is looked at.
#[derive(Clone)]
pub struct Readiness {
    /// What of the house is well.
    pub wellness: Wellness,
    /// Cancelled when the server ends.
    pub draining: CancellationToken,
}

impl Readiness {
    /// Says whether devices can log in, all can be written down and what was asked for be read, or what is wrong.
    ///
    /// # Errors
    ///
    /// What is wrong, one for each part.
    pub fn ready(&self) -> Result<(), Vec<Unready>> {
        let mut unready = Vec::new();
        if self.draining.is_cancelled() {
            unready.push(Unready {
                part: "server",
                why: "it is ending".to_owned(),
            });
        }
        let unwell = self.wellness.ready().err().unwrap_or_default();
        unready.extend(unwell.into_iter().map(|one| Unready {
            part: one.part.as_str(),
            why: one.why,
        }));
        if unready.is_empty() {
            Ok(())
        } else {
            Err(unready)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_ends_is_not_ready_however_well_it_is() {
        let readiness = Readiness {
            wellness: Wellness::default(),
            draining: CancellationToken::new(),
        };
        assert_eq!(readiness.ready(), Ok(()));

        readiness.draining.cancel();

        let unready = readiness.ready().unwrap_err();
        let told: Vec<_> = unready.iter().map(|one| (one.part, &one.why[..])).collect();
        assert_eq!(told, [("server", "it is ending")]);
    }
}
