//! How does a row become a value?

use std::str::FromStr;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::Error;
use crate::model::Timestamp;

/// Reading columns by name, with the checks that a stored word needs.
pub(super) trait Columns {
    fn int(&self, column: &str) -> Result<i64, Error>;
    fn int_or(&self, column: &str) -> Result<Option<i64>, Error>;
    fn text(&self, column: &str) -> Result<String, Error>;
    fn text_or(&self, column: &str) -> Result<Option<String>, Error>;
    /// Bytes and lengths are stored as bigint and never negative.
    fn size(&self, column: &str) -> Result<u64, Error>;
    fn at(&self, column: &str) -> Result<Timestamp, Error>;
    fn at_or(&self, column: &str) -> Result<Option<Timestamp>, Error>;
    fn word<T: FromStr>(&self, column: &'static str) -> Result<T, Error>;
    fn word_or<T: FromStr>(&self, column: &'static str) -> Result<Option<T>, Error>;
}

impl Columns for AnyRow {
    fn int(&self, column: &str) -> Result<i64, Error> {
        Ok(self.try_get(column)?)
    }

    fn int_or(&self, column: &str) -> Result<Option<i64>, Error> {
        Ok(self.try_get(column)?)
    }

    fn text(&self, column: &str) -> Result<String, Error> {
        Ok(self.try_get(column)?)
    }

    fn text_or(&self, column: &str) -> Result<Option<String>, Error> {
        Ok(self.try_get(column)?)
    }

    fn size(&self, column: &str) -> Result<u64, Error> {
        let stored = self.int(column)?;
        u64::try_from(stored).map_err(|_| Error::Stored {
            what: "a size",
            value: stored.to_string(),
        })
    }

    fn at(&self, column: &str) -> Result<Timestamp, Error> {
        self.int(column).map(Timestamp)
    }

    fn at_or(&self, column: &str) -> Result<Option<Timestamp>, Error> {
        Ok(self.int_or(column)?.map(Timestamp))
    }

    fn word<T: FromStr>(&self, column: &'static str) -> Result<T, Error> {
        parse(column, self.text(column)?)
    }

    fn word_or<T: FromStr>(&self, column: &'static str) -> Result<Option<T>, Error> {
        self.text_or(column)?
            .map(|text| parse(column, text))
            .transpose()
    }
}

fn parse<T: FromStr>(what: &'static str, value: String) -> Result<T, Error> {
    value.parse().map_err(|_| Error::Stored { what, value })
}

/// A size as the database holds it.
pub(super) fn stored_size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
