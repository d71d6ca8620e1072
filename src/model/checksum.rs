//! What does a client compare a fetched content with?
//!
//! MD5 and SHA-1 are kept because clients ask for them, to notice a transfer that went wrong. They
//! prove nothing against somebody who means to deceive: a content's name is its SHA-256.

use std::fmt;
use std::str::FromStr;

use md5::Digest as _;

use super::{Digest, UnknownWord};

/// A hash that clients ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashName {
    /// MD5, which rclone and paramiko ask for first.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256, which is the content's [`Digest`].
    Sha256,
}

impl HashName {
    /// Returns the word that the protocol uses (filexfer-extensions-00 §3).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    /// Returns the hash of `bytes`.
    pub fn of(self, bytes: &[u8]) -> ContentHash {
        match self {
            Self::Md5 => ContentHash::Md5(md5::Md5::digest(bytes).into()),
            Self::Sha1 => ContentHash::Sha1(sha1::Sha1::digest(bytes).into()),
            Self::Sha256 => ContentHash::Sha256(Digest::of(bytes)),
        }
    }
}

impl FromStr for HashName {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "md5" => Ok(Self::Md5),
            "sha1" => Ok(Self::Sha1),
            "sha256" => Ok(Self::Sha256),
            other => Err(UnknownWord::new(other, "md5, sha1, sha256")),
        }
    }
}

/// A hash of a content. It prints as hexadecimal digits, as `md5sum` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentHash {
    /// Its MD5.
    Md5([u8; 16]),
    /// Its SHA-1.
    Sha1([u8; 20]),
    /// Its SHA-256.
    Sha256(Digest),
}

impl ContentHash {
    /// Returns its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Md5(bytes) => bytes,
            Self::Sha1(bytes) => bytes,
            Self::Sha256(digest) => digest.as_bytes(),
        }
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The hashes of a content beside its name: always both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksums {
    md5: [u8; 16],
    sha1: [u8; 20],
}

impl Checksums {
    /// Returns those of `bytes`.
    ///
    /// ```
    /// # use sluis::model::Checksums;
    /// let empty = Checksums::of(b"");
    /// assert_eq!(empty.md5().to_string(), "d41d8cd98f00b204e9800998ecf8427e");
    /// assert_eq!(empty.sha1().to_string(), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    /// ```
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = ChecksumHasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Reads what [`ContentHash`] prints.
    ///
    /// # Errors
    ///
    /// When one is not hexadecimal digits of its length.
    pub fn from_hex(md5: &str, sha1: &str) -> Result<Self, InvalidChecksum> {
        Ok(Self {
            md5: from_hex(md5)?,
            sha1: from_hex(sha1)?,
        })
    }

    /// Returns the MD5.
    pub fn md5(&self) -> ContentHash {
        ContentHash::Md5(self.md5)
    }

    /// Returns the SHA-1.
    pub fn sha1(&self) -> ContentHash {
        ContentHash::Sha1(self.sha1)
    }
}

/// Computes [`Checksums`] piece by piece.
#[derive(Default)]
pub struct ChecksumHasher {
    md5: md5::Md5,
    sha1: sha1::Sha1,
}

impl ChecksumHasher {
    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sha1.update(bytes);
    }

    /// Returns the checksums of what was taken.
    pub fn finish(self) -> Checksums {
        Checksums {
            md5: self.md5.finalize().into(),
            sha1: self.sha1.finalize().into(),
        }
    }
}

/// The text is not so many hexadecimal digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a checksum")]
pub struct InvalidChecksum(String);

fn from_hex<const N: usize>(text: &str) -> Result<[u8; N], InvalidChecksum> {
    let invalid = || InvalidChecksum(text.to_owned());
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(invalid());
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        let pair = text.get(2 * at..2 * at + 2).ok_or_else(invalid)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hash_is_the_one_that_its_program_prints() {
        let of = |name: HashName| name.of(b"abc\n").to_string();

        assert_eq!(of(HashName::Md5), "0bee89b07a248e27c83fc3d5951213c1");
        assert_eq!(
            of(HashName::Sha1),
            "03cfd743661f07975fa2f1220c5194cbaff48451"
        );
        assert_eq!(
            of(HashName::Sha256),
            "edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb"
        );
        for name in [HashName::Md5, HashName::Sha1, HashName::Sha256] {
            assert_eq!(name.as_str().parse(), Ok(name));
        }
    }

    #[test]
    fn checksums_read_back_what_they_print() {
        let both = Checksums::of(b"sluis");
        let (md5, sha1) = (both.md5().to_string(), both.sha1().to_string());

        assert_eq!(Checksums::from_hex(&md5, &sha1), Ok(both));
        assert!(Checksums::from_hex(&sha1, &md5).is_err());
        assert!(Checksums::from_hex(&"+1".repeat(16), &sha1).is_err());
        assert!(Checksums::from_hex(&"é".repeat(16), &sha1).is_err());
    }

    #[test]
    fn a_content_in_pieces_has_the_checksums_of_the_whole() {
        let mut hasher = ChecksumHasher::default();
        hasher.update(b"slu");
        hasher.update(b"is");

        assert_eq!(hasher.finish(), Checksums::of(b"sluis"));
    }
}
