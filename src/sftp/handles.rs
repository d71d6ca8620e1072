//! What does a peer mean by a handle?

use std::collections::HashMap;

use super::limits::{HANDLE_BYTES_MAX, HANDLES_MAX};

/// The open files and folders of one session. A handle is never given out twice.
#[derive(Debug)]
pub(super) struct Handles<T> {
    open: HashMap<String, T>,
    given: u64,
}

/// [`HANDLES_MAX`] are open.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{HANDLES_MAX} files and folders are open; close some first")]
pub(super) struct TooMany;

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self {
            open: HashMap::new(),
            given: 0,
        }
    }
}

impl<T> Handles<T> {
    /// Says whether one more may be opened.
    ///
    /// # Errors
    ///
    /// When none may.
    pub(super) fn check_room(&self) -> Result<(), TooMany> {
        if self.open.len() < HANDLES_MAX {
            Ok(())
        } else {
            Err(TooMany)
        }
    }

    /// Opens one and returns its handle.
    ///
    /// # Errors
    ///
    /// When too many are open.
    pub(super) fn open(&mut self, value: T) -> Result<String, TooMany> {
        self.check_room()?;
        self.given += 1;
        let handle = format!("{:x}", self.given);
        self.open.insert(handle.clone(), value);
        Ok(handle)
    }

    /// Returns what a handle means.
    pub(super) fn get(&mut self, handle: &str) -> Option<&mut T> {
        if handle.len() > HANDLE_BYTES_MAX {
            return None;
        }
        self.open.get_mut(handle)
    }

    /// Closes one.
    pub(super) fn close(&mut self, handle: &str) -> Option<T> {
        self.open.remove(handle)
    }

    /// Closes all.
    pub(super) fn close_all(&mut self) -> Vec<T> {
        self.open.drain().map(|(_, value)| value).collect()
    }

    /// Returns what is open, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.open.values_mut()
    }

    /// Returns what is open.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.open.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_handle_past_the_limit_is_refused_until_one_is_closed() {
        let mut handles = Handles::default();
        let first = handles.open(0).unwrap();
        for at in 1..HANDLES_MAX {
            handles.open(at).unwrap();
        }
        assert_eq!(handles.open(0), Err(TooMany));

        assert_eq!(handles.close(&first), Some(0));
        let again = handles.open(0).unwrap();

        assert_ne!(again, first, "a handle is never given out twice");
        assert_eq!(handles.get(&first), None);
        // None that long is ever given out: the limit keeps what a peer says from being looked up.
        for (bytes, found) in [
            (HANDLE_BYTES_MAX, Some(&mut 7)),
            (HANDLE_BYTES_MAX + 1, None),
        ] {
            let handle = "1".repeat(bytes);
            handles.open.insert(handle.clone(), 7);
            assert_eq!(handles.get(&handle), found, "{bytes}");
        }
    }
}
