//! What may happen next?
//!
//! Whatever a command names is a number that picks from what is there then, so that a sequence from which
//! others were taken out still means something.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use sluis::model::Flow;

use super::facts::{Device, Party, Slip, When};

/// One of as many as there are then.
pub type Pick = u16;

#[derive(Debug, Clone)]
pub enum Command {
    /// Documents arrive together.
    Arrive(usize, Vec<Arriving>),
    Approve(Pick),
    Send(Pick, Option<Device>),
    /// All that waits for a hand or an hour.
    SendAll(usize),
    Hold(Pick),
    Withdraw(Pick),
    Resend(Pick),
    /// All that was collected.
    ResendAll(usize),
    Move(Pick, Party, Flow),
    AddLink(usize, Party, &'static str, Sends),
    SetLink(Pick, Sends, Waiting),
    RemoveLink(Pick),
    SetDefault(usize, Device, Waiting),
    /// Milliseconds.
    Pass(i64),
    RunDue,
    Connect(usize, Device),
    /// A session does something.
    Act(Pick, Act),
    /// The server ends in order, and starts again.
    Restart,
    /// It is killed, and starts again.
    Kill,
}

#[derive(Debug, Clone)]
pub enum Act {
    Open(Pick),
    /// Some quarters of a document, of an open file.
    Read(Pick, u8, u8),
    Close(Pick),
    Get(Pick),
    Remove(Pick),
    Rename(Pick, Name),
    Copy(Pick, Name),
    /// It ends the channel in order, whatever is open.
    Leave,
    /// The connection dies.
    Cut,
}

#[derive(Debug, Clone, Copy)]
pub enum Name {
    Own,
    Other(u8),
    /// That of another file that the session sees, as it was offered.
    Of(Pick),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    Stays,
    Moves,
}

#[derive(Debug, Clone, Copy)]
pub struct Arriving {
    pub slip: Slip,
    pub is_incoming: bool,
    pub is_approved: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct Sends {
    pub device: Option<Device>,
    pub when: When,
    pub asks_approval: bool,
}

pub fn commands() -> impl Strategy<Value = Vec<Command>> {
    // Of what nobody has sent and nobody looks at, little can be asked.
    let first = vec(prop_oneof![arrive(), connect()], 3..8);
    (first, vec(command(), 8..56)).prop_map(|(first, then)| [first, then].concat())
}

fn arrive() -> impl Strategy<Value = Command> {
    (0..2_usize, vec(arriving(), 1..4)).prop_map(|(at, all)| Command::Arrive(at, all))
}

fn connect() -> impl Strategy<Value = Command> {
    let device = prop_oneof![2 => Just(Device::Pull), 2 => Just(Device::Mount), 1 => device()];
    (0..2_usize, device).prop_map(|(at, device)| Command::Connect(at, device))
}

fn command() -> impl Strategy<Value = Command> {
    let office = || 0..2_usize;
    prop_oneof![
        8 => arrive(),
        2 => pick().prop_map(Command::Approve),
        3 => (pick(), of(device())).prop_map(|(at, to)| Command::Send(at, to)),
        1 => office().prop_map(Command::SendAll),
        1 => pick().prop_map(Command::Hold),
        2 => pick().prop_map(Command::Withdraw),
        4 => pick().prop_map(Command::Resend),
        1 => office().prop_map(Command::ResendAll),
        3 => (pick(), ours(), flow()).prop_map(|(at, to, flow)| Command::Move(at, to, flow)),
        2 => (office(), ours(), code(), sends())
            .prop_map(|(at, of, code, sends)| Command::AddLink(at, of, code, sends)),
        2 => (pick(), sends(), waiting()).prop_map(|(at, sends, waiting)| Command::SetLink(at, sends, waiting)),
        2 => pick().prop_map(Command::RemoveLink),
        2 => (office(), device(), waiting()).prop_map(|(at, to, waiting)| Command::SetDefault(at, to, waiting)),
        5 => prop::sample::select(vec![1, 1000, 11 * 60_000, 17 * 3_600_000]).prop_map(Command::Pass),
        3 => Just(Command::RunDue),
        8 => connect(),
        60 => (near(), act()).prop_map(|(at, act)| Command::Act(at, act)),
        1 => Just(Command::Restart),
        1 => Just(Command::Kill),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => near().prop_map(Act::Open),
        6 => near().prop_map(|at| Act::Read(at, 0, 4)),
        6 => (near(), 0..4_u8, 0..4_u8)
            .prop_map(|(at, one, other)| Act::Read(at, one.min(other), one.max(other) + 1)),
        5 => near().prop_map(Act::Close),
        5 => near().prop_map(Act::Get),
        4 => near().prop_map(Act::Remove),
        4 => (near(), name()).prop_map(|(at, name)| Act::Rename(at, name)),
        3 => (near(), name()).prop_map(|(at, name)| Act::Copy(at, name)),
        3 => Just(Act::Leave),
        3 => Just(Act::Cut),
    ]
}

/// More often the first than another: so that several things happen to one.
fn near() -> impl Strategy<Value = Pick> {
    prop_oneof![2 => Just(0), 1 => pick()]
}

fn pick() -> impl Strategy<Value = Pick> {
    any::<Pick>()
}

fn arriving() -> impl Strategy<Value = Arriving> {
    let parties = vec![
        (Party::Printer, Party::Bakery),
        (Party::Mill, Party::Bakery),
        (Party::Bakery, Party::Printer),
        (Party::Printer, Party::Stranger),
    ];
    let slip =
        (prop::sample::select(parties), 0..6_u8, 0..8_u8).prop_map(|((from, to), number, copy)| {
            Slip {
                from,
                to,
                number,
                copy: copy / 7,
            }
        });
    (slip, any::<bool>(), 0..4_u8).prop_map(|(slip, is_incoming, approved)| Arriving {
        slip,
        is_incoming,
        is_approved: approved == 0,
    })
}

fn sends() -> impl Strategy<Value = Sends> {
    let rules = vec![
        When::AtOnce,
        When::AtOnce,
        When::ByHand,
        When::InTenMinutes,
        When::AtNight,
    ];
    (of(device()), prop::sample::select(rules), any::<bool>()).prop_map(
        |(device, when, asks_approval)| Sends {
            device,
            when,
            asks_approval,
        },
    )
}

fn code() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["ACME", "MILL", "THIRD", "FOURTH"])
}

fn device() -> impl Strategy<Value = Device> {
    prop::sample::select(Device::ALL.to_vec())
}

fn ours() -> impl Strategy<Value = Party> {
    prop::sample::select(vec![Party::Bakery, Party::Mill])
}

fn flow() -> impl Strategy<Value = Flow> {
    prop::sample::select(vec![Flow::Purchase, Flow::Sale])
}

fn waiting() -> impl Strategy<Value = Waiting> {
    prop::sample::select(vec![Waiting::Stays, Waiting::Moves])
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        2 => Just(Name::Own),
        1 => (0..2_u8).prop_map(Name::Other),
        1 => pick().prop_map(Name::Of),
    ]
}
