//! What becomes of each key of the configuration when it is read again while the server runs?

use super::Config;

/// When a key that has changed counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// As soon as it is read again.
    AtOnce,
    /// For connections that begin after that. What is open goes on as it began.
    NewConnections,
    /// When the server is started again; until then it stays as it is.
    Restart,
    /// The server does not use it; each command reads it.
    Commands,
}

impl When {
    /// Returns how the documentation says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtOnce => "at once",
            Self::NewConnections => "new connections",
            Self::Restart => "needs a restart",
            Self::Commands => "commands only",
        }
    }
}

/// A key, when it counts, and whether two configurations have the same.
struct Rule(&'static str, When, fn(&Config, &Config) -> bool);

use When::{AtOnce, Commands, NewConnections, Restart};

#[rustfmt::skip]
const RULES: &[Rule] = &[
    Rule("data",                        Restart,        |a, b| a.data == b.data),
    Rule("profiles",                    NewConnections, |a, b| a.profiles == b.profiles),
    Rule("time_zone",                   NewConnections, |a, b| a.time_zone == b.time_zone),
    Rule("sftp.listen",                 Restart,        |a, b| a.sftp.listen == b.sftp.listen),
    Rule("sftp.host_keys",              NewConnections, |a, b| a.sftp.host_keys == b.sftp.host_keys),
    Rule("sftp.algorithms",             NewConnections, |a, b| a.sftp.algorithms == b.sftp.algorithms),
    Rule("sftp.rekey_bytes",            NewConnections, |a, b| a.sftp.rekey_bytes == b.sftp.rekey_bytes),
    Rule("sftp.rekey_seconds",          NewConnections, |a, b| a.sftp.rekey_seconds == b.sftp.rekey_seconds),
    Rule("sftp.sessions_per_device",  NewConnections, |a, b| a.sftp.sessions_per_device == b.sftp.sessions_per_device),
    Rule("sftp.idle_seconds",         NewConnections, |a, b| a.sftp.idle_seconds == b.sftp.idle_seconds),
    Rule("sftp.keepalive_seconds",    NewConnections, |a, b| a.sftp.keepalive_seconds == b.sftp.keepalive_seconds),
    Rule("sftp.declared",               NewConnections, |a, b| a.sftp.declared == b.sftp.declared),
    Rule("guard.startups",              NewConnections, |a, b| a.guard.startups == b.guard.startups),
    Rule("guard.grace_seconds",         NewConnections, |a, b| a.guard.grace_seconds == b.guard.grace_seconds),
    Rule("guard.network_startups_max",  NewConnections, |a, b| a.guard.network_startups_max == b.guard.network_startups_max),
    Rule("guard.network_bits",          Restart,        |a, b| a.guard.network_bits == b.guard.network_bits),
    Rule("guard.exempt",                NewConnections, |a, b| a.guard.exempt == b.guard.exempt),
    Rule("guard.proxies",               NewConnections, |a, b| a.guard.proxies == b.guard.proxies),
    Rule("guard.penalties",             AtOnce,         |a, b| a.guard.penalties == b.guard.penalties),
    Rule("ingest.declared",             Commands,       |a, b| a.ingest == b.ingest),
    Rule("drop.root",                   AtOnce,         |a, b| a.drop.root == b.drop.root),
    Rule("drop.watch",                  AtOnce,         |a, b| a.drop.watch == b.drop.watch),
    Rule("drop.settle_ms",              AtOnce,         |a, b| a.drop.settle_ms == b.drop.settle_ms),
    Rule("drop.rescan_seconds",         AtOnce,         |a, b| a.drop.rescan_seconds == b.drop.rescan_seconds),
    Rule("drop.poll_seconds",           AtOnce,         |a, b| a.drop.poll_seconds == b.drop.poll_seconds),
    Rule("drop.declared",               AtOnce,         |a, b| a.drop.declared == b.drop.declared),
    Rule("uploads.file_bytes_max",      NewConnections, |a, b| a.uploads.file_bytes_max == b.uploads.file_bytes_max),
    Rule("uploads.firm_day_bytes_max",  NewConnections, |a, b| a.uploads.firm_day_bytes_max == b.uploads.firm_day_bytes_max),
    Rule("uploads.firm_day_files_max",  NewConnections, |a, b| a.uploads.firm_day_files_max == b.uploads.firm_day_files_max),
    Rule("webhooks.allow",              AtOnce,         |a, b| a.webhooks.allow == b.webhooks.allow),
    Rule("webhooks.roots",              AtOnce,         |a, b| a.webhooks.roots == b.webhooks.roots),
    Rule("alarms.uncollected",          AtOnce,         |a, b| a.alarms.uncollected == b.alarms.uncollected),
    Rule("alarms.unseen",               AtOnce,         |a, b| a.alarms.unseen == b.alarms.unseen),
    Rule("disk.keep_free_bytes",        AtOnce,         |a, b| a.disk == b.disk),
    Rule("metrics.listen",              Restart,        |a, b| a.metrics.listen == b.metrics.listen),
    Rule("metrics.public",              Restart,        |a, b| a.metrics.public == b.metrics.public),
    Rule("log.format",                  Restart,        |a, b| a.log.format == b.log.format),
    Rule("log.level",                   AtOnce,         |a, b| a.log.level == b.log.level),
];

impl Config {
    /// Returns which keys `next` has otherwise, and when each counts.
    pub fn changes(&self, next: &Self) -> Vec<(&'static str, When)> {
        let changed = RULES.iter().filter(|Rule(_, _, same)| !same(self, next));
        changed.map(|&Rule(key, when, _)| (key, when)).collect()
    }

    /// Returns what of `next` can count while this one runs: what needs a restart stays as it is.
    #[must_use]
    pub fn renewed_by(&self, next: Self) -> Self {
        let mut renewed = next;
        if renewed.data != self.data {
            // What lies in the data folder stays with it.
            renewed.drop.root.clone_from(&self.drop.root);
            renewed.data.clone_from(&self.data);
        }
        renewed.sftp.listen = self.sftp.listen;
        // Penalties stand under networks of this size.
        renewed.guard.network_bits = self.guard.network_bits;
        renewed.metrics = self.metrics;
        renewed.log.format = self.log.format;
        renewed
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::config::variables;

    fn parse(text: &str) -> Config {
        Config::parse(text, Path::new("/etc/sluis")).unwrap()
    }

    #[test]
    fn every_key_has_its_rule_and_its_row_in_the_documentation() {
        let known: BTreeSet<_> = variables::names().collect();
        let ruled: BTreeSet<_> = RULES
            .iter()
            .map(|Rule(key, ..)| (*key).to_owned())
            .collect();
        assert_eq!(known, ruled, "each key of config/sluis.toml, once");

        let text = include_str!("../../docs/operations.md");
        let row = |Rule(key, when, _): &Rule| format!("\n| `{key}` | {} |", when.as_str());
        let missing: Vec<_> = RULES
            .iter()
            .map(row)
            .filter(|row| !text.contains(row))
            .collect();
        assert_eq!(missing, Vec::<String>::new(), "docs/operations.md, Reload");
    }

    #[test]
    fn what_needs_a_restart_stays_and_is_named() {
        let old = parse("");
        let next = parse(
            "data = 'elsewhere'\n[sftp]\nlisten = '[::]:22'\nalgorithms = 'legacy'\n[drop]\nsettle_ms = 9000\n[log]\nformat = 'json'\nlevel = 'debug'\n",
        );

        let renewed = old.renewed_by(next.clone());

        assert_eq!(
            old.changes(&next),
            [
                ("data", Restart),
                ("sftp.listen", Restart),
                ("sftp.algorithms", NewConnections),
                ("drop.root", AtOnce),
                ("drop.settle_ms", AtOnce),
                ("log.format", Restart),
                ("log.level", AtOnce),
            ]
        );
        let still: Vec<_> = renewed
            .changes(&next)
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(still, ["data", "sftp.listen", "drop.root", "log.format"]);
        assert_eq!(renewed.drop.root, old.drop.root);
        assert_eq!(renewed.log.level, "debug");
        assert_eq!(old.changes(&old.clone()), []);
    }
}
