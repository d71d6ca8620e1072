//! What does the real program hold after requests that are wrong in one place, and after what cannot be framed?
//!
//! The tables of `packets`, which says what is wrong with each and what it is answered with.

use super::{Scene, answers, open, open_folder, stat};
use crate::hostile::packets::{ATTRS, cases, unframed};
use crate::hostile::ssh;

/// How often each table is gone through: what each of them left behind would add up.
const ROUNDS: usize = 20;

#[test]
fn a_peer_that_is_wrong_in_one_place_holds_nothing_and_goes_on() {
    let scene = Scene::start();

    scene.withstands("wrong requests", |scene| {
        let mut ssh = scene.log_in();
        let channel = ssh.sftp(u32::MAX, 32768).unwrap();
        let opened = [open(&scene.small), open_folder("/")].concat();
        ssh.send(&ssh::data(channel, &opened)).unwrap();
        let kinds = answers(&mut ssh, 2).into_iter().map(|(kind, _)| kind);
        assert_eq!(kinds.collect::<Vec<_>>(), [102, 102]);
        let table = cases(&scene.small);
        for _ in 0..ROUNDS {
            let asked = table.iter().flat_map(|(_, request, _)| {
                [&request[..], &stat()].map(|one| ssh::data(channel, one))
            });
            ssh.send_all(asked).unwrap();
            let came = answers(&mut ssh, 2 * table.len());
            for (answered, (what, _, expected)) in came.chunks(2).zip(&table) {
                let (kind, number) = answered[0];
                let number = if kind == ATTRS { 0 } else { number };
                assert_eq!((kind, number), *expected, "{what}");
                assert_eq!(answered[1].0, ATTRS, "after {what}");
            }
        }
        vec![ssh]
    });
    scene.withstands("what cannot be framed, or comes before INIT", |scene| {
        let mut open = Vec::new();
        for _ in 0..ROUNDS {
            let mut ssh = scene.log_in();
            for (what, sent, _) in unframed() {
                let channel = ssh.open(u32::MAX, 32768).unwrap();
                let end = [vec![ssh::EOF], channel.to_be_bytes().to_vec()].concat();
                ssh.send_all([ssh::subsystem(channel), ssh::data(channel, &sent), end])
                    .unwrap();
                assert!(ssh.until(ssh::CLOSE).is_ok(), "{what}");
            }
            // It ends each session, and not the connection.
            ssh.settle().unwrap();
            open.push(ssh);
        }
        open
    });
}
