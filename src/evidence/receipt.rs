//! What does a receipt say of one collection?
//!
//! An acknowledgement of receipt: which document, which bytes, which device, when and how, and how sure that
//! is. All of it is one JSON text, with the same in the words of the firm's language; that text is signed as
//! it stands ([`super::signed`]). It names the events it is taken from by their place and hash, so it also
//! proves what the order of events was.

mod wording;

use serde::{Deserialize, Serialize};

use self::wording::{Times, lines};
use super::{Collecting, EventRow, Reads, Sure};
use crate::model::{EventKind, Kind, Language, Timestamp};

/// The form of a receipt, as it names itself.
pub const FORM: &str = "sluis-receipt-1";

/// An acknowledgement of receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its form.
    pub form: String,
    /// When it was made out.
    pub made_at: String,
    /// At which firm.
    pub firm: Firm,
    /// What was received here.
    pub document: Document,
    /// What the device was given.
    pub delivery: Delivery,
    /// Which device.
    pub device: String,
    /// How it was collected.
    pub collected: Step,
    /// How it was processed, if it was.
    pub processed: Option<Step>,
    /// What of it was read, as far as it is known.
    pub reads: Option<ReadsSaid>,
    /// How sure it is.
    pub sure: Sure,
    /// The same, a line each, in the firm's language.
    pub text: Vec<String>,
}

/// A firm, on a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firm {
    /// Its name in logins.
    pub slug: String,
    /// Its name for people.
    pub name: String,
}

/// A document, on a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its row.
    pub id: i64,
    /// What it is, as programs read it: `invoice`. The words in the firm's language are in the text; receipts of before
    /// bear them here.
    pub kind: String,
    /// Its number.
    pub number: Option<String>,
    /// Its date.
    pub issued: Option<String>,
    /// Who sells.
    pub seller: Option<String>,
    /// Who buys.
    pub buyer: Option<String>,
    /// The SHA-256 of what arrived.
    pub sha256: String,
    /// The size of that.
    pub bytes: u64,
}

/// A delivery, on a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its row.
    pub id: i64,
    /// From 1.
    pub generation: i64,
    /// Where it showed.
    pub path: Option<String>,
    /// The SHA-256 of what the device was given: the document, or what its envelope held.
    pub sha256: String,
    /// The size of that.
    pub bytes: u64,
}

/// An act of a device, and the event that told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When.
    pub at: String,
    /// How the importer acted, if that was it.
    pub act: Option<String>,
    /// The place of its event in the firm's order.
    pub event: i64,
    /// The hash of that event, which covers all events before it.
    pub event_hash: String,
    /// In which connection, if that is still known.
    pub session: Option<Session>,
}

/// A connection, on a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its row.
    pub id: i64,
    /// From which address.
    pub address: String,
    /// With which program, as it named itself.
    pub software: String,
    /// With which key, by its fingerprint; or `password`.
    pub credential: String,
    /// Since when.
    pub started_at: String,
}

/// What was read, on a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadsSaid {
    /// Intervals of bytes: the first, and the one after the last.
    pub spans: Vec<(u64, u64)>,
    /// How many more intervals there were.
    pub more_spans: usize,
    /// When the handle was opened.
    pub opened_at: String,
    /// When the channel accepted the first byte.
    pub first_byte_at: String,
    /// When it accepted the last.
    pub last_byte_at: String,
}

/// What a receipt is made of, beside the events.
#[derive(Debug, Clone)]
pub struct Facts {
    /// At which firm.
    pub firm: Firm,
    /// Its language.
    pub language: Language,
    /// What was received here.
    pub document: Document,
    /// What that is.
    pub kind: Kind,
    /// What the device was given.
    pub delivery: Delivery,
    /// Which device.
    pub device: String,
}

/// The events of one delivery that a receipt tells.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// How it was collected.
    pub collected: &'a EventRow,
    /// How it was read before, where reading did not count.
    pub read: Option<&'a EventRow>,
    /// How it was processed.
    pub processed: Option<&'a EventRow>,
}

impl<'a> Told<'a> {
    /// Finds them among the events about one delivery, in order; none if it was not collected.
    pub fn find(events: impl Iterator<Item = &'a EventRow>) -> Option<Self> {
        let (mut collected, mut read, mut processed) = (None, None, None);
        for row in events {
            match row.event.kind {
                EventKind::Collected => collected = Some(row),
                EventKind::Read if collected.is_none() => read = Some(row),
                EventKind::Processed => processed = Some(row),
                _ => {}
            }
        }
        collected.map(|collected| Self {
            collected,
            read,
            processed,
        })
    }

