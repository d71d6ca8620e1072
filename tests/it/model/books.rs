//! What becomes of documents by their sender and by the rules, in the reference?

use sluis::model::{Flow, HeldReason, State};

use super::facts::{
    Delivery, Device, Document, Link, Office, Party, Progress, Session, Slip, When,
};
use super::facts::{day, inbox};

/// All that is there, and what time it is.
#[derive(Debug, Default)]
pub struct Model {
    pub now: i64,
    pub offices: [Office; 2],
    pub links: Vec<Link>,
    pub documents: Vec<Document>,
    pub deliveries: Vec<Delivery>,
    pub sessions: Vec<Session>,
}

/// What a delivery shall be.
#[derive(Debug, Clone)]
pub struct Plan {
    pub dossier: Option<Party>,
    pub flow: Option<Flow>,
    pub link: Option<usize>,
    pub device: Option<Device>,
    pub reason: Option<HeldReason>,
    pub due: Option<i64>,
    pub is_by_hand: bool,
}

impl Plan {
    fn waits(dossier: Option<Party>, flow: Option<Flow>, reason: HeldReason) -> Self {
        Self {
            dossier,
            flow,
            link: None,
            device: None,
            reason: Some(reason),
            due: None,
            is_by_hand: false,
        }
    }

    pub fn held_for(&mut self, reason: HeldReason) {
        (self.reason, self.due) = (Some(reason), None);
    }

    pub fn is_for(&self, delivery: &Delivery) -> bool {
        (self.dossier, self.flow, self.link) == (delivery.dossier, delivery.flow, delivery.link)
    }
}

impl Model {
    /// A document arrives; says whether it is new.
    pub fn arrive(&mut self, office: usize, slip: Slip, is_incoming: bool, approved: bool) -> bool {
        let here = |document: &Document| document.office == office && document.slip == slip;
        if let Some(known) = self.documents.iter().position(here) {
            if approved {
                self.note_approval(known);
            }
            return false;
        }
        let looks_like = |other: &Document| other.office == office && other.slip.looks_like(slip);
        let has_twin = self.documents.iter().any(looks_like);
        self.documents.push(Document {
            office,
            slip,
            is_incoming,
            is_approved: approved,
            ready: self.now,
            has_twin,
        });
        let document = self.documents.len() - 1;
        for mut plan in self.by_parties(document) {
            if has_twin && plan.link.is_some() {
                plan.held_for(HeldReason::SuspectedDuplicate);
            }
            self.add(document, &plan);
        }
        true
    }

    fn by_parties(&self, document: usize) -> Vec<Plan> {
        let slip = self.documents[document].slip;
        let sides = [(slip.from, Flow::Sale), (slip.to, Flow::Purchase)];
        let ours: Vec<_> = sides
            .into_iter()
            .filter(|(party, _)| party.is_ours())
            .collect();
        if ours.is_empty() {
            return vec![Plan::waits(None, None, HeldReason::UnknownDossier)];
        }
        let plans = ours.into_iter();
        plans
            .flat_map(|(dossier, flow)| self.by_links(document, dossier, flow))
            .collect()
    }

    fn by_links(&self, document: usize, dossier: Party, flow: Flow) -> Vec<Plan> {
        let office = self.documents[document].office;
        let of_it =
            |link: &&Link| link.office == office && link.dossier == dossier && !link.is_removed;
        let links = (0..self.links.len()).filter(|&at| of_it(&&self.links[at]));
        let plans: Vec<_> = links.map(|at| self.by_link(document, at, flow)).collect();
        if plans.is_empty() {
            return vec![Plan::waits(Some(dossier), Some(flow), HeldReason::NoLink)];
        }
        plans
    }

