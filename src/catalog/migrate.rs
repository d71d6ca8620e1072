//! Has the database the shape this program knows?

use std::fs::File;
use std::path::Path;

use sqlx::AnyConnection;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::Error;

/// Every migration, oldest first. An entry never changes once released.
const MIGRATIONS: &[(i64, &str, &str)] = &[(
    1,
    "start",
    include_str!("../../migrations/sqlite/0001_start.sql"),
)];

/// Brings the database at `path` up to date, under a lock that holds off other processes.
pub(super) async fn run(connection: &mut AnyConnection, path: &Path) -> Result<(), Error> {
    let name = path.display().to_string();
    let lock = path.with_extension("lock");
    let _held = tokio::task::spawn_blocking(move || lock_file(&lock))
        .await
        .map_err(std::io::Error::other)
        .and_then(|locked| locked)
        .map_err(|source| Error::Lock {
            path: name.clone(),
            source,
        })?;
    migrator()
        .run(connection)
        .await
        .map_err(|source| named(name, source))
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|&(version, description, sql)| {
        Migration::new(
            version,
            description.into(),
            MigrationType::Simple,
            sqlx::SqlSafeStr::into_sql_str(sql),
            false,
        )
    });
    Migrator::with_migrations(migrations.collect())
}

fn named(path: String, source: MigrateError) -> Error {
    match source {
        MigrateError::VersionMissing(found) => {
            let known = MIGRATIONS.last().map_or(0, |&(version, ..)| version);
            Error::Newer { path, found, known }
        }
        source => Error::Migrate { path, source },
    }
}

/// The lock goes when the file is dropped, and with a process that is killed.
fn lock_file(path: &Path) -> std::io::Result<File> {
    let file = File::create(path)?;
    file.lock()?;
    Ok(file)
}
