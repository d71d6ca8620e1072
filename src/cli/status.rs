//! What waits at each firm, for whom, and since when?

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::call::Call;
use super::firm::drop_folder;
use super::{Error, Exit, print};
use crate::app::House;
use crate::catalog::{Device, Firm, HeldCount, OfferedCount};
use crate::model::{Language, Timestamp};
use crate::text;

/// The folder of what was rejected, within a drop folder.
const REJECTED: &str = "rejected";

/// The arguments of `status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of which firm; else of all.
    firm: Option<String>,
}

/// Shows each firm at a glance.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    let (house, firms) = call.firms(args.firm.as_deref()).await?;
    if firms.is_empty() && !call.json {
        print::note("there is no firm yet; `sluis firm add SLUG --name NAME` adds one");
    }
    for firm in firms {
        let glance = Glance::take(&house, firm).await?;
        if call.json {
            print::json(&glance.json())?;
        } else {
            glance
                .lines()
                .iter()
                .try_for_each(|line| print::line(line))?;
        }
    }
    Ok(Exit::Done)
}

/// What is known of a firm now.
struct Glance {
    firm: Firm,
    now: Timestamp,
    devices: Vec<(Device, Option<OfferedCount>)>,
    held: Vec<HeldCount>,
    quarantined: u64,
    /// None where the folder cannot be read.
    rejected: Option<usize>,
}

impl Glance {
    async fn take(house: &House, firm: Firm) -> Result<Self, Error> {
        let catalog = &house.catalog;
        let mut offered = catalog.offered_counts(firm.id).await?;
        let devices = catalog.devices(firm.id).await?.into_iter();
        let devices = devices.map(|device| {
            let at = offered.iter().position(|one| one.device == device.id);
            let own = at.map(|at| offered.swap_remove(at));
            (device, own)
        });
        Ok(Self {
            devices: devices.collect(),
            held: catalog.held_counts(firm.id).await?,
            quarantined: catalog.quarantined_count(firm.id).await?,
            rejected: rejected(&drop_folder(house, firm.slug.as_str()).join(REJECTED)),
            now: house.clock.read(),
            firm,
        })
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{}  {}", self.firm.slug, self.firm.name)];
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
            lines.push(format!(
                "  device {} ({kind}): {waits}; {seen}",
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

    fn json(&self) -> Value {
        let device = |(device, offered): &(Device, Option<OfferedCount>)| {
            json!({
                "device": device.name.as_str(), "kind": device.kind.as_str(),
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
            "devices": self.devices.iter().map(device).collect::<Vec<_>>(),
            "held": self.held.iter().map(held).collect::<Vec<_>>(),
            "quarantined": self.quarantined, "rejected": self.rejected,
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

/// How many files were rejected, their texts apart; what is not there holds none.
fn rejected(folder: &Path) -> Option<usize> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(0),
        Err(_) => return None,
    };
    let names: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let is_text = |name: &&String| {
        name.strip_suffix(".txt")
            .is_some_and(|of| names.iter().any(|other| other == of))
    };
    Some(names.iter().filter(|name| !is_text(name)).count())
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

    #[test]
    fn a_text_beside_a_rejected_file_is_not_counted() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["F-1.xml", "F-1.xml.txt", "notes.txt"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }

        assert_eq!(rejected(folder.path()), Some(2));
        assert_eq!(rejected(&folder.path().join("none")), Some(0));
    }
}
