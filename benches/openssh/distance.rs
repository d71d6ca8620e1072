//! How is a server far away, or busy with others?

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use russh_sftp::protocol::{FileAttributes, OpenFlags};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::content::invoice_to;
use crate::measure::median;
use crate::peers::{INBOX, Rig, Side, text};
use crate::sessions::{Session, runtime};

/// Half of the round trip.
const ONE_WAY: Duration = Duration::from_millis(50);

/// Carries connections to `to`, each byte [`ONE_WAY`] late, however many are on their way. Returns where it listens.
pub fn far_away(to: SocketAddr) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let far = TcpStream::connect(to).await.unwrap();
                    near.set_nodelay(true).unwrap();
                    far.set_nodelay(true).unwrap();
                    let ((a, b), (c, d)) = (near.into_split(), far.into_split());
                    tokio::join!(late(a, d), late(c, b));
                });
            }
        });
    });
    port
}

async fn late(mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let reading = async move {
        let mut block = vec![0; 256 * 1024];
        while let Ok(got @ 1..) = from.read(&mut block).await {
            let due = Instant::now() + ONE_WAY;
            if sender.send((due, block[..got].to_vec())).is_err() {
                break;
            }
        }
    };
    let writing = async move {
        while let Some((due, bytes)) = receiver.recv().await {
            tokio::time::sleep_until(due.into()).await;
            if to.write_all(&bytes).await.is_err() {
                break;
            }
        }
        drop(to.shutdown().await);
    };
    tokio::join!(reading, writing);
}

/// How long a small pull of one device takes at the 99th percentile while a second downloads and a third lists, over
/// when it is quiet: medians of so many rounds.
pub fn fairness(rounds: usize) {
    let found: Vec<_> = (0..rounds).map(|_| one_fairness()).collect();
    println!(
        "| fairness: a small pull's 99th percentile beside a large download and endless listings, over a quiet one | {:.2} | aim: 5 |",
        median(found)
    );
}

fn one_fairness() -> f64 {
    let mut rig = Rig::start();
    (crate::works::many_entries)(&mut rig);
    let [larges, smalls] = [
        ("large", "0403170701", 4, 100_000_000),
        ("small", "0417497106", 2 * PULLS, 20_000),
    ]
    .map(|(device, buyer, count, bytes)| own_documents(&rig, device, buyer, count, bytes));
    rig.serve(Side::Sluis);
    rig.device = "small";
    let quiet = pulls(&rig, &smalls[..PULLS]);
    let large: String = larges
        .iter()
        .map(|path| format!("get \"{path}\" /dev/null\n"))
        .collect();
    rig.device = "large";
    // 4 GiB and more: the same four documents again and again.
    let mut downloading = rig.start_sftp(Side::Sluis, &[], &large.repeat(11));
    rig.device = "pc";
    let mut listing = rig.start_sftp(
        Side::Sluis,
        &[],
        &format!("ls -1 \"{INBOX}\"\n").repeat(1000),
    );
    std::thread::sleep(Duration::from_secs(1));
    rig.device = "small";
    let busy = pulls(&rig, &smalls[PULLS..]);
    let still = downloading.try_wait().unwrap().is_none();
    for client in [&mut downloading, &mut listing] {
        drop(client.kill());
        drop(client.wait());
    }
    eprintln!(
        "fairness: quiet {:.1} ms, busy {:.1} ms; the download was still running: {still}",
        quiet * 1e3,
        busy * 1e3
    );
    busy / quiet
}

/// Gives a device documents of its own, and returns their paths.
fn own_documents(rig: &Rig, device: &str, buyer: &str, count: usize, bytes: usize) -> Vec<String> {
    rig.add_device(device, device, buyer);
    let dropped = rig.path(&format!("for-{device}"));
    std::fs::create_dir(&dropped).unwrap();
    for at in 0..count {
        let document = invoice_to(buyer, &format!("{device}-{at:06}"), bytes);
        std::fs::write(dropped.join(format!("{at:06}.xml")), document).unwrap();
    }
    rig.cli(&["ingest", "bench", text(&dropped)]);
    let listed = rig.cli(&["deliveries", "bench", "--json"]);
    let own = format!("/expertm/{device}/");
    let paths: Vec<_> = listed
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|row| row["path"].as_str().unwrap().to_owned())
        .filter(|path| path.starts_with(&own))
        .collect();
    assert_eq!(paths.len(), count, "every document has a delivery");
    paths
}

/// How many small documents are pulled, each once: what was collected is gone in the next session.
const PULLS: usize = 1000;

/// The 99th percentile of the pulls of these, one after the other, in seconds.
fn pulls(rig: &Rig, paths: &[String]) -> f64 {
    runtime().block_on(async {
        let session =
            Session::open(rig.address(Side::Sluis), &rig.user(Side::Sluis), &rig.key).await;
        let sftp = &session.sftp;
        let mut found = Vec::new();
        for path in paths {
            let start = Instant::now();
            let (flags, attributes) = (OpenFlags::READ, FileAttributes::empty());
            let file = sftp.open(path, flags, attributes).await.unwrap().handle;
            sftp.read(&file, 0, 100_000).await.unwrap();
            sftp.close(file).await.unwrap();
            found.push(start.elapsed().as_secs_f64());
        }
        session.leave().await;
        found.sort_by(f64::total_cmp);
        found[paths.len() * 99 / 100]
    })
}
