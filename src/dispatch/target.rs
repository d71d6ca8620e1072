//! Where does a webhook go?

use core::net::IpAddr;
use std::fmt;

use url::{Host, Position, Url};

/// The longest address that is taken: longer ones are broken by programs on the way.
pub const URL_BYTES_MAX: usize = 2048;

/// The address of a receiver.
///
/// A value of this type keeps these promises:
///
/// - its scheme is `https` or `http`, and it names a host;
/// - it holds no user name or password, and no part behind `#`;
/// - it is at most [`URL_BYTES_MAX`] long.
///
/// What it does not promise is that anybody may be called there: that is judged at each connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Target(Url);

/// Text that is no address of a receiver.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` cannot be a webhook's address: {why}")]
pub struct InvalidTarget {
    url: String,
    why: &'static str,
}

/// What names a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A name, to be looked up.
    Name(String),
    /// An address, as it stands.
    Address(IpAddr),
}

impl Target {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// When it breaks one of the promises.
    pub fn parse(text: &str) -> Result<Self, InvalidTarget> {
        let invalid = |why| InvalidTarget {
            // What is too long is not read to the end.
            url: text.chars().take(100).collect(),
            why,
        };
        if text.len() > URL_BYTES_MAX {
            return Err(invalid("it is longer than 2048 bytes"));
        }
        let url: Url = text
            .trim()
            .parse()
            .map_err(|_| invalid("write one such as https://example.com/sluis"))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(invalid("it begins with neither https:// nor http://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(
                "it holds a user name or a password; the signature says who we are, so leave them out",
            ));
        }
        if url.fragment().is_some() {
            return Err(invalid("the part behind # is never sent; leave it out"));
        }
        // What was written in another way may have grown.
        if url.as_str().len() > URL_BYTES_MAX {
            return Err(invalid("it is longer than 2048 bytes"));
        }
        Ok(Self(url))
    }

    /// Returns it whole. Its path may hold a secret, so it is for nobody's log.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the scheme, host and port, which may be told.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Returns a text without its path and its query, which may hold a secret.
    pub fn blank_in(&self, text: &str) -> String {
        let hidden = [self.0.query().unwrap_or_default(), self.0.path()];
        let mut text = text.to_owned();
        for part in hidden.into_iter().filter(|part| part.len() > 1) {
            text = text.replace(part, "…");
        }
        text
    }

    /// Says whether it is called over TLS.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns what names the receiver.
    pub fn named(&self) -> Named {
        match self.0.host() {
            Some(Host::Ipv4(address)) => Named::Address(address.into()),
            Some(Host::Ipv6(address)) => Named::Address(address.into()),
            Some(Host::Domain(name)) => Named::Name(name.to_owned()),
            // Neither scheme is parsed without a host.
            None => Named::Name(String::new()),
        }
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// Returns what the receiver is told it is called: its host, and its port where that is not the usual one.
    pub fn authority(&self) -> &str {
        &self.0[Position::BeforeHost..Position::AfterPort]
    }

    /// Returns what is asked of the receiver: path and query.
    pub fn path(&self) -> &str {
        &self.0[Position::BeforePath..Position::AfterQuery]
    }
}

/// Shows what may be told.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let target = Target::parse("https://Example.com:8443/hooks/a?key=1").unwrap();

        assert_eq!(target.origin(), "https://example.com:8443");
        assert_eq!(target.authority(), "example.com:8443");
        assert_eq!(target.path(), "/hooks/a?key=1");
        assert_eq!(target.named(), Named::Name("example.com".to_owned()));
        assert_eq!((target.port(), target.is_https()), (8443, true));
        assert_eq!(Target::parse("http://a").unwrap().port(), 80);
        assert_eq!(Target::parse("https://a").unwrap().path(), "/");
        assert_eq!(Target::parse("https://a:443").unwrap().authority(), "a");
        assert_eq!(format!("{target:?}"), "https://example.com:8443");
    }

    #[test]
    fn an_address_that_is_written_otherwise_is_still_that_address() {
        let loopback = Named::Address("127.0.0.1".parse().unwrap());
        for text in [
            "http://127.1",
            "http://2130706433",
            "http://0x7f.0.0.1",
            "http://0177.0.0.1",
        ] {
            assert_eq!(Target::parse(text).unwrap().named(), loopback, "{text}");
        }
        let v6 = Target::parse("http://[::1]:80/").unwrap();
        assert_eq!(v6.named(), Named::Address("::1".parse().unwrap()));
        assert_eq!(v6.authority(), "[::1]");
    }

    #[test]
    fn what_is_no_receiver_is_refused_with_the_reason() {
        let table = [
            ("", "write one such as"),
            ("example.com", "write one such as"),
            ("https://", "write one such as"),
            ("ftp://example.com", "neither https:// nor http://"),
            ("file:///etc/passwd", "neither https:// nor http://"),
            ("https://anna@example.com", "user name"),
            ("https://anna:secret@example.com", "user name"),
            ("https://example.com/#a", "behind #"),
        ];
        for (text, why) in table {
            let error = Target::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn an_address_of_2048_bytes_is_taken_and_one_more_is_not() {
        let head = "https://example.com/";
        let longest = format!("{head}{}", "a".repeat(URL_BYTES_MAX - head.len()));

        assert!(Target::parse(&longest).is_ok());
        assert!(Target::parse(&format!("{longest}a")).is_err());
        // A byte that is written as three.
        let grown = format!("{head}{}", "é".repeat((URL_BYTES_MAX - head.len()) / 2));
        assert!(Target::parse(&grown).is_err());
    }

    #[test]
    fn what_may_be_a_secret_is_blanked_in_what_a_receiver_says() {
        let target = Target::parse("https://a.example/hook/S3CRET?key=K1").unwrap();

        let said = target.blank_in(r#"{"status":404,"path":"/hook/S3CRET","query":"key=K1"}"#);

        assert_eq!(said, r#"{"status":404,"path":"…","query":"…"}"#);
        let bare = Target::parse("https://a.example/").unwrap();
        assert_eq!(bare.blank_in("a/b"), "a/b");
    }
}
