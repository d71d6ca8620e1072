//! How many channels may a connection ask for, one after the other?

use sluis::model::DeviceKind;
use sluis::sftp::limits::CHANNELS_ASKED_MAX;

use super::ssh::{self, Ssh};
use crate::gateway::{Gateway, invoice};
use crate::raw::{packet, text};

/// `SSH_MSG_CHANNEL_OPEN_FAILURE` (RFC 4254 §5.1).
const REFUSED: u8 = 92;

/// So many are asked for before the answers are taken.
const TOGETHER: usize = 500;

/// One that is refused, and costs nothing but its number.
fn refused() -> Vec<u8> {
    [ssh::channel_open("x11", 0, 32768), text("a"), vec![0; 4]].concat()
}

/// Asks for so many, and takes the answers.
fn ask(ssh: &mut Ssh, mut count: usize) {
    while count > 0 {
        let now = count.min(TOGETHER);
        ssh.send_all((0..now).map(|_| refused())).unwrap();
        (0..now).for_each(|_| drop(ssh.until(REFUSED).unwrap()));
        count -= now;
    }
}

/// Reads a file of so many bytes whole, and closes it.
fn collect(ssh: &mut Ssh, channel: u32, path: &str, bytes: usize) {
    let request = |kind: u8, rest: &[Vec<u8>]| {
        let body = [&7_u32.to_be_bytes()[..], &rest.concat()].concat();
        ssh::data(channel, &packet(kind, &body))
    };
    let length = u32::try_from(bytes).unwrap().to_be_bytes();
    let flags = [1_u32, 0].map(u32::to_be_bytes).concat();
    for (sent, answered) in [
        (request(3, &[text(path), flags]), 102),
        (
            request(5, &[text("1"), [&[0; 8][..], &length].concat()]),
            103,
        ),
        (request(4, &[text("1")]), 101),
    ] {
        ssh.send(&sent).unwrap();
        let data = ssh.until(ssh::DATA).unwrap();
        assert_eq!(data.get(9 + 4), Some(&answered));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_one_channel_more_for_each_document_that_it_collects() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let small = [invoice("F-1", 2000), invoice("F-2", 2000)];
    for bytes in &small {
        gateway.receive(&office, bytes.clone()).await;
    }
    let path = |delivery: &String| delivery.split(" offered").next().unwrap().to_owned();
    let deliveries = gateway.deliveries(&office).await;
    let paths: Vec<_> = deliveries.iter().map(path).collect();
    let address = gateway.address;

    let asking = tokio::task::spawn_blocking(move || {
        let mut idle = Ssh::log_in(address, &device);
        ask(&mut idle, CHANNELS_ASKED_MAX);
        idle.send(&refused()).unwrap();
        assert!(idle.until(REFUSED).is_err(), "one past the most");

        let mut ssh = Ssh::log_in(address, &device);
        let channel = ssh.sftp(u32::MAX, 32768).unwrap();
        ssh.until(ssh::DATA).unwrap(); // VERSION
        collect(&mut ssh, channel, &paths[0], small[0].len());
        ask(&mut ssh, CHANNELS_ASKED_MAX);
        ssh.send(&refused()).unwrap();
        assert!(
            ssh.until(REFUSED).is_err(),
            "one past the most, and its document"
        );
    });
    asking.await.unwrap();

    let states = gateway.deliveries(&office).await;
    assert!(states[0].ends_with(" collected"), "{states:?}");
    assert!(states[1].ends_with(" offered"), "{states:?}");
}
