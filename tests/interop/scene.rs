//! What stands ready for a client to work on?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::errand::{Act, Client, Errand, finish_while, interrupt_all_of};
use super::wire::Wire;
use crate::gateway::invoice;
use crate::peer::Peer;
use crate::program::{Device, Program};

/// A running server with two devices, each of which has these documents, numbered F-0, F-1, …
pub struct Scene {
    pub program: Program,
    /// A device of kind `pull`.
    pub server: Device,
    /// A device of kind `mount`.
    pub desk: Device,
    /// The folder in which clients work.
    pub here: PathBuf,
    pub documents: Vec<Vec<u8>>,
    paths: Vec<String>,
}

/// Where documents wait for the device of kind `pull`, and for that of kind `mount`.
pub const PULL: &str = "/expertm/ACME/Te Verwerken/Aankopen";
pub const MOUNT: &str = "/expertm/DESK/Te Verwerken/Aankopen";
/// Where those are that the devices are done with.
pub const PULL_DONE: &str = "/expertm/ACME/Verwerkt/Aankopen";
pub const MOUNT_DONE: &str = "/expertm/DESK/Verwerkt/Aankopen";

impl Scene {
    pub fn new(sizes: &[usize]) -> Self {
        Self::offering("modern", sizes)
    }

    /// One whose server offers this set of algorithms.
    pub fn offering(algorithms: &str, sizes: &[usize]) -> Self {
        let mut program = Program::init();
        program.offer(algorithms);
        let server = program.device("server", "pull", "ACME");
        let desk = program.device("desk", "mount", "DESK");
        program.ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
        let here = program.path("here");
        std::fs::create_dir(&here).unwrap();
        let documents: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(at, size)| invoice(&format!("F-{at}"), *size))
            .collect();
        program.ingest(&documents);
        program.serve();
        let rows = program.json(&["deliveries", "kantoor"]);
        let paths = rows
            .iter()
            .map(|row| row["path"].as_str().unwrap().to_owned())
            .collect();
        Self {
            program,
            server,
            desk,
            here,
            documents,
            paths,
        }
    }

    /// The path of a document in the folder of the device of kind `pull`, or of kind `mount`.
    pub fn path(&self, folder: &str, document: usize) -> &str {
        let number = format!("_F-{document}_");
        self.paths
            .iter()
            .find(|path| path.starts_with(folder) && path.contains(&number))
            .unwrap()
    }

    /// The names in such a folder, of these documents.
    pub fn names(&self, folder: &str, documents: impl IntoIterator<Item = usize>) -> Vec<String> {
        documents
            .into_iter()
            .map(|document| name(self.path(folder, document)).to_owned())
            .collect()
    }

    /// All documents in such a folder: their bytes by their names.
    pub fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let names = self.names(folder, 0..self.documents.len());
        names.into_iter().zip(self.documents.clone()).collect()
    }

    /// What has become of what is delivered, by its path: a word.
    pub fn state(&self, path: &str) -> String {
        let rows = self.program.json(&["deliveries", "kantoor"]);
        let row = rows.iter().find(|row| row["path"] == path).unwrap();
        row["state"].as_str().unwrap().to_owned()
    }

    /// The states of all deliveries to the device of kind `pull`.
    pub fn pulled(&self) -> Vec<String> {
        self.states_in(PULL)
    }

    /// The states of all deliveries to the device of kind `mount`.
    pub fn mounted(&self) -> Vec<String> {
        self.states_in(MOUNT)
    }

    fn states_in(&self, folder: &str) -> Vec<String> {
        let rows = self.program.json(&["deliveries", "kantoor"]);
        rows.iter()
            .filter(|row| row["path"].as_str().unwrap().starts_with(folder))
            .map(|row| row["state"].as_str().unwrap().to_owned())
            .collect()
    }

    /// An errand over the straight line.
    pub fn errand<'a>(&'a self, device: &'a Device, act: Act<'a>) -> Errand<'a> {
        Errand {
            scene: self,
            device,
            port: self.program.address.unwrap().port(),
            act,
            ends_after: 600,
        }
    }

    /// Cuts a fetch in the middle, and waits until the server has noticed. PuTTY's programs, and FileZilla's engine, which
    /// is made of them, do not always notice, and turn in a circle until they are ended.
    pub fn cut(&self, client: &Client, file: &str, to: &Path, after: u64) -> Output {
        let wire = Wire::that_dies_after(after, self.program.address.unwrap());
        let errand = Errand {
            port: wire.port(),
            ends_after: 40,
            ..self.errand(&self.server, Act::Get { file, to })
        };
        client.run(&errand).unwrap()
    }

    /// Interrupts a fetch in the middle, as Ctrl-C does, and waits until the server has noticed. The line stands still
    /// there, and whatever is done with it `then` is done when the client has been told. A client that can resume has
    /// kept half of what came by then: so much is seen in what it need not fetch again.
    pub fn stop(
        &self,
        client: &Client,
        (file, to): (&str, &Path),
        after: u64,
        then: impl FnOnce(&Wire),
    ) -> Output {
        let wire = Wire::that_stands_still_after(after, self.program.address.unwrap());
        let errand = Errand {
            port: wire.port(),
            ..self.errand(&self.server, Act::Get { file, to })
        };
        let kept = || std::fs::metadata(to).is_ok_and(|kept| kept.len() > after / 2);
        let resumes = client.resumes(&errand, to);
        let mut command = (client.command)(&errand).unwrap();
        let output = finish_while(&mut command, |process| {
            wait_until(|| wire.standing() > 0 && (kept() || !resumes));
            interrupt_all_of(process);
            then(&wire);
        });
        self.quiet();
        output
    }

    /// Waits until every session has ended that began: then all its marks are written.
    pub fn quiet(&self) {
        wait_until(|| self.program.has_no_session());
    }

    /// What stands in a folder, as a peer of our own sees it.
    pub fn listed(&self, device: &Device, folder: &str) -> Vec<String> {
        self.look(device, async |peer| peer.list(folder).await.unwrap())
    }

    /// What a file holds, as a peer of our own reads it. That is a reading like any other.
    pub fn read(&self, device: &Device, file: &str) -> Vec<u8> {
        self.look(device, async |peer| peer.get(file).await.unwrap())
    }

    fn look<T>(&self, device: &Device, see: impl AsyncFnOnce(&Peer) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let peer = Peer::connect(self.program.address.unwrap(), &device.login).await;
            let seen = see(&peer).await;
            peer.leave().await;
            seen
        })
    }
}

/// The last part of a path.
pub fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// The files under a local folder, by name.
pub fn files_under(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    for entry in entries.map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files_under(&entry));
        } else {
            let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
            found.insert(name, std::fs::read(entry).unwrap());
        }
    }
    found
}

pub fn all(states: &[String], state: &str) -> bool {
    !states.is_empty() && states.iter().all(|found| found == state)
}

/// Waits until it is so, and leaves the machine to those who work between two looks.
#[expect(
    clippy::disallowed_methods,
    reason = "a wait for another process ends by the clock"
)]
#[track_caller]
pub fn wait_until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(300);
    while !done() {
        assert!(Instant::now() < end, "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Tells another thread that it is over, also by a panic: who works until that word would else work for ever.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