    fn by_link(&self, document: usize, at: usize, flow: Flow) -> Plan {
        let (link, document) = (&self.links[at], &self.documents[document]);
        let device = self.device_of(at);
        let due = link.when.due(document.ready);
        let reason = if document.is_incoming && !document.is_approved && link.asks_approval {
            Some(HeldReason::Approval)
        } else if link.when == When::ByHand {
            Some(HeldReason::Manual)
        } else if device.is_none() {
            Some(HeldReason::NoDevice)
        } else {
            (due > self.now).then_some(HeldReason::Due)
        };
        Plan {
            dossier: Some(link.dossier),
            flow: Some(flow),
            link: Some(at),
            device,
            reason,
            due: (reason == Some(HeldReason::Due)).then_some(due),
            is_by_hand: false,
        }
    }

    /// Whether two links are of one dossier: what was done with of both may share a folder.
    pub fn are_akin(&self, one: usize, other: usize) -> bool {
        let books = |at: usize| (self.links[at].office, self.links[at].dossier);
        books(one) == books(other)
    }

    /// Where a link's documents go: to its own device, or to the office's.
    pub fn device_of(&self, link: usize) -> Option<Device> {
        let link = &self.links[link];
        link.device.or(self.offices[link.office].default)
    }

    /// Writes down a delivery; returns its place in the list.
    pub fn add(&mut self, document: usize, plan: &Plan) -> usize {
        let office = self.documents[document].office;
        let place = match (plan.reason, plan.link, plan.device, plan.flow) {
            (None, Some(link), Some(device), Some(flow)) => {
                Some(self.new_place(link, device, document, flow))
            }
            _ => None,
        };
        self.deliveries.push(Delivery {
            office,
            document,
            dossier: plan.dossier,
            flow: plan.flow,
            link: plan.link,
            device: plan.device,
            generation: 1,
            is_current: true,
            state: if place.is_some() {
                State::Offered
            } else {
                State::Held
            },
            reason: plan.reason,
            due: plan.due,
            is_moved: false,
            is_by_hand: plan.is_by_hand,
            place,
            read: None,
            collected: None,
            processed: None,
            is_copied: false,
            moved_name: None,
            progress: Progress::default(),
        });
        self.deliveries.len() - 1
    }

    /// The folder and the next name; no name comes twice to a device.
    pub fn new_place(
        &mut self,
        link: usize,
        device: Device,
        document: usize,
        flow: Flow,
    ) -> (String, String) {
        let Link {
            office,
            dossier,
            code,
            ..
        } = self.links[link];
        let slip = self.documents[document].slip;
        let other = if flow == Flow::Purchase {
            slip.from
        } else {
            slip.to
        };
        let folder = inbox(code, flow);
        loop {
            let names = &mut self.offices[office].names[usize::from(dossier == Party::Mill)];
            let today = day(self.now);
            *names = if names.0 < today {
                (today, 1)
            } else {
                (names.0, names.1 + 1)
            };
            let (day, number) = *names;
            let name = format!("{day}-{number:05}_F-{}_{}.xml", slip.number, other.digits());
            let place = Some((folder.clone(), name));
            let is_used = |one: &Delivery| {
                let was_shown =
                    one.office == office && one.device == Some(device) && one.place == place;
                let is_done_as = one.is_current
                    && one.flow == Some(flow)
                    && one.link.is_some_and(|own| self.are_akin(own, link))
                    && one.moved_name.as_ref() == place.as_ref().map(|place| &place.1);
                was_shown || is_done_as
            };
            if let (Some(place), false) = (place.clone(), self.deliveries.iter().any(is_used)) {
                return place;
            }
        }
    }

    /// What waited gets what is planned now.
    fn replan(&mut self, at: usize, plan: &Plan) {
        let document = self.deliveries[at].document;
        let place = match (plan.reason, plan.link, plan.device, plan.flow) {
            (None, Some(link), Some(device), Some(flow)) => {
                Some(self.new_place(link, device, document, flow))
            }
            _ => None,
        };
        let one = &mut self.deliveries[at];
        (one.dossier, one.flow, one.link, one.device) =
            (plan.dossier, plan.flow, plan.link, plan.device);
        (one.reason, one.due, one.is_by_hand) = (plan.reason, plan.due, plan.is_by_hand);
        if place.is_some() {
            one.place = place;
            one.state = State::Offered;
        }
    }

