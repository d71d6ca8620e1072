//! How are the rules of a link or a firm changed, and what becomes of what waits already?

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::call::{Aim, Call, find_device, find_firm, find_link};
use super::link::receiver;
use super::waiting::{Looked, look_again};
use super::{Error, Exit, link, print};
use crate::alarm::{OrConfig, OwnLimits};
use crate::app::House;
use crate::catalog::{Firm, FirmRules, LinkRules};
use crate::model::{Approval, Duplicates, Keep, Language, OrFirm, Transfer};
use crate::sending::Waiting;
use crate::transfer::NightHour;

/// The arguments of `link set`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true).args(["device", "no_device", "transfer", "approval", "from", "no_from"]))]
pub(super) struct Set {
    /// Of which firm.
    firm: String,
    /// By its code, by its profile and code as `expertm/KORENAAR`, or by our own id (`link:3`, never a bare number).
    link: String,
    /// Where its documents go.
    #[arg(long)]
    device: Option<String>,
    /// They go to the firm's default device.
    #[arg(long, conflicts_with = "device")]
    no_device: bool,
    /// When they are sent: at-once, manual, after=10m, nightly, month-end, or as the `firm` has it.
    #[arg(long)]
    transfer: Option<OrFirm<Transfer>>,
    /// Whether incoming documents wait for approval: required, not-needed, or as the `firm` has it.
    #[arg(long)]
    approval: Option<OrFirm<Approval>>,
    /// Nothing of an earlier date is sent by itself: `2026-01-01`.
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Whatever its date, a document is sent by itself.
    #[arg(long, conflicts_with = "from")]
    no_from: bool,
    /// What waits to be sent by hand follows the new rule too.
    #[arg(long)]
    release_waiting: bool,
    /// What another device was offered, and has not collected, goes to the new one.
    #[arg(long)]
    move_waiting: bool,
}

/// The arguments of `firm set`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true).args(["name", "language", "transfer", "approval", "night", "time_zone", "no_time_zone", "keep_in_view", "keep_documents", "keep_events", "duplicates", "alarm_uncollected", "alarm_unseen"]))]
pub(super) struct SetFirm {
    /// Which firm.
    slug: String,
    /// Its name for people.
    #[arg(long)]
    name: Option<String>,
    /// The language in which it is told things, and of the folders of links that come: nl, fr, en or de. A folder that
    /// is there keeps its name.
    #[arg(long)]
    language: Option<Language>,
    /// When documents are sent, where a link does not say otherwise: at-once, manual, after=10m, nightly or month-end.
    #[arg(long)]
    transfer: Option<Transfer>,
    /// Whether incoming documents wait for approval, where a link does not say otherwise: required or not-needed.
    #[arg(long)]
    approval: Option<Approval>,
    /// The hour of `nightly` and `month-end`: `02:00`.
    #[arg(long, value_name = "HH:MM")]
    night: Option<NightHour>,
    /// The time zone of that hour: `Europe/Brussels`.
    #[arg(long, value_name = "NAME")]
    time_zone: Option<String>,
    /// That of the configuration.
    #[arg(long, conflicts_with = "time_zone")]
    no_time_zone: bool,
    /// For how long what was collected or processed shows in the processed folder: `60d`, `3mo`, `1y` or `forever`.
    #[arg(long, value_name = "TIME")]
    keep_in_view: Option<Keep>,
    /// For how long documents are kept since something last happened to them: `10y` or `forever`.
    #[arg(long, value_name = "TIME")]
    keep_documents: Option<Keep>,
    /// For how long it is known what happened to documents that are gone: `12y` or `forever`.
    #[arg(long, value_name = "TIME")]
    keep_events: Option<Keep>,
    /// What becomes of a document that looks like an earlier one: hold it, or let it replace what was not collected.
    #[arg(long)]
    duplicates: Option<Duplicates>,
    /// How long a document may wait for its device before an alarm is raised: 4d, never, or the `default` of the configuration.
    #[arg(long, value_name = "TIME")]
    alarm_uncollected: Option<OrConfig>,
    /// How long a device may stay away before an alarm is raised: 4d, never, or the `default` of the configuration.
    #[arg(long, value_name = "TIME")]
    alarm_unseen: Option<OrConfig>,
    /// What waits to be sent by hand follows the new rule too, where its link leaves that to the firm.
    #[arg(long)]
    release_waiting: bool,
}

