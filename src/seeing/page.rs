//! How is what was counted told to Prometheus?
//!
//! Its text format 0.0.4. A label holds the name of a firm or a device, the number of a webhook, or one of
//! the words that stand here: no name of a party, a file or a dossier.

use std::fmt::Display;

use crate::catalog::{WaitingDevice, WaitingWebhook};
use crate::counts::{BOUNDS_US, Counts, Histogram};
use crate::model::Timestamp;

/// What a page is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What one name on the page means.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// What it says.
    pub help: &'static str,
}

/// Everything on the page, in its order.
#[rustfmt::skip]
pub const METRICS: &[Metric] = &[
    Metric { name: "sluis_build_info", kind: "gauge", help: "Always 1; which version runs." },
    Metric { name: "process_start_time_seconds", kind: "gauge", help: "When the program was started, in seconds since 1970." },
    Metric { name: "process_resident_memory_bytes", kind: "gauge", help: "Memory that the program holds." },
    Metric { name: "process_open_fds", kind: "gauge", help: "File descriptors that are open." },
    Metric { name: "sluis_ready", kind: "gauge", help: "1 if devices can log in and all can be written down, else 0." },
    Metric { name: "sluis_catalog_up", kind: "gauge", help: "1 if the catalog said in time what waits; else 0, and what waits is missing here." },
    Metric { name: "sluis_sessions", kind: "gauge", help: "Connections that are logged in." },
    Metric { name: "sluis_logins_total", kind: "counter", help: "Logins, by result; each refused key or password is one." },
    Metric { name: "sluis_connections_turned_away_total", kind: "counter", help: "Connections that were turned away before their login, by reason." },
    Metric { name: "sluis_network_receive_bytes_total", kind: "counter", help: "Bytes of SSH that came in." },
    Metric { name: "sluis_network_transmit_bytes_total", kind: "counter", help: "Bytes of SSH that went out." },
    Metric { name: "sluis_documents_total", kind: "counter", help: "Documents that the server took in, by outcome." },
    Metric { name: "sluis_ingest_seconds", kind: "histogram", help: "Time until what came together, an upload or a batch of dropped files, was safe." },
    Metric { name: "sluis_deliveries_marked_total", kind: "counter", help: "Deliveries that devices read, collected or processed." },
    Metric { name: "sluis_mark_seconds", kind: "histogram", help: "Time until a mark was written down." },
    Metric { name: "sluis_deliveries_waiting", kind: "gauge", help: "Deliveries that a device has not collected." },
    Metric { name: "sluis_deliveries_oldest_age_seconds", kind: "gauge", help: "For how long the oldest of them has waited; missing where none waits." },
    Metric { name: "sluis_webhook_events_waiting", kind: "gauge", help: "Events that a webhook has not dealt with." },
    Metric { name: "sluis_webhook_oldest_age_seconds", kind: "gauge", help: "How long ago the oldest of them happened; missing where none waits." },
    Metric { name: "sluis_webhook_dead_letters", kind: "gauge", help: "Events that a webhook could not be told, and that are tried no more." },
    Metric { name: "sluis_disk_size_bytes", kind: "gauge", help: "Size of the file system of the data folder." },
    Metric { name: "sluis_disk_used_bytes", kind: "gauge", help: "What is used of it." },
    Metric { name: "sluis_disk_free_bytes", kind: "gauge", help: "What the program may still use of it." },
];

/// The largest number of devices, and of webhooks, that have lines of their own. The rest are summed up under
/// [`OTHERS`], with the age of the oldest.
pub(super) const LABELLED_MAX: usize = 1000;

/// Under which name the rest is summed up: a firm or device cannot be called so.
pub(super) const OTHERS: &str = "_others";

/// What waits, as the catalog said.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    /// For each device.
    pub(super) devices: Vec<WaitingDevice>,
    /// For each webhook.
    pub(super) webhooks: Vec<WaitingWebhook>,
}

/// The file system of the data folder, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Disk {
    /// All of it.
    pub(super) size: u64,
    /// What is used.
    pub(super) used: u64,
    /// What the program may use.
    pub(super) free: u64,
}

