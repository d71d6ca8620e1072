//! A connection has not logged in: whose fault is that?
//!
//! Where the server's own catalog failed, or let it wait, it is not the client's: a broken disk must not bar
//! the offices that meet it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::guard::{NARROW_REFUSED_MAX, Patience};
use crate::model::Fault;

/// A connection that may log in.
#[derive(Clone)]
pub(super) struct Attempt {
    /// Where the client is.
    pub(super) address: SocketAddr,
    /// How patient the door is with it.
    pub(super) patience: Patience,
    course: Arc<Course>,
    /// What the client says that it is, once it has.
    pub(super) software: Arc<OnceLock<String>>,
    /// Cancelled when it has failed as often as it may.
    pub(super) spent: CancellationToken,
}

/// How it went so far.
#[derive(Debug, Default)]
struct Course {
    /// A key or a password was refused.
    tried: AtomicBool,
    /// The client waits for this server.
    waits: AtomicBool,
    /// This server could not answer it.
    failed: AtomicBool,
}

/// How a connection ended, as far as its login goes.
pub(super) enum End {
    /// It had logged in, or it was this server that ended.
    InOrder,
    /// It did not log in in time.
    Overdue,
    /// It ended before it logged in.
    Early(Option<russh::Error>),
}

impl Attempt {
    /// Begins one.
    pub(super) fn new(address: SocketAddr, patience: Patience) -> Self {
        Self {
            address,
            patience,
            course: Arc::default(),
            software: Arc::default(),
            spent: CancellationToken::new(),
        }
    }

    /// Notes that the client waits for what this server does next.
    pub(super) fn wait(&self) {
        self.course.waits.store(true, Ordering::Relaxed);
    }

    /// Notes that this server has answered, or could not.
    pub(super) fn answered<T, E>(&self, answer: Result<T, E>) -> Result<T, E> {
        if answer.is_err() {
            self.course.failed.store(true, Ordering::Relaxed);
        }
        self.course.waits.store(false, Ordering::Relaxed);
        answer
    }

    /// Notes that a key or a password was refused; `refused` were, with this one.
    pub(super) fn refused(&self, refused: u32) {
        self.course.tried.store(true, Ordering::Relaxed);
        if self.patience == Patience::Narrowed && refused >= NARROW_REFUSED_MAX {
            self.spent.cancel();
        }
    }

    /// Returns how it ends when its time is over.
    pub(super) fn overdue(&self) -> End {
        if self.course.waits.load(Ordering::Relaxed) {
            End::InOrder
        } else {
            End::Overdue
        }
    }

    /// Returns what its client has done wrong, if anything.
    pub(super) fn fault(&self, end: &End) -> Option<Fault> {
        let fault = match end {
            End::InOrder => return None,
            End::Overdue => Fault::Overdue,
            End::Early(Some(error)) if breaks_the_protocol(error) => return Some(Fault::Protocol),
            End::Early(Some(error)) if cannot_be_read(error) => Fault::Refused,
            End::Early(_) if self.course.tried.load(Ordering::Relaxed) => Fault::Refused,
            End::Early(_) => Fault::NoAttempt,
        };
        let is_ours = self.course.failed.load(Ordering::Relaxed);
        (!is_ours).then_some(fault)
    }
}

/// Whether an error is one that no peer meets who speaks SSH. To have no algorithm in common is no fault,
/// nor is a connection that breaks.
fn breaks_the_protocol(error: &russh::Error) -> bool {
    use russh::Error as E;
    matches!(
        error,
        E::Version
            | E::Kex
            | E::KexInit
            | E::PacketAuth
            | E::DecryptionError
            | E::PacketSize(_)
            | E::Inconsistent
            | E::IndexOutOfBounds
            | E::StrictKeyExchangeViolation { .. }
            | E::UnknownAlgo
            | E::WrongChannel
            | E::Join(_)
    )
}

/// Whether an error may be that of an honest program: a login or password in the letters of an old code page, a key of
/// a kind that the library does not know and cannot refuse by itself. It is a login that failed, and no more.
fn cannot_be_read(error: &russh::Error) -> bool {
    use russh::Error as E;
    matches!(
        error,
        E::Utf8(_) | E::SshEncoding(_) | E::SshKey(_) | E::Signature(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens while a connection does not log in.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        Wait,
        Answer,
        Fail,
        Refuse,
    }

    fn attempt(patience: Patience, steps: &[Step]) -> Attempt {
        let attempt = Attempt::new(([192, 0, 2, 7], 4711).into(), patience);
        let mut refused = 0;
        for step in steps {
            match step {
                Step::Wait => attempt.wait(),
                Step::Answer => attempt.answered(Ok::<_, ()>(())).unwrap(),
                Step::Fail => attempt.answered(Err::<(), _>(())).unwrap_err(),
                Step::Refuse => {
                    refused += 1;
                    attempt.refused(refused);
                }
            }
        }
        attempt
    }

    #[test]
    fn what_the_server_fails_at_is_not_the_fault_of_the_client() {
        use Step::{Answer, Fail, Refuse, Wait};
        let no_ssh = || End::Early(Some(russh::Error::Version));
        let hung_up = || End::Early(Some(russh::Error::Disconnect));
        let unread = || End::Early(Some(russh::keys::ssh_key::Error::Encrypted.into()));
        #[rustfmt::skip]
        let table: &[(&str, &[Step], End, Option<Fault>)] = &[
            ("logged in",                     &[Wait, Answer],                     End::InOrder,      None),
            ("looked at the port",            &[],                                 End::Early(None),  Some(Fault::NoAttempt)),
            ("does not speak SSH",            &[],                                 no_ssh(),          Some(Fault::Protocol)),
            ("a key of an unknown kind",      &[],                                 unread(),          Some(Fault::Refused)),
            ("a wrong key",                   &[Wait, Answer, Refuse],             hung_up(),         Some(Fault::Refused)),
            ("a key nobody could look up",    &[Wait, Fail, Refuse],               hung_up(),         None),
            ("that, and then a wrong one",    &[Wait, Fail, Refuse, Wait, Answer, Refuse], hung_up(), None),
            ("a session that did not begin",  &[Wait, Answer, Wait, Fail],         hung_up(),         None),
            ("that, and silent",              &[Wait, Fail, Refuse],               End::Overdue,      None),
            ("that, and then no SSH",         &[Wait, Fail, Refuse],               no_ssh(),          Some(Fault::Protocol)),
        ];
        for (what, steps, end, fault) in table {
            assert_eq!(attempt(Patience::Usual, steps).fault(end), *fault, "{what}");
        }

        let silent = attempt(Patience::Usual, &[Wait, Answer]);
        assert_eq!(silent.fault(&silent.overdue()), Some(Fault::Overdue));
        let waits = attempt(Patience::Usual, &[Wait]);
        assert_eq!(waits.fault(&waits.overdue()), None);
    }

    #[test]
    fn where_it_is_narrow_the_second_refusal_is_the_last() {
        for (patience, refusals, spent) in [
            (Patience::Narrowed, 1, false),
            (Patience::Narrowed, 2, true),
            (Patience::Usual, 9, false),
        ] {
            let attempt = attempt(patience, &vec![Step::Refuse; refusals]);
            assert_eq!(
                attempt.spent.is_cancelled(),
                spent,
                "{patience:?} {refusals}"
            );
        }
    }
}
