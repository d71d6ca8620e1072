//! By which keys do devices know this server?
//!
//! They are made once, by `init`, and never changed: a new key makes every device refuse to connect.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{KeypairData, RsaKeypair};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey, PublicKey};

use crate::sftp::HostKeys;

/// Their files; the names are OpenSSH's. ECDSA is for older libraries, as `JSch`, that know no Ed25519
/// and sign with RSA only over SHA-1: it is offered with `algorithms = "legacy"` alone.
pub const FILES: [&str; 3] = ["ssh_host_ed25519_key", ECDSA, "ssh_host_rsa_key"];
const ECDSA: &str = "ssh_host_ecdsa_key";

/// The size of the RSA key, in bits.
const RSA_BITS: usize = 3072;

/// A host key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there.
    #[error("could not read the host key `{}`: there is no such file; `sluis init` on the folder of the configuration makes one that never was, and one that is lost must come back from a backup, for devices refuse a server whose key has changed", path.display())]
    Missing {
        /// Which.
        path: PathBuf,
    },
    /// Its public half is not there.
    #[error("could not read the public host key `{}`: there is no such file; `ssh-keygen -y -f` and the file of the private key print it, and `--key FILE` names another", path.display())]
    MissingPublic {
        /// Which.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("could not read the host key `{}`, which the user who runs this must be able to", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no key.
    #[error("the host key `{}` is damaged, or not in OpenSSH's form: it must come back from a backup, for devices refuse a server whose key has changed", path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// Why.
        source: russh::keys::ssh_key::Error,
    },
    /// It has a passphrase, which nobody would be there to type.
    #[error("the host key `{}` has a passphrase; take it away with `ssh-keygen -p -f` and the file", path.display())]
    Encrypted {
        /// Which.
        path: PathBuf,
    },
    /// It cannot be made.
    #[error("could not make a host key")]
    Make(#[source] russh::keys::ssh_key::Error),
    /// It cannot be written.
    #[error("could not write the host key `{}`", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Makes the keys that are not there yet, in `folder`.
///
/// # Errors
///
/// When one cannot be made or written.
pub fn make(folder: &Path) -> Result<(), Error> {
    for file in FILES {
        let path = folder.join(file);
        if path.exists() {
            continue;
        }
        let key = match file {
            "ssh_host_ed25519_key" => random(Algorithm::Ed25519),
            ECDSA => random(Algorithm::Ecdsa {
                curve: EcdsaCurve::NistP256,
            }),
            _ => rsa(),
        }
        .map_err(Error::Make)?;
        let text = key.to_openssh(LineEnding::LF).map_err(Error::Make)?;
        let public = key.public_key().to_openssh().map_err(Error::Make)?;
        write(&path, text.as_bytes(), 0o600)?;
        write(
            &path.with_extension("pub"),
            format!("{public}\n").as_bytes(),
            0o644,
        )?;
    }
    Ok(())
}

/// Reads the keys in `folder`; those among `credentials` take their place.
///
/// # Errors
///
/// When the Ed25519 or RSA key is missing, or one cannot be read.
pub fn read(folder: &Path, credentials: Option<&Path>) -> Result<HostKeys, Error> {
    let read = |file: &&str| {
        let path = place(file, folder, credentials);
        match PrivateKey::read_openssh_file(&path) {
            Ok(key) if key.is_encrypted() => Err(Error::Encrypted { path }),
            Ok(key) => Ok(key),
            Err(source) => Err(unread(path, source)),
        }
    };
    // A folder from before the ECDSA key has none, and must not get one unasked: it serves as it did.
    let there = |file: &&&str| **file != ECDSA || place(ECDSA, folder, credentials).exists();
    let keys = FILES.iter().filter(there).map(read);
    Ok(HostKeys(keys.collect::<Result<_, _>>()?))
}

/// Says whether the server does without this key.
pub fn may_be_missing(file: &str) -> bool {
    file == ECDSA
}

/// Returns where a key is: among the credentials, or in its folder.
pub fn place(file: &str, folder: &Path, credentials: Option<&Path>) -> PathBuf {
    let given = credentials.map(|given| given.join(file));
    given
        .filter(|path| path.exists())
        .unwrap_or_else(|| folder.join(file))
}

/// Reads the public half of the Ed25519 key in `folder`: what receipts are checked with.
///
/// # Errors
///
/// When it is missing, or cannot be read.
pub fn public(folder: &Path) -> Result<PublicKey, Error> {
    let path = folder.join(FILES[0]).with_extension("pub");
    PublicKey::read_openssh_file(&path).map_err(|source| match unread(path, source) {
        Error::Missing { path } => Error::MissingPublic { path },
        other => other,
    })
}

/// Says what is the matter with a file that did not become a key.
fn unread(path: PathBuf, source: russh::keys::ssh_key::Error) -> Error {
    match fs::File::open(&path) {
        Err(gone) if gone.kind() == ErrorKind::NotFound => Error::Missing { path },
        Err(source) => Error::Read { path, source },
        Ok(_) => Error::Form { path, source },
    }
}

/// Returns the fingerprints, as `ssh` shows them when it first connects.
pub fn fingerprints(keys: &HostKeys) -> Vec<String> {
    let line =
        |key: &PrivateKey| format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256));
    keys.0.iter().map(line).collect()
}

