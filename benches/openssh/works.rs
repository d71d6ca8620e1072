//! Which works are measured, what is aimed at, and how is it seen that they were done?

use crate::content::invoice;
use crate::peers::{INBOX, Rig, Side};
use crate::sessions;

/// A work: how the servers are filled for it, made ready for one run, how it is done, and checked.
pub struct Work {
    pub name: &'static str,
    /// What is aimed at: wall time and processor, ours over OpenSSH's.
    pub aim: &'static str,
    pub prepare: fn(&mut Rig),
    pub ready: fn(&mut Rig, Side),
    pub run: fn(&Rig, Side),
    pub check: fn(&Rig, Side),
}

const MIB: usize = 1024 * 1024;

/// The largest documents that are taken, nearly: 100 MB.
const LARGE: usize = 100_000_000;
const LARGE_COUNT: usize = 10;
const SMALL: usize = 20_000;
const SMALL_COUNT: usize = 5_000;
const LISTED: usize = 100_000;

pub fn all() -> Vec<Work> {
    vec![
        Work {
            name: "get-large-aes128-gcm",
            aim: "0.55 | 0.40",
            prepare: |rig| rig.fill(LARGE_COUNT, LARGE),
            ready: offer,
            run: |rig, side| get_large(rig, side, "aes128-gcm@openssh.com"),
            check: collected,
        },
        Work {
            name: "get-large-chacha20",
            aim: "0.68 | 0.65",
            prepare: |rig| rig.fill(LARGE_COUNT, LARGE),
            ready: offer,
            run: |rig, side| get_large(rig, side, "chacha20-poly1305@openssh.com"),
            check: collected,
        },
        Work {
            name: "get-small-sftp",
            aim: "0.80 | 0.65",
            prepare: |rig| rig.fill(SMALL_COUNT, SMALL),
            ready: offer,
            run: |rig, side| rig.sftp(side, &[], &format!("get -r \"{INBOX}\" got\n")),
            check: collected,
        },
        Work {
            name: "get-small-lftp-mirror",
            aim: "0.75 | 0.50",
            prepare: |rig| rig.fill(SMALL_COUNT, SMALL),
            ready: offer,
            run: |rig, side| rig.lftp(side, &format!("mirror \"{INBOX}\" got")),
            check: collected,
        },
        Work {
            name: "get-small-rclone",
            aim: "0.70 | 0.70",
            prepare: |rig| rig.fill(SMALL_COUNT, SMALL),
            ready: offer,
            run: |rig, side| {
                rig.rclone(
                    side,
                    &["copy", "--transfers", "8", &format!("s:{INBOX}"), "got"],
                );
            },
            check: collected,
        },
        Work {
            name: "list-ls-1",
            aim: "0.35 | 0.60",
            prepare: many_entries,
            ready: |_, _| {},
            run: |rig, side| rig.sftp(side, &[], &format!("ls -1 \"{INBOX}\"\n")),
            check: |_, _| {},
        },
        Work {
            name: "list-ls-l",
            aim: "0.60 | 0.80",
            prepare: many_entries,
            ready: |_, _| {},
            run: |rig, side| rig.sftp(side, &[], &format!("ls -l \"{INBOX}\"\n")),
            check: |_, _| {},
        },
        Work {
            name: "visit-one-after-another",
            aim: "0.40 | 0.90",
            prepare: |rig| rig.fill(1, SMALL),
            ready: |_, _| {},
            run: |rig, side| sessions::visits(rig, side, 100, 1),
            check: |_, _| {},
        },
        Work {
            name: "visit-many-at-once",
            aim: "0.25 | 0.65",
            prepare: |rig| rig.fill(1, SMALL),
            ready: |_, _| {},
            run: |rig, side| sessions::visits(rig, side, 200, 100),
            check: |_, _| {},
        },
        Work {
            name: "get-8-clients",
            aim: "0.70 | 0.80",
            prepare: |rig| rig.fill(16, 64 * MIB),
            ready: offer,
            run: eight_clients,
            check: collected,
        },
        Work {
            name: "far-get-64-mb",
            aim: "1.0 |",
            prepare: |rig| rig.fill(1, 64 * MIB),
            ready: offer_far_away,
            run: |rig, side| rig.sftp(side, &[], &format!("get -r \"{INBOX}\" got\n")),
            check: collected,
        },
        Work {
            name: "far-get-500",
            aim: "1.0 |",
            prepare: |rig| rig.fill(500, SMALL),
            ready: offer_far_away,
            run: |rig, side| rig.sftp(side, &[], &format!("get -r \"{INBOX}\" got\n")),
            check: collected,
        },
        Work {
            name: "put-large",
            aim: "0.90 | 1.0",
            prepare: uploads,
            ready: |rig, side| write_outgoing(rig, side, LARGE_COUNT, LARGE),
            run: put_all,
            check: taken,
        },
        Work {
            name: "put-small",
            aim: "0.70 | 1.0",
            prepare: uploads,
            ready: |rig, side| write_outgoing(rig, side, 2_000, SMALL),
            run: put_all,
            check: taken,
        },
        Work {
            name: "idle-200-sessions",
            aim: "memory 0.10 |",
            prepare: |rig| rig.fill(1, SMALL),
            ready: |_, _| {},
            run: |rig, side| {
                // Held long enough for the memory to be looked at a few times.
                let meanwhile = || std::thread::sleep(std::time::Duration::from_millis(500));
                sessions::hold(rig, side, 200, meanwhile);
            },
            check: |_, _| {},
        },
    ]
}

