//! What does a backup say of itself?
//!
//! `backup.json` names the files that belong together. It is replaced at the very end, so that a backup
//! that was interrupted is the one before it.

use serde::{Deserialize, Serialize};

/// The form of a backup, as it names itself.
pub(super) const FORM: &str = "sluis-backup-1";

/// What a backup consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its form.
    pub form: String,
    /// The version of the program that made it.
    pub version: String,
    /// When the catalog was as it is here.
    pub made_at: String,
    /// The catalog.
    pub catalog: Part,
    /// Configuration, host keys and what else the house needs.
    pub house: Vec<Part>,
    /// How many contents the catalog names.
    pub contents: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The digests of contents that could not be had, neither from the house nor from a backup before.
    pub lost: Vec<String>,
    /// What is wrong in the catalog: nothing, mostly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its path within the backup.
    pub path: String,
    /// The SHA-256 of its bytes.
    pub sha256: String,
    /// Their number.
    pub bytes: u64,
}

impl Manifest {
    /// Understands the text of a manifest.
    ///
    /// # Errors
    ///
    /// When it is none, or of another form; the text says which.
    pub fn parse(text: &str) -> Result<Self, String> {
        let read: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if read.form != FORM {
            return Err(format!(
                "it is of the form `{}`, and this program knows `{FORM}`",
                read.form
            ));
        }
        let is_outside = |part: &&Part| !is_inside(&part.path);
        let outside = [&read.catalog]
            .into_iter()
            .chain(&read.house)
            .find(is_outside);
        if let Some(part) = outside {
            return Err(format!("it names `{}`, which is outside", part.path));
        }
        Ok(read)
    }
}

/// Says whether a path leads to no other place than into the backup.
fn is_inside(path: &str) -> bool {
    let mut parts = std::path::Path::new(path).components();
    !path.is_empty() && parts.all(|part| matches!(part, std::path::Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let part = |path: &str| Part {
            path: path.to_owned(),
            sha256: String::new(),
            bytes: 0,
        };
        Manifest {
            form: FORM.to_owned(),
            version: "1".to_owned(),
            made_at: "2026-01-01T00:00:00Z".to_owned(),
            catalog: part("catalog-1.sqlite"),
            house: vec![part("house-1/host-keys/key")],
            contents: 0,
            bytes: 0,
            lost: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn parsed(change: impl FnOnce(&mut Manifest)) -> Result<Manifest, String> {
        let mut manifest = manifest();
        change(&mut manifest);
        Manifest::parse(&serde_json::to_string(&manifest).unwrap())
    }

    #[test]
    fn what_is_written_is_understood_and_another_form_is_not() {
        assert_eq!(parsed(|_| {}), Ok(manifest()));
        let other = parsed(|one| one.form = "sluis-backup-2".to_owned());
        assert!(other.unwrap_err().contains("sluis-backup-2"));
        assert!(Manifest::parse("{}").is_err());
    }

    #[test]
    fn no_path_leads_out_of_the_backup() {
        for path in ["", "/etc/passwd", "../x", "house-1/../../x", "./x"] {
            let read = parsed(|one| one.house[0].path = path.to_owned());
            assert!(read.is_err(), "{path}");
            let read = parsed(|one| one.catalog.path = path.to_owned());
            assert!(read.is_err(), "{path}");
        }
    }
}
