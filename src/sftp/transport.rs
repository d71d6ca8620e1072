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
    use super::*;

    #[test]
    fn whatever_was_decided_no_key_lasts_longer_than_it_may_and_no_dead_peer_is_unseen() {
        let transport = Transport {
            keys: HostKeys(Vec::new()),
            algorithms: Algorithms::Modern,
            rekey_bytes: usize::MAX,
            rekey_after: Duration::MAX,
            keepalive: Duration::MAX,
            idle: Duration::MAX,
        };

        let config = transport.config();

        let limits = config.limits;
        assert_eq!(limits.rekey_write_limit, REKEY_BYTES_MAX);
        assert_eq!(limits.rekey_read_limit, REKEY_BYTES_MAX);
        assert_eq!(limits.rekey_time_limit, REKEY_MAX);
        let most = Duration::from_secs(KEEPALIVE_SECONDS_MAX.into());
        assert_eq!(config.keepalive_interval, Some(most));
        assert_eq!(config.inactivity_timeout, Some(SILENCE_MAX));
        assert_eq!(config.max_auth_attempts, LOGINS_PER_CONNECTION_MAX);
    }
}