/// Makes everything be offered again, and what was fetched be gone.
fn offer(rig: &mut Rig, side: Side) {
    let got = rig.here.path().join("got");
    if got.exists() {
        std::fs::remove_dir_all(&got).unwrap();
    }
    std::fs::create_dir_all(&got).unwrap();
    if side == Side::Sluis
        && rig.count("select count(*) from delivery where current = 1 and state = 'collected'") > 0
    {
        rig.cli(&[
            "resend",
            "bench",
            "--dossier",
            crate::content::BUYER,
            "--reason",
            "once more",
        ]);
    }
}

fn offer_far_away(rig: &mut Rig, side: Side) {
    rig.move_far_away(side);
    offer(rig, side);
}

fn uploads(rig: &mut Rig) {
    rig.cli(&["device", "set", "bench", "pc", "--uploads", "on"]);
}

/// Documents that neither side has seen: each run's have numbers of their own.
fn write_outgoing(rig: &mut Rig, side: Side, count: usize, bytes: usize) {
    let out = rig.here.path().join("out");
    if out.exists() {
        std::fs::remove_dir_all(&out).unwrap();
    }
    std::fs::create_dir(&out).unwrap();
    let run = rig.next_run();
    for at in 0..count {
        let document = invoice(&format!("U{run}-{at:06}"), bytes);
        std::fs::write(out.join(format!("U{run}-{at:06}.xml")), document).unwrap();
    }
    if side == Side::Sluis {
        rig.expect_documents(count);
    }
}

/// Both are asked to sync each file; Sluis has done so when it answers a CLOSE.
fn put_all(rig: &Rig, side: Side) {
    rig.sftp(side, &["-f"], "put out/* in/\n");
}

fn taken(rig: &Rig, side: Side) {
    if side == Side::Sluis {
        let found = rig.count("select count(*) from delivery where state = 'offered'");
        assert_eq!(
            usize::try_from(found).unwrap(),
            rig.expected(),
            "every document was taken and routed"
        );
    }
}

/// What a pull must have come to: every file there, every delivery collected.
fn collected(rig: &Rig, side: Side) {
    let got = files(&rig.here.path().join("got"));
    let expected = rig.names().len();
    assert_eq!(got, expected, "every file is there");
    if side == Side::Sluis {
        let left =
            rig.count("select count(*) from delivery where current = 1 and state <> 'collected'");
        assert_eq!(left, 0, "every delivery is collected");
    }
}

fn files(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| if path.is_dir() { files(&path) } else { 1 })
        .sum()
}

fn get_large(rig: &Rig, side: Side, cipher: &str) {
    rig.sftp(side, &["-c", cipher], &format!("get -r \"{INBOX}\" got\n"));
}

fn eight_clients(rig: &Rig, side: Side) {
    let names = rig.names();
    let clients: Vec<_> = names
        .chunks(2)
        .map(|two| {
            let lines: String = two
                .iter()
                .map(|name| format!("get \"{INBOX}/{name}\" \"got/{name}\"\n"))
                .collect();
            rig.start_sftp(side, &[], &lines)
        })
        .collect();
    for mut client in clients {
        assert!(client.wait().unwrap().success());
    }
}

/// A folder of 100 000: in Sluis one delivery copied by hand under other names, beside `sshd` one file linked.
pub fn many_entries(rig: &mut Rig) {
    rig.fill(1, SMALL);
    let folder = rig.path("root").join(INBOX);
    let first = rig.names().remove(0);
    std::fs::write(rig.path("one"), std::fs::read(folder.join(&first)).unwrap()).unwrap();
    for at in 1..LISTED {
        let name = first.replace(".xml", &format!("-{at:06}.xml"));
        // Files of their own: a directory of links to one would be cheaper to stat.
        std::fs::write(folder.join(name), b"x").unwrap();
    }
    rig.change(copies(LISTED));
}

/// SQL that makes so many deliveries out of the first.
pub fn copies(count: usize) -> String {
    let columns = "firm_id, document_id, dossier_id, link_id, device_id, flow, generation, current, state, reason, routing, \
                   folder, folder_key, digest, bytes, created_at, offered_at";
    format!(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < {count} - 1)
         insert into delivery ({columns}, name, name_key)
         select {columns}, replace(name, '.xml', printf('-%06d.xml', i)), replace(name_key, '.xml', printf('-%06d.xml', i))
         from n, (select * from delivery order by id limit 1)"
    )
}
