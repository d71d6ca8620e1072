//! Has the database the shape this program knows?

use std::fs::File;
use std::path::Path;

use sqlx::AnyConnection;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::Error;
use super::soundness::is_broken;
use crate::locks;

/// Every migration, oldest first. An entry never changes once released.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (
        1,
        "start",
        include_str!("../../migrations/sqlite/0001_start.sql"),
    ),
    (
        2,
        "checksums",
        include_str!("../../migrations/sqlite/0002_checksums.sql"),
    ),
    (
        3,
        "uploads",
        include_str!("../../migrations/sqlite/0003_uploads.sql"),
    ),
    (
        4,
        "folders",
        include_str!("../../migrations/sqlite/0004_folders.sql"),
    ),
    (
        5,
        "marks",
        include_str!("../../migrations/sqlite/0005_marks.sql"),
    ),
    (
        6,
        "sending",
        include_str!("../../migrations/sqlite/0006_sending.sql"),
    ),
    (
        8,
        "webhooks",
        include_str!("../../migrations/sqlite/0008_webhooks.sql"),
    ),
    (
        9,
        "sources",
        include_str!("../../migrations/sqlite/0009_sources.sql"),
    ),
    (
        10,
        "retention",
        include_str!("../../migrations/sqlite/0010_retention.sql"),
    ),
    (
        11,
        "revisions",
        include_str!("../../migrations/sqlite/0011_revisions.sql"),
    ),
    (
        12,
        "alarms",
        include_str!("../../migrations/sqlite/0012_alarms.sql"),
    ),
    (
        13,
        "penalties",
        include_str!("../../migrations/sqlite/0013_penalties.sql"),
    ),
    (
        14,
        "logins",
        include_str!("../../migrations/sqlite/0014_logins.sql"),
    ),
    (
        17,
        "deeds",
        include_str!("../../migrations/sqlite/0017_deeds.sql"),
    ),
    (
        18,
        "self_billed",
        include_str!("../../migrations/sqlite/0018_self_billed.sql"),
    ),
    (
        19,
        "unnamed",
        include_str!("../../migrations/sqlite/0019_unnamed.sql"),
    ),
    (
        20,
        "sellers",
        include_str!("../../migrations/sqlite/0020_sellers.sql"),
    ),
    (
        21,
        "words",
        include_str!("../../migrations/sqlite/0021_words.sql"),
    ),
    (
        22,
        "abroad",
        include_str!("../../migrations/sqlite/0022_abroad.sql"),
    ),
    (
        23,
        "given_back",
        include_str!("../../migrations/sqlite/0023_given_back.sql"),
    ),
    (
        24,
        "told",
        include_str!("../../migrations/sqlite/0024_told.sql"),
    ),
];

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
    migrator(MIGRATIONS)
        .run(connection)
        .await
        .map_err(|source| named(name, source))
}

fn migrator(migrations: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migrations = migrations.iter().map(|&(version, description, sql)| {
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
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)
            if is_broken(&source) =>
        {
            Error::Broken { path, source }
        }
        source => Error::Migrate { path, source },
    }
}

