//! How is each command given to the gateway and to the reference, and what must both then agree on?

use std::collections::{BTreeMap, BTreeSet};

use sluis::audit;
use sluis::catalog::DeliveryRow;
use sluis::ingest::{Arrival, Outcome};
use sluis::model::{
    DeliveryId, DeviceKind, DocumentId, DossierId, Flow, HeldReason, Origin, Said, SessionId, State,
};
use sluis::scheduler::Scheduler;
use sluis::sending::{Destination, Expected};

use super::books::Model;
use super::command::{Arriving, Command, Pick, Sends};
use super::facts::{Delivery, Device, LAST, Party, When};
use super::sessions::Peers;
use crate::gateway::{Gateway, Login, MILL, Office, until};

/// A gateway, and the reference beside it.
pub struct World {
    pub gateway: Gateway,
    pub model: Model,
    pub peers: Peers,
    pub offices: Vec<Office>,
    /// By office, in the order of [`Device::ALL`].
    pub logins: Vec<Vec<Login>>,
    mills: Vec<DossierId>,
    /// How many connections there ever were: the last one's row.
    pub connections: i64,
}

/// Two that say different things.
pub fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!(
        "{what}:\n   found {found:?}\nexpected {expected:?}"
    ))
}

/// Picks one of them.
pub fn picked(pick: Pick, many: usize) -> Option<usize> {
    (many > 0).then(|| usize::from(pick) % many)
}

impl World {
    /// Two offices with the same dossiers, devices and codes.
    pub async fn start() -> Result<Self, String> {
        let gateway = Gateway::start().await;
        let mut world = Self {
            model: Model::default(),
            peers: Peers::default(),
            offices: Vec::new(),
            logins: Vec::new(),
            mills: Vec::new(),
            connections: 0,
            gateway,
        };
        for (at, slug) in ["peeters", "janssens"].into_iter().enumerate() {
            let office = world.gateway.office(slug).await;
            world
                .mills
                .push(world.gateway.dossier(&office, "Molens", &[MILL]).await);
            let mut logins = Vec::new();
            for (name, kind) in [
                ("pull", DeviceKind::Pull),
                ("mount", DeviceKind::Mount),
                ("spare", DeviceKind::Pull),
            ] {
                logins.push(world.gateway.device(&office, name, kind).await);
            }
            world.logins.push(logins);
            world.offices.push(office);
            let at_once = |device, asks_approval| Sends {
                device,
                when: When::AtOnce,
                asks_approval,
            };
            let (pull, mount) = (Some(Device::Pull), Some(Device::Mount));
            let links = [
                (Party::Bakery, "ACME", at_once(pull, false)),
                (Party::Bakery, "THIRD", at_once(mount, false)),
                (Party::Mill, "MILL", at_once(None, true)),
            ];
            for (dossier, code, sends) in links {
                world.add_link(at, dossier, code, sends).await?;
            }
        }
        world.pass(7);
        Ok(world)
    }

    /// Does one thing, and compares.
    pub async fn step(&mut self, command: &Command) -> Result<(), String> {
        match command {
            Command::Arrive(at, all) => self.arrive(*at, all).await?,
            Command::Pass(ms) => self.pass(*ms),
            Command::RunDue => self.run_due().await?,
            Command::Connect(at, device) => self.connect(*at, *device).await?,
            Command::Act(pick, act) => self.act(*pick, act).await?,
            Command::Restart => self.restart().await,
            Command::Kill => self.kill().await,
            Command::AddLink(at, dossier, code, sends) => {
                self.add_link(*at, *dossier, code, *sends).await?;
            }
            Command::SetLink(pick, sends, waiting) => {
                self.set_link(*pick, *sends, *waiting).await?;
            }
            Command::RemoveLink(pick) => self.remove_link(*pick).await?,
            Command::SetDefault(at, device, waiting) => {
                self.set_default(*at, *device, *waiting).await?;
            }
            by_hand => self.by_hand(by_hand).await?,
        }
        self.compare().await
    }

    fn pass(&mut self, ms: i64) {
        if self.gateway.now().0 + ms < LAST {
            self.gateway.pass_ms(ms);
        }
        self.model.now = self.gateway.now().0;
    }

