//! Which keys expire soon, so that somebody makes the next one in time?

use serde_json::{Value, json};

use crate::catalog::{Device, DeviceKey};
use crate::model::Timestamp;

/// A key is told of when it expires within this time, in milliseconds: 30 days, for whoever has the device must
/// make the next one.
const SOON_MS: i64 = 30 * DAY_MS;

const DAY_MS: i64 = 24 * HOUR_MS;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// A key that expires soon, or has expired.
pub(super) struct Expiring {
    device: String,
    key: DeviceKey,
    at: Timestamp,
}

/// Returns those of these devices, the first to expire first.
pub(super) fn expiring<'a>(
    devices: impl Iterator<Item = &'a Device>,
    now: Timestamp,
) -> Vec<Expiring> {
    let mut found: Vec<_> = devices
        .flat_map(|device| device.keys.iter().map(move |key| (device, key)))
        .filter_map(|(device, key)| {
            let at = key.expires_at.filter(|at| *at <= now.plus_ms(SOON_MS))?;
            Some(Expiring {
                device: device.name.to_string(),
                key: key.clone(),
                at,
            })
        })
        .collect();
    found.sort_by_key(|one| one.at);
    found
}

impl Expiring {
    /// Says so in a line of `status`.
    pub(super) fn line(&self, now: Timestamp) -> String {
        let Self { device, key, at } = self;
        let name = format!("{} {}", key.fingerprint, key.comment);
        let name = name.trim_end();
        if *at <= now {
            return format!(
                "  EXPIRED: key {name} of device {device} logs nobody in since {at}; `sluis device key remove` takes it away"
            );
        }
        let left = left(at.0 - now.0);
        format!("  EXPIRES: key {name} of device {device}, in {left}")
    }

    /// Says so to a program.
    pub(super) fn json(&self) -> Value {
        json!({
            "device": self.device, "fingerprint": self.key.fingerprint, "comment": self.key.comment,
            "expires_at": self.at.to_string(),
        })
    }
}

/// Says how long that is: in hours where it is less than two days, for then each counts.
fn left(ms: i64) -> String {
    match ms / HOUR_MS {
        ..1 => "less than an hour".to_owned(),
        1 => "1 hour".to_owned(),
        hours @ 2..48 => format!("{hours} hours"),
        hours => format!("{} days", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeviceId, DeviceKind, FirmId, Means, Networks, Uploads};

    #[test]
    fn what_is_left_of_a_key_is_told_in_hours_at_the_end() {
        let told = [0, 1, 2, 24, 47, 48, 71, 720].map(|hours| left(hours * HOUR_MS));

        #[rustfmt::skip]
        let expected = [
            "less than an hour", "1 hour", "2 hours", "24 hours", "47 hours", "2 days", "2 days", "30 days",
        ];
        assert_eq!(told, expected);
        assert_eq!(left(HOUR_MS - 1), "less than an hour");
    }

    #[test]
    fn a_key_is_told_of_thirty_days_before_it_expires_and_not_a_moment_sooner() {
        let now = Timestamp(1_000_000);
        let key = |comment: &str, after: Option<i64>| DeviceKey {
            fingerprint: "SHA256:x".to_owned(),
            public_key: String::new(),
            comment: comment.to_owned(),
            expires_at: after.map(|ms| now.plus_ms(ms)),
        };
        let device = Device {
            id: DeviceId(1),
            firm: FirmId(1),
            name: "server".parse().unwrap(),
            kind: DeviceKind::Pull,
            added_at: now,
            last_seen: None,
            keys: vec![
                key("for ever", None),
                key("later", Some(SOON_MS + 1)),
                key("soon", Some(SOON_MS)),
                key("over", Some(0)),
                key("", Some(DAY_MS - 1)),
            ],
            has_password: false,
            uploads: Uploads::Off,
            means: Means::Key,
            networks: Networks::default(),
            disabled: None,
        };

        let found = expiring([&device].into_iter(), now);

        let lines: Vec<_> = found.iter().map(|one| one.line(now)).collect();
        assert_eq!(
            lines,
            [
                "  EXPIRED: key SHA256:x over of device server logs nobody in since 1970-01-01T00:16:40.000Z; `sluis device key remove` takes it away",
                "  EXPIRES: key SHA256:x of device server, in 23 hours",
                "  EXPIRES: key SHA256:x soon of device server, in 30 days",
            ]
        );
    }
}
