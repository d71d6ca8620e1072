//! What is wrong with a number or an address that stands in the configuration, and what would be right?
//!
//! The reader of the file names line and key. What it says of the value is for programmers.

use core::net::SocketAddr;
use core::num::NonZeroU64;

use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer};

/// Reads a whole number that is not 0: such a limit would let nothing through, and a time would never pass.
///
/// # Errors
///
/// When it is none, is 0 or less, or has no room in its type.
pub fn not_zero<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: TryFrom<NonZeroU64>,
    D: Deserializer<'de>,
{
    let number = i64::deserialize(deserializer)?;
    let read = u64::try_from(number).ok().and_then(NonZeroU64::new);
    read.and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| {
            let most = greatest::<T>();
            D::Error::custom(format!(
                "{number} cannot be used: write a whole number from 1 to {most}, or leave it out for its default"
            ))
        })
}

/// The greatest number of that type that a file can say.
fn greatest<T>() -> u64 {
    let unused = 64_usize.saturating_sub(8 * size_of::<T>());
    (u64::MAX >> unused).min(i64::MAX.unsigned_abs())
}

/// Reads an address with its port.
///
/// # Errors
///
/// When it is none.
pub fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format!(
            "`{text}` is no address with a port: write one such as `0.0.0.0:2222`, `[::]:2222` or `127.0.0.1:9464`; names are not looked up"
        ))
    })
}

/// The same, of one that may be left out.
///
/// # Errors
///
/// When it is none.
pub fn address_or<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    address(deserializer).map(Some)
}
