//! What has the operator decided about being watched?

use std::net::SocketAddr;

use serde::Deserialize;

use crate::model::address_or;

/// Metrics and health, over HTTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Said")]
pub struct MetricsConfig {
    /// Where to listen; nowhere, if it is not said.
    pub listen: Option<SocketAddr>,
    /// Whether others than this machine may ask.
    pub public: bool,
}

/// What stands in the file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Said {
    #[serde(deserialize_with = "address_or")]
    listen: Option<SocketAddr>,
    public: bool,
}

impl TryFrom<Said> for MetricsConfig {
    type Error = String;

    fn try_from(said: Said) -> Result<Self, String> {
        let Said { listen, public } = said;
        match listen {
            Some(address) if !address.ip().to_canonical().is_loopback() && !public => Err(format!(
                "{address} is no loopback address, and whoever reaches it would read how much each device has waiting: write 127.0.0.1, or say `public = true` beside it"
            )),
            _ => Ok(Self { listen, public }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_listened_on_unless_it_is_said() {
        let read = |text: &str| toml::from_str::<MetricsConfig>(text);

        assert_eq!(read("").unwrap().listen, None);
        for address in [
            "127.0.0.1:9464",
            "127.9.9.9:1",
            "[::1]:9464",
            "[::ffff:127.0.0.1]:9464",
        ] {
            assert!(read(&format!("listen = '{address}'")).is_ok(), "{address}");
        }
        for address in [
            "0.0.0.0:9464",
            "[::]:9464",
            "10.0.0.3:9464",
            "[::ffff:10.0.0.3]:9464",
        ] {
            let refused = read(&format!("listen = '{address}'")).unwrap_err();
            assert!(refused.to_string().contains("public = true"), "{refused}");
            assert!(read(&format!("listen = '{address}'\npublic = true")).is_ok());
        }
    }
}