    pub fn is_in_use(&self, link: Option<usize>) -> bool {
        link.is_some_and(|at| !self.links[at].is_removed)
    }

    /// By its rule, as it stands now.
    pub fn release(&mut self, at: usize) {
        let one = &self.deliveries[at];
        let (Some(link), Some(flow), true) = (one.link, one.flow, self.is_in_use(one.link)) else {
            self.deliveries[at].due = None;
            return;
        };
        let is_by_hand = one.is_by_hand;
        let plan = Plan {
            is_by_hand,
            ..self.by_link(one.document, link, flow)
        };
        self.replan(at, &plan);
    }

    /// Whatever has fallen due leaves, or waits for something else.
    pub fn run_due(&mut self) {
        let mut due: Vec<_> = self.held().filter(|&at| self.is_due(at)).collect();
        due.sort_by_key(|&at| (self.deliveries[at].office, self.deliveries[at].due, at));
        for at in due {
            self.release(at);
        }
    }

    pub fn is_due(&self, at: usize) -> bool {
        self.deliveries[at].due.is_some_and(|due| due <= self.now)
    }

    fn held(&self) -> impl Iterator<Item = usize> + use<> {
        let held = self
            .deliveries
            .iter()
            .enumerate()
            .filter(|(_, one)| one.is_held());
        held.map(|(at, _)| at).collect::<Vec<_>>().into_iter()
    }

    /// The setup of an office has changed: what waited for that is looked at again.
    pub fn look_again(&mut self, office: usize) {
        let mine: Vec<_> = self
            .held()
            .filter(|&at| self.deliveries[at].office == office)
            .collect();
        let reason = |model: &Self, at: usize| model.deliveries[at].reason;
        let by_rule: Vec<_> = mine
            .iter()
            .copied()
            .filter(|&at| {
                matches!(
                    reason(self, at),
                    Some(HeldReason::Due | HeldReason::Approval | HeldReason::NoDevice)
                )
            })
            .collect();
        for at in mine {
            if matches!(
                reason(self, at),
                Some(HeldReason::UnknownDossier | HeldReason::NoLink)
            ) {
                self.route_again(at);
            }
        }
        for at in by_rule {
            self.release(at);
        }
    }

    fn route_again(&mut self, at: usize) {
        let held = self.deliveries[at].clone();
        let document = held.document;
        let plans = match (held.is_by_hand, held.dossier, held.flow) {
            (true, Some(dossier), Some(flow)) => self.by_hand(document, dossier, flow),
            _ => self.by_parties(document),
        };
        let is_its_own = |plan: &Plan| {
            held.dossier.is_none() || (plan.dossier, plan.flow) == (held.dossier, held.flow)
        };
        let others: Vec<_> = self
            .siblings(document)
            .filter(|&other| other != at)
            .collect();
        let is_new = |plan: &Plan| {
            !others
                .iter()
                .any(|&other| plan.is_for(&self.deliveries[other]))
        };
        let plans: Vec<_> = plans
            .into_iter()
            .filter(|plan| is_its_own(plan) && is_new(plan))
            .collect();
        for (nth, mut plan) in plans.into_iter().enumerate() {
            if self.documents[document].has_twin && plan.link.is_some() {
                plan.held_for(HeldReason::SuspectedDuplicate);
            }
            if nth == 0 {
                self.replan(at, &plan);
            } else {
                self.add(document, &plan);
            }
        }
    }

    pub fn siblings(&self, document: usize) -> impl Iterator<Item = usize> + use<> {
        let all = self.deliveries.iter().enumerate();
        let of_it = all
            .filter(|(_, one)| one.document == document)
            .map(|(at, _)| at);
        of_it.collect::<Vec<_>>().into_iter()
    }

    pub fn by_hand(&self, document: usize, dossier: Party, flow: Flow) -> Vec<Plan> {
        let mut plans = self.by_links(document, dossier, flow);
        plans.iter_mut().for_each(|plan| plan.is_by_hand = true);
        plans
    }
}