/// What is not counted but looked up.
#[derive(Debug, Clone, Default)]
pub(super) struct Looked {
    /// Whether the server can do its work.
    pub(super) is_ready: bool,
    /// What waits, if the catalog said so in time.
    pub(super) waiting: Option<Waiting>,
    /// The disk, if it could be asked.
    pub(super) disk: Option<Disk>,
    /// Memory that the program holds, in bytes.
    pub(super) memory: Option<u64>,
    /// How many file descriptors are open.
    pub(super) descriptors: Option<u64>,
}

/// Returns the page.
pub(super) fn page(counts: &Counts, looked: &Looked, begun: Timestamp, now: Timestamp) -> String {
    let mut page = Page(String::with_capacity(8192));
    let version = env!("CARGO_PKG_VERSION");
    page.family("sluis_build_info");
    page.sample("sluis_build_info", &[("version", version)], 1);
    page.one("process_start_time_seconds", seconds(begun.0));
    page.one_if("process_resident_memory_bytes", looked.memory);
    page.one_if("process_open_fds", looked.descriptors);
    page.one("sluis_ready", u8::from(looked.is_ready));
    page.one("sluis_catalog_up", u8::from(looked.waiting.is_some()));
    page.counted(counts);
    if let Some(waiting) = &looked.waiting {
        page.devices(&waiting.devices, now);
        page.webhooks(&waiting.webhooks, now);
    }
    if let Some(disk) = looked.disk {
        page.one("sluis_disk_size_bytes", disk.size);
        page.one("sluis_disk_used_bytes", disk.used);
        page.one("sluis_disk_free_bytes", disk.free);
    }
    page.0
}

struct Page(String);

type Labels<'a> = [(&'a str, &'a str)];

impl Page {
    /// Says what a name means, before its first line.
    fn family(&mut self, name: &str) {
        for metric in METRICS.iter().filter(|metric| metric.name == name) {
            let Metric { name, kind, help } = metric;
            self.line(&format!("# HELP {name} {help}"));
            self.line(&format!("# TYPE {name} {kind}"));
        }
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn sample(&mut self, name: &str, labels: &Labels<'_>, value: impl Display) {
        self.0.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let value = escaped(value);
            self.0.push_str(&format!("{before}{label}=\"{value}\""));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        self.line(&format!(" {value}"));
    }

    fn one(&mut self, name: &str, value: impl Display) {
        self.family(name);
        self.sample(name, &[], value);
    }

    fn one_if(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.one(name, value);
        }
    }

    /// Samples that differ in one label.
    fn by(&mut self, name: &str, label: &str, values: &[(&str, u64)]) {
        self.family(name);
        for (word, value) in values {
            self.sample(name, &[(label, word)], value);
        }
    }

    fn counted(&mut self, counts: &Counts) {
        self.one("sluis_sessions", counts.sessions());
        let logins = [
            ("accepted", counts.sessions_begun.read()),
            ("key_refused", counts.keys_refused.read()),
            ("password_refused", counts.passwords_refused.read()),
            ("failed", counts.logins_failed.read()),
        ];
        self.by("sluis_logins_total", "result", &logins);
        let turned = [
            ("startups", counts.turned_startups.read()),
            ("network", counts.turned_network.read()),
            ("barred", counts.turned_barred.read()),
        ];
        self.by("sluis_connections_turned_away_total", "reason", &turned);
        let (received, sent) = (&counts.received_bytes, &counts.sent_bytes);
        self.one("sluis_network_receive_bytes_total", received.read());
        self.one("sluis_network_transmit_bytes_total", sent.read());
        let documents = [
            ("kept", counts.documents_kept.read()),
            ("held", counts.documents_held.read()),
            ("recognised", counts.documents_recognised.read()),
            ("quarantined", counts.documents_quarantined.read()),
        ];
        self.by("sluis_documents_total", "outcome", &documents);
        self.histogram("sluis_ingest_seconds", &counts.ingests);
        let marked = [
            ("read", counts.deliveries_read.read()),
            ("collected", counts.deliveries_collected.read()),
            ("processed", counts.deliveries_processed.read()),
        ];
        self.by("sluis_deliveries_marked_total", "state", &marked);
        self.histogram("sluis_mark_seconds", &counts.marks);
    }

