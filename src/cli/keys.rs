//! Which public keys are in a file?

use std::fs;
use std::path::Path;

use russh::keys::HashAlg;
use russh::keys::ssh_key::PublicKey;
use russh::keys::ssh_key::authorized_keys::Entry;
use russh::keys::ssh_key::public::KeyData;

use super::Error;
use crate::catalog::DeviceKey;

/// RSA keys below this many bits can be broken.
const RSA_BITS_MIN: u32 = 2048;

/// Reads the public keys in a file: one in OpenSSH's form, or several as in `authorized_keys`.
pub(super) fn read(path: &Path) -> Result<Vec<DeviceKey>, Error> {
    let text = fs::read_to_string(path).map_err(Error::file("read the key", path))?;
    let keys = parse(&text);
    keys.map_err(|why| {
        Error::Refused(format!(
            "the key `{}` cannot be used: {why}",
            path.display()
        ))
    })
}

/// Reads public keys, one a line.
pub(super) fn parse(text: &str) -> Result<Vec<DeviceKey>, String> {
    if text.contains("PRIVATE KEY") || text.starts_with("PuTTY-User-Key-File") {
        return Err("this is the private half, which must never leave its owner; give the public half, the file that ends in `.pub`".to_owned());
    }
    if text.contains("BEGIN SSH2 PUBLIC KEY") {
        return Err(
            "it is in the form of RFC 4716; `ssh-keygen -i -f FILE` prints it in OpenSSH's"
                .to_owned(),
        );
    }
    let lines = text.lines().map(str::trim);
    let keys: Vec<DeviceKey> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(key)
        .collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err("there is no key in it".to_owned());
    }
    Ok(keys)
}

fn key(line: &str) -> Result<DeviceKey, String> {
    let form = "it wants lines such as `ssh-ed25519 AAAA… comment`";
    let entry: Entry = line.parse().map_err(|error| format!("{error}; {form}"))?;
    if !entry.config_opts().is_empty() {
        return Err("options before a key are not understood here; give the key alone".to_owned());
    }
    let public = entry.public_key();
    check(public.key_data())?;
    let bare = PublicKey::new(public.key_data().clone(), "");
    Ok(DeviceKey {
        fingerprint: public.fingerprint(HashAlg::Sha256).to_string(),
        public_key: bare.to_openssh().map_err(|error| error.to_string())?,
        comment: public.comment().as_str_lossy().to_owned(),
    })
}

fn check(key: &KeyData) -> Result<(), String> {
    match key {
        KeyData::Dsa(_) => {
            Err("DSA can be broken; make another with `ssh-keygen -t ed25519`".to_owned())
        }
        KeyData::Rsa(rsa) if rsa.key_size() < RSA_BITS_MIN => Err(format!(
            "RSA with {} bits can be broken, {RSA_BITS_MIN} is the least; make another with `ssh-keygen -t ed25519`",
            rsa.key_size()
        )),
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) | KeyData::Rsa(_) => Ok(()),
        KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => Ok(()),
        _ => Err(
            "keys of this kind are not understood here; make another with `ssh-keygen -t ed25519`"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti kevin@pc";

    #[test]
    fn a_file_may_hold_one_key_or_several() {
        let one = parse(ED25519).unwrap();
        let two = parse(&format!("# office\n\n{ED25519}\n{ED25519}\n")).unwrap();

        assert_eq!(one[0].comment, "kevin@pc");
        assert!(one[0].fingerprint.starts_with("SHA256:"));
        assert!(!one[0].public_key.contains("kevin"));
        assert_eq!(two.len(), 2);
    }

    #[test]
    fn what_is_no_public_key_is_refused_with_advice() {
        let advice = |text: &str| parse(text).unwrap_err();

        assert!(advice("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl").contains("`.pub`"));
        assert!(advice("PuTTY-User-Key-File-3: ssh-ed25519").contains("`.pub`"));
        assert!(advice("---- BEGIN SSH2 PUBLIC KEY ----").contains("ssh-keygen -i"));
        assert!(advice("hello").contains("ssh-ed25519 AAAA"));
        assert!(advice("\n# nothing\n").contains("no key"));
        assert!(advice(&format!("command=\"ls\" {ED25519}")).contains("options"));
    }
}
