//! What has the operator decided about webhooks?

use std::path::PathBuf;

use serde::Deserialize;

use crate::model::Network;

/// Webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookConfig {
    /// Ranges of addresses that webhooks may go to although they are not public, and without TLS.
    pub allow: Vec<Network>,
    /// A file of certificates (PEM) that are trusted beside the system's.
    pub roots: Option<PathBuf>,
}
