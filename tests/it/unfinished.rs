//! What becomes of a file that was begun in `/in` and not ended, or not ended well?

use russh_sftp::protocol::{OpenFlags, StatusCode};
use sluis::model::Digest;
use sluis::sftp::limits::DRAFTS_MAX;
use sluis::upload::{SESSION_BYTES_MAX, SHELF_MS, UPLOAD_BYTES_MAX};

use crate::gateway::{invoice, until};
use crate::peer::Peer;
use crate::program::Program;
use crate::uploading::{CREATE, OFFERED, RESUME, open, scene, size, write};

/// Waits until the server has noticed that a session ended, and put down what it left.
async fn until_put_down(peer: &Peer, path: &str) {
    until(async || peer.exists(path).await).await;
}

#[tokio::test]
async fn a_broken_upload_is_not_taken_and_is_resumed_by_the_next_session() {
    for length in [20_000, 700_000] {
        let (gateway, office, scanner) = scene().await;
        let bytes = invoice("F-1", length);
        let half = bytes.len() / 2;
        let peer = gateway.connect(&scanner).await;
        let handle = open(&peer, "/in/F-1.xml", CREATE).await.unwrap();
        for (at, block) in bytes[..half].chunks(32_000).enumerate() {
            let offset = (at * 32_000) as u64;
            write(&peer, &handle, offset, block).await.unwrap();
        }

        peer.hang_up();

        let peer = gateway.connect(&scanner).await;
        until_put_down(&peer, "/in/F-1.xml").await;
        assert_eq!(gateway.events(&office).await, Vec::<String>::new());
        assert_eq!(size(&peer, "/in/F-1.xml").await, Ok(half as u64));
        // It was never closed: a new name does not make it whole.
        let moved = peer.rename("/in/F-1.xml", "/in/F-2.xml").await;
        assert_eq!(moved, Err(StatusCode::Failure));
        let handle = open(&peer, "/in/F-1.xml", RESUME).await.unwrap();
        for (at, block) in bytes[half..].chunks(32_000).enumerate() {
            let offset = (half + at * 32_000) as u64;
            write(&peer, &handle, offset, block).await.unwrap();
        }
        peer.close(&handle).await.unwrap();
        assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
    }
}

