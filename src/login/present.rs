//! Which devices are connected, and may they stay?
//!
//! Whoever comes in takes a seat before its session is written down, so that no change of its device slips in
//! between: one that is committed before is found by that write, one that comes after finds the seat.

use core::net::IpAddr;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_util::sync::CancellationToken;

use super::holdings::Holdings;
use super::judging::{Refused, Shown, Verdict, judge};
use crate::catalog::{Credential, Moment};
use crate::model::{DeviceId, Means, Timestamp};

/// The devices that are connected, and with what they came in.
#[derive(Debug, Default)]
pub(super) struct Present {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    devices: HashMap<DeviceId, Seats>,
    /// The state of the catalog in which all of them were last judged.
    judged: Option<Moment>,
}

/// The seats of one device.
#[derive(Debug, Default)]
struct Seats {
    taken: BTreeMap<u64, Taken>,
    /// What whoever sits there holds together.
    holds: Arc<Holdings>,
}

/// A seat that is taken.
#[derive(Debug)]
struct Taken {
    shown: Shown,
    address: IpAddr,
    /// What of its device it was judged by.
    access: i64,
    /// When its key expires.
    expires_at: Option<Timestamp>,
    ending: Arc<Ending>,
}

#[derive(Debug, Default)]
struct Ending {
    is_near: CancellationToken,
    why: OnceLock<Refused>,
}

impl Ending {
    fn tell(&self, why: Refused) {
        // The first reason is the one that is told.
        drop(self.why.set(why));
        self.is_near.cancel();
    }
}

/// The seat of one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    present: Arc<Present>,
    device: DeviceId,
    number: u64,
    ending: Arc<Ending>,
    holds: Arc<Holdings>,
}

impl Present {
    /// Takes a seat for whoever has shown this; none where its device has `most` already.
    pub(super) fn enter(
        self: &Arc<Self>,
        device: &Credential,
        (shown, address): (&Shown, IpAddr),
        most: usize,
    ) -> Option<Seat> {
        let mut state = self.state();
        state.next += 1;
        let number = state.next;
        let seats = state.devices.entry(device.device).or_default();
        if seats.taken.len() >= most {
            return None;
        }
        let ending = Arc::<Ending>::default();
        let taken = Taken {
            shown: shown.clone(),
            address,
            access: device.access,
            expires_at: expiry(device, shown),
            ending: Arc::clone(&ending),
        };
        seats.taken.insert(number, taken);
        Some(Seat {
            present: Arc::clone(self),
            device: device.device,
            number,
            ending,
            holds: Arc::clone(&seats.holds),
        })
    }

    /// Ends the sessions whose key has expired.
    pub(super) fn expire(&self, now: Timestamp) {
        let state = self.state();
        let taken = state
            .devices
            .values()
            .flat_map(|seats| seats.taken.values());
        for taken in taken {
            if let (Some(fingerprint), Some(at)) = (&taken.shown.key, taken.expires_at)
                && at <= now
            {
                let fingerprint = fingerprint.clone();
                taken.ending.tell(Refused::Expired { fingerprint, at });
            }
        }
    }

    /// Returns who is to be judged, unless all were in this state of the catalog.
    pub(super) fn unjudged(&self, moment: Moment) -> Vec<DeviceId> {
        let state = self.state();
        if state.judged == Some(moment) {
            return Vec::new();
        }
        state.devices.keys().copied().collect()
    }

    /// Says whether nobody is here.
    pub(super) fn is_empty(&self) -> bool {
        self.state().devices.is_empty()
    }

    /// Returns of these devices those that were judged by something else than stands now.
    pub(super) fn changed(
        &self,
        devices: Vec<DeviceId>,
        accesses: &HashMap<DeviceId, i64>,
    ) -> Vec<DeviceId> {
        let state = self.state();
        let is_changed = |device: &DeviceId| {
            let seats = state.devices.get(device).into_iter();
            let mut taken = seats.flat_map(|seats| seats.taken.values());
            taken.any(|taken| accesses.get(device) != Some(&taken.access))
        };
        devices.into_iter().filter(is_changed).collect()
    }

    /// Judges whoever is here of a device anew, and ends the sessions that may not stay.
    pub(super) fn judge(&self, id: DeviceId, device: Option<&Credential>, now: Timestamp) {
        let mut state = self.state();
        let seats = state.devices.get_mut(&id).into_iter();
        for taken in seats.flat_map(|seats| seats.taken.values_mut()) {
            let verdict = device.ok_or(Refused::Unknown).and_then(|device| {
                taken.access = device.access;
                taken.expires_at = expiry(device, &taken.shown);
                judge(device, &taken.shown, taken.address, now)
            });
            match verdict {
                Ok(Verdict::Whole) => {}
                Ok(Verdict::Half) => taken.ending.tell(Refused::Means(Means::KeyAndPassword)),
                Err(why) => taken.ending.tell(why),
            }
        }
    }

