//! How does the owner of a file learn that it was not accepted, when nobody listened to the answer?

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Error;
use crate::catalog::{self, Catalog, NewRejection};
use crate::model::{DeviceId, Digest, FirmId, Rejected, Timestamp, VirtualPath};
use crate::ubl::Remark;

/// Notes what is not accepted, for the folder `/rejected` of its owner. A clone is the same.
#[derive(Clone)]
pub struct Rejections {
    catalog: Catalog,
    noted: Arc<Mutex<HashMap<DeviceId, Noted>>>,
}

/// Where a device has put something that was not accepted, or more: so that an upload of one that has nothing
/// noted there asks the catalog nothing.
#[derive(Debug, Default)]
struct Noted {
    paths: HashSet<String>,
    /// Whether the catalog was asked for those of before.
    is_whole: bool,
}

/// How many paths of a device are remembered before the catalog is asked anew: it keeps half as many notes.
const NOTED_MAX: usize = 2000;

/// Whose file it was, and where it was put.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// Of which firm.
    pub firm: FirmId,
    /// Of which device.
    pub device: DeviceId,
    /// Where.
    pub path: &'a VirtualPath,
}

impl Rejections {
    /// Notes in `catalog`.
    pub fn new(catalog: Catalog) -> Self {
        Self {
            catalog,
            noted: Arc::default(),
        }
    }

    /// Notes a file that is kept, and that nobody can read.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer.
    pub async fn note_unreadable(
        &self,
        owner: Owner<'_>,
        (digest, bytes): (Digest, u64),
        remarks: &[Remark],
        now: Timestamp,
    ) -> Result<(), catalog::Error> {
        let detail = serde_json::to_string(remarks).unwrap_or_default();
        let new = NewRejection {
            path: owner.path,
            why: Rejected::Unreadable,
            detail: &detail,
            bytes: Some(bytes),
            digest: Some(digest),
        };
        self.note(owner, &new, now).await
    }

    /// Notes a file that was refused, if it will be however often it is written; says whether it was noted.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer.
    pub async fn note_refused(
        &self,
        owner: Owner<'_>,
        bytes: Option<u64>,
        refused: &Error,
        now: Timestamp,
    ) -> Result<bool, catalog::Error> {
        let Some((why, max)) = refused.rejection() else {
            return Ok(false);
        };
        let new = NewRejection {
            path: owner.path,
            why,
            detail: &max.to_string(),
            bytes,
            digest: None,
        };
        self.note(owner, &new, now).await?;
        Ok(true)
    }

    /// Notes a file that its device was told is there, and that is gone: it got no name of its own for a day.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer, or the device is no more.
    pub async fn note_never_named(
        &self,
        device: DeviceId,
        path: &VirtualPath,
        bytes: u64,
        now: Timestamp,
    ) -> Result<(), catalog::Error> {
        let firm = self.catalog.firm_of_device(device).await?;
        let owner = Owner { firm, device, path };
        let new = NewRejection {
            path,
            why: Rejected::NeverNamed,
            detail: "",
            bytes: Some(bytes),
            digest: None,
        };
        self.note(owner, &new, now).await
    }

    /// Forgets what is noted of a file, for one was accepted there now; says how many notes that were.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer.
    pub async fn forget(&self, owner: Owner<'_>) -> Result<u64, catalog::Error> {
        let Owner { firm, device, path } = owner;
        let key = path.key();
        let is_whole = self.lock().get(&device).is_some_and(|own| own.is_whole);
        if !is_whole {
            let paths = self.catalog.rejected_paths(firm, device).await?;
            let mut noted = self.lock();
            let own = noted.entry(device).or_default();
            own.paths.extend(paths);
            own.is_whole = true;
        }
        // Out of memory first: a note that comes meanwhile is then remembered, whichever is written first.
        let had_note = |own: &mut Noted| own.paths.remove(&key);
        if !self.lock().get_mut(&device).is_some_and(had_note) {
            return Ok(0);
        }
        let forgetting = self.catalog.forget_rejected(firm, device, path);
        let forgotten = forgetting.await;
        if let (Err(_), Some(own)) = (&forgotten, self.lock().get_mut(&device)) {
            own.paths.insert(key);
        }
        forgotten
    }

    async fn note(
        &self,
        owner: Owner<'_>,
        new: &NewRejection<'_>,
        now: Timestamp,
    ) -> Result<(), catalog::Error> {
        let noting = self
            .catalog
            .add_rejection(owner.firm, owner.device, new, now);
        noting.await?;
        let mut noted = self.lock();
        let own = noted.entry(owner.device).or_default();
        if own.paths.len() >= NOTED_MAX {
            *own = Noted::default();
        }
        own.paths.insert(owner.path.key());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, Noted>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(at: usize) -> VirtualPath {
        VirtualPath::parse(&format!("/in/{at}.xml")).unwrap()
    }

    #[tokio::test]
    async fn one_past_what_is_remembered_the_catalog_is_asked_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, firm, device) = office(&folder.path().join("catalog.sqlite")).await;
        let rejections = Rejections::new(catalog);
        let now = Timestamp(1_773_475_200_000);
        let owner = |path| Owner { firm, device, path };
        let first = path(0);
        rejections
            .note_unreadable(owner(&first), (Digest::of(b"x"), 1), &[], now)
            .await
            .unwrap();
        let many = (1..NOTED_MAX).map(|at| at.to_string());
        let filled = |own: &mut Noted| own.paths.extend(many);
        rejections.lock().get_mut(&device).map(filled).unwrap();

        let last = path(NOTED_MAX);
        rejections
            .note_unreadable(owner(&last), (Digest::of(b"y"), 1), &[], now)
            .await
            .unwrap();

        assert_eq!(rejections.lock()[&device].paths.len(), 1);
        assert_eq!(rejections.forget(owner(&first)).await.unwrap(), 1);
        assert_eq!(rejections.forget(owner(&first)).await.unwrap(), 0);
        assert_eq!(rejections.forget(owner(&path(9))).await.unwrap(), 0);
    }

    async fn office(file: &std::path::Path) -> (Catalog, FirmId, DeviceId) {
        let catalog = Catalog::open(file).await.unwrap();
        let (slug, name) = ("f".parse().unwrap(), "pc".parse().unwrap());
        let now = Timestamp(0);
        let language = crate::model::Language::Nl;
        let firm = catalog.add_firm(&slug, "F", language, now).await.unwrap();
        let new = catalog::NewDevice {
            name: &name,
            kind: crate::model::DeviceKind::Source,
            password_hash: None,
            keys: &[],
            is_default: false,
        };
        let device = catalog.add_device(firm, &new, now).await.unwrap();
        (catalog, firm, device)
    }
}
