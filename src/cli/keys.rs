//! Which public keys are in a file?

use std::fs;
use std::path::Path;

use russh::keys::HashAlg;
use russh::keys::ssh_key::PublicKey;
use russh::keys::ssh_key::authorized_keys::Entry;

use super::Error;
use crate::catalog::DeviceKey;
use crate::login::weakness;

/// Reads the public keys in a file, or for `-` on standard input: one in OpenSSH's form, or several as in
/// `authorized_keys`.
pub(super) fn read(path: &Path) -> Result<Vec<DeviceKey>, Error> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        fs::read_to_string(path)
    };
    let text = text.map_err(Error::file("read the key", path))?;
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
    let kind = line.split_whitespace().next().unwrap_or_default();
    if kind.ends_with("-cert-v01@openssh.com") {
        return Err("certificates are not accepted; give the key that it is of".to_owned());
    }
    let form = "it wants lines such as `ssh-ed25519 AAAA… comment`";
    let entry: Entry = line.parse().map_err(|error| format!("{error}; {form}"))?;
    if !entry.config_opts().is_empty() {
        return Err("options before a key are not understood here; give the key alone".to_owned());
    }
    let public = entry.public_key();
    if let Some(weakness) = weakness(public.key_data()) {
        return Err(weakness.to_string());
    }
    let bare = PublicKey::new(public.key_data().clone(), "");
    Ok(DeviceKey {
        fingerprint: public.fingerprint(HashAlg::Sha256).to_string(),
        public_key: bare.to_openssh().map_err(|error| error.to_string())?,
        comment: public.comment().as_str_lossy().to_owned(),
        expires_at: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti kevin@pc";

    const RSA_1024: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDNG4rd8ZsReVrznZjpZDJhwqbMl94q5KptINz19nizbOJONAX1DrAj5DCgAPCsQCyRflKVGbrPXHgM1zukWJpnJ2Wu7UPMAknEi0VSo/xz6/Ze+63gX89ywXQPRkhQid3+75ISp1iLSeV0Ag2ipNulhELrT/v2Fbmt0+vECtyeJQ== old";

    const DSA: &str = "ssh-dss AAAAB3NzaC1kc3MAAACBAPHIscsLY9rtkKfYvHe7MuGyMGDlQ+g2nHO7dyEKyQyNRw82kH1oJU1aK+HqNOQd8DT/unZmeei6Ktjzb1mHhn9ijO63KIbycf2snf7mvkni9JpJR2guWQhAPtF6EIj1zj3iBPDbj4+k8tojwKbixR3rgIqQKsRdZW5moNX9VqLZAAAAFQCRDvkXGOFp36JAu81oB9wUdyjKMwAAAIEArIG+cJhexY5ddM4Kf+zPqTsqSRaLFg6NDQ0F8V2K5kZ4D1EkbDYbAmtXhVfeNpEio7wqzcL7dEtut/+Uhy8MTymWqTARBo/QDrSLuwITqtXcwCVK3rUKtxXfk70Wo6w/NL9zYpi9tPoQxyppECyv2NZm+kK0yuk0AR+MtF1LnrMAAACBAOnRlItnGXlS2P0WVv86vT/l9OqZXnKK4TNGbrIbKaqMW5PxaoDaClhPSkXiXV0fhqDuvsXddlxWJBBd2Nr/vZuOHgScg2oesf24n2r+pHg63kph8UnWx2XWwaDMY6BzjeLEMfBdSWYlhVcZqtkuBZ9P0h3nTNG8GW1WgQNpjroO dsa";

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
    fn a_weak_key_and_a_certificate_are_refused_with_advice() {
        let advice = |text: &str| parse(text).unwrap_err();

        assert!(advice(RSA_1024).contains("RSA with 1024 bits can be broken, 2048 is the least"));
        assert!(advice(DSA).contains("DSA can be broken"));
        let certificate = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t kevin";
        assert!(advice(certificate).contains("certificates are not accepted"));
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