    /// Notes that all were judged in this state of the catalog.
    pub(super) fn judged(&self, moment: Moment) {
        self.state().judged = Some(moment);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked with it has left whole values behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Returns what its connection holds together with the others of its device.
    pub(super) fn device_holds(&self) -> Arc<Holdings> {
        Arc::clone(&self.holds)
    }

    /// Returns why the session must end, once it must.
    pub(super) async fn ended(&self) -> Refused {
        self.ending.is_near.cancelled().await;
        let why = self.ending.why.get();
        why.cloned().unwrap_or(Refused::Unknown)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.present.state();
        if let Some(seats) = state.devices.get_mut(&self.device) {
            seats.taken.remove(&self.number);
            if seats.taken.is_empty() {
                state.devices.remove(&self.device);
            }
        }
    }
}

/// When the key expires by which somebody came in.
fn expiry(device: &Credential, shown: &Shown) -> Option<Timestamp> {
    let fingerprint = shown.key.as_ref()?;
    super::judging::key_of(device, fingerprint)?.key.expires_at
}

#[cfg(test)]
mod tests {
    use super::super::judging::tests::device;
    use super::*;

    const HERE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::LOCALHOST);

    fn by_key() -> Shown {
        Shown {
            key: Some("own".to_owned()),
            password: None,
        }
    }

    fn by_password() -> Shown {
        Shown {
            key: None,
            password: Some(3),
        }
    }

    fn why(seat: &Seat) -> Option<String> {
        let ended = seat.ending.is_near.is_cancelled();
        ended.then(|| seat.ending.why.get().unwrap().to_string())
    }

    #[test]
    fn one_session_more_than_a_device_may_have_finds_no_seat_until_another_goes() {
        let present = Arc::<Present>::default();
        let (device, key) = (device(), by_key());
        let one = present.enter(&device, (&key, HERE), 2).unwrap();
        let two = present.enter(&device, (&key, HERE), 2).unwrap();

        assert!(present.enter(&device, (&key, HERE), 2).is_none());
        let other = Credential {
            device: DeviceId(2),
            ..device.clone()
        };
        assert!(present.enter(&other, (&key, HERE), 2).is_some());
        drop(one);
        let three = present.enter(&device, (&key, HERE), 2).unwrap();

        assert_eq!((why(&two), why(&three)), (None, None), "nobody is sent out");
        drop((two, three));
        assert!(present.is_empty());
    }

    #[test]
    fn the_connections_of_a_device_hold_together_and_nothing_is_left_of_it_after_the_last() {
        let present = Arc::<Present>::default();
        let (device, key) = (device(), by_key());
        let other = Credential {
            device: DeviceId(2),
            ..device.clone()
        };
        let enter = |device| present.enter(device, (&key, HERE), 9).unwrap();
        let (one, two, beside) = (enter(&device), enter(&device), enter(&other));
        let gone = Arc::downgrade(&one.holds);
        assert!(Arc::ptr_eq(&one.device_holds(), &two.device_holds()));
        assert!(!Arc::ptr_eq(&one.device_holds(), &beside.device_holds()));
        drop(one);
        assert!(Arc::ptr_eq(&enter(&device).holds, &two.holds));

        drop(two);

        assert!(gone.upgrade().is_none(), "it is forgotten");
        assert_eq!(present.state().devices.len(), 1, "the other is here");
        drop(beside);
        assert!(present.is_empty());
    }

    #[test]
    fn whoever_may_not_come_in_any_more_may_not_stay() {
        let present = Arc::<Present>::default();
        let mut device = device();
        let key = present.enter(&device, (&by_key(), HERE), 9).unwrap();
        let password = present.enter(&device, (&by_password(), HERE), 9).unwrap();
        let (id, now) = (device.device, Timestamp(5));
        let accesses = |access| HashMap::from([(id, access)]);
        assert_eq!(present.changed(vec![id], &accesses(7)), []);
        assert_eq!(present.changed(vec![id], &accesses(8)), [id]);

        // What does not touch them lets both stay, and is judged once.
        device.access = 8;
        present.judge(id, Some(&device), now);
        assert_eq!(present.changed(vec![id], &accesses(8)), []);
        assert_eq!((why(&key), why(&password)), (None, None));

        // A second factor is asked for: who came with one goes.
        device.means = Means::KeyAndPassword;
        present.judge(id, Some(&device), now);
        assert!(why(&key).is_some() && why(&password).is_some());
    }

    #[test]
    fn a_device_that_is_gone_leaves_nobody_here() {
        let present = Arc::<Present>::default();
        let device = device();
        let seat = present.enter(&device, (&by_key(), HERE), 9).unwrap();
        let gone = HashMap::new();
        assert_eq!(present.changed(vec![device.device], &gone), [device.device]);

        present.judge(device.device, None, Timestamp(5));

        assert_eq!(why(&seat).as_deref(), Some("there is no such login"));
    }

    #[test]
    fn a_key_that_expires_meanwhile_ends_its_sessions_and_no_others() {
        let present = Arc::<Present>::default();
        let mut device = device();
        device.keys[0].key.expires_at = Some(Timestamp(10));
        let key = present.enter(&device, (&by_key(), HERE), 9).unwrap();
        let password = present.enter(&device, (&by_password(), HERE), 9).unwrap();

        present.expire(Timestamp(9));
        assert_eq!(why(&key), None);
        present.expire(Timestamp(10));

        assert!(why(&key).unwrap().contains("own has expired"));
        assert_eq!(why(&password), None);
    }

    #[test]
    fn each_state_of_the_catalog_is_judged_once() {
        let present = Arc::<Present>::default();
        let device = device();
        let _seat = present.enter(&device, (&by_key(), HERE), 9).unwrap();

        assert_eq!(present.unjudged(Moment::for_tests(1)), [device.device]);
        present.judged(Moment::for_tests(1));

        assert_eq!(present.unjudged(Moment::for_tests(1)), []);
        assert_eq!(present.unjudged(Moment::for_tests(2)), [device.device]);
    }
}
