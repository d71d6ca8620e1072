//! Which of the parties that a document names is its seller, and which its buyer?
//!
//! UBL names more than one: who keeps the accounts, and beside it who ordered or delivered, which may be
//! somebody else. An invoice is for the former; an order, and its like, names only the latter.

use crate::ubl::party::{Part, PartyInProgress};
use crate::ubl::remarks::Remarks;
use crate::ubl::xml::Leaf;
use crate::ubl::{Party, RemarkCode};

/// One side of a document while its elements pass by.
#[derive(Debug)]
pub(super) struct Side {
    roles: Vec<Role>,
}

/// The first party that stands in one role.
#[derive(Debug)]
struct Role {
    path: &'static str,
    party: PartyInProgress,
    times: usize,
}

impl Side {
    /// A side that the first of these roles stands for that the document names.
    pub(super) fn new(paths: &[&'static str]) -> Self {
        let role = |path: &&'static str| Role {
            path,
            party: PartyInProgress::default(),
            times: 0,
        };
        Self {
            roles: paths.iter().map(role).collect(),
        }
    }

    /// Notes that a party begins, if one does here.
    pub(super) fn opened(&mut self, path: &str, remarks: &mut Remarks) {
        let Some(role) = self.roles.iter_mut().find(|role| role.path == path) else {
            return;
        };
        role.times += 1;
        if role.times == 2 {
            let told = format!("`{path}` stands in it twice; the first is read");
            remarks.add(RemarkCode::Odd, told);
        }
    }

    /// Takes what a leaf says of a party; returns whether it stands in one of this side.
    pub(super) fn leaf(
        &mut self,
        leaf: &Leaf<'_>,
        parts: &[(&str, Part)],
        remarks: &mut Remarks,
    ) -> bool {
        let Some((role, below)) = self.role_at(leaf.path) else {
            return false;
        };
        let part = parts.iter().find(|(path, _)| *path == below);
        if let Some((_, part)) = part.filter(|_| role.times == 1) {
            role.party.leaf(*part, leaf, remarks);
        }
        true
    }

    /// Notes that an element closes that may be a tax registration of a party.
    pub(super) fn closed(&mut self, path: &str, tax_registration: &str) {
        if let Some((role, below)) = self.role_at(path)
            && below == tax_registration
        {
            role.party.close_tax();
        }
    }

    /// Returns the party, which is called `name` in remarks.
    pub(super) fn finish(self, name: &str, remarks: &mut Remarks) -> Party {
        let mut named = self.roles.into_iter().filter(|role| role.times > 0);
        let party = named.next().map(|role| role.party).unwrap_or_default();
        party.finish(name, remarks)
    }

    /// Returns the role that `path` leads into, and the path below its party.
    fn role_at<'p>(&mut self, path: &'p str) -> Option<(&mut Role, &'p str)> {
        self.roles.iter_mut().find_map(|role| {
            let below = path.strip_prefix(role.path)?.strip_prefix('/')?;
            Some((role, below))
        })
    }
}