/// Changes how a link sends.
pub(super) async fn set(call: &Call, house: &House, args: &Set) -> Result<Exit, Error> {
    let firm = find_firm(house, &args.firm).await?;
    let links = house.catalog.links(firm.id).await?;
    let link = find_link(&links, &args.link, Aim::Change)?;
    let device = match &args.device {
        Some(name) => Some(receiver(find_device(house, &firm, name).await?)?.id),
        None => link.device.filter(|_| !args.no_device),
    };
    let sends = LinkRules {
        transfer: args.transfer.unwrap_or(link.sends.transfer),
        approval: args.approval.unwrap_or(link.sends.approval),
        from: args.from.or(link.sends.from).filter(|_| !args.no_from),
    };
    let now = house.clock.read();
    house.catalog.set_link(link, device, &sends, now).await?;
    let waiting = released(args.release_waiting, Waiting::FollowsOf(link.id));
    let looked = look_again(house, firm.id, waiting).await;
    link::show(call, house, &firm, link.id).await?;
    let exit = looked.tell();
    if args.move_waiting {
        move_waiting(house, &firm, |other| other == link.id).await?;
    }
    Ok(exit)
}

/// Offers what other devices have not collected to those that the links, or the firm, name now.
pub(super) async fn move_waiting(
    house: &House,
    firm: &Firm,
    is_meant: impl Fn(crate::model::LinkId) -> bool,
) -> Result<(), Error> {
    let mut moved = 0;
    for link in house.catalog.links(firm.id).await? {
        if is_meant(link.id) {
            let moving = house
                .sending
                .move_waiting(firm.id, &link, house.clock.read());
            moved += moving.await?;
        }
    }
    print::note(&format!(
        "{moved} documents that waited elsewhere were moved"
    ));
    Ok(())
}

/// Said of a firm that would have no name.
pub(super) const NAMELESS: &str = "a firm wants a name for people: `--name`";

/// Changes what a firm is called, or how it sends; returns the firm as it is then, and what came of what waits.
pub(super) async fn set_firm(house: &House, args: &SetFirm) -> Result<(Firm, Looked), Error> {
    let firm = find_firm(house, &args.slug).await?;
    if let Some(name) = &args.time_zone {
        TimeZone::get(name).map_err(|_| {
            Error::Refused(format!(
                "the time zone `{name}` is not known; write one such as Europe/Brussels"
            ))
        })?;
    }
    let old = &firm.sends;
    let own_zone = args.time_zone.as_ref().or(old.time_zone.as_ref());
    let rules = FirmRules {
        transfer: args.transfer.unwrap_or(old.transfer),
        approval: args.approval.unwrap_or(old.approval),
        night_hour: args.night.unwrap_or(old.night_hour),
        time_zone: own_zone.filter(|_| !args.no_time_zone).cloned(),
        duplicates: args.duplicates.unwrap_or(old.duplicates),
    };
    let (in_view, documents) = (args.keep_in_view, args.keep_documents);
    let keeps = firm.keeps.with(in_view, documents, args.keep_events);
    let keeps = keeps.map_err(|unfit| Error::Refused(unfit.to_string()))?;
    let alarms = OwnLimits {
        uncollected: args.alarm_uncollected.unwrap_or(firm.alarms.uncollected),
        unseen: args.alarm_unseen.unwrap_or(firm.alarms.unseen),
    };
    let name = match args.name.as_deref().map(str::trim) {
        Some("") => return Err(Error::Refused(NAMELESS.to_owned())),
        name => name.unwrap_or(&firm.name),
    };
    let language = args.language.unwrap_or(firm.language);
    let now = house.clock.read();
    let mut looked = Looked::at_nothing();
    if (name, language) != (firm.name.as_str(), firm.language) {
        let named = (name, language);
        house.catalog.rename_firm(&firm, named, now).await?;
    }
    if keeps != firm.keeps {
        house.catalog.set_retention(&firm, &keeps, now).await?;
    }
    if alarms != firm.alarms {
        house.catalog.set_alarms(&firm, alarms, now).await?;
    }
    if rules != firm.sends || args.release_waiting {
        house.catalog.set_firm_rules(&firm, &rules, now).await?;
        let waiting = released(args.release_waiting, Waiting::FollowsFirm);
        looked = look_again(house, firm.id, waiting).await;
    }
    Ok((find_firm(house, &args.slug).await?, looked))
}

/// What waits for a hand follows the rule as it stands now where somebody asks for that.
fn released(is_asked: bool, follows: Waiting) -> Waiting {
    if is_asked { follows } else { Waiting::Stays }
}
