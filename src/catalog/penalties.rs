//! What have networks come to from which connections failed to log in?
//!
//! Nobody has logged in there, so nothing here is of a firm.

use sqlx::any::AnyRow;
use sqlx::query;

use super::rows::Columns as _;
use super::{Catalog, Durability, Error};
use crate::model::{Network, Penalty, Timestamp};

/// How long an operator's lift stays written down, in milliseconds: a server reads it within seconds.
const LIFT_MS: i64 = 60 * 60 * 1000;

impl Catalog {
    /// Returns every penalty that is written down, the one that ends last first.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is not what it should be.
    pub async fn penalties(&self) -> Result<Vec<(Network, Penalty)>, Error> {
        let rows = query("select * from penalty order by until desc, network")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(penalty).collect()
    }

    /// Writes down what networks have come to, and forgets those that have come to nothing.
    ///
    /// # Errors
    ///
    /// When the database does not answer; then nothing has changed.
    pub async fn put_penalties(&self, changes: &[(Network, Option<Penalty>)]) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Kill).await?;
        for (network, penalty) in changes {
            let change = match penalty {
                Some(penalty) => query(
                    "insert into penalty (network, until, bars, fault) values ($1, $2, $3, $4)
                     on conflict (network) do update set until = $2, bars = $3, fault = $4",
                )
                .bind(network.to_string())
                .bind(penalty.until.0)
                .bind(i64::from(penalty.is_bar))
                .bind(penalty.fault.as_str()),
                None => query("delete from penalty where network = $1").bind(network.to_string()),
            };
            change.execute(&mut *tx.inner).await?;
        }
        tx.commit_unseen().await
    }

    /// Lifts what every network that meets `range` has come to, and returns those that had a penalty.
    /// A running server learns of it by [`Self::lifts_after`].
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn lift_penalties(
        &self,
        range: &Network,
        now: Timestamp,
    ) -> Result<Vec<Network>, Error> {
        let mut tx = self.begin(Durability::Kill).await?;
        query("insert into penalty_lift (network, at) values ($1, $2)")
            .bind(range.to_string())
            .bind(now.0)
            .execute(&mut *tx.inner)
            .await?;
        query("delete from penalty_lift where at < $1")
            .bind(now.plus_ms(-LIFT_MS).0)
            .execute(&mut *tx.inner)
            .await?;
        let rows = query("select * from penalty")
            .fetch_all(&mut *tx.inner)
            .await?;
        let mut lifted = Vec::new();
        for row in &rows {
            let (network, penalty) = penalty(row)?;
            if !network.meets(range) {
                continue;
            }
            query("delete from penalty where network = $1")
                .bind(network.to_string())
                .execute(&mut *tx.inner)
                .await?;
            if now < penalty.until {
                lifted.push(network);
            }
        }
        tx.commit_unseen().await?;
        Ok(lifted)
    }

    /// Returns what an operator has lifted since the lift `after`, and the number of the last one.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn lifts_after(&self, after: i64) -> Result<(Vec<Network>, i64), Error> {
        let rows = query("select id, network from penalty_lift where id > $1 order by id")
            .bind(after)
            .fetch_all(&self.readers)
            .await?;
        let last = rows.last().map_or(Ok(after), |row| row.int("id"))?;
        let networks: Result<_, Error> = rows.iter().map(network).collect();
        Ok((networks?, last))
    }

    /// Returns from where, and when, each device's last `most` sessions began, of those from `since` on, the
    /// last one first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn last_addresses(
        &self,
        most: u32,
        since: Timestamp,
    ) -> Result<Vec<(String, Timestamp)>, Error> {
        let rows = query(LAST_ADDRESSES)
            .bind(i64::from(most))
            .bind(since.0)
            .fetch_all(&self.readers)
            .await?;
        let read = |row: &AnyRow| Ok((row.text("address")?, row.at("started_at")?));
        rows.iter().map(read).collect()
    }
}

/// By device, for the last sessions of a whole busy gateway may be those of an hour.
const LAST_ADDRESSES: &str = "select s.address, s.started_at
    from device d join session s on s.id in
        (select o.id from session o where o.device_id = d.id order by o.id desc limit $1)
    where s.started_at >= $2 order by s.id desc";

