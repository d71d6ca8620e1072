//! What waits at each firm, for whom, and since when?

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::Call;
use super::device::disabled_json;
use super::expiring::{Expiring, expiring};
use super::firm::drop_folder;
use super::{Error, Exit, print};
use crate::alarm::AlarmKind;
use crate::app::House;
use crate::catalog::{Alarm, Device, Firm, HeldCount, OfferedCount};
use crate::dropfolder::{rejected_in, unnamed_in};
use crate::model::{DeviceId, Language, Timestamp};
use crate::text;

/// The arguments of `status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of which firm; else of all.
    firm: Option<String>,
    /// End with status 1 where an alarm is up, or a key expires within 30 days, for a monitoring system.
    #[arg(long)]
    check: bool,
}

/// Shows each firm at a glance.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    let (house, firms) = call.firms(args.firm.as_deref()).await?;
    if firms.is_empty() && !call.json {
        print::note("there is no firm yet; `sluis firm add SLUG --name NAME` adds one");
    }
    let mut is_alarmed = false;
    for firm in firms {
        let glance = Glance::take(&house, firm).await?;
        is_alarmed |= !glance.alarms.is_empty() || !glance.expiring().is_empty();
        if call.json {
            print::json(&glance.json())?;
        } else {
            glance
                .lines()
                .iter()
                .try_for_each(|line| print::line(line))?;
        }
    }
    Ok(Exit::failed_if(args.check && is_alarmed))
}

/// What is known of a firm now.
struct Glance {
    firm: Firm,
    now: Timestamp,
    /// The longest first.
    alarms: Vec<Alarm>,
    devices: Vec<(Device, Option<OfferedCount>)>,
    held: Vec<HeldCount>,
    quarantined: u64,
    /// None where the folder cannot be read.
    rejected: Option<usize>,
    /// Files there that never got their names; none where the folder cannot be read.
    unnamed: Option<usize>,
}

impl Glance {
    async fn take(house: &House, firm: Firm) -> Result<Self, Error> {
        let (catalog, now) = (&house.catalog, house.clock.read());
        let folder = drop_folder(house, firm.slug.as_str());
        let mut offered = catalog.offered_counts(firm.id).await?;
        let devices = catalog.devices(firm.id).await?.into_iter();
        let devices = devices.map(|device| {
            let at = offered.iter().position(|one| one.device == device.id);
            let own = at.map(|at| offered.swap_remove(at));
            (device, own)
        });
        Ok(Self {
            alarms: catalog.alarms(firm.id).await?,
            devices: devices.collect(),
            held: catalog.held_counts(firm.id).await?,
            quarantined: catalog.quarantined_count(firm.id).await?,
            rejected: rejected_in(&folder).ok(),
            unnamed: unnamed_in(&folder, now).ok(),
            now,
            firm,
        })
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{}  {}", self.firm.slug, self.firm.name)];
        lines.extend(self.alarm_lines());
        lines.extend(self.expiring().iter().map(|one| one.line(self.now)));
        for (device, offered) in &self.devices {
            let waits = offered.as_ref().map_or_else(
                || "nothing waits".to_owned(),
                |one| {
                    format!(
                        "{} wait, the oldest for {}",
                        one.count,
                        self.age(one.oldest)
                    )
                },
            );
            let seen = device.last_seen.map_or_else(
                || "never seen".to_owned(),
                |at| format!("last seen {} ago", self.age(at)),
            );
            let kind = device.kind.as_str();
            let disabled = device.disabled.as_ref().map_or_else(String::new, |own| {
                format!("DISABLED for {}: {}; ", self.age(own.at), own.why)
            });
            lines.push(format!(
                "  device {} ({kind}): {disabled}{waits}; {seen}",
                device.name
            ));
        }
        for held in &self.held {
            let why = text::held(Language::En, held.reason).what;
            let due = held
                .next_due
                .map_or_else(String::new, |due| format!("; the next leaves at {due}"));
            lines.push(format!(
                "  {} to process, the oldest for {}: {why} ({}){due}",
                held.count,
                self.age(held.oldest),
                held.reason.as_str()
            ));
        }
        if self.quarantined > 0 {
            let count = self.quarantined;
            lines.push(format!("  {count} in quarantine, for nobody can read them"));
        }
        if let Some(count) = self.unnamed.filter(|count| *count > 0) {
            lines.push(format!(
                "  {count} files or folders lie in the drop folder under temporary names, unchanged for an hour: nobody has renamed them, so they are not taken"
            ));
        }
        match self.rejected {
            Some(0) => {}
            Some(count) => lines.push(format!("  {count} rejected files lie in the drop folder")),
            None => {
                let text = "  WRONG: the rejected files of the drop folder cannot be read";
                lines.push(text.to_owned());
            }
        }
        lines
    }

