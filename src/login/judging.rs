//! With what a device has shown, from there, at this moment: may it come in, and may it stay?
//!
//! The same judgement opens a session and says each time that something has changed whether it goes on.

use core::net::IpAddr;

use super::strength::Weakness;
use crate::catalog::{Credential, KeptKey};
use crate::model::{Means, Networks, Timestamp};

/// What a device has shown that only it can have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// The fingerprint of a key that it holds.
    pub(super) key: Option<String>,
    /// That it knew the password, and which.
    pub(super) password: Option<i64>,
}

impl Shown {
    /// Returns it as a session says by what it was opened.
    pub(super) fn told(&self) -> String {
        match (&self.key, self.password) {
            (Some(key), None) => key.clone(),
            (Some(key), Some(_)) => format!("{key} and password"),
            (None, _) => "password".to_owned(),
        }
    }
}

/// What is enough, or half of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may come in.
    Whole,
    /// The password is still to come.
    Half,
}

/// Why a device may not come in, or not stay. For the operator's log: a peer is never told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such login.
    #[error("there is no such login")]
    Unknown,
    /// The key is none of the device's.
    #[error("the key is none of this device's")]
    WrongKey,
    /// The password is not the device's.
    #[error("the password is wrong")]
    WrongPassword,
    /// The key is signed with SHA-1.
    #[error("it signs with SHA-1, which can be forged: a newer program is needed")]
    OldSignature,
    /// It came with a certificate.
    #[error("certificates are not accepted: give the device its key")]
    Certificate,
    /// The key is the device's, and too weak.
    #[error("its key {fingerprint} is too weak: {weakness}")]
    Weak {
        /// Which key.
        fingerprint: String,
        /// Why.
        weakness: Weakness,
    },
    /// The key is the device's, and its time is over.
    #[error("its key {fingerprint} has expired at {at}")]
    Expired {
        /// Which key.
        fingerprint: String,
        /// When.
        at: Timestamp,
    },
    /// The key was the device's.
    #[error("its key {0} was taken away")]
    KeyGone(String),
    /// The password was the device's.
    #[error("it has another password by now, or none")]
    PasswordGone,
    /// It is right, and may not come from there.
    #[error(
        "what it showed is right, and it may log in from {networks} only, which {address} is not in"
    )]
    Elsewhere {
        /// From where it came.
        address: IpAddr,
        /// From where it may.
        networks: Networks,
    },
    /// It is right, and may not come at all.
    #[error("it is disabled: {0}")]
    Disabled(String),
    /// What it showed is right, and not what it logs in with.
    #[error("what it showed is right, and it logs in by {0} only")]
    Means(Means),
    /// The password is right, and the key comes first.
    #[error("the password is right, and its key must come first")]
    KeyFirst,
}

impl Refused {
    /// Says whether anybody could have come to this, who has nothing of the device's.
    pub fn is_usual(&self) -> bool {
        match self {
            Self::Unknown | Self::WrongKey | Self::WrongPassword => true,
            Self::OldSignature | Self::Certificate => true,
            Self::Weak { .. } | Self::Expired { .. } | Self::KeyGone(_) | Self::PasswordGone => {
                false
            }
            Self::Elsewhere { .. } | Self::Disabled(_) | Self::Means(_) | Self::KeyFirst => false,
        }
    }
}

/// Judges what a device has shown, by all that is known of it now.
pub(super) fn judge(
    device: &Credential,
    shown: &Shown,
    address: IpAddr,
    now: Timestamp,
) -> Result<Verdict, Refused> {
    if let Some(fingerprint) = &shown.key {
        let key = key_of(device, fingerprint);
        let key = key.ok_or_else(|| Refused::KeyGone(fingerprint.clone()))?;
        if let Some(at) = key.key.expires_at.filter(|at| *at <= now) {
            let fingerprint = fingerprint.clone();
            return Err(Refused::Expired { fingerprint, at });
        }
    }
    let password = device.password.as_ref().map(|password| password.version);
    if shown.password.is_some() && shown.password != password {
        return Err(Refused::PasswordGone);
    }
    if let Some(why) = &device.disabled {
        return Err(Refused::Disabled(why.clone()));
    }
    if !device.networks.admit(address) {
        let networks = device.networks.clone();
        return Err(Refused::Elsewhere { address, networks });
    }
    match (device.means, &shown.key, shown.password) {
        (_, None, None) => Err(Refused::Unknown),
        (Means::KeyOrPassword, ..)
        | (Means::Key, Some(_), _)
        | (Means::Password, _, Some(_))
        | (Means::KeyAndPassword, Some(_), Some(_)) => Ok(Verdict::Whole),
        (Means::KeyAndPassword, Some(_), None) => Ok(Verdict::Half),
        (Means::KeyAndPassword, None, Some(_)) => Err(Refused::KeyFirst),
        (means @ (Means::Key | Means::Password), ..) => Err(Refused::Means(means)),
    }
}

