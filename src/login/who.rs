//! Who looks and acts in a session?

use std::sync::Arc;

use super::holdings::Holdings;
use crate::model::{Clock, DeviceId, DeviceKind, FirmId, SessionId, Timestamp};

/// Who looks and acts: one session of one device.
///
/// Only a login that was checked makes one ([`Logins::begin`](super::Logins::begin)), and none is made of another:
/// whoever has one may see what that device sees.
///
/// Who has one may read it:
///
/// ```
/// use sluis::login::Who;
///
/// fn login_of(who: Who) -> String {
///     who.login
/// }
/// ```
///
/// but not even who has one may make another of it, whatever else is open to him:
///
/// ```compile_fail,E0451
/// use sluis::login::Who;
///
/// fn another(who: Who) -> Who {
///     Who { login: "peeters.server".to_owned(), ..who }
/// }
/// ```
#[derive(Debug)]
pub struct Who {
    /// Whose device.
    pub firm: FirmId,
    /// Which.
    pub device: DeviceId,
    /// `FIRM.DEVICE`.
    pub login: String,
    /// How it works.
    pub kind: DeviceKind,
    /// In which connection.
    pub session: SessionId,
    /// Since when, by the device's own time: after all that its other sessions have marked.
    pub since: Timestamp,
    /// The seal of that connection, for the events of what it does.
    pub seal: String,
    /// What it holds together with the device's other connections.
    pub device_holds: Arc<Holdings>,
    /// Nobody but this module's parent can say so.
    pub(super) _checked: Checked,
}

/// That a login was checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Checked;

impl Who {
    /// Returns what time it is for this session, where a clock says `now`. It does not go back before the session's
    /// start: what is marked in it would vanish from it, and show again to each that comes later.
    pub fn time(&self, now: Timestamp) -> Timestamp {
        time(&self.device_holds, self.since, now)
    }

    /// Returns what tells that time.
    pub fn clock(&self, clock: &Clock) -> Clock {
        let (holds, since, clock) = (Arc::clone(&self.device_holds), self.since, clock.clone());
        Clock::new(move || time(&holds, since, clock.read()))
    }
}

fn time(device: &Holdings, since: Timestamp, now: Timestamp) -> Timestamp {
    device.time(now).max(since)
}

#[cfg(test)]
impl Who {
    /// Anybody, for tests of what somebody sees.
    pub(crate) fn for_tests(firm: FirmId, device: DeviceId, kind: DeviceKind) -> Self {
        Self {
            firm,
            device,
            login: "peeters.server".to_owned(),
            kind,
            session: SessionId(1),
            since: Timestamp(0),
            seal: String::new(),
            device_holds: Arc::default(),
            _checked: Checked,
        }
    }
}
