//! Does each client list a folder of a hundred thousand files?

use std::collections::BTreeSet;
use std::process::Output;
use std::sync::Mutex;

use super::all::CLIENTS;
use super::errand::{Act, Client, finish, said};
use super::scene::{PULL, Scene, name};
use super::table::file_names;

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
    let names = &names(scene);
    let waiting = &Mutex::new(CLIENTS.iter().filter(|client| client.is_here()));
    std::thread::scope(|scope| {
        let two_at_a_time = [(); 2].map(|()| scope.spawn(|| all_list(scene, names, waiting)));
        for worker in two_at_a_time {
            worker.join().unwrap();
        }
    });
    scene.quiet();
    assert_eq!(scene.program.events("collected"), 0);
    let states = "select count(distinct state) from delivery";
    assert_eq!(scene.program.query(states), [[1]]);
}

/// Of whoever can list a folder.
fn all_list<'a>(
    scene: &Scene,
    names: &[String],
    waiting: &Mutex<impl Iterator<Item = &'a &'a Client>>,
) {
    let next = || waiting.lock().unwrap().next();
    let names: BTreeSet<_> = names.iter().map(String::as_str).collect();
    while let Some(client) = next() {
        let errand = scene.errand(&scene.server, Act::List { folder: PULL });
        let Some(mut command) = (client.command)(&errand) else {
            continue;
        };
        let output = finish(&mut command);
        let listed = file_names(&output);
        assert!(
            output.status.success() && listed == names,
            "{} of {} names, {}",
            listed.intersection(&names).count(),
            listed.len(),
            failure(client, &output)
        );
    }
}

/// What one delivery has become.
fn names(scene: &Scene) -> Vec<String> {
    let first = name(scene.path(PULL, 0));
    let others = (2..=FILES).map(|number| first.replace("F-0", &format!("F-{number}")));
    others.chain([first.to_owned()]).collect()
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
