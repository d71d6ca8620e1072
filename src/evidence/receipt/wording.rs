//! How does a receipt read, line by line, in the firm's language?

use super::{ReadsSaid, Receipt, Step};
use crate::evidence::Sure;
use crate::model::{Kind, Language};
use crate::text::{self, Label, Phrase, label, phrase};

/// The instants as people read them.
pub(super) struct Times {
    pub(super) made: String,
    pub(super) collected: String,
    pub(super) processed: Option<String>,
    pub(super) reads: Option<[String; 3]>,
}

/// The receipt in words, a line each.
pub(super) fn lines(
    receipt: &Receipt,
    (language, kind): (Language, Kind),
    times: &Times,
) -> Vec<String> {
    let mut lines = Lines {
        language,
        lines: vec![label(language, Label::Receipt).to_uppercase()],
    };
    let (document, delivery) = (&receipt.document, &receipt.delivery);
    lines.add(
        Label::Firm,
        format!("{} ({})", receipt.firm.name, receipt.firm.slug),
    );
    let mut named = text::kind(language, kind).to_owned();
    for part in [&document.number, &document.issued].into_iter().flatten() {
        named.push_str(&format!(" {part}"));
    }
    lines.add(Label::Document, named);
    lines.add_some(Label::Seller, document.seller.clone());
    lines.add_some(Label::Buyer, document.buyer.clone());
    lines.add(Label::Digest, document.sha256.clone());
    lines.add(Label::Size, format!("{} bytes", document.bytes));
    if delivery.sha256 != document.sha256 {
        let content = format!("{} ({} bytes)", delivery.sha256, delivery.bytes);
        lines.add(Label::Content, content);
    }
    lines.add_some(Label::File, delivery.path.clone());
    lines.add(
        Label::Delivery,
        format!("d{} ({})", delivery.id, delivery.generation),
    );
    lines.add(Label::Device, receipt.device.clone());
    lines.step(Label::Collected, &times.collected, &receipt.collected);
    if let (Some(reads), Some([opened, first, last])) = (&receipt.reads, &times.reads) {
        lines.add(Label::Bytes, spans(reads));
        lines.add(Label::Opened, opened.clone());
        lines.add(Label::FirstByte, first.clone());
        lines.add(Label::LastByte, last.clone());
    }
    if let (Some(processed), Some(at)) = (&receipt.processed, &times.processed) {
        lines.step(Label::Processed, at, processed);
    }
    let sure = match receipt.sure {
        Sure::Read => Phrase::Read,
        Sure::Acknowledged => Phrase::Acknowledged,
        Sure::Verified => Phrase::Verified,
    };
    lines.add(Label::Sure, phrase(language, sure).to_owned());
    lines.add(Label::Made, times.made.clone());
    lines.lines
}

fn spans(reads: &ReadsSaid) -> String {
    let one = |(start, end): &(u64, u64)| format!("{start}-{}", end.saturating_sub(1));
    let mut told: Vec<_> = reads.spans.iter().map(one).collect();
    if reads.more_spans > 0 {
        told.push(format!("+{}", reads.more_spans));
    }
    told.join(", ")
}

/// Whether `c` ends a line though it is no control character.
fn is_line_end(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

struct Lines {
    language: Language,
    lines: Vec<String>,
}

impl Lines {
    /// Adds a line. What a sender wrote stays on it, so that it cannot pass for another.
    fn add(&mut self, what: Label, value: String) {
        let name = label(self.language, what);
        let value = value.replace(|c: char| c.is_control() || is_line_end(c), " ");
        self.lines.push(format!("{name}: {value}"));
    }

    fn add_some(&mut self, what: Label, value: Option<String>) {
        if let Some(value) = value {
            self.add(what, value);
        }
    }

    fn step(&mut self, what: Label, at: &str, step: &Step) {
        let act = step.act.as_deref().and_then(|act| match act {
            "moved" => Some(Phrase::Moved),
            "copied" => Some(Phrase::Copied),
            "removed" => Some(Phrase::Removed),
            _ => None,
        });
        let act = act.map_or_else(String::new, |act| {
            format!(" ({})", phrase(self.language, act))
        });
        self.add(what, format!("{at}{act}"));
        if let Some(session) = &step.session {
            self.add(Label::Session, session.id.to_string());
            self.add(Label::Address, session.address.clone());
            self.add(Label::Key, session.credential.clone());
            self.add(Label::Software, session.software.clone());
        }
        self.add(Label::Event, format!("{} {}", step.event, step.event_hash));
    }
}