#[tokio::test]
async fn what_was_left_unfinished_is_gone_after_a_day() {
    let (gateway, _, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    peer.put("/in/F-1.xml.part", b"<Inv").await.unwrap();
    gateway.pass_ms(SHELF_MS);
    assert!(peer.exists("/in/F-1.xml.part").await);

    gateway.pass_ms(1);

    assert_eq!(peer.list("/in").await.unwrap(), ["ACME"]);
}

#[tokio::test]
async fn a_connection_that_breaks_late_puts_nothing_over_what_was_closed_meanwhile() {
    let (gateway, office, scanner) = scene().await;
    let bytes = invoice("F-1", 5000);
    let broken = gateway.connect(&scanner).await;
    let handle = open(&broken, "/in/F-1.xml.part", CREATE).await.unwrap();
    write(&broken, &handle, 0, &bytes[..1000]).await.unwrap();
    // A sign that its end was noticed.
    let handle = open(&broken, "/in/other.part", CREATE).await.unwrap();
    write(&broken, &handle, 0, b"<Inv").await.unwrap();
    let peer = gateway.connect(&scanner).await;
    peer.put("/in/F-1.xml.part", &bytes).await.unwrap();

    broken.hang_up();
    until_put_down(&peer, "/in/other.part").await;

    peer.rename("/in/F-1.xml.part", "/in/F-1.xml")
        .await
        .unwrap();
    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
}

#[tokio::test]
async fn a_connection_that_breaks_late_does_not_hide_what_was_taken_meanwhile() {
    let (gateway, office, scanner) = scene().await;
    let path = "/in/F-1.xml";
    let bytes = invoice("F-1", 5000);
    let broken = gateway.connect(&scanner).await;
    let handle = open(&broken, path, CREATE).await.unwrap();
    let half = invoice("F-2", 9000);
    write(&broken, &handle, 0, &half[..1000]).await.unwrap();
    // A sign that its end was noticed.
    let other = open(&broken, "/in/other.xml", CREATE).await.unwrap();
    write(&broken, &other, 0, b"<Inv").await.unwrap();
    let peer = gateway.connect(&scanner).await;
    peer.put(path, &bytes).await.unwrap();

    broken.hang_up();
    until_put_down(&peer, "/in/other.xml").await;

    assert_eq!(size(&peer, path).await, Ok(bytes.len() as u64));
    // Nor is what follows mixed with it.
    let handle = open(&peer, path, RESUME).await.unwrap();
    let next = invoice("F-3", 900);
    write(&peer, &handle, 0, &next).await.unwrap();
    peer.close(&handle).await.unwrap();
    assert_eq!(size(&peer, path).await, Ok(next.len() as u64));
    assert_eq!(gateway.deliveries(&office).await.len(), 2);
}

#[tokio::test]
async fn a_connection_that_breaks_late_puts_nothing_over_a_newer_beginning() {
    let (gateway, office, scanner) = scene().await;
    let path = "/in/F-1.xml";
    let dead = gateway.connect(&scanner).await;
    let handle = open(&dead, path, CREATE).await.unwrap();
    let old = invoice("F-1", 9000);
    write(&dead, &handle, 0, &old[..3000]).await.unwrap();
    // A sign that its end was noticed.
    let other = open(&dead, "/in/other.xml", CREATE).await.unwrap();
    write(&dead, &other, 0, b"<Inv").await.unwrap();
    // Its sender has mended the document, and is cut off once more.
    let bytes = invoice("F-2", 9000);
    let cut = gateway.connect(&scanner).await;
    let anew = CREATE | OpenFlags::TRUNCATE;
    let handle = open(&cut, path, anew).await.unwrap();
    write(&cut, &handle, 0, &bytes[..5000]).await.unwrap();
    cut.hang_up();
    let peer = gateway.connect(&scanner).await;
    until_put_down(&peer, path).await;

    dead.hang_up();
    until_put_down(&peer, "/in/other.xml").await;

    // As `reput` does: from the size that shows.
    let from = size(&peer, path).await.unwrap();
    assert_eq!(from, 5000);
    let handle = open(&peer, path, CREATE | OpenFlags::APPEND).await.unwrap();
    let rest = &bytes[usize::try_from(from).unwrap()..];
    write(&peer, &handle, from, rest).await.unwrap();
    peer.close(&handle).await.unwrap();
    let taken = gateway.house.blobs.whole(Digest::of(&bytes)).await;
    assert_eq!(taken.unwrap(), bytes);
    assert_eq!(gateway.deliveries(&office).await.len(), 1);
}

#[tokio::test]
async fn of_two_connections_that_write_one_temporary_name_the_later_close_is_refused() {
    let (gateway, office, scanner) = scene().await;
    let (first, second) = (
        gateway.connect(&scanner).await,
        gateway.connect(&scanner).await,
    );
    let path = "/in/upload.tmp";
    let one = open(&first, path, CREATE).await.unwrap();
    let two = open(&second, path, CREATE).await.unwrap();
    let bytes = invoice("F-1", 5000);
    write(&first, &one, 0, &bytes).await.unwrap();
    write(&second, &two, 0, &invoice("F-2", 5000))
        .await
        .unwrap();

    first.close(&one).await.unwrap();
    assert_eq!(second.close(&two).await, Err(StatusCode::Failure));

    first.rename(path, "/in/F-1.xml").await.unwrap();
    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
    // Whoever writes it once more may.
    second.put(path, &invoice("F-3", 5000)).await.unwrap();
    second.put(path, &invoice("F-2", 5000)).await.unwrap();
    let three = open(&second, "/in/other.tmp", CREATE).await.unwrap();
    write(&second, &three, 0, &invoice("F-4", 5000))
        .await
        .unwrap();
    second.rename("/in/other.tmp", path).await.unwrap();
    assert_eq!(second.close(&three).await, Ok(()), "it was renamed over");
}

#[tokio::test]
async fn an_empty_file_is_refused_and_stays_to_be_written() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;

    let empty = peer.put("/in/F-1.xml", b"").await;

    assert_eq!(empty, Err(StatusCode::Failure));
    assert_eq!(gateway.events(&office).await, Vec::<String>::new());
    // A mount makes a file, closes it, whatever the answer, and opens it again to write.
    assert_eq!(size(&peer, "/in/F-1.xml").await, Ok(0));
    let handle = open(&peer, "/in/F-1.xml", RESUME).await.unwrap();
    write(&peer, &handle, 0, &invoice("F-1", 5000))
        .await
        .unwrap();
    peer.close(&handle).await.unwrap();
    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
}

