//! What counts of what a client asked for, when one of the two goes?

use std::time::Duration;

use crate::gateway::invoice;
use crate::peer::log_in;
use crate::protocol::{INBOX, office};
use crate::raw::{handle_in, packet, raw, text, until};
use crate::uploading;

#[tokio::test]
async fn a_client_that_asks_for_everything_opens_no_window_and_hangs_up_has_received_nothing() {
    let (mut gateway, office, device) = office().await;
    gateway.receive(&office, invoice("F-1", 200_000)).await;
    let path = format!("{INBOX}/20260314-00001_F-1_0451827384.xml");
    // A window of 8 KiB, never adjusted: the client library adjusts when half is used, so its target is that small.
    let config = russh::client::Config {
        window_size: 8192,
        maximum_packet_size: 4096,
        ..Default::default()
    };
    let (ssh, socket) = log_in(gateway.address, &device, config).await.unwrap();
    let channel = ssh.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let mut asked = packet(1, &3_u32.to_be_bytes());
    asked.extend(packet(
        3,
        &[
            &1_u32.to_be_bytes()[..],
            &text(&path),
            &1_u32.to_be_bytes(),
            &0_u32.to_be_bytes(),
        ]
        .concat(),
    ));
    for (id, offset) in (2_u32..).zip((0..200_000_u64).step_by(20_000)) {
        let read = [
            &id.to_be_bytes()[..],
            &text("1"),
            &offset.to_be_bytes(),
            &20_000_u32.to_be_bytes(),
        ]
        .concat();
        asked.extend(packet(5, &read));
    }
    asked.extend(packet(4, &[&99_u32.to_be_bytes()[..], &text("1")].concat())); // CLOSE
    channel.data(&asked[..]).await.unwrap();

    socket.shutdown(std::net::Shutdown::Both).unwrap();

    gateway.drain().await;
    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{path} offered")]
    );
}

#[tokio::test]
async fn a_peer_that_floods_and_takes_no_answer_is_sent_away_and_nobody_else_waits() {
    let (gateway, office, device) = office().await;
    gateway.receive(&office, invoice("F-1", 200_000)).await;
    let path = format!("{INBOX}/20260314-00001_F-1_0451827384.xml");
    let config = russh::client::Config {
        window_size: 1,
        maximum_packet_size: 1024,
        ..Default::default()
    };
    let (ssh, _socket) = log_in(gateway.address, &device, config).await.unwrap();
    let channel = ssh.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let stats: Vec<u8> = (0..2000_u32)
        .flat_map(|id| packet(17, &[&id.to_be_bytes()[..], &text("/")].concat()))
        .collect();

    let flood = async {
        channel
            .data(&packet(1, &3_u32.to_be_bytes())[..])
            .await
            .unwrap();
        let cut = async {
            while !ssh.is_closed() {
                tokio::task::yield_now().await;
            }
        };
        // The client's library waits for ever for a window on a connection that was cut.
        let flooding = async { while channel.data(&stats[..]).await.is_ok() {} };
        tokio::select! { () = cut => {}, () = flooding => {} }
    };
    let ended = tokio::time::timeout(Duration::from_secs(120), flood).await;

    assert!(ended.is_ok(), "the session ends by itself");
    assert!(gateway.connect(&device).await.get(&path).await.is_ok());
}

#[tokio::test]
async fn the_server_lets_an_open_file_be_read_before_it_ends() {
    let (mut gateway, office, device) = office().await;
    let bytes = invoice("F-1", 300_000);
    gateway.receive(&office, bytes.clone()).await;
    let path = format!("{INBOX}/20260314-00001_F-1_0451827384.xml");
    let peer = gateway.connect(&device).await;
    let handle = peer.open(&path).await.unwrap();
    let first = peer.read(&handle, 0, 100_000).await.unwrap();

    let ending = gateway.drain();
    let reading = async {
        let rest = peer.read(&handle, 100_000, u64::MAX).await.unwrap();
        peer.close(&handle).await.unwrap();
        rest
    };
    let ((), rest) = tokio::join!(ending, reading);

    assert_eq!([first, rest].concat(), bytes);
    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{path} collected")]
    );
}