    async fn arrive(&mut self, at: usize, all: &[Arriving]) -> Result<(), String> {
        let arrivals = all.iter().map(|one| Arrival {
            said: Said {
                origin: one.is_incoming.then_some(Origin::Incoming),
                approved: one.is_approved.then_some(true),
                ..Said::default()
            },
            ..Arrival::new("test:document", one.slip.bytes())
        });
        let (firm, now) = (self.offices[at].firm, self.gateway.now());
        let taken = self
            .gateway
            .house
            .ingest
            .take(firm, arrivals.collect(), now)
            .await;
        let found: Vec<_> = taken
            .unwrap()
            .iter()
            .map(|one| one.outcome != Outcome::Recognised)
            .collect();
        let new = |one: &Arriving| {
            self.model
                .arrive(at, one.slip, one.is_incoming, one.is_approved)
        };
        same("new documents", &found, &all.iter().map(new).collect())
    }

    async fn run_due(&mut self) -> Result<(), String> {
        let house = &self.gateway.house;
        let parts = (
            house.catalog.clone(),
            house.sending.clone(),
            house.clock.clone(),
        );
        let scheduler = Scheduler::new(parts.0, parts.1, parts.2);
        let released = scheduler.run_due(self.gateway.now()).await.unwrap();
        self.model.run_due();
        same(
            "deliveries that could not be looked at",
            &released.failed.len(),
            &0,
        )
    }

    async fn by_hand(&mut self, command: &Command) -> Result<(), String> {
        let sending = self.gateway.house.sending.clone();
        let now = self.gateway.now();
        let (Command::Send(pick, _)
        | Command::Hold(pick)
        | Command::Withdraw(pick)
        | Command::Resend(pick)
        | Command::Move(pick, ..)) = command
        else {
            return self.in_bulk(command).await;
        };
        let Some(at) = picked(*pick, self.model.deliveries.len()) else {
            return Ok(());
        };
        let office = self.model.deliveries[at].office;
        let (firm, id) = (self.offices[office].firm, delivery_id(at));
        let (done, expected) = match command {
            Command::Send(_, to) => {
                let to_id = to.map(|to| self.login(office, to).id);
                let done = sending.send(firm, id, to_id, now).await;
                (done.map(drop), self.model.send(at, *to))
            }
            Command::Hold(_) => (
                sending.hold(firm, id, "wait", now).await,
                self.model.hold(at),
            ),
            Command::Withdraw(_) => (
                sending.withdraw(firm, id, "wrong", now).await,
                self.model.withdraw(at),
            ),
            Command::Resend(_) => {
                let done = sending.resend(firm, id, "lost", now).await;
                (done.map(drop), self.model.resend(at))
            }
            Command::Move(_, party, flow) => {
                let dossier = self.dossier(office, *party);
                let to = Destination {
                    dossier,
                    flow: *flow,
                };
                let done = sending.move_to(firm, id, to, "wrong books", now).await;
                (done.map(drop), self.model.move_to(at, *party, *flow))
            }
            _ => return Ok(()),
        };
        same(&format!("done, {done:?}"), &done.is_ok(), &expected)
    }

    async fn in_bulk(&mut self, command: &Command) -> Result<(), String> {
        let sending = self.gateway.house.sending.clone();
        let now = self.gateway.now();
        if let Command::Approve(pick) = command {
            if let Some(at) = picked(*pick, self.model.documents.len()) {
                let firm = self.offices[self.model.documents[at].office].firm;
                sending
                    .approve(firm, DocumentId(number(at)), now)
                    .await
                    .unwrap();
                self.model.approve(at);
            }
            return Ok(());
        }
        let (Command::SendAll(office) | Command::ResendAll(office)) = command else {
            return Ok(());
        };
        for at in 0..self.model.deliveries.len() {
            let one = &self.model.deliveries[at];
            if one.office != *office || !one.is_current || one.is_moved {
                continue;
            }
            let (firm, id, state) = (self.offices[*office].firm, delivery_id(at), one.state);
            let waits = matches!(
                one.reason,
                Some(HeldReason::Manual | HeldReason::Due | HeldReason::NoDevice)
            );
            let (done, expected) = match command {
                Command::SendAll(_) if waits && state == State::Held => {
                    let expected = one.reason.map_or(Expected::Any, Expected::Held);
                    let done = sending.send_as(firm, id, expected, None, now).await;
                    (done, self.model.send(at, None))
                }
                Command::ResendAll(_) if matches!(state, State::Collected | State::Processed) => {
                    let done = sending
                        .resend_as(firm, id, Expected::In(state), "lost", now)
                        .await;
                    (done, self.model.resend(at))
                }
                _ => continue,
            };
            same(&format!("done, {done:?}"), &done.is_ok(), &expected)?;
        }
        Ok(())
    }

    pub fn login(&self, office: usize, device: Device) -> &Login {
        let at = Device::ALL.iter().position(|one| *one == device).unwrap();
        &self.logins[office][at]
    }