#[tokio::test]
async fn a_file_with_a_gap_is_refused_and_may_be_completed() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let bytes = invoice("F-1", 5000);
    let handle = open(&peer, "/in/F-1.xml", CREATE).await.unwrap();
    write(&peer, &handle, 0, &bytes[..1000]).await.unwrap();
    write(&peer, &handle, 2000, &bytes[2000..]).await.unwrap();

    assert_eq!(peer.close(&handle).await, Err(StatusCode::Failure));

    assert_eq!(gateway.events(&office).await, Vec::<String>::new());
    let handle = open(&peer, "/in/F-1.xml", RESUME).await.unwrap();
    write(&peer, &handle, 1000, &bytes[1000..2000])
        .await
        .unwrap();
    peer.close(&handle).await.unwrap();
    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
}

/// As `curl -C - -T` of another document of the same name: it takes what shows for the beginning of its own.
#[tokio::test]
async fn what_was_taken_is_not_appended_to() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let path = "/in/F-1.xml";
    peer.put(path, &invoice("F-1", 5000)).await.unwrap();

    for flags in [RESUME | OpenFlags::APPEND, CREATE | OpenFlags::APPEND] {
        assert_eq!(open(&peer, path, flags).await, Err(StatusCode::Failure));
    }

    assert_eq!(gateway.events(&office).await, ["kept", "offered"]);
    let anew = CREATE | OpenFlags::TRUNCATE | OpenFlags::APPEND;
    let handle = open(&peer, path, anew).await.unwrap();
    let other = invoice("F-2", 6000);
    write(&peer, &handle, 0, &other).await.unwrap();
    peer.close(&handle).await.unwrap();
    assert_eq!(gateway.deliveries(&office).await.len(), 2);
}

/// As two `sftp reput` that overlap: both were told the same size.
#[tokio::test]
async fn of_two_that_go_on_with_one_file_the_later_has_no_tail_taken_for_a_whole() {
    let (gateway, office, scanner) = scene().await;
    let path = "/in/F-1.xml";
    let bytes = invoice("F-1", 9000);
    let cut = gateway.connect(&scanner).await;
    let handle = open(&cut, path, CREATE).await.unwrap();
    write(&cut, &handle, 0, &bytes[..5000]).await.unwrap();
    cut.hang_up();
    let (first, second) = (
        gateway.connect(&scanner).await,
        gateway.connect(&scanner).await,
    );
    until_put_down(&first, path).await;
    assert_eq!(size(&second, path).await, Ok(5000));
    let flags = CREATE | OpenFlags::APPEND;
    let one = open(&first, path, flags).await.unwrap();

    let two = open(&second, path, flags).await.unwrap();
    let tail = write(&second, &two, 5000, &bytes[5000..]).await;
    assert_eq!(tail, Err(StatusCode::Failure));
    assert_eq!(second.close(&two).await, Err(StatusCode::Failure));

    assert_eq!(gateway.events(&office).await, Vec::<String>::new());
    write(&first, &one, 5000, &bytes[5000..]).await.unwrap();
    first.close(&one).await.unwrap();
    let taken = gateway.house.blobs.whole(Digest::of(&bytes)).await;
    assert_eq!(taken.unwrap(), bytes);
    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
}

/// As `sftp reput` and `curl -C -`, which ask for the size first and then open the file.
#[tokio::test]
async fn what_is_appended_from_a_size_that_was_passed_meanwhile_doubles_nothing() {
    let (gateway, office, scanner) = scene().await;
    let path = "/in/F-1.xml";
    let bytes = invoice("F-1", 9000);
    let flags = CREATE | OpenFlags::APPEND;
    let late = gateway.connect(&scanner).await;
    for (from, upto) in [(0, 3000), (3000, 5000)] {
        let cut = gateway.connect(&scanner).await;
        let handle = open(&cut, path, flags).await.unwrap();
        let tail = &bytes[from..upto];
        write(&cut, &handle, from as u64, tail).await.unwrap();
        cut.hang_up();
        until(async || size(&late, path).await == Ok(upto as u64)).await;
    }

    // It was told 3000.
    let handle = open(&late, path, flags).await.unwrap();
    let tail = write(&late, &handle, 3000, &bytes[3000..]).await;

    assert_eq!(tail, Err(StatusCode::Failure));
    assert_eq!(late.close(&handle).await, Err(StatusCode::Failure));
    assert_eq!(gateway.events(&office).await, Vec::<String>::new());
    // At its next try it asks anew.
    assert_eq!(size(&late, path).await, Ok(5000));
    let handle = open(&late, path, flags).await.unwrap();
    for (at, block) in bytes[5000..].chunks(1000).enumerate() {
        let offset = (5000 + at * 1000) as u64;
        write(&late, &handle, offset, block).await.unwrap();
    }
    late.close(&handle).await.unwrap();
    let taken = gateway.house.blobs.whole(Digest::of(&bytes)).await;
    assert_eq!(taken.unwrap(), bytes);
    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
}