    /// One line for each device and kind: thousands may be up.
    fn alarm_lines(&self) -> Vec<String> {
        let mut groups: BTreeMap<_, (usize, Timestamp)> = BTreeMap::new();
        for alarm in &self.alarms {
            let key = (alarm.up.subject.kind(), alarm.device);
            let (count, since) = groups.entry(key).or_insert((0, alarm.up.since));
            *count += 1;
            *since = (*since).min(alarm.up.since);
        }
        let line = |((kind, device), (count, since))| {
            let device = self.device_name(device).unwrap_or("?");
            let age = self.age(since);
            match kind {
                AlarmKind::Uncollected => format!(
                    "  ALARM: {count} documents for device {device} are not collected, the oldest for {age}"
                ),
                AlarmKind::Unseen => format!("  ALARM: device {device} was not seen for {age}"),
                AlarmKind::Rejected => {
                    format!("  ALARM: the drop folder holds rejected files, for {age}")
                }
                AlarmKind::Untaken => format!(
                    "  ALARM: the server has not looked at the drop folder for {age}, so nothing is taken from it; its log says why"
                ),
            }
        };
        groups.into_iter().map(line).collect()
    }

    fn expiring(&self) -> Vec<Expiring> {
        expiring(self.devices.iter().map(|(device, _)| device), self.now)
    }

    fn device_name(&self, id: Option<DeviceId>) -> Option<&str> {
        let mut devices = self.devices.iter();
        let (own, _) = devices.find(|(own, _)| Some(own.id) == id)?;
        Some(own.name.as_str())
    }

    fn json(&self) -> Value {
        let alarm = |alarm: &Alarm| {
            let subject = alarm.up.subject;
            let delivery = alarm.document.map(|_| subject.number());
            json!({
                "kind": subject.kind().as_str(), "document": alarm.document, "delivery": delivery,
                "device": self.device_name(alarm.device), "since": alarm.up.since.to_string(),
                "raised_at": alarm.up.raised_at.to_string(),
            })
        };
        let device = |(device, offered): &(Device, Option<OfferedCount>)| {
            json!({
                "device": device.name.as_str(), "kind": device.kind.as_str(),
                "disabled": disabled_json(device),
                "last_seen": device.last_seen.map(|at| at.to_string()),
                "waiting": offered.as_ref().map_or(0, |one| one.count),
                "oldest": offered.as_ref().map(|one| one.oldest.to_string()),
            })
        };
        let held = |held: &HeldCount| {
            json!({
                "reason": held.reason.as_str(), "count": held.count,
                "oldest": held.oldest.to_string(),
                "next_due": held.next_due.map(|due| due.to_string()),
            })
        };
        json!({
            "firm": self.firm.slug.as_str(),
            "alarms": self.alarms.iter().map(alarm).collect::<Vec<_>>(),
            "devices": self.devices.iter().map(device).collect::<Vec<_>>(),
            "held": self.held.iter().map(held).collect::<Vec<_>>(),
            "expiring_keys": self.expiring().iter().map(Expiring::json).collect::<Vec<_>>(),
            "quarantined": self.quarantined, "rejected": self.rejected,
            "unnamed": self.unnamed,
        })
    }

    fn age(&self, since: Timestamp) -> String {
        age(self.now.0.saturating_sub(since.0))
    }
}

/// Says how long that is, in the largest unit of which there are two.
fn age(ms: i64) -> String {
    let minutes = ms.max(0) / 60_000;
    match minutes {
        0 => "less than a minute".to_owned(),
        1..120 => format!("{minutes} min"),
        120..2_880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_as_people_do() {
        let told: Vec<_> = [
            -5,
            59_999,
            60_000,
            7_199_999,
            7_200_000,
            172_799_999,
            172_800_000,
        ]
        .map(age)
        .into();

        assert_eq!(
            told,
            [
                "less than a minute",
                "less than a minute",
                "1 min",
                "119 min",
                "2 h",
                "47 h",
                "2 days"
            ]
        );
    }
}
