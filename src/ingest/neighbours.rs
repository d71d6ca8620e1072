//! Which links have one folder, so that nobody could tell whose document lies in it?
//!
//! None is added so, but a profile may change. Documents of such links wait until that is mended.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use jiff::civil::Date;

use super::place::{Places, facts};
use crate::catalog::Link;
use crate::layout::{FolderRole, Profile};
use crate::model::{Flow, LinkId};

/// Of which links and flows the folder is another link's too, and whose.
type Shared = HashMap<(LinkId, Flow), LinkId>;

/// Of how many months it is remembered which folders are shared: documents are of a few, but may name any.
const MONTHS_MAX: usize = 24;

/// The links of a firm, as they were read at one time.
#[derive(Debug)]
pub struct Links {
    all: Vec<Link>,
    /// By month, where any folder depends on it: a firm may have thousands of links.
    shared: Mutex<BTreeMap<Option<Month>, Shared>>,
}

/// A year and a month, as folders may name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Month(i16, i8);

impl Links {
    /// Takes the links of a firm.
    pub fn new(all: Vec<Link>) -> Self {
        let shared = Mutex::default();
        Self { all, shared }
    }

    /// Returns a link that has the folder too which `link` has for `flow` on `date`.
    pub(super) fn neighbour(
        &self,
        places: &Places,
        (link, flow): (LinkId, Flow),
        date: Date,
    ) -> Option<LinkId> {
        let by_month = places.profiles().iter().any(Profile::uses_date);
        let month = by_month.then(|| Month(date.year(), date.month()));
        let mut known = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MONTHS_MAX && !known.contains_key(&month) {
            known.clear();
        }
        let shared = known
            .entry(month)
            .or_insert_with(|| self.shared_on(places, date));
        shared.get(&(link, flow)).copied()
    }

    fn shared_on(&self, places: &Places, date: Date) -> Shared {
        let mut owners: HashMap<String, Vec<(LinkId, FolderRole)>> = HashMap::new();
        for link in &self.all {
            let Ok(profile) = places.profile(link) else {
                continue;
            };
            for (role, folder) in profile.preview(&facts(link), date) {
                if let Ok(folder) = folder {
                    owners
                        .entry(folder.key())
                        .or_default()
                        .push((link.id, role));
                }
            }
        }
        let mut shared = Shared::new();
        for owners in owners.values() {
            for &(own, role) in owners {
                let other = owners.iter().find(|(other, _)| *other != own);
                if let Some((other, _)) = other
                    && role == FolderRole::waiting(role.flow())
                {
                    shared.insert((own, role.flow()), *other);
                }
            }
        }
        shared
    }
}

impl Deref for Links {
    type Target = [Link];

    fn deref(&self) -> &[Link] {
        &self.all
    }
}
