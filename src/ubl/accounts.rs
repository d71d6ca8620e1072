//! To which accounts is this to be paid?

use crate::ubl::RemarkCode;
use crate::ubl::limits::ACCOUNTS_MAX;
use crate::ubl::remarks::Remarks;
use crate::ubl::xml::Leaf;

/// The accounts of one document while its elements pass by: each way of paying may name one.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// As compared, and as written.
    list: Vec<(String, String)>,
    dropped: usize,
}

impl Accounts {
    pub(super) fn leaf(&mut self, leaf: &Leaf<'_>, remarks: &mut Remarks) {
        let Some(account) = leaf.value(remarks) else {
            return;
        };
        let key = compared(&account);
        if self.list.iter().any(|(known, _)| *known == key) {
            return;
        }
        if self.list.len() < ACCOUNTS_MAX {
            self.list.push((key, account));
        } else {
            self.dropped += 1;
        }
    }

    /// Returns them as written, each once.
    pub(super) fn finish(self, remarks: &mut Remarks) -> Vec<String> {
        if self.dropped > 0 {
            let told = format!(
                "it names {} accounts to pay to; {ACCOUNTS_MAX} are listed",
                self.list.len() + self.dropped
            );
            remarks.add(RemarkCode::TooMany, told);
        }
        self.list.into_iter().map(|(_, written)| written).collect()
    }
}

/// Returns an account without what people write otherwise: spaces and case.
pub(super) fn compared(account: &str) -> String {
    let letters = account.chars().filter(|c| !c.is_whitespace());
    letters.flat_map(char::to_uppercase).collect()
}
