//! What becomes of documents by a person, in the reference?
//!
//! Each of these returns whether it is done; what is refused changes nothing.

use sluis::model::{Flow, HeldReason, State};

use super::books::Model;
use super::facts::{Delivery, Device, Link, Party, Progress};

impl Model {
    pub fn approve(&mut self, document: usize) {
        if !self.note_approval(document) {
            return;
        }
        let due: Vec<_> = self
            .siblings(document)
            .filter(|&at| self.deliveries[at].is_held() && self.is_due(at))
            .collect();
        for at in due {
            self.release(at);
        }
    }

    pub fn note_approval(&mut self, document: usize) -> bool {
        let now = self.now;
        let is_news = !std::mem::replace(&mut self.documents[document].is_approved, true);
        let waits = |one: &&mut Delivery| {
            one.document == document && one.is_held() && one.reason == Some(HeldReason::Approval)
        };
        if is_news {
            for one in self.deliveries.iter_mut().filter(waits) {
                one.due = Some(now);
                self.documents[document].ready = now;
            }
        }
        is_news
    }

    /// To a device that a person names, or where its link sends.
    pub fn send(&mut self, at: usize, asked: Option<Device>) -> bool {
        let one = &self.deliveries[at];
        let (Some(link), true, true) = (one.link, self.is_in_use(one.link), one.is_held()) else {
            return false;
        };
        let (document, Some(flow)) = (one.document, one.flow) else {
            return false;
        };
        let Some(device) = asked.or_else(|| self.device_of(link)) else {
            return false;
        };
        let place = self.new_place(link, device, document, flow);
        let one = &mut self.deliveries[at];
        (one.state, one.reason, one.due) = (State::Offered, None, None);
        (one.device, one.place) = (Some(device), Some(place));
        true
    }

    pub fn hold(&mut self, at: usize) -> bool {
        let one = &mut self.deliveries[at];
        if one.is_held() {
            (one.reason, one.due) = (Some(HeldReason::OnHold), None);
            return true;
        }
        false
    }

    pub fn withdraw(&mut self, at: usize) -> bool {
        let one = &mut self.deliveries[at];
        if one.is_current && matches!(one.state, State::Held | State::Offered) {
            (one.state, one.due) = (State::Withdrawn, None);
            return true;
        }
        false
    }

    /// The same file name once more, one generation on.
    pub fn resend(&mut self, at: usize) -> bool {
        let one = self.deliveries[at].clone();
        let (Some(link), Some(flow)) = (self.link_again(&one), one.flow) else {
            return false;
        };
        let last = one.device.filter(|_| one.place.is_some());
        let device = self.device_of(link).or(last);
        let can = one.is_current && one.state != State::Held && !one.is_moved;
        let (Some(device), true) = (device, can) else {
            return false;
        };
        let old = &mut self.deliveries[at];
        old.is_current = false;
        if old.state == State::Offered {
            old.state = State::Withdrawn;
        }
        let place = match one.place {
            Some(place) if one.link == Some(link) => place,
            _ => self.new_place(link, device, one.document, flow),
        };
        self.deliveries.push(Delivery {
            link: Some(link),
            device: Some(device),
            generation: one.generation + 1,
            is_current: true,
            state: State::Offered,
            reason: None,
            due: None,
            place: Some(place),
            read: None,
            collected: None,
            processed: None,
            is_copied: false,
            moved_name: None,
            progress: Progress::default(),
            ..one
        });
        true
    }

    /// Its own link, or where that is removed the only one of its books that has no delivery of the document.
    fn link_again(&self, one: &Delivery) -> Option<usize> {
        if self.is_in_use(one.link) {
            return one.link;
        }
        let is_there = |&other: &usize| {
            let other = &self.deliveries[other];
            other.is_current && !other.is_moved && other.flow == one.flow
        };
        let there: Vec<_> = self.siblings(one.document).filter(is_there).collect();
        let is_of_it = |&at: &usize| {
            let link = &self.links[at];
            let has_one = there
                .iter()
                .any(|&other| self.deliveries[other].link == Some(at));
            let is_mine = link.office == one.office && Some(link.dossier) == one.dossier;
            is_mine && !link.is_removed && !has_one
        };
        let mut found = (0..self.links.len()).filter(is_of_it);
        found.next().filter(|_| found.next().is_none())
    }

    /// To other books, or another journal.
    pub fn move_to(&mut self, at: usize, dossier: Party, flow: Flow) -> bool {
        let named = self.deliveries[at].clone();
        let document = named.document;
        let was_withdrawn = named.state == State::Withdrawn && named.is_current && !named.is_moved;
        let is_leaving = |&other: &usize| {
            let one = &self.deliveries[other];
            let is_meant = one.stands() || (was_withdrawn && other == at);
            is_meant && (one.dossier, one.flow) == (named.dossier, named.flow)
        };
        let (leaving, staying): (Vec<_>, Vec<_>) = self.siblings(document).partition(is_leaving);
        let mut plans = self.by_hand(document, dossier, flow);
        let was_never_sent = named.is_held() || (was_withdrawn && named.place.is_none());
        let is_copy = was_never_sent && self.documents[document].has_twin;
        for plan in plans.iter_mut().filter(|plan| plan.link.is_some()) {
            if named.reason == Some(HeldReason::OnHold) {
                plan.held_for(HeldReason::OnHold);
            } else if is_copy {
                plan.held_for(HeldReason::SuspectedDuplicate);
            }
        }
        plans.retain(|plan| {
            let is_there = |&other: &usize| {
                let one = &self.deliveries[other];
                one.stands() && plan.is_for(one)
            };
            !staying.iter().any(is_there)
        });
        let is_same = (named.dossier, named.flow) == (Some(dossier), Some(flow));
        if is_same || leaving.is_empty() || plans.is_empty() {
            return false;
        }
        for old in leaving {
            self.deliveries[old].is_moved = true;
            self.withdraw(old);
        }
        for plan in plans {
            self.add(document, &plan);
        }
        true
    }

    pub fn add_link(&mut self, new: Link) -> bool {
        let same =
            |link: &Link| !link.is_removed && (link.office, link.code) == (new.office, new.code);
        if self.links.iter().any(same) {
            return false;
        }
        let office = new.office;
        self.links.push(new);
        self.look_again(office);
        true
    }

    /// What a link held waits for the next one; what it offers, or a person holds back, keeps it.
    pub fn remove_link(&mut self, link: usize) -> bool {
        let of_it = |one: &Delivery| one.link == Some(link) && one.is_current;
        let keeps = |one: &Delivery| {
            one.state == State::Offered
                || (one.state == State::Held && one.reason == Some(HeldReason::OnHold))
        };
        if self.deliveries.iter().any(|one| of_it(one) && keeps(one)) {
            return false;
        }
        for one in self
            .deliveries
            .iter_mut()
            .filter(|one| of_it(one) && one.is_held())
        {
            (one.link, one.device, one.due) = (None, None, None);
            one.reason = Some(HeldReason::NoLink);
        }
        self.links[link].is_removed = true;
        true
    }

    /// What a link offers to another device than it names now is offered to that one.
    pub fn move_waiting(&mut self, link: usize) {
        let Some(device) = self.device_of(link) else {
            return;
        };
        let elsewhere = |one: &Delivery| {
            one.link == Some(link)
                && one.is_current
                && one.state == State::Offered
                && one.device != Some(device)
        };
        let waiting: Vec<_> = (0..self.deliveries.len())
            .filter(|&at| elsewhere(&self.deliveries[at]))
            .collect();
        for at in waiting {
            self.resend(at);
        }
    }
}
