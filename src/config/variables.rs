//! Which keys of the configuration do variables of the environment give, and what was meant by an unknown one?
//!
//! Every key of `config/sluis.toml` has a variable: `SLUIS_`, its table and its name in capitals, as
//! `SLUIS_SFTP_LISTEN`; the same with `_FILE` behind it names a file where the value stands. A variable counts
//! more than the configuration. Others that begin so are left alone: a cluster gives each program some that it
//! never asked for.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use toml::{Table, Value};

/// What every variable begins with.
const BEGIN: &str = "SLUIS_";

/// What the name of a variable ends with that names a file where the value stands, as containers hand in secrets.
const IN_FILE: &str = "_FILE";

/// How many letters may be wrong, missing or swapped for one name to be a typing error of another.
const WRONG_LETTERS_MAX: usize = 2;

/// A key, and a value of its type.
struct Key {
    table: Option<String>,
    name: String,
    example: Value,
}

impl Key {
    fn variable(&self) -> String {
        let table = self.table.as_ref().map(|table| format!("{table}_"));
        format!("{BEGIN}{}{}", table.unwrap_or_default(), self.name).to_uppercase()
    }

    fn variable_in_file(&self) -> String {
        self.variable() + IN_FILE
    }
}

/// Every key, as the example has it; those that it leaves out stand there behind a `# `.
static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let mut keys = Vec::new();
    let mut table = None;
    for line in include_str!("../../config/sluis.toml").lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            table = Some(name.to_owned());
            continue;
        }
        let line = line.strip_prefix("# ").unwrap_or(line);
        let is_key = line
            .split_once(" = ")
            .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        let read = is_key.then(|| line.parse::<Table>().ok()).flatten();
        let found = read.and_then(|read| read.into_iter().next());
        keys.extend(found.map(|(name, example)| Key {
            table: table.clone(),
            name,
            example,
        }));
    }
    keys
});

/// Returns the name of every key, with its table.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = String> {
    KEYS.iter().map(|key| match &key.table {
        Some(table) => format!("{table}.{}", key.name),
        None => key.name.clone(),
    })
}

