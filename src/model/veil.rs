//! What stands in the log for a name that somebody else chose?

use std::fmt;

use super::Digest;

/// A name that is not logged.
///
/// Files bear the names of parties and the numbers of invoices, and whoever is asked for a login may type a
/// password. It is shown as the first eight digits of its SHA-256, so that two lines about one name are seen to
/// be so, and whoever has the name finds its lines.
///
/// ```
/// # use sluis::model::Veiled;
/// assert_eq!(Veiled("Bakkerij F-17.xml").to_string(), "#c5c680a8");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Veiled<'a>(pub &'a str);

impl fmt::Display for Veiled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = Digest::of(self.0.as_bytes());
        let first = digest.as_bytes().iter().take(4);
        f.write_str("#")?;
        for byte in first {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}
