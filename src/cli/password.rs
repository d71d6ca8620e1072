//! Where does a device's password come from?

use std::io::BufRead as _;

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::rand_core::Rng as _;

use super::{Error, print};

/// Letters and digits that nobody takes for another, 32 of them: five bits each.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789A";

/// Letters of a made password: 120 bits, which nobody guesses.
const LETTERS_MADE: usize = 24;

/// Letters between hyphens, for whoever types them from paper.
const GROUP: usize = 4;

/// A password that a person chose may be this short without a word about it.
const SHORT_CHARS: usize = 12;

/// Makes a password: `k7mq-…`, six groups of four.
pub(super) fn make() -> String {
    let mut random = [0; LETTERS_MADE];
    safe_rng().fill_bytes(&mut random);
    let letters: Vec<char> = random
        .iter()
        .filter_map(|byte| LETTERS.get(usize::from(byte % 32))) // 256 is a multiple of 32: all are as likely
        .map(|letter| char::from(*letter))
        .collect();
    let groups: Vec<String> = letters
        .chunks(GROUP)
        .map(|group| group.iter().collect())
        .collect();
    groups.join("-")
}

/// Takes the first line of standard input.
pub(super) fn from_stdin() -> Result<String, Error> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|source| Error::failed("could not read a password from standard input", source))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Error::Refused(
            "standard input held no password; `--password` makes one".to_owned(),
        ));
    }
    if password.chars().count() < SHORT_CHARS {
        print::note(
            "note: this password is short, and the door is open to guesses; `--password` makes a strong one",
        );
    }
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_made_password_is_long_readable_and_new_each_time() {
        let made = make();

        assert_eq!(made.split('-').map(str::len).collect::<Vec<_>>(), [4; 6]);
        assert!(
            !made.contains(['0', 'O', '1', 'l', 'I', 'i', 'o']),
            "{made}"
        );
        assert_ne!(made, make());
    }

    #[test]
    fn every_letter_is_another() {
        assert_eq!(LETTERS.iter().collect::<BTreeSet<_>>().len(), 32);
    }
}
