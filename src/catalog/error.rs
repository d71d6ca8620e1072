//! What can go wrong with the catalog?

/// A question or a change that the catalog did not take.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not be opened.
    #[error("could not open the catalog `{path}`")]
    Open {
        /// Its file or address.
        path: String,
        /// Why.
        source: sqlx::Error,
    },
    /// The database could not be opened, for nothing may be written where it stands.
    #[error("could not open the catalog `{path}`: {why}")]
    Unwritable {
        /// Its file.
        path: String,
        /// What may not be written, and by whom, or why: more than the database says.
        why: String,
    },
    /// The database is not one, or parts of it are not what was written.
    #[error(
        "the catalog `{path}` is damaged, or is no catalog: `sluis backup` still keeps the documents; then move the data folder away as it is, for whoever looks into it, and bring it back from a backup with `sluis restore`"
    )]
    Broken {
        /// Its file or address.
        path: String,
        /// What was found.
        source: sqlx::Error,
    },
    /// The file was moved or replaced while it was open: what is written into it is lost with the process.
    #[error("the catalog was moved or replaced under the program that has it open: {why}")]
    Moved {
        /// What stands in its place.
        why: String,
    },
    /// The database was written by a later version of this program.
    #[error(
        "the catalog `{path}` has schema {found}, and this program knows up to {known}: it was used by a newer Sluis; install that version again, or restore a backup"
    )]
    Newer {
        /// Its file or address.
        path: String,
        /// The newest migration found in it.
        found: i64,
        /// The newest migration this program has.
        known: i64,
    },
    /// A migration did not run.
    #[error("could not bring the catalog `{path}` up to date")]
    Migrate {
        /// Its file or address.
        path: String,
        /// Why.
        source: sqlx::migrate::MigrateError,
    },
    /// The lock beside the database could not be taken.
    #[error("could not lock the catalog `{path}` while bringing it up to date")]
    Lock {
        /// Its file or address.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The reading of a listing died, which is a fault of this program.
    #[error("could not finish reading a listing")]
    Died(#[source] tokio::task::JoinError),
    /// There is one of this name already.
    #[error("{what} exists already")]
    Exists {
        /// What it is.
        what: String,
    },
    /// Nothing of this name is known.
    #[error("{what} is not known")]
    Missing {
        /// What it is.
        what: String,
    },
    /// A change would break something that hangs on it.
    #[error("{0}")]
    Refused(String),
    /// A stored value is not one of ours: the database was changed from outside.
    #[error(
        "the catalog holds `{}` as {what}, which is no such thing; was it changed from outside?",
        cut(value)
    )]
    Stored {
        /// What it should be.
        what: &'static str,
        /// What it is.
        value: String,
    },
    /// Anything else the database says.
    #[error("the catalog did not answer")]
    Database(#[from] sqlx::Error),
}

impl Error {
    /// Turns a broken promise of uniqueness into [`Error::Exists`], and passes on the rest.
    pub(super) fn unique(source: sqlx::Error, what: impl FnOnce() -> String) -> Self {
        match source.as_database_error() {
            Some(db) if db.is_unique_violation() => Self::Exists { what: what() },
            _ => Self::Database(source),
        }
    }
}

/// How much of a stored value is shown: enough to find it, and no document's worth in a log.
const VALUE_CHARS_MAX: usize = 64;

/// Returns the beginning of a stored value.
fn cut(value: &str) -> String {
    let mut chars = value.chars();
    let mut shown: String = chars.by_ref().take(VALUE_CHARS_MAX).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_value_is_shown_up_to_its_limit_and_one_past_it_is_cut() {
        for (chars, shown) in [
            (VALUE_CHARS_MAX, "é".repeat(VALUE_CHARS_MAX)),
            (VALUE_CHARS_MAX + 1, "é".repeat(VALUE_CHARS_MAX) + "…"),
        ] {
            let (what, value) = ("state", "é".repeat(chars));
            let told = Error::Stored { what, value }.to_string();
            assert!(told.contains(&format!("`{shown}`")), "{told}");
        }
    }
}
