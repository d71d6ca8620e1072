//! What may whoever has not logged in have the server do for him?

use sluis::sftp::limits::{BYTES_BEFORE_LOGIN_MAX, LOGINS_PER_CONNECTION_MAX};

use super::{NOBODY, Scene, wrong_key};
use crate::gateway::{Login, until};
use crate::hostile::ssh::{Ssh, string};
use crate::interop::wait_until;
use crate::peer::log_in;
use crate::program::Program;
use crate::raw::text;

impl Scene {
    /// Has a stranger with its first keys do something, on a thread of its own.
    async fn stranger<T: Send + 'static>(&self, act: impl FnOnce(Ssh) -> T + Send + 'static) -> T {
        let stream = self.dial(NOBODY).await.into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        let acting = tokio::task::spawn_blocking(move || act(Ssh::over(stream)));
        acting.await.unwrap()
    }
}

/// Asks for the service that logs in.
fn begin(ssh: &mut Ssh) {
    let service = [&[5][..], &text("ssh-userauth")].concat();
    ssh.send(&service).unwrap();
    ssh.until(6).unwrap();
}

/// A login request by this method, for a login of these bytes (RFC 4252 §5).
fn asked(login: &[u8], method: &str, rest: &[u8]) -> Vec<u8> {
    let login = string(login);
    [
        &[50][..],
        &login,
        &text("ssh-connection"),
        &text(method),
        rest,
    ]
    .concat()
}

/// Whether a key of this kind would do, without proof (RFC 4252 §7).
pub fn would_do(login: &str, kind: &str, blob: &[u8]) -> Vec<u8> {
    let rest = [&[0][..], &text(kind), &string(blob)].concat();
    asked(login.as_bytes(), "publickey", &rest)
}

#[tokio::test]
async fn keys_are_exchanged_a_few_times_for_a_stranger_and_no_more() {
    let scene = Scene::start("").await;

    let exchanged = scene
        .stranger(|mut ssh| {
            let mut exchanged = 0;
            while let Ok(init) = ssh.begin_keys() {
                if ssh.finish_keys(&init).is_err() {
                    break;
                }
                exchanged += 1;
            }
            exchanged
        })
        .await;

    // Each takes some 300 bytes of his.
    assert!(exchanged > 2, "{exchanged}");
    assert!(exchanged <= BYTES_BEFORE_LOGIN_MAX / 250, "{exchanged}");
    let expected = ["127.0.0.66/32 counting no_attempt"];
    until(async || scene.written().await == expected).await;
    scene.serves_the_honest().await;
}

#[tokio::test]
async fn whoever_asks_again_and_again_whether_a_key_would_do_is_sent_away() {
    let scene = Scene::start("").await;
    let (login, key) = (scene.device.name.clone(), scene.device.key.public_key());
    let offer = would_do(&login, "ssh-ed25519", &key.to_bytes().unwrap());

    let told = scene
        .stranger(move |mut ssh| {
            begin(&mut ssh);
            let mut told = 0;
            while ssh.send(&offer).is_ok() && ssh.until(60).is_ok() {
                told += 1;
            }
            told
        })
        .await;

    assert!(told >= LOGINS_PER_CONNECTION_MAX, "{told}");
    assert!(told <= LOGINS_PER_CONNECTION_MAX + 1, "{told}");
    scene.serves_the_honest().await;
}

#[tokio::test]
async fn a_login_that_cannot_be_read_is_one_that_failed_and_does_not_bar_an_office() {
    let password = |text: &[u8]| [&[0][..], &string(text)].concat();
    for unreadable in [
        // An accented letter as Windows-1252 has it.
        asked(b"ren\xe9.server", "password", &password(b"x")),
        asked(b"peeters.server", "password", &password(b"\xe9t\xe9")),
        would_do(
            "peeters.server",
            "ssh-ed448",
            &[text("ssh-ed448"), string(&[7; 57])].concat(),
        ),
    ] {
        let scene = Scene::start("").await;
        let is_ended = scene
            .stranger(move |mut ssh| {
                begin(&mut ssh);
                ssh.send(&unreadable).unwrap();
                ssh.is_ended()
            })
            .await;

        assert!(is_ended);
        let expected = ["127.0.0.66/32 counting refused"];
        until(async || scene.written().await == expected).await;
        assert!(scene.greets(NOBODY).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_told_with_the_login_that_it_was_shown_for() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.serve();
    let wrong = Login {
        name: device.login.name.clone(),
        id: device.login.id,
        key: wrong_key(),
    };

    let refused = log_in(program.address.unwrap(), &wrong, Default::default()).await;

    assert!(refused.is_err());
    wait_until(|| program.log_says("Refused a login"));
    let told = program.log_lines("Refused a login");
    assert_eq!(told.len(), 1, "{told:?}");
    for words in [
        "`kantoor.server`",
        "none of this device's",
        "(keys offered: 1)",
    ] {
        assert!(told[0].contains(words), "{told:?}");
    }
}