fn random(algorithm: Algorithm) -> Result<PrivateKey, russh::keys::ssh_key::Error> {
    PrivateKey::random(&mut russh::keys::key::safe_rng(), algorithm)
}

fn rsa() -> Result<PrivateKey, russh::keys::ssh_key::Error> {
    let pair = RsaKeypair::random(&mut russh::keys::key::safe_rng(), RSA_BITS)?;
    PrivateKey::new(KeypairData::Rsa(pair), "")
}

/// Nobody else may read a key, at no moment: the mode is the file's from its first byte.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let written = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    written().map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_from_before_the_ecdsa_key_serves_as_it_did() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path()).unwrap();
        assert_eq!(read(folder.path(), None).unwrap().0.len(), 3);

        fs::remove_file(folder.path().join(ECDSA)).unwrap();
        assert_eq!(read(folder.path(), None).unwrap().0.len(), 2);

        fs::remove_file(folder.path().join("ssh_host_rsa_key")).unwrap();
        assert!(read(folder.path(), None).is_err());
    }

    #[test]
    fn a_credential_takes_the_place_of_the_file() {
        let (folder, given) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for of in [&folder, &given] {
            make(of.path()).unwrap();
        }
        fs::remove_file(given.path().join(ECDSA)).unwrap();
        let all = |folder: &Path, given| fingerprints(&read(folder, given).unwrap());
        let (own, others) = (all(folder.path(), None), all(given.path(), None));

        let used = all(folder.path(), Some(given.path()));

        assert_eq!([&used[0], &used[2]], [&others[0], &others[1]]);
        assert_eq!(used[1], own[1], "what is not given stays");
    }

    #[test]
    fn a_key_that_is_not_there_and_one_that_is_none_are_told_apart_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path()).unwrap();
        let (key, path) = (FILES[0], folder.path().join(FILES[0]));
        let said = || {
            let refused = read(folder.path(), None).err().unwrap();
            crate::model::with_causes(&refused)
        };
        fs::write(&path, "no key").unwrap();
        let none = said();
        fs::remove_file(&path).unwrap();
        let missing = said();
        fs::remove_file(path.with_extension("pub")).unwrap();
        let public = crate::model::with_causes(&public(folder.path()).unwrap_err());

        assert!(
            none.contains("is damaged, or not in OpenSSH's form"),
            "{none}"
        );
        let begins = format!(
            "could not read the host key `{}`: there is no such file; ",
            path.display()
        );
        assert!(missing.starts_with(&begins), "{missing}");
        assert!(missing.contains("`sluis init`"), "{missing}");
        assert!(
            missing.ends_with("refuse a server whose key has changed"),
            "{missing}"
        );
        assert!(
            public.contains(&format!(
                "{key}.pub`: there is no such file; `ssh-keygen -y -f`"
            )),
            "{public}"
        );
    }

    /// Made for this test by `ssh-keygen`; its passphrase is `secret`.
    const WITH_PASSPHRASE: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----\n\
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABD8ECSnZ1\n\
tihAX+vci4zYJcAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIHHamNJ9h/p9Odvp\n\
ur0bn1dTzFre7Fe1b6eg+xz2MXmHAAAAkIgJJDPUSNuJaAj4w5nAs8p2tFZl8c11JXPoey\n\
eIrWpwVLhotqtxmzEQXrc/tiQ266I1h4jVwOimj++2vOSl2ozM3AqK3qVXhLLOrHXz67jd\n\
BpIsh73DTQYTHNoIVt1kL2fcSmNWedNOelX8pXrQDUiN/i/DdomqBUp9Xi3Y72whqzLKLM\n\
7MX5xJoNMEIk0JHw==\n\
-----END OPENSSH PRIVATE KEY-----\n\
";

    #[test]
    fn a_key_that_nobody_is_there_to_open_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILES[0]), WITH_PASSPHRASE).unwrap();

        let Err(refused) = read(folder.path(), None) else {
            panic!("it was read");
        };

        assert!(
            refused.to_string().contains("ssh-keygen -p -f"),
            "{refused}"
        );
    }
}
