//! When is a delivery sent, to whom, and what holds it back?
//!
//! Facts and `now` in, a [`Plan`] out: nothing here reads a clock or a table. Whoever carries it out
//! plans once more in the transaction that sends, so that what changed meanwhile counts.

mod calendar;
mod duplicates;

#[cfg(test)]
mod tests;

pub use calendar::{Calendar, InvalidHour, NightHour};
pub use duplicates::{
    Books, EARLIER_MAX, Earlier, Judgement, Stand, are_several, decided, elsewhere, judge, standing,
};

use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::model::{Approval, Declared, DeviceId, HeldReason, Origin, Status, Timestamp, Transfer};
use crate::ubl::Reading;

/// What a link asks before it sends by itself, its firm's decisions behind its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// When.
    pub transfer: Transfer,
    /// Whether incoming documents wait for approval.
    pub approval: Approval,
    /// Nothing of an earlier date is sent by itself: a new link begins with new documents.
    pub from: Option<Date>,
}

/// What is known of a document that decides when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// How far it has come with whoever made it.
    pub status: Status,
    /// Who brought it.
    pub origin: Origin,
    /// Whether somebody has approved it.
    pub approved: bool,
    /// Its date (BT-2), where it has one that is a date.
    pub issued: Option<Date>,
    /// Whether something stands in the place of the date that is none.
    pub has_odd_date: bool,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Since when nothing about it has changed: its arrival, its approval, or the end of its being a draft.
    pub ready_at: Timestamp,
}

impl Readiness {
    /// Says what is known of a document that arrives.
    pub fn arriving(declared: Declared, reading: &Reading, now: Timestamp) -> Self {
        let issued = reading.issued.as_deref();
        Self {
            status: declared.status,
            origin: declared.origin,
            approved: declared.approved,
            issued: issued.and_then(|date| date.parse().ok()),
            has_odd_date: reading.issued_odd.is_some(),
            received_at: now,
            ready_at: now,
        }
    }
}

/// What shall become of a delivery now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// It is sent, to this device.
    Send(DeviceId),
    /// It waits, and leaves by itself at that time.
    Until(Timestamp),
    /// It waits until what is said here has changed.
    Wait(HeldReason),
}

/// Decides what becomes of a delivery for `device`, the one that its link or firm names.
///
/// Of several things in the way, the one is named that a person must do something about first. What may not
/// leave at all, a draft and what nobody has approved, is so under every rule: many that wait for a hand are
/// sent at once, and nobody looks at each.
pub fn plan(
    rule: &Rule,
    calendar: &Calendar,
    device: Option<DeviceId>,
    readiness: &Readiness,
    now: Timestamp,
) -> Plan {
    if readiness.status == Status::Draft {
        return Plan::Wait(HeldReason::Draft);
    }
    let is_unseen = readiness.origin == Origin::Incoming && !readiness.approved;
    if is_unseen && rule.approval == Approval::Required {
        return Plan::Wait(HeldReason::Approval);
    }
    if rule.transfer == Transfer::Manual {
        return Plan::Wait(HeldReason::Manual);
    }
    let date = readiness
        .issued
        .unwrap_or_else(|| calendar.date(readiness.received_at));
    // A date that nobody can read may be older than any.
    if rule
        .from
        .is_some_and(|from| readiness.has_odd_date || date < from)
    {
        return Plan::Wait(HeldReason::BeforeStart);
    }
    if rule.transfer == Transfer::MonthEnd && is_far_ahead(date, calendar.date(readiness.ready_at))
    {
        return Plan::Wait(HeldReason::DatedAhead);
    }
    let Some(device) = device else {
        return Plan::Wait(HeldReason::NoDevice);
    };
    match due(rule.transfer, calendar, date, readiness.ready_at) {
        Some(due) if due > now => Plan::Until(due),
        _ => Plan::Send(device),
    }
}

/// How many months ahead a document is dated at most that waits for the end of its month.
const AHEAD_MONTHS_MAX: i32 = 3;

/// Whether a year or a month is typed wrong rather than dated ahead: it would wait for years, and nobody would miss it.
/// It is asked of the day when it was ready, so that it does not leave by itself when somebody looks again.
fn is_far_ahead(date: Date, ready: Date) -> bool {
    ready
        .checked_add(AHEAD_MONTHS_MAX.months())
        .is_ok_and(|furthest| date > furthest)
}

/// Returns when a rule sends a document of that date by itself; none where it does so at once, or never.
fn due(
    transfer: Transfer,
    calendar: &Calendar,
    date: Date,
    ready_at: Timestamp,
) -> Option<Timestamp> {
    match transfer {
        Transfer::AtOnce | Transfer::Manual => None,
        Transfer::After(delay) => Some(delay.after(ready_at)),
        Transfer::Nightly => Some(calendar.next_night(ready_at)),
        Transfer::MonthEnd => {
            // Of a month before: one that is dated ahead waits until its own month has passed.
            let of_its_month = calendar.month_after(date);
            Some(calendar.next_month(ready_at).max(of_its_month))
        }
    }
}