fn network(row: &AnyRow) -> Result<Network, Error> {
    let text = row.text("network")?;
    text.parse().map_err(|_| Error::Stored {
        what: "a network",
        value: text,
    })
}

fn penalty(row: &AnyRow) -> Result<(Network, Penalty), Error> {
    let penalty = Penalty {
        until: row.at("until")?,
        is_bar: row.int("bars")? != 0,
        fault: row.word("fault")?,
    };
    Ok((network(row)?, penalty))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::deliveries::tests::office;
    use crate::catalog::tree::tests::plan;
    use crate::catalog::{NewDevice, NewSession};
    use crate::model::{DeviceKind, Fault};

    #[tokio::test]
    async fn a_device_that_logs_in_all_the_time_does_not_hide_where_another_was() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, firm, quiet) = office(&folder.path().join("c.sqlite")).await;
        let name = "busy".parse().unwrap();
        let new = NewDevice {
            name: &name,
            kind: DeviceKind::Pull,
            password_hash: None,
            keys: &[],
            is_default: false,
        };
        let busy = catalog.add_device(firm, &new, Timestamp(0)).await.unwrap();
        let log_in = async |device, address: String, at| {
            let session = NewSession {
                firm,
                device,
                address: &address,
                software: "",
                credential: "password",
                access: 0,
                key_used: None,
            };
            catalog
                .begin_session(&session, Timestamp(at))
                .await
                .unwrap()
                .unwrap();
        };
        log_in(quiet, "long ago".to_owned(), 1).await;
        log_in(quiet, "quiet".to_owned(), 5).await;
        for at in 10..20 {
            log_in(busy, format!("busy {at}"), at).await;
        }

        let found = catalog.last_addresses(2, Timestamp(5)).await.unwrap();

        let expected = [("busy 19", 19), ("busy 18", 18), ("quiet", 5)];
        let expected = expected.map(|(address, at)| (address.to_owned(), Timestamp(at)));
        assert_eq!(found, expected);
        let plan = plan(&catalog, LAST_ADDRESSES).await;
        assert!(plan.contains("session_device (device_id=?)"), "{plan}");
        let all = plan
            .lines()
            .any(|step| step.starts_with("SCAN s") || step.starts_with("SCAN o"));
        assert!(!all, "{plan}");
    }

    #[tokio::test]
    async fn what_is_written_down_is_listed_until_it_is_lifted_or_passes() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&folder.path().join("catalog.sqlite"))
            .await
            .unwrap();
        let network = |text: &str| text.parse::<Network>().unwrap();
        let penalty = |until, is_bar| Penalty {
            until: Timestamp(until),
            is_bar,
            fault: Fault::Refused,
        };
        let (one, other, third) = (
            (network("192.0.2.7"), penalty(50, true)),
            (network("2001:db8::/64"), penalty(90, false)),
            (network("192.0.2.8"), penalty(10, true)),
        );
        let put = [one, other, third].map(|(network, penalty)| (network, Some(penalty)));
        catalog.put_penalties(&put).await.unwrap();
        catalog
            .put_penalties(&[(one.0, Some(penalty(60, true)))])
            .await
            .unwrap();
        let one = (one.0, penalty(60, true));
        assert_eq!(catalog.penalties().await.unwrap(), [other, one, third]);
        assert_eq!(catalog.lifts_after(0).await.unwrap(), (vec![], 0));

        // What has passed is gone too, but was nothing to lift.
        let range = network("192.0.2.0/24");
        let lifted = catalog.lift_penalties(&range, Timestamp(20)).await.unwrap();

        assert_eq!(lifted, [one.0]);
        assert_eq!(catalog.penalties().await.unwrap(), [other]);
        assert_eq!(catalog.lifts_after(0).await.unwrap(), (vec![range], 1));
        assert_eq!(catalog.lifts_after(1).await.unwrap(), (vec![], 1));
        catalog.put_penalties(&[(other.0, None)]).await.unwrap();
        assert_eq!(catalog.penalties().await.unwrap(), []);

        let later = Timestamp(21 + LIFT_MS);
        catalog.lift_penalties(&other.0, later).await.unwrap();
        assert_eq!(catalog.lifts_after(0).await.unwrap(), (vec![other.0], 2));
    }
}