#[tokio::test]
async fn a_channel_that_is_closed_under_a_waiting_answer_leaves_no_session_behind() {
    let (mut gateway, office, device) = office().await;
    gateway.receive(&office, invoice("F-1", 200_000)).await;
    let path = format!("{INBOX}/20260314-00001_F-1_0451827384.xml");
    let config = russh::client::Config {
        window_size: 8192,
        maximum_packet_size: 4096,
        ..Default::default()
    };
    let (ssh, _socket) = log_in(gateway.address, &device, config).await.unwrap();
    let open = [
        &1_u32.to_be_bytes()[..],
        &text(&path),
        &1_u32.to_be_bytes(),
        &0_u32.to_be_bytes(),
    ]
    .concat();
    let read = [
        &2_u32.to_be_bytes()[..],
        &text("1"),
        &0_u64.to_be_bytes(),
        &200_000_u32.to_be_bytes(),
    ]
    .concat();
    for _ in 0..sluis::sftp::limits::CHANNELS_MAX + 2 {
        let channel = ssh.channel_open_session().await.unwrap();
        channel.request_subsystem(true, "sftp").await.unwrap();
        let asked = [
            packet(1, &3_u32.to_be_bytes()),
            packet(3, &open),
            packet(5, &read),
        ]
        .concat();
        channel.data(&asked[..]).await.unwrap();
        channel.close().await.unwrap();
    }

    // The connection lives on; only its channels are closed. An end in order waits for every session.
    gateway.drain().await;

    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{path} offered")]
    );
}

#[tokio::test]
async fn a_client_that_closes_and_hangs_up_without_waiting_has_collected() {
    let (mut gateway, office, device) = office().await;
    gateway.receive(&office, invoice("F-0017", 20_000)).await;
    let path = format!("{INBOX}/20260314-00001_F-0017_0451827384.xml");
    let (ssh, mut channel) = raw(&gateway, &device).await;
    let open = [
        &7_u32.to_be_bytes()[..],
        &text(&path),
        &[0, 0, 0, 1, 0, 0, 0, 0],
    ]
    .concat();
    let said = [packet(1, &[0, 0, 0, 3]), packet(3, &open)].concat();
    channel.data(&said[..]).await.unwrap();
    let opened = until(&mut channel, |bytes| handle_in(bytes).is_some()).await;
    let handle = text(&handle_in(&opened).unwrap());
    let read = [
        &8_u32.to_be_bytes()[..],
        &handle,
        &[0; 8],
        &32_768_u32.to_be_bytes(),
    ]
    .concat();
    channel.data(&packet(5, &read)[..]).await.unwrap();
    until(&mut channel, |bytes| bytes.len() >= 20_000).await;

    let close = [&9_u32.to_be_bytes()[..], &handle].concat();
    channel.data(&packet(4, &close)[..]).await.unwrap();
    ssh.disconnect(russh::Disconnect::ByApplication, "", "en")
        .await
        .unwrap();

    gateway.drain().await;
    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{path} collected")]
    );
}

#[tokio::test]
async fn a_client_that_closes_its_file_and_hangs_up_without_waiting_has_put_it_in_whole() {
    assert_eq!(put_and_hang_up(&[]).await, [uploading::OFFERED]);
}

#[tokio::test]
async fn a_file_that_its_sender_removed_before_it_hung_up_is_not_taken() {
    let remove = [&9_u32.to_be_bytes()[..], &text("/in/F-1.xml")].concat();

    let offered = put_and_hang_up(&packet(13, &remove)).await;

    assert_eq!(offered, Vec::<String>::new());
}

/// Writes a file, asks for something, closes it and hangs up; returns what came of it.
async fn put_and_hang_up(before_its_close: &[u8]) -> Vec<String> {
    let (mut gateway, office, scanner) = uploading::scene().await;
    let (ssh, mut channel) = raw(&gateway, &scanner).await;
    let open = [
        &7_u32.to_be_bytes()[..],
        &text("/in/F-1.xml"),
        &[0, 0, 0, 26, 0, 0, 0, 0], // write, create, truncate
    ]
    .concat();
    let said = [packet(1, &[0, 0, 0, 3]), packet(3, &open)].concat();
    channel.data(&said[..]).await.unwrap();
    let opened = until(&mut channel, |bytes| handle_in(bytes).is_some()).await;
    let handle = text(&handle_in(&opened).unwrap());

    // No more than one read of the server takes: what a closed socket has not passed on is lost.
    let mut asked = Vec::new();
    for (at, block) in invoice("F-1", 20_000).chunks(5_000).enumerate() {
        let offset = (at * 5_000) as u64;
        let length = u32::try_from(block.len()).unwrap().to_be_bytes();
        let id = 8_u32.to_be_bytes();
        let write = [&id[..], &handle, &offset.to_be_bytes(), &length, block];
        asked.extend(packet(6, &write.concat()));
    }
    asked.extend(before_its_close);
    let close = [&9_u32.to_be_bytes()[..], &handle].concat();
    asked.extend(packet(4, &close));
    channel.data(&asked[..]).await.unwrap();
    ssh.disconnect(russh::Disconnect::ByApplication, "", "en")
        .await
        .unwrap();

    gateway.drain().await;
    gateway.deliveries(&office).await
}
