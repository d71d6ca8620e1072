//! Which rules does every connection follow?

use std::time::Duration;

use russh::server::Config;
use russh::{Limits, SshId};

use super::admission::methods;
use super::algorithms::Algorithms;
use super::limits::{
    KEEPALIVE_SECONDS_MAX, LOGINS_PER_CONNECTION_MAX, REKEY_BYTES_MAX, REKEY_MAX, SILENCE_MAX,
    UNANSWERED_MAX,
};
use super::listen::HostKeys;
use super::pace::STEP;

/// What the operator has decided about the transport.
pub struct Transport {
    /// The server's keys.
    pub keys: HostKeys,
    /// Which algorithms are offered.
    pub algorithms: Algorithms,
    /// After how many bytes in either direction keys are exchanged anew; a gigabyte at most.
    pub rekey_bytes: usize,
    /// After how long keys are exchanged anew; an hour at most.
    pub rekey_after: Duration,
    /// After how long without a word a peer is asked whether it is there; five minutes at most.
    pub keepalive: Duration,
    /// How long a session may stay without asking for anything.
    pub idle: Duration,
}

impl Transport {
    /// Returns it as the library wants it.
    pub(super) fn config(self) -> Config {
        let rekey = self.rekey_bytes.min(REKEY_BYTES_MAX);
        Config {
            server_id: SshId::Standard(concat!("SSH-2.0-Sluis_", env!("CARGO_PKG_VERSION")).into()),
            methods: methods(),
            // What the library refuses by itself. Our own refusals take their time in `pace`.
            auth_rejection_time: STEP,
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys: self.keys.0,
            limits: Limits {
                rekey_write_limit: rekey,
                rekey_read_limit: rekey,
                rekey_time_limit: self.rekey_after.min(REKEY_MAX),
            },
            preferred: self.algorithms.preferred(),
            max_auth_attempts: LOGINS_PER_CONNECTION_MAX,
            inactivity_timeout: Some(SILENCE_MAX),
            keepalive_interval: Some(
                self.keepalive
                    .min(Duration::from_secs(KEEPALIVE_SECONDS_MAX.into())),
            ),
            keepalive_max: UNANSWERED_MAX,
            event_buffer_size: 32,
            nodelay: true,
            ..Config::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use russh::keys::{Algorithm, PrivateKey, PublicKeyOrCertificate};
    use russh::{client, server};
    use tokio::io::{copy_bidirectional, duplex};
    use tokio::time::Instant;

    use super::*;

    fn config(rekey_bytes: usize, rekey_seconds: u64, keepalive_seconds: u64) -> Config {
        let transport = Transport {
            keys: HostKeys(Vec::new()),
            algorithms: Algorithms::default(),
            rekey_bytes,
            rekey_after: Duration::from_secs(rekey_seconds),
            keepalive: Duration::from_secs(keepalive_seconds),
            idle: Duration::from_secs(1),
        };
        transport.config()
    }

    #[test]
    fn an_operator_makes_bounds_narrower_and_never_wider() {
        for (asked, told) in [(u64::MAX, 3600), (3601, 3600), (3600, 3600), (60, 60)] {
            let limit = config(1, asked, 1).limits.rekey_time_limit;
            assert_eq!(limit, Duration::from_secs(told));
        }
        for (asked, told) in [(usize::MAX, REKEY_BYTES_MAX), (65_536, 65_536)] {
            let limits = config(asked, 1, 1).limits;
            assert_eq!(limits.rekey_read_limit, told);
            assert_eq!(limits.rekey_write_limit, told);
        }
        for (asked, told) in [(301, 300), (300, 300), (1, 1)] {
            let interval = config(1, 1, asked).keepalive_interval;
            assert_eq!(interval, Some(Duration::from_secs(told)));
        }
    }

    #[test]
    fn an_honest_client_that_offers_a_wrong_key_is_not_held_up_by_the_library() {
        let config = config(1, 1, 1);

        assert_eq!(config.auth_rejection_time, STEP);
        assert_eq!(config.auth_rejection_time_initial, Some(Duration::ZERO));
    }

    struct Anybody;

    impl server::Handler for Anybody {
        type Error = russh::Error;
    }

    impl client::Handler for Anybody {
        type Error = russh::Error;

        async fn check_server_key(
            &mut self,
            _: &PublicKeyOrCertificate,
        ) -> Result<bool, Self::Error> {
            Ok(true)
        }
    }

    /// For how long a connection stays over a line that holds so many bytes and, once keys are exchanged, carries
    /// nothing more in either direction, and how it ends.
    async fn outlives_its_line_by(line_bytes: usize) -> (Duration, Result<(), russh::Error>) {
        let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519);
        let config = Config {
            keys: vec![key.unwrap()],
            ..config(REKEY_BYTES_MAX, 3600, KEEPALIVE_SECONDS_MAX.into())
        };
        let (peer, mut near) = duplex(line_bytes);
        let (mut far, server) = duplex(line_bytes);
        let serving = tokio::spawn(async move {
            server::run_stream(Arc::new(config), server, Anybody)
                .await?
                .await
        });
        let (goes_dead, dead) = tokio::sync::oneshot::channel::<()>();
        let line = tokio::spawn(async move {
            tokio::select! {
                ended = copy_bidirectional(&mut near, &mut far) => panic!("{ended:?}"),
                _ = dead => (near, far),
            }
        });
        let talking = client::connect_stream(Arc::default(), peer, Anybody).await;
        let mut talking = talking.unwrap();
        // Its answer comes when keys are exchanged.
        talking.authenticate_none("anybody").await.unwrap();

        let silent_since = Instant::now();
        goes_dead.send(()).unwrap();
        let _held_open = line.await.unwrap();
        let ended = serving.await.unwrap();

        (silent_since.elapsed(), ended)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_is_silent_is_gone_at_the_end_of_its_time_whether_its_line_has_room_or_none()
     {
        for line_bytes in [64 * 1024, 1] {
            let (lasted, ended) = outlives_its_line_by(line_bytes).await;

            assert!(
                matches!(ended, Err(russh::Error::InactivityTimeout)),
                "{ended:?} after {lasted:?}"
            );
            assert!(
                lasted.abs_diff(SILENCE_MAX) < Duration::from_secs(1),
                "{lasted:?}"
            );
        }
    }

    #[test]
    fn a_peer_that_takes_nothing_or_answers_nothing_is_not_waited_for() {
        let config = config(1, 1, 60);

        assert_eq!(config.inactivity_timeout, Some(Duration::from_secs(900)));
        assert_eq!(config.keepalive_max, 3);
        assert_eq!(config.max_auth_attempts, LOGINS_PER_CONNECTION_MAX);
    }
}