    fn histogram(&mut self, name: &str, histogram: &Histogram) {
        let (counts, all, sum) = histogram.read();
        self.family(name);
        let bucket = format!("{name}_bucket");
        for (bound, count) in BOUNDS_US.iter().zip(counts) {
            let bound = std::time::Duration::from_micros(*bound).as_secs_f64();
            self.sample(&bucket, &[("le", &bound.to_string())], count);
        }
        self.sample(&bucket, &[("le", "+Inf")], all);
        self.sample(&format!("{name}_sum"), &[], sum);
        self.sample(&format!("{name}_count"), &[], all);
    }

    fn devices(&mut self, devices: &[WaitingDevice], now: Timestamp) {
        let rows = devices.iter().map(|row| Row {
            labels: [row.firm.as_str().to_owned(), row.device.as_str().to_owned()],
            count: row.count,
            oldest: row.oldest,
            dead: 0,
        });
        let rows = few(rows.collect());
        let label = |row: &Row| {
            [
                ("firm", row.labels[0].clone()),
                ("device", row.labels[1].clone()),
            ]
        };
        let (waiting, age) = (
            "sluis_deliveries_waiting",
            "sluis_deliveries_oldest_age_seconds",
        );
        self.rows(waiting, &rows, label, |row| Some(row.count.to_string()));
        self.rows(age, &rows, label, |row| row.age(now));
    }

    fn webhooks(&mut self, webhooks: &[WaitingWebhook], now: Timestamp) {
        let rows = webhooks.iter().map(|row| Row {
            labels: [row.firm.as_str().to_owned(), row.webhook.to_string()],
            count: row.count,
            oldest: row.oldest,
            dead: row.dead,
        });
        let rows = few(rows.collect());
        let label = |row: &Row| {
            [
                ("firm", row.labels[0].clone()),
                ("webhook", row.labels[1].clone()),
            ]
        };
        let (waiting, age) = (
            "sluis_webhook_events_waiting",
            "sluis_webhook_oldest_age_seconds",
        );
        self.rows(waiting, &rows, label, |row| Some(row.count.to_string()));
        self.rows(age, &rows, label, |row| row.age(now));
        self.rows("sluis_webhook_dead_letters", &rows, label, |row| {
            Some(row.dead.to_string())
        });
    }

    fn rows(
        &mut self,
        name: &str,
        rows: &[Row],
        label: impl Fn(&Row) -> [(&'static str, String); 2],
        value: impl Fn(&Row) -> Option<String>,
    ) {
        self.family(name);
        for row in rows {
            let Some(value) = value(row) else { continue };
            let [one, other] = label(row);
            let labels = [(one.0, one.1.as_str()), (other.0, other.1.as_str())];
            self.sample(name, &labels, value);
        }
    }
}

/// What waits, under one pair of labels.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    labels: [String; 2],
    count: u64,
    oldest: Option<Timestamp>,
    dead: u64,
}

impl Row {
    fn age(&self, now: Timestamp) -> Option<String> {
        let ms = now.0.saturating_sub(self.oldest?.0).max(0);
        Some(seconds(ms))
    }
}

/// Returns the [`LABELLED_MAX`] rows that have waited longest as they are, and the rest as one.
fn few(mut rows: Vec<Row>) -> Vec<Row> {
    if rows.len() <= LABELLED_MAX {
        return rows;
    }
    rows.sort_by_key(|row| (row.oldest.is_none(), row.oldest));
    let rest = rows.split_off(LABELLED_MAX);
    rows.push(Row {
        labels: [OTHERS.to_owned(), OTHERS.to_owned()],
        count: rest.iter().map(|row| row.count).sum(),
        oldest: rest.iter().filter_map(|row| row.oldest).min(),
        dead: rest.iter().map(|row| row.dead).sum(),
    });
    rows
}

/// Milliseconds as seconds, without the faults of binary fractions.
fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000))
}