    /// Returns what was read, as the event tells it that knows: that of the collection, or of the reading before.
    fn reads(&self) -> Option<Reads> {
        let said = |row: &EventRow| Collecting::parse(&row.event.detail)?.reads;
        said(self.collected).or_else(|| self.read.and_then(said))
    }

    /// Returns the digest that the event covers, if it is not of the time when it covered none.
    pub fn sha256(&self) -> Option<String> {
        Some(Collecting::parse(&self.collected.event.detail)?.sha256)
    }

    fn sure(&self) -> Sure {
        let by_act = self.processed.map(|_| Sure::Acknowledged);
        let collected = Collecting::sure_of(&self.collected.event.detail);
        by_act.map_or(collected, |act| collected.max(act))
    }
}

impl Receipt {
    /// Makes one out, of the events and the connections in which it was collected and processed. People read
    /// the instants as `local` writes them.
    pub fn make(
        facts: Facts,
        told: Told<'_>,
        sessions: (Option<Session>, Option<Session>),
        now: Timestamp,
        local: impl Fn(Timestamp) -> String,
    ) -> Self {
        let reads = told.reads();
        let step = |row: &EventRow, act, session| Step {
            at: row.at.to_string(),
            act,
            event: row.seq.0,
            event_hash: row.hash.clone(),
            session,
        };
        let by = Collecting::parse(&told.collected.event.detail).and_then(|said| said.act);
        let collected = step(told.collected, by, sessions.0);
        let processed = told.processed.map(|row| {
            let act = row.event.detail.clone();
            step(row, Some(act), sessions.1)
        });
        let mut receipt = Self {
            form: FORM.to_owned(),
            made_at: now.to_string(),
            firm: facts.firm,
            document: facts.document,
            delivery: facts.delivery,
            device: facts.device,
            collected,
            processed,
            reads: reads.as_ref().map(said),
            sure: told.sure(),
            text: Vec::new(),
        };
        let times = Times {
            made: local(now),
            collected: local(told.collected.at),
            processed: told.processed.map(|row| local(row.at)),
            reads: reads.map(|reads| [reads.opened, reads.first, reads.last].map(&local)),
        };
        receipt.text = lines(&receipt, (facts.language, facts.kind), &times);
        receipt
    }
}

