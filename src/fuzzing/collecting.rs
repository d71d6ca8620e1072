//! Does the collect rule conclude what its page says, whatever a device does?
//!
//! The rule of `ARCHITECTURE.md` a second time, plainly: a set of bytes is an integer of 64 bits. Each byte
//! that comes in is half of an act: what, of which handle, and in a second one where.

use crate::collect::{End, HandleReads, Progress, Verdict, judge};
use crate::model::{DeviceKind, Timestamp};

/// The document has so many bytes.
const BYTES: u64 = 48;

/// So many handles may be open at a time.
const HANDLES: usize = 4;

/// Takes the bytes as what a device does with one document.
///
/// # Panics
///
/// When more or less is believed than the rule says.
pub fn collect_ops(bytes: &[u8]) {
    let mut world = World::default();
    for act in bytes.chunks_exact(2) {
        world.act(act[0], act[1]);
        world.check();
    }
}

/// One device and one document, twice: as the program sees them, and as the rule does.
#[derive(Default)]
struct World {
    now: i64,
    progress: Progress,
    open: [Option<(HandleReads, Plain)>; HANDLES],
    believed: u64,
    broken: Vec<Plain>,
    /// Every byte that any handle was ever given.
    accepted: u64,
    has_closed: bool,
}

/// A handle as the rule sees it.
#[derive(Clone)]
struct Plain {
    opened: i64,
    ended: i64,
    starts_at: Option<u64>,
    bytes: u64,
    /// Whether another was ever open while it was.
    beside: bool,
}

impl World {
    /// The lowest two bits say of which handle, the next three what, the highest whether time goes on.
    fn act(&mut self, what: u8, place: u8) {
        self.now += i64::from(what >> 7);
        let handle = usize::from(what & 3);
        match (what >> 2) & 7 {
            0 => self.open(handle),
            1..=3 => self.read(handle, place),
            4 | 5 => self.close(handle),
            6 => self.end(handle),
            _ => self.reload(),
        }
    }

    fn open(&mut self, handle: usize) {
        let plain = Plain {
            opened: self.now,
            ended: 0,
            starts_at: None,
            bytes: 0,
            beside: false,
        };
        let reads = HandleReads::opened(Timestamp(self.now));
        self.open[handle].get_or_insert((reads, plain));
        if self.open.iter().flatten().count() > 1 {
            for (reads, plain) in self.open.iter_mut().flatten() {
                reads.note_beside();
                plain.beside = true;
            }
        }
    }

    /// Asks from `place` on; as many bytes are accepted as its highest bits say.
    fn read(&mut self, handle: usize, place: u8) {
        let Some((reads, plain)) = &mut self.open[handle] else {
            return;
        };
        let start = u64::from(place) % BYTES;
        let end = BYTES.min(start + u64::from(place >> 4));
        reads.asked(start);
        reads.accepted(start..end, Timestamp(self.now));
        plain.starts_at.get_or_insert(start);
        plain.bytes |= below(end) & !below(start);
        self.accepted |= plain.bytes;
    }

    fn close(&mut self, handle: usize) {
        let Some((reads, plain)) = self.open[handle].take() else {
            return;
        };
        self.progress.end(reads, End::Closed, Timestamp(self.now));
        self.has_closed = true;
        self.believed |= plain.bytes;
        self.vouch(plain);
    }

    /// Whoever goes on at byte X, and opened after another handle had broken, has the bytes before X; but a piece
    /// that was read beside others goes on with nothing.
    fn vouch(&mut self, closed: Plain) {
        let mut resumed = vec![closed];
        for at in (0..self.broken.len()).rev() {
            let broken = self.broken[at].clone();
            let later = |one: &&Plain| !one.beside && one.opened > broken.ended;
            let later = resumed.iter().filter(later);
            let goes_on = |at: &u64| *at > 0 && broken.bytes & (1 << (at - 1)) != 0;
            if let Some(until) = later.filter_map(|one| one.starts_at).filter(goes_on).max() {
                self.believed |= broken.bytes & below(until);
                self.broken.remove(at);
                resumed.push(broken);
            }
        }
    }

    /// The connection dies under a handle.
    fn end(&mut self, handle: usize) {
        let Some((reads, plain)) = self.open[handle].take() else {
            return;
        };
        self.progress.end(reads, End::Broken, Timestamp(self.now));
        if plain.bytes == 0 {
            return;
        }
        if self.broken.len() == crate::collect::BROKEN_MAX {
            self.broken.remove(0);
        }
        let ended = self.now;
        self.broken.push(Plain { ended, ..plain });
    }

    /// What is known is kept in the catalog between sessions.
    fn reload(&self) {
        let kept = serde_json::to_string(&self.progress).ok();
        let back = kept.and_then(|text| serde_json::from_str(&text).ok());
        assert_eq!(back.as_ref(), Some(&self.progress));
    }

    fn check(&self) {
        for length in 0..=BYTES {
            let whole = self.progress.is_whole(length);
            assert_eq!(whole, self.believed & below(length) == below(length));
            let open = || self.open.iter().flatten();
            let coverages = open().map(|(reads, _)| reads.coverage());
            let with = open().fold(self.believed, |sum, (_, plain)| sum | plain.bytes);
            let has_all = with & below(length) == below(length);
            assert_eq!(self.progress.is_whole_with(coverages, length), has_all);
        }
        assert_eq!(self.believed & !self.accepted, 0, "nothing is made up");
        assert!(
            self.has_closed || self.believed == 0,
            "a broken handle alone is not believed"
        );
        let whole = self.progress.is_whole(BYTES);
        assert_eq!(judge(DeviceKind::Pull, whole) == Verdict::Collected, whole);
        assert_ne!(judge(DeviceKind::Mount, whole), Verdict::Collected);
        let count = u64::from(self.believed.count_ones());
        assert_eq!(self.progress.believed().bytes(), count);
    }
}

/// The bytes before `end`.
fn below(end: u64) -> u64 {
    (1 << end) - 1
}