/// Returns what stands for `value` between quotes.
fn escaped(value: &str) -> String {
    value
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WebhookId;

    const NOW: Timestamp = Timestamp(1_767_225_600_000);

    fn device(at: usize, count: u64, waited_ms: Option<i64>) -> WaitingDevice {
        WaitingDevice {
            firm: "kantoor".parse().unwrap(),
            device: format!("pc-{at}").parse().unwrap(),
            count,
            oldest: waited_ms.map(|ms| NOW.plus_ms(-ms)),
        }
    }

    fn told(waiting: Waiting) -> String {
        let looked = Looked {
            is_ready: true,
            waiting: Some(waiting),
            disk: Some(Disk {
                size: 3,
                used: 1,
                free: 2,
            }),
            memory: Some(4096),
            descriptors: Some(9),
        };
        page(&Counts::default(), &looked, NOW, NOW)
    }

    #[test]
    fn every_metric_is_on_the_page_once_with_what_it_means() {
        let page = told(Waiting::default());

        for Metric { name, kind, help } in METRICS {
            let head = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
            assert_eq!(page.matches(&head).count(), 1, "{name}\n{page}");
        }
        assert_eq!(page.matches("# TYPE ").count(), METRICS.len());
    }

    #[test]
    fn names_and_units_are_as_prometheus_wants_them() {
        for Metric { name, kind, help } in METRICS {
            assert_eq!(*kind == "counter", name.ends_with("_total"), "{name}");
            assert!(!name.contains("_ms") && !name.contains("_kib"), "{name}");
            assert!(help.ends_with('.') && !help.contains('\n'), "{name}");
        }
    }

    #[test]
    fn a_device_shows_what_waits_and_since_when_and_one_without_has_no_age() {
        let page = told(Waiting {
            devices: vec![device(1, 3, Some(61_500)), device(2, 0, None)],
            webhooks: vec![WaitingWebhook {
                firm: "kantoor".parse().unwrap(),
                webhook: WebhookId(7),
                count: 2,
                oldest: Some(NOW.plus_ms(-1)),
                dead: 1,
            }],
        });

        for line in [
            "sluis_deliveries_waiting{firm=\"kantoor\",device=\"pc-1\"} 3\n",
            "sluis_deliveries_waiting{firm=\"kantoor\",device=\"pc-2\"} 0\n",
            "sluis_deliveries_oldest_age_seconds{firm=\"kantoor\",device=\"pc-1\"} 61.500\n",
            "sluis_webhook_events_waiting{firm=\"kantoor\",webhook=\"7\"} 2\n",
            "sluis_webhook_oldest_age_seconds{firm=\"kantoor\",webhook=\"7\"} 0.001\n",
            "sluis_webhook_dead_letters{firm=\"kantoor\",webhook=\"7\"} 1\n",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
        assert!(!page.contains("age_seconds{firm=\"kantoor\",device=\"pc-2\"}"));
    }

    #[test]
    fn one_device_past_the_limit_is_summed_up_with_those_that_waited_least() {
        let all = LABELLED_MAX + 1;
        let waited = |at: usize| i64::try_from(at).unwrap() + 1;
        let devices = (0..all).map(|at| device(at, 2, Some(waited(at) * 1000)));

        let page = told(Waiting {
            devices: devices.collect(),
            webhooks: Vec::new(),
        });

        let lines = page.matches("\nsluis_deliveries_waiting{").count();
        assert_eq!(lines, LABELLED_MAX + 1);
        let others = "{firm=\"_others\",device=\"_others\"}";
        assert!(page.contains(&format!("sluis_deliveries_waiting{others} 2\n")));
        assert!(page.contains(&format!(
            "sluis_deliveries_oldest_age_seconds{others} 1.000\n"
        )));
        assert!(!page.contains("\"pc-0\""));
    }

    #[test]
    fn where_the_catalog_does_not_answer_nothing_is_made_up() {
        let page = page(&Counts::default(), &Looked::default(), NOW, NOW);

        assert!(page.contains("\nsluis_catalog_up 0\n"));
        assert!(page.contains("\nsluis_ready 0\n"));
        assert!(!page.contains("sluis_deliveries_waiting"));
        assert!(!page.contains("sluis_disk"));
    }

    #[test]
    fn a_label_cannot_break_its_line() {
        assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }
}
