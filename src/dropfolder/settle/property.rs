//! Is a file given out when it has been quiet, once, and in the end?

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::tests::{SETTLE_MS, seen, stamp};
use super::{RETRY_MS_MAX, Settling};
use crate::model::Timestamp;

/// What may happen to three files, and to the door.
#[derive(Debug, Clone)]
enum Act {
    Write(usize, u64),
    Remove(usize),
    Look,
    Wait(i64),
    Fail(usize),
    Postpone(usize),
    Forget(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0usize..3, 0u64..3).prop_map(|(file, version)| Act::Write(file, version)),
        (0usize..3).prop_map(Act::Remove),
        Just(Act::Look),
        Just(Act::Look),
        (0i64..3_000).prop_map(Act::Wait),
        (0usize..3).prop_map(Act::Fail),
        (0usize..3).prop_map(Act::Postpone),
        (0usize..3).prop_map(Act::Forget),
    ]
}

const NAMES: [&str; 3] = ["a.xml", "b/c.xml", "d.xml"];

/// The folder, and what is true about it: each file's version, since which look, and given out or not.
#[derive(Default)]
struct World {
    now: i64,
    files: BTreeMap<usize, u64>,
    quiet: BTreeMap<usize, (u64, i64)>,
    given: BTreeMap<usize, u64>,
    ever: BTreeMap<usize, u64>,
}

impl World {
    fn look(&mut self, settling: &mut Settling) -> Result<(), TestCaseError> {
        self.quiet
            .retain(|file, (version, _)| self.files.get(file) == Some(version));
        self.given
            .retain(|file, version| self.files.get(file) == Some(version));
        for (&file, &version) in &self.files {
            self.quiet.entry(file).or_insert((version, self.now));
        }
        let look = self
            .files
            .iter()
            .map(|(&file, &version)| seen(NAMES[file], version));
        for out in settling.look(look.collect(), Timestamp(self.now)) {
            let file = NAMES
                .iter()
                .position(|name| Path::new(name) == out.path)
                .unwrap();
            let (version, since) = self.quiet[&file];
            prop_assert_eq!(out.stamp, stamp(version));
            prop_assert!(self.now - since >= SETTLE_MS, "not quiet for long enough");
            prop_assert!(
                self.given.insert(file, version).is_none(),
                "given out twice"
            );
            self.ever.insert(file, version);
        }
        prop_assert_eq!(settling.files.len(), self.files.len());
        Ok(())
    }

    fn act(&mut self, act: Act, settling: &mut Settling) -> Result<(), TestCaseError> {
        let now = Timestamp(self.now);
        let told = |given: &mut BTreeMap<usize, u64>, file| given.remove(&file).is_some();
        match act {
            Act::Write(file, version) => drop(self.files.insert(file, version)),
            Act::Remove(file) => drop(self.files.remove(&file)),
            Act::Look => self.look(settling)?,
            Act::Wait(ms) => self.now += ms,
            Act::Fail(file) if told(&mut self.given, file) => {
                settling.failed(Path::new(NAMES[file]), now);
            }
            Act::Postpone(file) if told(&mut self.given, file) => {
                settling.postponed(Path::new(NAMES[file]), now);
            }
            Act::Forget(file) if told(&mut self.given, file) => {
                settling.forget(Path::new(NAMES[file]));
                self.quiet.remove(&file);
            }
            Act::Fail(_) | Act::Postpone(_) | Act::Forget(_) => {}
        }
        Ok(())
    }
}

proptest! {
    /// Whatever happens: never before it was quiet for the settle time, once, and in the end every file.
    #[test]
    fn a_file_is_given_out_when_quiet_and_once(acts in proptest::collection::vec(act(), 0..60)) {
        let mut settling = Settling::new(2_000);
        let mut world = World::default();
        for act in acts {
            world.act(act, &mut settling)?;
        }

        world.look(&mut settling)?;
        world.now += RETRY_MS_MAX;
        world.look(&mut settling)?;

        for (file, version) in &world.files {
            prop_assert_eq!(world.ever.get(file), Some(version));
        }
        prop_assert_eq!(settling.due(), None);
    }
}