/// As clients that do not look at the size: they count from where they began, on a file of which a part is there.
#[tokio::test]
async fn whoever_appends_may_count_from_where_he_began() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let bytes = invoice("F-1", 9000);
    let flags = CREATE | OpenFlags::APPEND;
    peer.put("/in/F-1.xml.part", &bytes[..4000]).await.unwrap();
    let handle = open(&peer, "/in/F-1.xml.part", flags).await.unwrap();

    for (at, block) in bytes[4000..].chunks(1000).enumerate() {
        let offset = (at * 1000) as u64;
        write(&peer, &handle, offset, block).await.unwrap();
    }
    peer.close(&handle).await.unwrap();

    peer.rename("/in/F-1.xml.part", "/in/F-1.xml")
        .await
        .unwrap();
    let taken = gateway.house.blobs.whole(Digest::of(&bytes)).await;
    assert_eq!(taken.unwrap(), bytes);
    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
}

/// As `curl -C 5000`, whatever is there by now.
#[tokio::test]
async fn what_is_appended_past_the_end_is_refused_and_what_was_there_stays() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let bytes = invoice("F-1", 9000);
    let flags = CREATE | OpenFlags::APPEND;
    for path in ["/in/F-1.xml", "/in/F-1.xml.part"] {
        let cut = gateway.connect(&scanner).await;
        let handle = open(&cut, path, CREATE).await.unwrap();
        write(&cut, &handle, 0, &bytes[..3000]).await.unwrap();
        if path.ends_with(".part") {
            cut.close(&handle).await.unwrap();
        }
        cut.hang_up();
        until_put_down(&peer, path).await;
        let handle = open(&peer, path, flags).await.unwrap();

        let tail = write(&peer, &handle, 3001, &bytes[3001..]).await;
        assert_eq!(tail, Err(StatusCode::Failure));
        // Nor what follows, nor that alone which was there.
        let more = write(&peer, &handle, 3000, &bytes[3000..]).await;
        assert_eq!(more, Err(StatusCode::Failure));
        assert_eq!(peer.close(&handle).await, Err(StatusCode::Failure));

        assert_eq!(size(&peer, path).await, Ok(3000));
        assert_eq!(gateway.events(&office).await, Vec::<String>::new());
    }
    // What was closed is as well closed as before.
    let other = "/in/other.part";
    peer.rename("/in/F-1.xml.part", other).await.unwrap();
    peer.rename(other, "/in/F-1.xml.part").await.unwrap();
    for path in ["/in/F-1.xml", "/in/F-1.xml.part"] {
        let handle = open(&peer, path, flags).await.unwrap();
        write(&peer, &handle, 3000, &bytes[3000..]).await.unwrap();
        peer.close(&handle).await.unwrap();
    }
    peer.rename("/in/F-1.xml.part", "/in/F-2.xml")
        .await
        .unwrap();
    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
    let events = gateway.events(&office).await;
    assert_eq!(events, ["kept", "offered", "recognised"]);
}

#[tokio::test]
async fn whoever_goes_on_is_told_what_came_before_the_first_gap() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let path = "/in/F-1.xml";
    peer.put(path, &invoice("F-1", 5000)).await.unwrap();
    let other = invoice("F-2", 6000);
    // It takes what shows for its own beginning.
    let handle = open(&peer, path, RESUME).await.unwrap();
    write(&peer, &handle, 5000, &other[5000..]).await.unwrap();
    assert_eq!(peer.close(&handle).await, Err(StatusCode::Failure));

    assert_eq!(size(&peer, path).await, Ok(0), "the beginning never came");

    let handle = open(&peer, path, RESUME).await.unwrap();
    write(&peer, &handle, 0, &other[..1000]).await.unwrap();
    write(&peer, &handle, 2000, b"of a mixture").await.unwrap();
    assert_eq!(peer.close(&handle).await, Err(StatusCode::Failure));
    assert_eq!(size(&peer, path).await, Ok(1000));
    let handle = open(&peer, path, RESUME | OpenFlags::APPEND).await.unwrap();
    write(&peer, &handle, 0, &other[1000..]).await.unwrap();
    peer.close(&handle).await.unwrap();
    let taken = gateway.house.blobs.whole(Digest::of(&other)).await;
    assert_eq!(taken.unwrap(), other);
    assert_eq!(gateway.deliveries(&office).await.len(), 2);
}

