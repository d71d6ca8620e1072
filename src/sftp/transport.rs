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
    fn a_peer_that_takes_nothing_or_answers_nothing_is_not_waited_for() {
        let config = config(1, 1, 60);

        assert_eq!(config.inactivity_timeout, Some(Duration::from_secs(900)));
        assert_eq!(config.keepalive_max, 3);
        assert_eq!(config.max_auth_attempts, LOGINS_PER_CONNECTION_MAX);
    }
}