/// The lock goes when the file is dropped, and with a process that is killed.
fn lock_file(path: &Path) -> std::io::Result<File> {
    let file = locks::open(path)?;
    file.lock()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, Row as _};

    use super::*;
    use crate::catalog::uploads::UPLOADED;
    use crate::catalog::{Catalog, Event};
    use crate::model::{Checksums, Clock, DeliveryId, DocumentId, EventKind, FirmId, Timestamp};

    /// A catalog as it was after the first so many migrations, with these rows.
    async fn old(file: &Path, migrations: usize, rows: &'static str) {
        sqlx::any::install_default_drivers();
        let url = format!("sqlite://{}?mode=rwc", file.display());
        let mut old = AnyConnection::connect(&url).await.unwrap();
        let migrator = migrator(&MIGRATIONS[..migrations]);
        migrator.run(&mut old).await.unwrap();
        sqlx::raw_sql(rows).execute(&mut old).await.unwrap();
        old.close().await.unwrap();
    }

    #[tokio::test]
    async fn the_order_of_events_goes_on_from_a_catalog_of_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        old(
            &file,
            4,
            "insert into firm (slug, name, language, event_seq, event_hash, added_at) values ('f', 'F', 'nl', 2, 'h2', 0);
             insert into document (firm_id, digest, bytes, content_digest, content_bytes, reading_key,
                                   reading, source, received_at) values (1, 'd', 1, 'd', 1, '', '{}', 'x', 0);
             insert into delivery (firm_id, document_id, generation, current, state, routing, digest, bytes, created_at)
                           values (1, 1, 1, 1, 'offered', '{}', 'd', 1, 0);
             insert into event (firm_id, seq, at, kind, document_id, detail, hash)
                        values (1, 2, 7, 'offered', 1, 'second', 'h2'), (1, 1, 5, 'kept', 1, 'first', 'h1')",
        )
        .await;
        let catalog = Catalog::open(&file).await.unwrap();
        let (firm, document) = (FirmId(1), DocumentId(1));
        let collected = Event {
            document: Some(document),
            delivery: Some(DeliveryId(1)),
            ..Event::new(EventKind::Collected, "third")
        };

        assert!(
            catalog
                .collect_at_once(firm, &collected, &Clock::new(|| Timestamp(9)))
                .await
                .unwrap()
        );

        let events = catalog.events_of(firm, document).await.unwrap();
        let told: Vec<_> = events
            .iter()
            .map(|row| (row.seq.0, row.at.0, row.event.detail.as_str()))
            .collect();
        assert_eq!(told, [(1, 5, "first"), (2, 7, "second"), (3, 9, "third")]);
        assert_eq!(
            (events[0].hash.as_str(), events[1].hash.as_str()),
            ("h1", "h2")
        );
    }

    #[tokio::test]
    async fn what_waited_as_a_duplicate_before_is_shown_beside_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        old(
            &file,
            8,
            "insert into firm (slug, name, language, added_at) values ('f', 'F', 'nl', 0);
             insert into document (firm_id, digest, bytes, content_digest, content_bytes, business_key, reading_key,
                                   reading, source, received_at)
             values (1, 'a', 1, 'a', 1, 'k', '', '{}', 'x', 0), (1, 'b', 1, 'b', 1, 'k', '', '{}', 'x', 0);
             insert into delivery (firm_id, document_id, generation, current, state, reason, routing, digest, bytes, created_at)
             values (1, 1, 1, 1, 'offered', null, '{}', '', 1, 0),
                    (1, 2, 1, 1, 'held', 'suspected_duplicate', '{}', '', 1, 0)",
        )
        .await;
        let catalog = Catalog::open(&file).await.unwrap();

        let rows = sqlx::query("select duplicate_of from delivery order by id")
            .fetch_all(&catalog.readers)
            .await
            .unwrap();

        let first: Vec<Option<i64>> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(first, [None, Some(1)]);
        let firm = catalog.firm("f").await.unwrap();
        assert_eq!(firm.sends.duplicates, crate::model::Duplicates::Hold);
    }

    #[tokio::test]
    async fn what_a_buyer_wrote_before_is_known_by_that_buyer_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        old(
            &file,
            14,
            r#"insert into firm (slug, name, language, added_at) values ('f', 'F', 'nl', 0);
             create table given (reading text);
             insert into given values
                ('{"self_billed":false,"buyer":{"name":"B","ids":[{"source":"vat","key":"0208:0239843188"}]}}'),
                ('{"self_billed":true,"buyer":{"name":"B","ids":[{"source":"legal_entity","key":"0208:NVT"},
                    {"source":"legal_entity","key":"0208:9999999999"},{"source":"vat","key":"vat:NL1"},
                    {"source":"endpoint","key":"0208:0239843188"},{"source":"identification","key":"0208:0762986459"}]}}'),
                ('{"self_billed":true,"buyer":{"name":"B","ids":[{"source":"legal_entity","key":"0208:9999999999"},
                    {"source":"vat","key":"vat:NL1"}]}}'),
                ('{"self_billed":true,"buyer":{"name":"B","ids":[{"source":"legal_entity","key":"id:NVT"},
                    {"source":"identification","key":"id:17"}]}}'),
                ('{"self_billed":true,"buyer":{"name":"De Bakker","ids":[]}}'),
                ('{"self_billed":true,"buyer":{"name":null,"ids":[]}}');
             insert into document (firm_id, digest, bytes, content_digest, content_bytes, business_key, reading_key,
                                   reading, source, received_at)
             select 1, rowid, 1, rowid, 1, 'k', '', reading, 'x', 0 from given"#,
        )
        .await;
        let catalog = Catalog::open(&file).await.unwrap();

        let rows = sqlx::query("select business_key from document order by id")
            .fetch_all(&catalog.readers)
            .await
            .unwrap();

        let keys: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let expected = [
            "k",
            "k|vat:NL1", // the address is later than any registration, since
            "k|vat:NL1",
            "k|id:17",
            "k|name:de bakker",
            "k|",
        ];
        assert_eq!(keys, expected);
    }

    #[tokio::test]
    async fn sellers_of_before_are_known_by_their_own_numbers_first() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        old(
            &file,
            15,
            r#"insert into firm (slug, name, language, added_at) values ('f', 'F', 'nl', 0);
             create table given (key text, reading text);
             insert into given values
                ('0208:0899965307|F|1|d|invoice', '{"self_billed":false,"seller":{"ids":[{"source":"vat","key":"vat:DE123456789"},
                    {"source":"endpoint","key":"0208:0899965307"}]},"buyer":{"ids":[]}}'),
                ('vat:HRB1|F-1|d|invoice', '{"self_billed":false,"seller":{"ids":[{"source":"legal_entity","key":"vat:HRB1"},
                    {"source":"endpoint","key":"em:A1"},{"source":"vat","key":"vat:DE1"}]}}'),
                ('vat:HRB1|F-1|d|invoice', '{"self_billed":false,"seller":{"ids":[{"source":"legal_entity","key":"vat:HRB1"},
                    {"source":"endpoint","key":"em:A1"}]}}'),
                ('0208:0239843188|F-1|d|invoice', '{"self_billed":false,"seller":{"ids":[{"source":"legal_entity","key":"0106:1"},
                    {"source":"vat","key":"0208:0239843188"}]}}'),
                ('name:a|b|F-1|d|invoice', '{"self_billed":false,"seller":{"name":"A|B","ids":[{"source":"vat","key":"id:NVT"}]}}'),
                ('0208:0239843188|F-1|d|invoice|0208:0899965307', '{"self_billed":true,"seller":{"ids":[
                    {"source":"vat","key":"0208:0239843188"}]},"buyer":{"ids":[{"source":"legal_entity","key":"0208:9999999999"},
                    {"source":"vat","key":"vat:DE1"},{"source":"endpoint","key":"0208:0899965307"}]}}'),
                ('0208:0239843188|F-1|d|invoice|name:a|b', '{"self_billed":true,"seller":{"ids":[
                    {"source":"endpoint","key":"0208:0239843188"}]},"buyer":{"name":"A|B","ids":[]}}'),
                ('id:damaged|F-1|d|invoice', '{"seller":{"ids":[{"sou'),
                ('id:strange|F-1|d|invoice', '{"seller":{"ids":["x"]},"buyer":{"ids":"x"}}'),
                (null, '{}');
             insert into document (firm_id, digest, bytes, content_digest, content_bytes, business_key, reading_key,
                                   reading, source, received_at)
             select 1, rowid, 1, rowid, 1, key, '', reading, 'x', 0 from given"#,
        )
        .await;
        let catalog = Catalog::open(&file).await.unwrap();

        let rows = sqlx::query("select business_key from document order by id")
            .fetch_all(&catalog.readers)
            .await
            .unwrap();

        let keys: Vec<Option<String>> = rows.iter().map(|row| row.get(0)).collect();
        let expected = [
            Some("vat:DE123456789|F|1|d|invoice"),
            Some("vat:DE1|F-1|d|invoice"),
            Some("vat:HRB1|F-1|d|invoice"),
            Some("0208:0239843188|F-1|d|invoice"),
            Some("name:a|b|F-1|d|invoice"),
            Some("0208:0239843188|F-1|d|invoice|vat:DE1"),
            Some("0208:0239843188|F-1|d|invoice|name:a|b"),
            Some("id:damaged|F-1|d|invoice"),
            Some("id:strange|F-1|d|invoice"),
            None,
        ];
        assert_eq!(keys, expected.map(|key| key.map(ToOwned::to_owned)));
    }

    #[tokio::test]
    async fn belgian_numbers_of_before_are_known_under_other_schemes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        old(
            &file,
            15,
            r#"insert into firm (slug, name, language, added_at) values ('f', 'F', 'nl', 0);
             insert into dossier (firm_id, name, added_at) values (1, 'D', 0);
             insert into dossier_identifier (firm_id, key, dossier_id, raw, rank) values
                (1, 'vat:BTWBE0239843188', 1, '', 0), (1, 'vat:RPRGENT0762986459', 1, '', 1),
                (1, '0088:0123123123', 1, '', 2), (1, '0088:5412345000013', 1, '', 3), (1, 'vat:BE12', 1, '', 4),
                (1, 'id:0500453583RPMMONS', 1, '', 5), (1, 'vat:ISO6523ACTORIDUPIS02080899965307', 1, '', 6),
                (1, 'vat:BE2239843188', 1, '', 7), (1, 'btw:239843188', 1, '', 8), (1, '0106:0239843188', 1, '', 9);
             insert into document (firm_id, digest, bytes, content_digest, content_bytes, business_key, reading_key,
                                   reading, source, received_at)
             values (1, 1, 1, 1, 1, '0088:BE0239843188|F-1|d|invoice', '',
                '{"self_billed":false,"seller":{"name":"Één","ids":[{"source":"legal_entity","key":"id:1"},
                    {"source":"endpoint","scheme":"GLN","key":"0088:BE0239843188"}]}}', 'x', 0)"#,
        )
        .await;
        let catalog = Catalog::open(&file).await.unwrap();

        let read = "select business_key, json_extract(reading, '$.seller') from document";
        let row = sqlx::query(read).fetch_one(&catalog.readers).await.unwrap();
        assert_eq!(row.get::<String, _>(0), "0208:0239843188|F-1|d|invoice");
        let expected = r#"{"name":"Één","ids":[{"source":"legal_entity","key":"id:1"},{"source":"endpoint","scheme":"GLN","key":"0208:0239843188"}]}"#;
        assert_eq!(row.get::<String, _>(1), expected);
        let rows = sqlx::query("select key from dossier_identifier order by rank")
            .fetch_all(&catalog.readers)
            .await
            .unwrap();
        let keys: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let expected = [
            "0208:0239843188",
            "0208:0762986459",
            "0088:0123123123",
            "0088:5412345000013",
            "vat:BE12",
            "0208:0500453583",
            "0208:0899965307",
            "vat:BE2239843188",
            "btw:239843188",
            "0106:0239843188",
        ];
        assert_eq!(keys, expected);
    }

    #[tokio::test]
    async fn belgian_numbers_of_before_are_known_whatever_word_stands_at_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        old(
            &file,
            17,
            r#"insert into firm (slug, name, language, added_at) values ('f', 'F', 'nl', 0), ('g', 'G', 'nl', 0);
             insert into dossier (firm_id, name, added_at) values (1, 'D', 0), (1, 'E', 0), (2, 'F', 0);
             insert into dossier_identifier (firm_id, key, dossier_id, raw, rank) values
                (1, 'id:0239843188BTW', 1, '', 0), (1, 'id:762986459RPRGENT', 1, '', 1),
                (1, '0106:TVABE0500453583', 1, '', 2), (1, '0208:0756996413RPM', 1, '', 3),
                (1, 'id:0123123123BTW', 1, '', 4), (1, 'id:BTW', 1, '', 5), (1, 'vat:BTWNL820098395B01', 1, '', 6),
                (1, 'id:732829320RCSPARIS', 1, '', 7), (1, 'id:0500453583X', 1, '', 8), (1, 'vat:RPR1GENT0500453583', 1, '', 9),
                (1, 'id:0899965307TVA', 1, '', 10), (1, 'vat:RPMLIEGE0899965307', 2, '', 11),
                (1, '0208:0771234528', 2, '', 12), (1, 'id:0771234528BTW', 1, '', 13),
                (2, 'id:0899965307TVA', 3, '', 14), (2, '0208:0451827384', 3, '', 15);
             insert into document (firm_id, digest, bytes, content_digest, content_bytes, business_key, reading_key,
                                   reading, source, received_at)
             values (1, 1, 1, 1, 1, 'vat:DE1|F-1|d|invoice|id:0762986459BTW', '',
                '{"self_billed":true,"seller":{"name":"RPR","ids":[{"source":"legal_entity","key":"custno:0239843188BTW"},
                    {"source":"vat","key":"vat:DE1"}]},"buyer":{"ids":[{"source":"vat","key":"id:0762986459BTW"}]}}', 'x', 0),
                    (1, 2, 1, 2, 1, 'vat:DE1|F-1|d|invoice', '', '{"seller":{"ids":[{"source":"vat","key":"id:0239843188BTW"', 'x', 0)"#,
        )
        .await;
        let catalog = Catalog::open(&file).await.unwrap();

        let rows = sqlx::query("select key from dossier_identifier order by rank")
            .fetch_all(&catalog.readers)
            .await
            .unwrap();
        let keys: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let expected = [
            "0208:0239843188",
            "0208:0762986459",
            "0208:0500453583",
            "0208:0756996413",
            "id:0123123123BTW",
            "id:BTW",
            "vat:BTWNL820098395B01",
            "id:732829320RCSPARIS",
            "id:0500453583X",
            "vat:RPR1GENT0500453583",
            "id:0899965307TVA", // two dossiers say that it is theirs
            "vat:RPMLIEGE0899965307",
            "0208:0771234528",
            "id:0771234528BTW", // it is another's already
            "0208:0451827384",
            "0208:0899965307", // its folder is called by the one that it had
        ];
        assert_eq!(keys, expected);
        let read = "select business_key, json_extract(reading, '$.seller.ids[0].key') from document where id = 1";
        let row = sqlx::query(read).fetch_one(&catalog.readers).await.unwrap();
        let business = "0208:0239843188|F-1|d|invoice|0208:0762986459";
        assert_eq!(row.get::<String, _>(0), business);
        assert_eq!(row.get::<String, _>(1), "0208:0239843188");
    }

    #[tokio::test]
    async fn what_was_known_before_is_known_as_it_is_today() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        old(
            &file,
            18,
            r#"insert into firm (slug, name, language, added_at) values ('f', 'F', 'nl', 0);
             create table given (key text, reading text);
             insert into given values
                ('0106:1|F-1|d|invoice', '{"type_code":"380","self_billed":false,"seller":{"ids":[{"source":"legal_entity","key":"0106:1"},
                    {"source":"vat","key":"vat:NL1"}]}}'),
                ('0106:1|F-1|d|invoice', '{"type_code":"380","self_billed":false,"seller":{"ids":[{"source":"legal_entity","key":"0106:1"},
                    {"source":"endpoint","key":"vat:NL1"}]}}'),
                ('0208:0239843188|F-1|d|invoice|0106:1', '{"type_code":"389","self_billed":true,"seller":{"ids":[
                    {"source":"vat","key":"0208:0239843188"}]},"buyer":{"ids":[{"source":"legal_entity","key":"0106:1"},
                    {"source":"vat","key":"vat:NL1"}]}}'),
                ('0106:1|F-1|d|invoice', '{"kind":"invoice","type_code":"471","self_billed":false,"seller":{"ids":[{"source":"legal_entity","key":"0106:1"}]},
                    "buyer":{"ids":[{"source":"legal_entity","key":"0106:2"},{"source":"vat","key":"vat:NL2"}]}}'),
                ('0106:1|F-1|d|invoice', '{"kind":"invoice","type_code":"502","self_billed":false,"seller":{"ids":[{"source":"legal_entity","key":"0106:1"}]},
                    "buyer":{"name":"B","ids":[]}}'),
                ('0106:1|F-1|d|invoice', '{"kind":"invoice","type_code":"503","self_billed":false,"seller":{"ids":[{"source":"legal_entity","key":"0106:1"}]}}'),
                ('0106:1|F–1|d|invoice', '{"type_code":"380","self_billed":false,"seller":{"ids":[{"source":"legal_entity","key":"0106:1"}]}}'),
                ('name:a–b|F-1|d|invoice', '{"type_code":"380","self_billed":false,"seller":{"name":"A–B","ids":[]}}'),
                ('id:damaged|F-1|d|invoice', '{"type_code":"502","seller":{"ids":[{"sou'),
                (null, '{"kind":"invoice","type_code":"471","self_billed":false}');
             insert into document (firm_id, digest, bytes, content_digest, content_bytes, business_key, reading_key,
                                   reading, source, received_at)
             select 1, rowid, 1, rowid, 1, key, '', json(reading), 'x', 0 from given where json_valid(reading)
             union all select 1, rowid, 1, rowid, 1, key, '', reading, 'x', 0 from given where not json_valid(reading)
             order by 2;
             -- By what somebody had it count, it may go through all documents first, the damaged one too.
             analyze"#,
        )
        .await;
        let catalog = Catalog::open(&file).await.unwrap();

        let rows =
            sqlx::query("select business_key from document order by cast(digest as integer)")
                .fetch_all(&catalog.readers)
                .await
                .unwrap();

        let keys: Vec<Option<String>> = rows.iter().map(|row| row.get(0)).collect();
        let expected = [
            Some("vat:NL1|F-1|d|invoice"),
            Some("0106:1|F-1|d|invoice"),
            Some("0208:0239843188|F-1|d|invoice|vat:NL1"),
            Some("0106:1|F-1|d|invoice|vat:NL2"),
            Some("0106:1|F-1|d|credit_note|name:b"),
            Some("0106:1|F-1|d|credit_note"),
            Some("0106:1|F-1|d|invoice"),
            Some("name:a–b|F-1|d|invoice"),
            Some("id:damaged|F-1|d|invoice"),
            None,
        ];
        assert_eq!(keys, expected.map(|key| key.map(ToOwned::to_owned)));
    }

    #[tokio::test]
    async fn what_a_buyer_wrote_and_gave_back_before_is_a_credit_note() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        old(
            &file,
            19,
            r#"insert into firm (slug, name, language, added_at) values ('f', 'F', 'nl', 0);
             create table given (key text, reading text);
             insert into given values
                ('0106:1|F-1|d|invoice|vat:NL2', '{"kind":"invoice","type_code":"262","self_billed":true}'),
                ('0106:1|invoice|d|invoice|', '{"kind":"invoice","type_code":"503","self_billed":true}'),
                ('0106:1|F-1|d|invoice|vat:NL2', '{"kind":"invoice","type_code":"389","self_billed":true}'),
                ('0106:1|F-1|d|invoice', '{"kind":"invoice","type_code":"380","self_billed":false}'),
                ('0106:1|F-1|d|credit_note|vat:NL2', '{"kind":"credit_note","type_code":"262","self_billed":true}'),
                ('0106:1|F-1|d|invoice|name:a|b', '{"kind":"invoice","type_code":"262","self_billed":true}'),
                (null, '{"kind":"invoice","type_code":"262","self_billed":true}'),
                ('id:damaged|F-1|d|invoice|vat:NL2', '{"kind":"invoice","type_code":"262","self_bil');
             insert into document (firm_id, digest, bytes, content_digest, content_bytes, business_key, reading_key,
                                   reading, source, received_at)
             select 1, rowid, 1, rowid, 1, key, '', reading, 'x', 0 from given"#,
        )
        .await;
        let catalog = Catalog::open(&file).await.unwrap();

        let rows = sqlx::query("select business_key, reading from document order by id")
            .fetch_all(&catalog.readers)
            .await
            .unwrap();

        let expected = [
            (Some("0106:1|F-1|d|credit_note|vat:NL2"), true),
            (Some("0106:1|invoice|d|credit_note|"), true),
            (Some("0106:1|F-1|d|invoice|vat:NL2"), false),
            (Some("0106:1|F-1|d|invoice"), false),
            (Some("0106:1|F-1|d|credit_note|vat:NL2"), true),
            (Some("0106:1|F-1|d|invoice|name:a|b"), true), // whose part of the key is not known for sure
            (None, true),
            (Some("id:damaged|F-1|d|invoice|vat:NL2"), false),
        ];
        for (row, (key, gives_back)) in rows.iter().zip(expected) {
            assert_eq!(row.get::<Option<String>, _>(0).as_deref(), key);
            let reading: String = row.get(1);
            assert_eq!(
                reading.contains(r#""credit_note""#),
                gives_back,
                "{reading}"
            );
        }
        assert_eq!(rows.len(), expected.len());
    }

    #[tokio::test]
    async fn what_was_uploaded_before_is_counted_by_its_index_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        old(
            &file,
            5,
            "insert into firm (slug, name, language, added_at) values ('f', 'F', 'nl', 0), ('g', 'G', 'nl', 0);
             insert into document (firm_id, digest, bytes, content_digest, content_bytes, reading_key,
                                   reading, source, received_at)
             values (1, 'a', 10, 'a', 10, '', '{}', 'sftp:f.scanner/x', 5),
                    (1, 'b', 20, 'b', 20, '', '{}', 'sftp:f.scanner/x', 9),
                    (1, 'c', 40, 'c', 40, '', '{}', 'sftp:f.scanner/x', 10),
                    (1, 'd', 80, 'd', 80, '', '{}', 'drop:x', 5),
                    (2, 'e', 160, 'e', 160, '', '{}', 'sftp:g.scanner/x', 5)",
        )
        .await;
        let catalog = Catalog::open(&file).await.unwrap();

        let day = (Timestamp(5), Timestamp(10));
        let counted = catalog.uploaded(FirmId(1), day).await.unwrap();

        assert_eq!((counted.files, counted.bytes), (2, 30));
        let empty = catalog.uploaded(FirmId(3), day).await.unwrap();
        assert_eq!((empty.files, empty.bytes), (0, 0));
        let plan = format!("explain query plan {UPLOADED}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(plan))
            .bind(1_i64)
            .bind(5_i64)
            .bind(10_i64)
            .fetch_all(&catalog.readers)
            .await
            .unwrap();
        let plan: String = rows[0].try_get("detail").unwrap();
        assert!(plan.contains("COVERING INDEX document_uploaded"), "{plan}");
    }

    #[tokio::test]
    async fn a_document_from_before_the_checksums_gets_them_when_somebody_asks() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        old(
            &file,
            1,
            "insert into firm (slug, name, language, added_at) values ('f', 'F', 'nl', 0);
             insert into document (firm_id, digest, bytes, content_digest, content_bytes, reading_key,
                                   reading, source, received_at) values (1, 'd', 1, 'd', 1, '', '{}', 'x', 0)",
        )
        .await;
        let catalog = Catalog::open(&file).await.unwrap();
        let (firm, document) = (FirmId(1), DocumentId(1));
        let both = Checksums::of(b"x");

        assert_eq!(catalog.checksums(firm, document).await.unwrap(), None);
        catalog.keep_checksums(firm, document, &both).await.unwrap();

        assert_eq!(catalog.checksums(firm, document).await.unwrap(), Some(both));
        assert!(catalog.checksums(FirmId(2), document).await.is_err());
    }
}
