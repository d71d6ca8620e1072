//! Does each client list a folder of a hundred thousand files?

use std::collections::BTreeSet;
use std::process::Output;
use std::sync::Mutex;

use super::errand::{Act, Client, finish, said};
use super::scene::{PULL, Scene};
use super::table::file_names;
use super::{lftp, libraries, openssh, putty, python, rclone, web};

/// All that can list a folder.
const CLIENTS: &[&Client] = &[
    &openssh::SFTP,
    &openssh::SSHFS,
    &lftp::LFTP,
    &rclone::RCLONE,
    &rclone::MOUNT,
    &putty::PSFTP,
    &putty::PSCP,
    &putty::FILEZILLA,
    &web::CURL,
    &web::GIO,
    &python::PARAMIKO,
    &python::ASYNCSSH,
    &python::LIBSSH2,
    &python::LIBSSH,
    &libraries::SSH2_SFTP_CLIENT,
    &libraries::NET_SFTP_FOREIGN,
    &libraries::NET_SFTP,
    &libraries::PHPSECLIB,
    &libraries::JSCH,
    &libraries::PKG_SFTP,
];

const FILES: usize = 100_000;

/// One delivery becomes many, under other names: to ingest so many would take minutes.
pub const MULTIPLY: &str = "
    insert into delivery (firm_id, document_id, dossier_id, link_id, device_id, flow, generation, current,
        state, routing, folder, folder_key, name, name_key, digest, bytes, created_at, offered_at)
    with recursive number (i) as (select 2 union all select i + 1 from number where i <= 99999)
    select firm_id, document_id, dossier_id, link_id, device_id, flow, generation, current,
        state, routing, folder, folder_key, replace(name, 'F-0', 'F-' || i), replace(name_key, 'f-0', 'f-' || i),
        digest, bytes, created_at, offered_at
    from delivery cross join number where id = (select min(id) from delivery)";

#[test]
fn every_client_lists_a_hundred_thousand_files() {
    let scene = &crowded();
    let waiting = &Mutex::new(CLIENTS.iter().filter(|client| client.is_here()));
    std::thread::scope(|scope| {
        let two_at_a_time = [(); 2].map(|()| scope.spawn(|| all_list(scene, waiting)));
        for worker in two_at_a_time {
            worker.join().unwrap();
        }
    });
}

fn all_list<'a>(scene: &Scene, waiting: &Mutex<impl Iterator<Item = &'a &'a Client>>) {
    let next = || waiting.lock().unwrap().next();
    while let Some(client) = next() {
        let errand = scene.errand(&scene.server, Act::List { folder: PULL });
        let output = finish(&mut (client.command)(&errand).unwrap());
        assert_eq!(count(&output), FILES, "{}", failure(client, &output));
    }
}

fn count(output: &Output) -> usize {
    let names: BTreeSet<_> = file_names(output);
    names.len()
}

fn failure(client: &Client, output: &Output) -> String {
    let text = said(output);
    format!(
        "{}: {}",
        client.name,
        &text[text.len().saturating_sub(500)..]
    )
}

fn crowded() -> Scene {
    // The set that every one of them knows.
    let mut scene = Scene::offering("legacy", &[1234]);
    scene.program.terminate();
    scene.program.query(MULTIPLY);
    scene.program.serve();
    scene
}
