//! Where in the tree is it?

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

/// The longest path that a peer may name, in bytes.
pub const PATH_BYTES_MAX: usize = 4096;

/// A path in the virtual tree, absolute and canonical.
///
/// A value of this type keeps these promises, so nothing behind it checks again:
///
/// - its components are not empty, and none is `.` or `..`;
/// - no component holds `/`, NUL or another control character;
/// - it is at most [`PATH_BYTES_MAX`] long.
///
/// ```
/// # use sluis::model::VirtualPath;
/// # fn main() -> Result<(), sluis::model::InvalidPath> {
/// let path = VirtualPath::parse("/inbox/../outbox//2026/./F-17.xml")?;
/// assert_eq!(path.to_string(), "/outbox/2026/F-17.xml");
/// assert_eq!(VirtualPath::parse("/../..")?, VirtualPath::ROOT); // as a chroot does
/// assert_eq!(VirtualPath::parse("relative")?.to_string(), "/relative"); // home is the root
/// assert!(VirtualPath::parse("/inbox/\0").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VirtualPath(Vec<String>);

impl VirtualPath {
    /// The root of every device's tree.
    pub const ROOT: Self = Self(Vec::new());

    /// Reads a path as a peer names it; a relative one starts at the root.
    ///
    /// # Errors
    ///
    /// When it is longer than [`PATH_BYTES_MAX`] or holds a control character.
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        if text.len() > PATH_BYTES_MAX {
            return Err(InvalidPath::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidPath::Control);
        }
        let mut components = Vec::new();
        for component in text.split('/') {
            match component {
                "" | "." => {}
                ".." => drop(components.pop()),
                name => components.push(name.to_owned()),
            }
        }
        Ok(Self(components))
    }

    /// Returns the components, outermost first.
    pub fn components(&self) -> &[String] {
        &self.0
    }

    /// Returns the last component, unless this is the root.
    pub fn name(&self) -> Option<&str> {
        self.0.last().map(String::as_str)
    }

    /// Returns the folder that holds this path; the root's is the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        let above = self.0.len().saturating_sub(1);
        Self(self.0.iter().take(above).cloned().collect())
    }

    /// Returns the key by which this path is looked up: see [`fold`].
    pub fn key(&self) -> String {
        fold(&self.to_string())
    }
}

impl fmt::Display for VirtualPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("/");
        }
        self.0
            .iter()
            .try_for_each(|component| write!(f, "/{component}"))
    }
}

/// Returns `name` as lookups compare it: case ignored, accents composed (NFC).
///
/// ```
/// # use sluis::model::fold;
/// assert_eq!(fold("Te Verwerken"), fold("TE VERWERKEN"));
/// assert_eq!(fold("Re\u{301}gie"), fold("RÉGIE"));
/// ```
pub fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.nfc().flat_map(char::to_lowercase).nfc().collect()
}

/// A path that no tree can hold.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// Longer than [`PATH_BYTES_MAX`].
    #[error("the path is {bytes} bytes long; at most {PATH_BYTES_MAX} are read")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It holds NUL or another control character.
    #[error("the path holds a control character")]
    Control,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_parsed_path_reads_back_and_never_climbs(text in "[a-zA-Z./ é]{0,60}") {
            let path = VirtualPath::parse(&text).unwrap();

            prop_assert_eq!(&VirtualPath::parse(&path.to_string()).unwrap(), &path);
            prop_assert!(path.components().iter().all(|c| !c.is_empty() && c != "." && c != ".." && !c.contains('/')));
        }

        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,40}") {
            let once = fold(&text);
            prop_assert_eq!(&fold(&once), &once);
        }
    }

    #[test]
    fn a_path_one_byte_past_the_limit_is_refused() {
        assert!(VirtualPath::parse(&"a".repeat(PATH_BYTES_MAX)).is_ok());
        assert_eq!(
            VirtualPath::parse(&"a".repeat(PATH_BYTES_MAX + 1)),
            Err(InvalidPath::TooLong {
                bytes: PATH_BYTES_MAX + 1
            })
        );
    }
}