/// Returns the key of a device with this fingerprint.
pub(super) fn key_of<'a>(device: &'a Credential, fingerprint: &str) -> Option<&'a KeptKey> {
    let mut keys = device.keys.iter();
    keys.find(|own| own.key.fingerprint == fingerprint)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::catalog::{DeviceKey, StoredPassword};
    use crate::model::{DeviceId, DeviceKind, FirmId};

    /// A device with the key `own`, and its third password.
    pub(in crate::login) fn device() -> Credential {
        Credential {
            device: DeviceId(1),
            firm: FirmId(1),
            kind: DeviceKind::Pull,
            password: Some(StoredPassword {
                hash: String::new(),
                version: 3,
            }),
            keys: vec![KeptKey {
                key: DeviceKey {
                    fingerprint: "own".to_owned(),
                    public_key: String::new(),
                    comment: String::new(),
                    expires_at: None,
                },
                added_at: Timestamp(0),
                used_at: None,
            }],
            means: Means::KeyOrPassword,
            networks: Networks::default(),
            disabled: None,
            access: 7,
        }
    }

    fn shown(key: Option<&str>, password: Option<i64>) -> Shown {
        let key = key.map(ToOwned::to_owned);
        Shown { key, password }
    }

    const NOW: Timestamp = Timestamp(1000);
    const HERE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 7));

    #[test]
    fn neither_of_two_opens_a_session_alone() {
        use Means::{Key, KeyAndPassword, KeyOrPassword, Password};
        let (key, password, both) = (
            shown(Some("own"), None),
            shown(None, Some(3)),
            shown(Some("own"), Some(3)),
        );
        let (whole, half) = (Ok(Verdict::Whole), Ok(Verdict::Half));
        #[rustfmt::skip]
        let table = [
            (KeyOrPassword,  &key,      whole.clone()),
            (KeyOrPassword,  &password, whole.clone()),
            (KeyOrPassword,  &both,     whole.clone()),
            (Key,            &key,      whole.clone()),
            (Key,            &password, Err(Refused::Means(Key))),
            (Password,       &key,      Err(Refused::Means(Password))),
            (Password,       &password, whole.clone()),
            (KeyAndPassword, &key,      half),
            (KeyAndPassword, &password, Err(Refused::KeyFirst)),
            (KeyAndPassword, &both,     whole),
        ];
        for (means, shown, verdict) in table {
            let device = Credential { means, ..device() };
            assert_eq!(
                judge(&device, shown, HERE, NOW),
                verdict,
                "{means} {shown:?}"
            );
            let nothing = judge(&device, &Shown::default(), HERE, NOW);
            assert_eq!(nothing, Err(Refused::Unknown), "{means}");
        }
    }

    #[test]
    fn whatever_is_right_is_not_enough_where_something_is_wrong() {
        let key = || shown(Some("own"), None);
        let mut expired = device();
        let at = |ms| Some(Timestamp(ms));
        expired.keys[0].key.expires_at = at(1001);
        assert_eq!(judge(&expired, &key(), HERE, NOW), Ok(Verdict::Whole));
        expired.keys[0].key.expires_at = at(1000);
        let elsewhere = Credential {
            networks: "198.51.100.0/24".parse().unwrap(),
            ..device()
        };
        let disabled = Credential {
            disabled: Some("stolen".to_owned()),
            ..device()
        };
        let no_password = Credential {
            password: None,
            ..device()
        };
        #[rustfmt::skip]
        let table = [
            (&expired,     key(),               "its key own has expired at 1970-01-01T00:00:01.000Z"),
            (&elsewhere,   key(),               "what it showed is right, and it may log in from 198.51.100.0/24 only, which 192.0.2.7 is not in"),
            (&elsewhere,   shown(None, Some(3)), "what it showed is right, and it may log in from 198.51.100.0/24 only, which 192.0.2.7 is not in"),
            (&disabled,    key(),               "it is disabled: stolen"),
            (&disabled,    shown(None, Some(3)), "it is disabled: stolen"),
            (&device(),    shown(Some("other"), None), "its key other was taken away"),
            (&device(),    shown(None, Some(2)), "it has another password by now, or none"),
            (&no_password, shown(None, Some(3)), "it has another password by now, or none"),
            (&device(),    shown(Some("other"), Some(3)), "its key other was taken away"),
            (&device(),    shown(Some("own"), Some(2)), "it has another password by now, or none"),
        ];
        for (device, shown, why) in table {
            let refused = judge(device, &shown, HERE, NOW).unwrap_err();
            assert_eq!(refused.to_string(), why);
            assert!(!refused.is_usual(), "the log says so, whoever is there");
        }
    }

    #[test]
    fn a_session_says_by_what_it_was_opened() {
        assert_eq!(shown(Some("SHA256:x"), None).told(), "SHA256:x");
        assert_eq!(shown(None, Some(0)).told(), "password");
        assert_eq!(
            shown(Some("SHA256:x"), Some(0)).told(),
            "SHA256:x and password"
        );
    }
}