/// A variable that is none.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// It is nearly one: most likely a typing error, that would silently not count.
    #[error("the variable `{name}` gives no key of the configuration; `{near}` does")]
    Unknown {
        /// What stands there.
        name: String,
        /// What is most like it.
        near: String,
    },
    /// Its value is not of the key's type.
    #[error(
        "the variable `{name}` wants a value such as `{example}`, as it stands in the configuration"
    )]
    Value {
        /// Which.
        name: String,
        /// One that can be used.
        example: String,
    },
    /// Both it and the file that it may stand in are given, and only one can count.
    #[error("the variables `{name}` and `{name}_FILE` give the same key; leave one of them out")]
    Twice {
        /// The first.
        name: String,
    },
    /// The file that it names cannot be read.
    #[error("could not read `{}`, where the variable `{name}` says that its value stands", file.display())]
    File {
        /// Which.
        name: String,
        /// Which file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Puts what the variables say into a configuration; `read` reads a file that one of them names.
///
/// # Errors
///
/// When one is nearly the name of a key, has a value of another type, says what another says, or names a file
/// that cannot be read.
pub(super) fn overlay(
    table: &mut Table,
    variables: impl IntoIterator<Item = (String, String)>,
    read: impl Fn(&Path) -> io::Result<String>,
) -> Result<(), Wrong> {
    let mut given = BTreeSet::new();
    for (name, value) in variables {
        if !name.starts_with(BEGIN) || name == "SLUIS_CONFIG" {
            continue;
        }
        let (key, value) = match key_of(&name) {
            Some((key, Stands::Here)) => (key, value),
            Some((key, Stands::InFile)) => (key, value_in(&name, &value, &read)?),
            None => match nearest(&name, KEYS.iter().flat_map(names_of)) {
                Some(near) => return Err(Wrong::Unknown { name, near }),
                None => continue,
            },
        };
        if !given.insert(key.variable()) {
            let name = key.variable();
            return Err(Wrong::Twice { name });
        }
        let value = value_of(key, &value).ok_or_else(|| Wrong::Value {
            name,
            example: key.example.to_string(),
        })?;
        let own = match &key.table {
            None => Some(&mut *table),
            Some(name) => table
                .entry(name.clone())
                .or_insert_with(|| Value::Table(Table::new()))
                .as_table_mut(),
        };
        // What is no table in the file is refused when it is read.
        if let Some(own) = own {
            own.insert(key.name.clone(), value);
        }
    }
    Ok(())
}

/// Where the value of a variable stands.
enum Stands {
    Here,
    InFile,
}

/// Returns the key that a variable gives, if any.
fn key_of(variable: &str) -> Option<(&'static Key, Stands)> {
    KEYS.iter().find_map(|key| {
        if key.variable() == variable {
            Some((key, Stands::Here))
        } else if key.variable_in_file() == variable {
            Some((key, Stands::InFile))
        } else {
            None
        }
    })
}

fn names_of(key: &Key) -> [String; 2] {
    [key.variable(), key.variable_in_file()]
}

/// Reads the value in a file, without the end of its line.
fn value_in(
    name: &str,
    file: &str,
    read: impl Fn(&Path) -> io::Result<String>,
) -> Result<String, Wrong> {
    let file = PathBuf::from(file);
    let value = read(&file).map_err(|source| Wrong::File {
        name: name.to_owned(),
        file,
        source,
    })?;
    Ok(value.trim_end_matches(['\r', '\n']).to_owned())
}

/// A string needs no quotes, and is not empty: that would be the folder of the configuration where a path is wanted.
/// Everything else is written as in the file.
fn value_of(key: &Key, text: &str) -> Option<Value> {
    if key.example.is_str() {
        return (!text.is_empty()).then(|| Value::String(text.to_owned()));
    }
    let read = format!("value = {text}").parse::<Table>().ok()?;
    // A second line would be another key.
    let alone = (read.len() == 1).then_some(read)?;
    let value = alone.into_iter().next().map(|(_, value)| value)?;
    (value.type_str() == key.example.type_str()).then_some(value)
}

/// Returns the key that was meant by one that is refused, by the words of the refusal.
pub(super) fn meant(refusal: &str) -> Option<String> {
    let (_, rest) = refusal.split_once("unknown field `")?;
    let (name, known) = rest.split_once('`')?;
    let known = known.split('`').skip(1).step_by(2).map(str::to_owned);
    nearest(name, known)
}

fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let scored = known.map(|known| (strsim::osa_distance(name, &known), known));
    let best = scored.min_by_key(|(wrong, _)| *wrong);
    best.filter(|(wrong, _)| *wrong <= WRONG_LETTERS_MAX)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Table, Wrong> {
        let mut table = "data = 'd'\n[sftp]\nlisten = '1.2.3.4:5'\n"
            .parse()
            .unwrap();
        let variables = variables.iter();
        overlay(
            &mut table,
            variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
            |file| match file.to_str() {
                Some("/run/secrets/data") => Ok("/srv\n".to_owned()),
                Some("/run/secrets/bytes") => Ok("1000\r\n".to_owned()),
                _ => Err(io::ErrorKind::NotFound.into()),
            },
        )?;
        Ok(table)
    }

    #[test]
    fn a_variable_counts_more_than_the_file() {
        let table = with(&[
            ("SLUIS_DATA", "/srv"),
            ("SLUIS_SFTP_LISTEN", "[::]:22"),
            ("SLUIS_UPLOADS_FILE_BYTES_MAX", "1000"),
            ("SLUIS_WEBHOOKS_ALLOW", "[\"10.0.0.0/8\"]"),
            ("SLUIS_WEBHOOKS_ROOTS", "own.pem"),
            ("SLUIS_PROFILES", "p"),
            ("SLUIS_INGEST_DECLARED", "{ status = \"draft\" }"),
        ]);

        let expected = "data = '/srv'\nprofiles = 'p'\n[sftp]\nlisten = '[::]:22'\n[uploads]\nfile_bytes_max = 1000\n\
             [webhooks]\nallow = ['10.0.0.0/8']\nroots = 'own.pem'\n[ingest]\ndeclared = { status = 'draft' }\n";
        assert_eq!(table.unwrap(), expected.parse().unwrap());
    }

    #[test]
    fn what_is_nearly_a_variable_is_refused_and_what_a_cluster_gives_is_not() {
        for (written, meant) in [
            ("SLUIS_SFTP_LISTN", "SLUIS_SFTP_LISTEN"),
            ("SLUIS_SFTP_LISTN_FILE", "SLUIS_SFTP_LISTEN_FILE"),
        ] {
            let unknown = with(&[(written, "1.2.3.4:5")]);
            assert!(
                matches!(&unknown, Err(Wrong::Unknown { near, .. }) if near == meant),
                "{unknown:?}"
            );
        }
        let cluster = [
            ("SLUIS_SERVICE_HOST", "10.0.0.1"),
            ("SLUIS_PORT", "tcp://10.0.0.1:2222"),
            ("SLUIS_PORT_2222_TCP_ADDR", "10.0.0.1"),
            ("SLUIS_TEST_CLIENTS", "all"),
            ("SLUIS_CONFIG", "x"),
            ("PATH", "/bin"),
        ];
        assert_eq!(with(&cluster).unwrap(), with(&[]).unwrap());
    }

    #[test]
    fn a_value_may_stand_in_a_file() {
        let table = with(&[
            ("SLUIS_DATA_FILE", "/run/secrets/data"),
            ("SLUIS_UPLOADS_FILE_BYTES_MAX_FILE", "/run/secrets/bytes"),
        ]);
        let expected =
            "data = '/srv'\n[sftp]\nlisten = '1.2.3.4:5'\n[uploads]\nfile_bytes_max = 1000\n";
        assert_eq!(table.unwrap(), expected.parse().unwrap());

        let missing = with(&[("SLUIS_DATA_FILE", "/run/secrets/none")]).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "could not read `/run/secrets/none`, where the variable `SLUIS_DATA_FILE` says that its value stands"
        );
        let twice = with(&[
            ("SLUIS_DATA_FILE", "/run/secrets/data"),
            ("SLUIS_DATA", "/srv"),
        ]);
        assert!(
            matches!(&twice, Err(Wrong::Twice { name }) if name == "SLUIS_DATA"),
            "{twice:?}"
        );
    }

    #[test]
    fn a_value_of_another_type_is_refused_with_one_that_is_right() {
        for bad in ["many", "\"1000\"", "1.5", "1\ndata = 3", ""] {
            let read = with(&[("SLUIS_UPLOADS_FILE_BYTES_MAX", bad)]);
            assert!(
                matches!(&read, Err(Wrong::Value { example, .. }) if example == "104857600"),
                "{bad}: {read:?}"
            );
        }
    }

    #[test]
    fn an_empty_variable_names_no_file_and_no_folder() {
        for name in ["SLUIS_PROFILES", "SLUIS_DATA", "SLUIS_WEBHOOKS_ROOTS"] {
            let read = with(&[(name, "")]);
            assert!(
                matches!(&read, Err(Wrong::Value { name: of, .. }) if of == name),
                "{read:?}"
            );
        }
    }

    #[test]
    fn a_typing_error_in_the_file_is_guessed() {
        let refusal = "unknown field `listn`, expected one of `listen`, `rekey_bytes`, `declared`";
        assert_eq!(meant(refusal).as_deref(), Some("listen"));
        assert_eq!(
            meant("unknown field `colour`, expected one of `listen`"),
            None
        );
        assert_eq!(meant("missing field `x`"), None);
    }
}
