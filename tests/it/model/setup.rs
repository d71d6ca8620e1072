//! How is the setup of an office changed, as the command line does it?

use sluis::catalog::{LinkRules, NewLink};
use sluis::model::{Approval, Language, OrFirm, Transfer};
use sluis::sending::Waiting as HandSent;

use super::command::{Pick, Sends, Waiting};
use super::facts::{Device, Link, Party, When};
use super::world::{World, number, picked, same};

impl World {
    pub async fn add_link(
        &mut self,
        at: usize,
        dossier: Party,
        code: &'static str,
        sends: Sends,
    ) -> Result<(), String> {
        let new = NewLink {
            dossier: self.dossier(at, dossier),
            profile: "expertm",
            code,
            language: Language::Nl,
            device: sends.device.map(|to| self.login(at, to).id),
            sends: rules(sends),
        };
        let (firm, now) = (self.offices[at].firm, self.gateway.now());
        let added = self.gateway.house.catalog.add_link(firm, &new, now).await;
        let Sends {
            device,
            when,
            asks_approval,
        } = sends;
        let link = Link {
            office: at,
            dossier,
            code,
            device,
            when,
            asks_approval,
            is_removed: false,
        };
        let expected = self.model.add_link(link);
        same(&format!("link added, {added:?}"), &added.is_ok(), &expected)?;
        if added.is_ok() {
            self.look_again(at).await;
        }
        Ok(())
    }

    async fn look_again(&self, at: usize) {
        let sending = &self.gateway.house.sending;
        let (firm, now) = (self.offices[at].firm, self.gateway.now());
        sending
            .look_again(firm, HandSent::Stays, now)
            .await
            .unwrap();
    }

    /// A link in use.
    fn link(&self, pick: Pick) -> Option<usize> {
        let in_use: Vec<_> = (0..self.model.links.len())
            .filter(|&at| !self.model.links[at].is_removed)
            .collect();
        picked(pick, in_use.len()).map(|at| in_use[at])
    }

    async fn catalog_link(&self, at: usize) -> sluis::catalog::Link {
        let firm = self.offices[self.model.links[at].office].firm;
        let links = self.gateway.house.catalog.links(firm).await.unwrap();
        links
            .into_iter()
            .find(|link| link.id.0 == number(at))
            .unwrap()
    }

    pub async fn set_link(
        &mut self,
        pick: Pick,
        sends: Sends,
        waiting: Waiting,
    ) -> Result<(), String> {
        let Some(at) = self.link(pick) else {
            return Ok(());
        };
        let office = self.model.links[at].office;
        let device = sends.device.map(|to| self.login(office, to).id);
        let (link, now) = (self.catalog_link(at).await, self.gateway.now());
        let house = &self.gateway.house;
        house
            .catalog
            .set_link(&link, device, &rules(sends), now)
            .await
            .unwrap();
        self.look_again(office).await;
        let link = &mut self.model.links[at];
        (link.device, link.when, link.asks_approval) =
            (sends.device, sends.when, sends.asks_approval);
        self.model.look_again(office);
        if waiting == Waiting::Moves {
            self.move_waiting(at).await;
        }
        Ok(())
    }

    pub async fn set_default(
        &mut self,
        at: usize,
        device: Device,
        waiting: Waiting,
    ) -> Result<(), String> {
        let (firm, now) = (self.offices[at].firm, self.gateway.now());
        let id = self.login(at, device).id;
        let catalog = &self.gateway.house.catalog;
        let devices = catalog.devices(firm).await.unwrap();
        let named = devices.iter().find(|one| one.id == id).unwrap();
        catalog.make_default(firm, named, now).await.unwrap();
        self.look_again(at).await;
        self.model.offices[at].default = Some(device);
        self.model.look_again(at);
        if waiting == Waiting::Moves {
            for link in 0..self.model.links.len() {
                let facts = &self.model.links[link];
                if facts.office == at && !facts.is_removed && facts.device.is_none() {
                    self.move_waiting(link).await;
                }
            }
        }
        Ok(())
    }

    async fn move_waiting(&mut self, at: usize) {
        let firm = self.offices[self.model.links[at].office].firm;
        let (link, now) = (self.catalog_link(at).await, self.gateway.now());
        self.gateway
            .house
            .sending
            .move_waiting(firm, &link, now)
            .await
            .unwrap();
        self.model.move_waiting(at);
    }

    pub async fn remove_link(&mut self, pick: Pick) -> Result<(), String> {
        let Some(at) = self.link(pick) else {
            return Ok(());
        };
        let firm = self.offices[self.model.links[at].office].firm;
        let (link, now) = (self.catalog_link(at).await, self.gateway.now());
        let removed = self
            .gateway
            .house
            .catalog
            .remove_link(firm, &link, now)
            .await;
        let expected = self.model.remove_link(at);
        same(
            &format!("link removed, {removed:?}"),
            &removed.is_ok(),
            &expected,
        )
    }
}

fn rules(sends: Sends) -> LinkRules {
    let transfer = match sends.when {
        When::AtOnce => Transfer::AtOnce,
        When::ByHand => Transfer::Manual,
        When::InTenMinutes => "after=10m".parse().unwrap(),
        When::AtNight => Transfer::Nightly,
    };
    let approval = if sends.asks_approval {
        Approval::Required
    } else {
        Approval::NotNeeded
    };
    LinkRules {
        transfer: OrFirm::Own(transfer),
        approval: OrFirm::Own(approval),
        from: None,
    }
}
