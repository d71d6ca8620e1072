//! Does a peer that agrees to strict key exchange get a packet in between, as Terrapin needs?
//!
//! Whoever changes bytes on the way could slip packets in before the keys count, and swallow as many behind it
//! (CVE-2023-48795). Both sides have agreed to take none then: OpenSSH's `PROTOCOL`, section 1.10.

use std::net::TcpStream;

use super::ssh::{DEBUG, IGNORE, Ssh};
use crate::program::Program;
use crate::raw::text;

const STRICT: &str = "curve25519-sha256,kex-strict-c-v00@openssh.com";
const NOT_STRICT: &str = "curve25519-sha256";

fn ignore() -> Vec<u8> {
    [vec![IGNORE], text("x")].concat()
}

fn debug() -> Vec<u8> {
    [&[DEBUG][..], &[0], &text("x"), &text("")].concat()
}

#[test]
fn nothing_gets_between_the_packets_of_a_strict_key_exchange() {
    let mut program = Program::init();
    program.serve();
    let greet = || Ssh::greet(TcpStream::connect(program.address.unwrap()).unwrap());

    for noise in [ignore(), debug()] {
        // It goes on as if nothing were, and gets no keys.
        let mut strict = greet();
        let init = strict.begin_keys_by(STRICT).unwrap();
        let keys = strict.send(&noise).and_then(|()| strict.finish_keys(&init));
        assert!(keys.is_err(), "{noise:?} behind the first packet");

        let mut strict = greet();
        strict.send(&noise).unwrap();
        let init = strict.begin_keys_by(STRICT);
        let keys = init.and_then(|init| strict.finish_keys(&init));
        assert!(keys.is_err(), "{noise:?} before the first packet");

        // Who knows nothing of it may send what it likes (RFC 4253 §11).
        let mut older = greet();
        let init = older.begin_keys_by(NOT_STRICT).unwrap();
        older.send(&noise).unwrap();
        older.finish_keys(&init).unwrap();
        older.settle_login().unwrap();
    }

    let mut strict = greet();
    let init = strict.begin_keys_by(STRICT).unwrap();
    strict.finish_keys(&init).unwrap();
    // Behind the first keys it may again.
    strict.send(&ignore()).unwrap();
    strict.settle_login().unwrap();
}