    pub fn dossier(&self, office: usize, party: Party) -> DossierId {
        if party == Party::Mill {
            self.mills[office]
        } else {
            self.offices[office].dossier
        }
    }

    /// Waits until the program has written down that these connections have ended.
    pub async fn until_ended(&self, office: usize, connection: i64) {
        let (firm, id) = (self.offices[office].firm, SessionId(connection));
        let catalog = &self.gateway.house.catalog;
        until(async || {
            let session = catalog.session(firm, id).await.unwrap();
            session.unwrap().ended_at.is_some()
        })
        .await;
    }

    /// The tables, the events and the reference say the same.
    async fn compare(&self) -> Result<(), String> {
        let catalog = &self.gateway.house.catalog;
        let mut found = BTreeMap::new();
        for (at, office) in self.offices.iter().enumerate() {
            let rows = catalog
                .delivery_rows(office.firm, 0, 100_000)
                .await
                .unwrap();
            let documents = catalog
                .document_rows(office.firm, 0, 100_000)
                .await
                .unwrap();
            let delivered: BTreeSet<_> = rows.iter().map(|row| row.delivery.document).collect();
            let kept: BTreeSet<_> = documents.iter().map(|row| row.id).collect();
            same("documents with a delivery", &delivered, &kept)?;
            found.extend(
                rows.iter()
                    .map(|row| (row.delivery.id.0, found_line(at, row))),
            );
            let verified = audit::verify(catalog, office.firm, None).await.unwrap();
            same("what is wrong with the events", &verified.misfit, &None)?;
            let replayed = audit::replay(catalog, office.firm).await.unwrap();
            same(
                "what events and tables differ in",
                &replayed.differences.named,
                &Vec::new(),
            )?;
        }
        let all = self.model.deliveries.iter().enumerate();
        let expected: BTreeMap<_, _> = all
            .map(|(at, one)| (number(at), expected_line(one)))
            .collect();
        let differ = |id: &&i64| found.get(id) != expected.get(id);
        if let Some(id) = found.keys().chain(expected.keys()).find(differ) {
            same(&format!("delivery {id}"), &found.get(id), &expected.get(id))?;
        }
        let standing = self.model.deliveries.iter().filter(|one| one.stands());
        let mut ones = BTreeSet::new();
        for one in standing {
            if !ones.insert((
                one.document,
                one.dossier,
                one.flow == Some(Flow::Sale),
                one.link,
            )) {
                return Err(format!("two stand for one: {one:?}"));
            }
        }
        Ok(())
    }
}

/// The row of what stands at this place in a list of the reference.
pub fn number(at: usize) -> i64 {
    i64::try_from(at).unwrap() + 1
}

fn delivery_id(at: usize) -> DeliveryId {
    DeliveryId(number(at))
}

/// All that both know of a delivery.
fn found_line(office: usize, row: &DeliveryRow) -> String {
    let one = &row.delivery;
    let dossier = row.dossier_name.as_deref().map(|name| {
        if name == "Molens" {
            Party::Mill
        } else {
            Party::Bakery
        }
    });
    let device = row.device_name.as_deref().map(|name| match name {
        "pull" => Device::Pull,
        "mount" => Device::Mount,
        _ => Device::Spare,
    });
    // Until it is sent it is nobody's.
    let device = device.filter(|_| one.offer.is_some());
    let times = [row.read_at, row.collected_at, row.processed_at].map(|at| at.map(|at| at.0));
    format!(
        "{office} {} {dossier:?} {:?} {:?} {device:?} #{} current {} {:?} {:?} due {:?} moved {} {:?} {times:?}",
        one.document,
        one.flow,
        one.link.map(|id| id.0),
        one.generation,
        one.is_current,
        one.state,
        one.reason,
        one.due.map(|due| due.0),
        one.is_moved,
        one.offer.as_ref().map(|offer| (&offer.folder, &offer.name)),
    )
}

fn expected_line(one: &Delivery) -> String {
    let times = [one.read, one.collected, one.processed];
    format!(
        "{} {} {:?} {:?} {:?} {:?} #{} current {} {:?} {:?} due {:?} moved {} {:?} {times:?}",
        one.office,
        number(one.document),
        one.dossier,
        one.flow,
        one.link.map(number),
        one.device.filter(|_| one.place.is_some()),
        one.generation,
        one.is_current,
        one.state,
        one.reason,
        one.due,
        one.is_moved,
        one.place.as_ref().map(|(folder, name)| (folder, name)),
    )
}
