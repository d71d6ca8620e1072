//! What is changed at a firm, and how is it told?

use crate::alarm::OwnLimits;
use crate::catalog::{DeviceKey, Dossier, FirmRules, Link, LinkRules};
use crate::model::{
    DeviceKind, Identifier, Language, Means, Name, Networks, Retention, Timestamp, Uploads,
};

/// One thing to change. Devices are named, for those that come are not there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    AddDevice {
        name: Name,
        kind: DeviceKind,
        keys: Vec<DeviceKey>,
    },
    AddKey {
        device: String,
        key: DeviceKey,
    },
    SetKeyExpiry {
        device: String,
        fingerprint: String,
        expires_at: Option<Timestamp>,
    },
    SetLogin {
        device: String,
        means: Option<Means>,
        networks: Option<Networks>,
    },
    Disable {
        device: String,
        why: String,
    },
    SetUploads {
        device: String,
        uploads: Uploads,
    },
    SetDefault {
        device: String,
    },
    RenameFirm {
        name: String,
        language: Language,
    },
    SetFirm(FirmRules),
    SetRetention(Retention),
    SetAlarms(OwnLimits),
    AddDossier {
        name: String,
        ids: Vec<Identifier>,
    },
    SetDossier {
        /// As it was when this was planned.
        dossier: Dossier,
        name: String,
        /// Those of the file: what else it has stays behind them.
        ids: Vec<Identifier>,
    },
    AddLink {
        /// By one of its numbers.
        dossier: Identifier,
        profile: String,
        code: String,
        language: Language,
        device: Option<String>,
        sends: LinkRules,
    },
    SetLink {
        link: Box<Link>,
        device: Option<String>,
        sends: LinkRules,
    },
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AddDevice { .. }
            | Self::AddKey { .. }
            | Self::SetKeyExpiry { .. }
            | Self::SetLogin { .. }
            | Self::Disable { .. }
            | Self::SetUploads { .. } => self.tell_device(f),
            Self::SetDefault { device } => write!(f, "make `{device}` the default device"),
            Self::RenameFirm { name, language } => {
                let language = language.as_str();
                write!(f, "set the firm: name `{name}`, language {language}")
            }
            Self::SetFirm(rules) => {
                let zone = rules.time_zone.as_deref().unwrap_or("the configured zone");
                write!(
                    f,
                    "set the firm: transfer {}, approval {}, night {} in {zone}, duplicates {}",
                    rules.transfer, rules.approval, rules.night_hour, rules.duplicates
                )
            }
            Self::SetRetention(keeps) => write!(f, "set the firm: keep {keeps}"),
            Self::SetAlarms(own) => write!(f, "set the firm's alarms: {own}"),
            Self::AddDossier { name, ids } => write!(f, "add dossier `{name}` with {}", told(ids)),
            Self::SetDossier { dossier, name, ids } => {
                write!(
                    f,
                    "set dossier `{}`: `{name}` with {}",
                    dossier.name,
                    told(&with_own(ids, dossier))
                )
            }
            Self::AddLink {
                dossier,
                profile,
                code,
                device,
                sends,
                ..
            } => {
                write!(f, "add link `{code}` in `{profile}` to {}", dossier.raw)?;
                rules(f, device.as_deref(), sends)
            }
            Self::SetLink {
                link,
                device,
                sends,
            } => {
                write!(f, "set link `{}` in `{}`", link.code, link.profile)?;
                rules(f, device.as_deref(), sends)
            }
        }
    }
}

impl Change {
    /// Whether a dossier may have another number, or one more.
    pub(super) fn is_of_a_dossier(&self) -> bool {
        matches!(self, Self::AddDossier { .. } | Self::SetDossier { .. })
    }

    /// Tells what is about a device; of other changes, nothing.
    fn tell_device(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AddDevice { name, kind, keys } => {
                write!(
                    f,
                    "add device `{name}` ({}), {} keys",
                    kind.as_str(),
                    keys.len()
                )
            }
            Self::AddKey { device, key } => {
                write!(f, "add a key to device `{device}`: {}", key.fingerprint)?;
                key.expires_at
                    .map_or(Ok(()), |at| write!(f, ", until {at}"))
            }
            Self::SetKeyExpiry {
                device,
                fingerprint,
                expires_at,
            } => {
                write!(f, "set key {fingerprint} of device `{device}`: good ")?;
                match expires_at {
                    Some(at) => write!(f, "until {at}"),
                    None => f.write_str("for ever"),
                }
            }
            Self::SetLogin {
                device,
                means,
                networks,
            } => {
                write!(f, "set device `{device}`: logs in")?;
                if let Some(means) = means {
                    write!(f, " by {means}")?;
                }
                let networks = networks.as_ref();
                networks.map_or(Ok(()), |networks| write!(f, " from {networks}"))
            }
            Self::Disable { device, why } => write!(f, "disable device `{device}`: {why}"),
            Self::SetUploads { device, uploads } => {
                write!(f, "set uploads of device `{device}` {}", uploads.as_str())
            }
            _ => Ok(()),
        }
    }
}

/// The numbers of the file, and behind them those that the dossier has beside them.
pub(super) fn with_own(ids: &[Identifier], dossier: &Dossier) -> Vec<Identifier> {
    let is_other = |own: &&Identifier| !ids.iter().any(|id| id.key == own.key);
    let others = dossier.identifiers.iter().filter(is_other);
    ids.iter().chain(others).cloned().collect()
}

fn told(ids: &[Identifier]) -> String {
    let raw: Vec<_> = ids.iter().map(|id| id.raw.as_str()).collect();
    raw.join(", ")
}

fn rules(
    f: &mut std::fmt::Formatter<'_>,
    device: Option<&str>,
    sends: &LinkRules,
) -> std::fmt::Result {
    let device = device.unwrap_or("the default device");
    write!(
        f,
        ": to {device}, transfer {}, approval {}",
        sends.transfer, sends.approval
    )?;
    sends.from.map_or(Ok(()), |from| write!(f, ", from {from}"))
}