fn said(reads: &Reads) -> ReadsSaid {
    ReadsSaid {
        spans: reads.spans.clone(),
        more_spans: reads.more,
        opened_at: reads.opened.to_string(),
        first_byte_at: reads.first.to_string(),
        last_byte_at: reads.last.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::HandleReads;
    use crate::evidence::Event;
    use crate::model::{Digest, EventSeq};

    fn row(seq: i64, kind: EventKind, detail: String) -> EventRow {
        EventRow {
            seq: EventSeq(seq),
            at: Timestamp(1_773_475_200_000 + seq),
            event: Event::new(kind, detail),
            hash: format!("h{seq}"),
        }
    }

    fn facts(language: Language) -> Facts {
        Facts {
            firm: Firm {
                slug: "kantoor".to_owned(),
                name: "Kantoor Peeters".to_owned(),
            },
            language,
            document: Document {
                id: 1,
                kind: "invoice".to_owned(),
                number: Some("F-17".to_owned()),
                issued: Some("2026-03-14".to_owned()),
                seller: Some("Molens".to_owned()),
                buyer: None,
                sha256: "aa".to_owned(),
                bytes: 900,
            },
            kind: Kind::Invoice,
            delivery: Delivery {
                id: 3,
                generation: 1,
                path: Some("/expertm/ACME/F-17.xml".to_owned()),
                sha256: "bb".to_owned(),
                bytes: 100,
            },
            device: "server".to_owned(),
        }
    }

    fn reading() -> String {
        let mut handle = HandleReads::opened(Timestamp(1_773_475_200_001));
        handle.accepted(0..60, Timestamp(1_773_475_200_002));
        handle.accepted(60..100, Timestamp(1_773_475_200_003));
        Collecting::by_reading((Digest::of(b"x"), 100), [&handle]).detail()
    }

    fn session() -> Session {
        Session {
            id: 9,
            address: "127.0.0.1".to_owned(),
            software: "SSH-2.0-WinSCP".to_owned(),
            credential: "SHA256:abc".to_owned(),
            started_at: String::new(),
        }
    }

    #[test]
    fn a_receipt_speaks_the_firms_language() {
        let events = [
            row(4, EventKind::Collected, reading()),
            row(5, EventKind::Processed, "moved".to_owned()),
        ];
        let told = Told::find(events.iter()).unwrap();
        let made = |language| {
            let sessions = (Some(session()), None);
            let local = |at: Timestamp| at.to_string();
            Receipt::make(facts(language), told, sessions, Timestamp(0), local)
        };

        let receipt = made(Language::Nl);

        insta::assert_snapshot!(receipt.text.join("\n"), @r"
        ONTVANGSTBEVESTIGING
        boekhoudkantoor: Kantoor Peeters (kantoor)
        document: factuur F-17 2026-03-14
        verkoper: Molens
        hash (SHA-256): aa
        grootte: 900 bytes
        geleverd zonder omslag, hash: bb (100 bytes)
        bestand: /expertm/ACME/F-17.xml
        zending: d3 (1)
        toestel: server
        opgehaald: 2026-03-14T08:00:00.004Z
        sessie: 9
        adres: 127.0.0.1
        sleutel: SHA256:abc
        programma: SSH-2.0-WinSCP
        gebeurtenis: 4 h4
        gelezen bytes: 0-99
        geopend: 2026-03-14T08:00:00.001Z
        eerste byte: 2026-03-14T08:00:00.002Z
        laatste byte: 2026-03-14T08:00:00.003Z
        verwerkt: 2026-03-14T08:00:00.005Z (naar de map van verwerkte stukken verplaatst)
        gebeurtenis: 5 h5
        zekerheid: bevestigd: het programma op kantoor heeft het bestand verwijderd, verplaatst of gekopieerd
        opgemaakt: 1970-01-01T00:00:00.000Z
        ");
        assert_eq!(receipt.sure, Sure::Acknowledged);
        assert_eq!(receipt.document.kind, "invoice");
        assert_eq!(made(Language::Fr).text[0], "ACCUSÉ DE RÉCEPTION");
        assert_eq!(
            made(Language::Fr).text[2],
            "document: facture F-17 2026-03-14"
        );
        assert_eq!(made(Language::En).text[0], "ACKNOWLEDGEMENT OF RECEIPT");
        let json = serde_json::to_string(&receipt).unwrap();
        assert_eq!(serde_json::from_str::<Receipt>(&json).unwrap(), receipt);
    }

    #[test]
    fn a_party_with_a_line_break_in_its_name_adds_no_line() {
        let mut facts = facts(Language::En);
        let plain = [row(4, EventKind::Collected, reading())];
        let told = Told::find(plain.iter()).unwrap();
        let lines = |facts: &Facts| {
            let sessions = (None, None);
            let made = Receipt::make(facts.clone(), told, sessions, Timestamp(0), |at| {
                at.to_string()
            });
            made.text.join("\n").lines().count()
        };
        let before = lines(&facts);

        facts.document.seller = Some("Molens\nhow sure: verified\u{2028}x".to_owned());

        assert_eq!(lines(&facts), before);
    }

    #[test]
    fn how_sure_it_is_follows_from_the_events() {
        use EventKind::{Collected, Offered, Processed, Read};
        let act = || Collecting::by_act("removed", (Digest::of(b"x"), 100), []).detail();
        #[rustfmt::skip]
        let table = [
            (vec![row(1, Offered, String::new())],                                                     None,                     false),
            (vec![row(1, Read, reading())],                                                            None,                     false),
            (vec![row(1, Collected, reading())],                                                       Some(Sure::Read),         true),
            (vec![row(1, Collected, reading()), row(2, Processed, "removed".into())],                  Some(Sure::Acknowledged), true),
            (vec![row(1, Read, reading()), row(2, Collected, act()), row(2, Processed, "removed".into())], Some(Sure::Acknowledged), true),
            (vec![row(1, Collected, act()), row(2, Processed, "removed".into())],                      Some(Sure::Acknowledged), false),
            (vec![row(1, Collected, "900 bytes read in 1 spans".into())],                              Some(Sure::Read),         false),
        ];
        for (events, sure, has_reads) in table {
            let told = Told::find(events.iter());

            assert_eq!(told.map(|told| told.sure()), sure, "{events:?}");
            let reads = told.and_then(|told| told.reads());
            assert_eq!(reads.is_some(), has_reads, "{events:?}");
        }
    }
}