#[tokio::test]
async fn one_byte_past_the_largest_file_is_refused_at_the_write_and_at_the_close() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let handle = open(&peer, "/in/F-1.xml", CREATE).await.unwrap();
    write(&peer, &handle, UPLOAD_BYTES_MAX - 1, b"x")
        .await
        .unwrap();

    let past = write(&peer, &handle, UPLOAD_BYTES_MAX, b"x").await;

    assert_eq!(past, Err(StatusCode::Failure));
    let left = size(&peer, "/in/F-1.xml").await;
    assert_eq!(left, Ok(0), "what is refused takes no room");
    assert_eq!(peer.close(&handle).await, Err(StatusCode::Failure));
    assert_eq!(peer.list("/in").await.unwrap(), ["ACME"]);
    assert_eq!(gateway.events(&office).await, Vec::<String>::new());
}

#[tokio::test]
async fn one_byte_past_what_a_session_may_have_unfinished_is_refused() {
    let (gateway, _, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let (mut left, mut at) = (SESSION_BYTES_MAX, 0);
    let mut handle = String::new();
    while left > 0 {
        let bytes = left.min(UPLOAD_BYTES_MAX - 1);
        handle = open(&peer, &format!("/in/{at}.xml"), CREATE).await.unwrap();
        write(&peer, &handle, bytes - 1, b"x").await.unwrap();
        left -= bytes;
        at += 1;
    }
    let end = size(&peer, &format!("/in/{}.xml", at - 1)).await.unwrap();

    let past = write(&peer, &handle, end, b"x").await;

    assert_eq!(past, Err(StatusCode::Failure));
}

#[tokio::test]
async fn one_file_past_those_that_a_session_may_write_is_refused() {
    let (gateway, _, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let mut handles = Vec::new();
    for at in 0..DRAFTS_MAX {
        handles.push(open(&peer, &format!("/in/{at}"), CREATE).await.unwrap());
    }

    let past = open(&peer, "/in/x", CREATE).await;

    assert_eq!(past, Err(StatusCode::Failure));
    let _refused_for_it_is_empty = peer.close(&handles[0]).await;
    assert!(open(&peer, "/in/x", CREATE).await.is_ok());
    let long = format!("/in/{}", "n".repeat(256));
    let long = open(&peer, &long, CREATE).await;
    assert_eq!(long, Err(StatusCode::PermissionDenied));
}

#[tokio::test]
async fn a_server_that_ends_waits_for_a_file_that_is_being_written() {
    let (mut gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let handle = open(&peer, "/in/F-1.xml", CREATE).await.unwrap();
    let bytes = invoice("F-1", 5000);
    write(&peer, &handle, 0, &bytes[..2000]).await.unwrap();

    let writing = async {
        write(&peer, &handle, 2000, &bytes[2000..]).await.unwrap();
        peer.close(&handle).await.unwrap();
    };
    tokio::join!(gateway.drain(), writing);

    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_has_what_it_acknowledged_and_nothing_half() {
    for length in [20_000, 2_000_000] {
        let mut program = Program::init();
        let device = program.device("server", "pull", "ACME");
        program.ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
        program.serve();
        let peer = Peer::connect(program.address.unwrap(), &device.login).await;
        peer.put("/in/F-1.xml", &invoice("F-1", length))
            .await
            .unwrap();
        let handle = open(&peer, "/in/F-2.xml", CREATE).await.unwrap();
        for (at, block) in invoice("F-2", length).chunks(32_000).enumerate() {
            let offset = (at * 32_000) as u64;
            write(&peer, &handle, offset, block).await.unwrap();
        }

        program.kill();

        assert_eq!(program.states(), ["offered"]);
        assert_eq!(program.events("kept"), 1);
        program.ok(&["fsck", "--deep"]);
        let spool = std::fs::read_dir(program.path("sluis/data/spool")).unwrap();
        assert_eq!(spool.count(), 0, "what was half is gone");
        program.serve();
        let peer = Peer::connect(program.address.unwrap(), &device.login).await;
        assert_eq!(peer.list("/in").await.unwrap(), ["ACME"]);
    }
}
