//! What does a command line ask?
//!
//! There is no shell behind it. The programs `md5sum`, `sha1sum` and `sha256sum` are answered as GNU
//! coreutils answer, because rclone compares files with them; every other line is refused. The words
//! of a line are those of a POSIX shell (XCU §2.2), and whatever a shell would expand is refused.

use std::fmt::Write as _;
use std::str::Chars;

use super::limits::{COMMAND_BYTES_MAX, COMMAND_PATHS_MAX};
use crate::model::{ContentHash, HashName};

/// What a line asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// For hashes.
    Sum(Sum, Operands),
    /// What kind of shell this is, or whether it has some program: known clients try, and go on.
    Probe,
    /// Something else.
    Other,
}

/// A program that prints hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum {
    /// Which hash.
    pub(super) hash: HashName,
    /// What stands before the name: `*` after `--binary`, else a blank.
    mark: char,
}

/// Of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operands {
    /// Of these files.
    Files(Vec<String>),
    /// Of what the peer sends.
    Input,
    /// Of this text, which the line itself holds.
    Text(String),
}

/// Reads a command line.
pub(super) fn command(line: &[u8]) -> Command {
    let Ok(line) = str::from_utf8(line) else {
        return Command::Other;
    };
    if line.len() > COMMAND_BYTES_MAX {
        return Command::Other;
    }
    if is_probe(line.trim()) {
        return Command::Probe;
    }
    let sum = words(line).and_then(|words| asked(&words));
    sum.map_or(Command::Other, |(sum, operands)| {
        Command::Sum(sum, operands)
    })
}

/// What rclone tries (its `backend/sftp/sftp.go`): which shell, which hash programs, how much room.
fn is_probe(line: &str) -> bool {
    const WHOLE: &[&str] = &["echo ${ShellId}%ComSpec%", "md5 -r", "sha1 -r", "crc32"];
    const BEGINNINGS: &[&str] = &[
        "rclone md5sum",
        "rclone sha1sum",
        "rclone hashsum ",
        "b3sum",
        "xxh128sum",
        "xxhsum ",
        "df -k ",
        "Get-FileHash ",
    ];
    WHOLE.contains(&line) || BEGINNINGS.iter().any(|begin| line.starts_with(begin))
}

fn asked(words: &[Token]) -> Option<(Sum, Operands)> {
    if let [
        Token::Word(first),
        text @ ..,
        Token::Pipe,
        Token::Word(program),
    ] = words
        && first == "echo"
    {
        let (sum, paths) = sum(&[program.as_str()])?;
        let said = all_words(text)?;
        // Options of `echo` differ from shell to shell.
        let is_plain = !said.first().is_some_and(|word| word.starts_with('-'))
            && !said.iter().any(|word| word.contains('\\'));
        let text = Operands::Text(said.join(" ") + "\n");
        return (is_plain && paths.is_empty()).then_some((sum, text));
    }
    let (sum, paths) = sum(&all_words(words)?)?;
    let operands = match paths.as_slice() {
        [] => Operands::Input,
        [only] if only == "-" => Operands::Input,
        several if several.iter().any(|path| path == "-") => return None,
        _ => Operands::Files(paths),
    };
    Some((sum, operands))
}

fn all_words(tokens: &[Token]) -> Option<Vec<&str>> {
    let words = tokens.iter().map(|token| match token {
        Token::Word(word) => Some(word.as_str()),
        Token::Pipe => None,
    });
    words.collect()
}

/// The program, and the paths that it is given.
fn sum(words: &[&str]) -> Option<(Sum, Vec<String>)> {
    let (program, rest) = words.split_first()?;
    let hash = match *program {
        "md5sum" => HashName::Md5,
        "sha1sum" => HashName::Sha1,
        "sha256sum" => HashName::Sha256,
        _ => return None,
    };
    let (mut mark, mut options, mut paths) = (' ', true, Vec::new());
    for &word in rest {
        match word {
            "--" if options => options = false,
            "-b" | "--binary" if options => mark = '*',
            "-t" | "--text" if options => mark = ' ',
            _ if options && word.len() > 1 && word.starts_with('-') => return None,
            path => paths.push(path.to_owned()),
        }
    }
    (paths.len() <= COMMAND_PATHS_MAX).then_some((Sum { hash, mark }, paths))
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Pipe,
}

/// The words of a line; none if a shell would do more with it than split it.
fn words(line: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => tokens.extend(word.take().map(Token::Word)),
            '|' => {
                tokens.extend(word.take().map(Token::Word));
                tokens.push(Token::Pipe);
            }
            '\'' => single_quoted(&mut chars, word.get_or_insert_default())?,
            '"' => double_quoted(&mut chars, word.get_or_insert_default())?,
            '\\' => match chars.next()? {
                '\n' => {}
                escaped => word.get_or_insert_default().push(escaped),
            },
            '#' | '~' if word.is_none() => return None,
            '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' | '[' | ']' | '{' | '}'
            | '\n' | '\r' => return None,
            plain => word.get_or_insert_default().push(plain),
        }
    }
    tokens.extend(word.map(Token::Word));
    Some(tokens)
}

fn single_quoted(chars: &mut Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match chars.next()? {
            '\'' => return Some(()),
            c => word.push(c),
        }
    }
}

fn double_quoted(chars: &mut Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match chars.next()? {
            '"' => return Some(()),
            '$' | '`' => return None,
            '\\' => match chars.next()? {
                '\n' => {}
                c @ ('$' | '`' | '"' | '\\') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

impl Sum {
    /// Returns the program's name.
    pub(super) fn program(self) -> &'static str {
        match self.hash {
            HashName::Md5 => "md5sum",
            HashName::Sha1 => "sha1sum",
            HashName::Sha256 => "sha256sum",
        }
    }

    /// Returns the line that the program prints. As coreutils do, it marks and escapes a name that
    /// would break it.
    pub(super) fn line(self, hash: &ContentHash, name: &str) -> String {
        let escaped = name
            .replace('\\', r"\\")
            .replace('\n', r"\n")
            .replace('\r', r"\r");
        let marked = if escaped == name { "" } else { "\\" };
        format!("{marked}{hash} {}{escaped}\n", self.mark)
    }

    /// Returns the line that the program complains with.
    pub(super) fn complaint(self, name: &str, why: &str) -> String {
        let is_safe = |c: char| c.is_alphanumeric() || "/.,:_-+@%=".contains(c);
        let mut line = format!("{}: ", self.program());
        if !name.is_empty() && name.chars().all(is_safe) {
            line.push_str(name);
        } else {
            // A person reads it on a terminal, which control characters would steer.
            let shown = name.replace('\'', r"'\''").replace(char::is_control, "?");
            // Writing to a string cannot fail.
            let _written = write!(line, "'{shown}'");
        }
        line + ": " + why + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(hash: HashName, paths: &[&str]) -> Command {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        Command::Sum(Sum { hash, mark: ' ' }, Operands::Files(paths))
    }

    fn of(hash: HashName, operands: Operands) -> Command {
        Command::Sum(Sum { hash, mark: ' ' }, operands)
    }

    #[test]
    fn the_table_of_lines_that_are_answered() {
        use HashName::{Md5, Sha1, Sha256};
        let abc = || Operands::Text("abc\n".to_owned());
        let table = [
            ("md5sum", of(Md5, Operands::Input)),
            ("sha1sum -", of(Sha1, Operands::Input)),
            ("echo 'abc' | md5sum", of(Md5, abc())),
            ("echo abc|sha256sum", of(Sha256, abc())),
            ("md5sum /a/b.xml", files(Md5, &["/a/b.xml"])),
            (
                "  sha1sum  '/Te Verwerken/x.xml' ",
                files(Sha1, &["/Te Verwerken/x.xml"]),
            ),
            // As rclone escapes a path for a POSIX shell.
            (
                r"md5sum /Te\ Verwerken/caf\é\'s\ \&\ \$x.xml",
                files(Md5, &["/Te Verwerken/café's & $x.xml"]),
            ),
            ("md5sum a'\n'b", files(Md5, &["a\nb"])),
            (
                r#"sha256sum "a b" "c\"\\\$\d" e'f'"g""#,
                files(Sha256, &["a b", r#"c"\$\d"#, "efg"]),
            ),
            ("md5sum -- -x ''", files(Md5, &["-x", ""])),
            (
                "md5sum FACTUR~1.XML a#b",
                files(Md5, &["FACTUR~1.XML", "a#b"]),
            ),
        ];
        for (line, expected) in table {
            assert_eq!(command(line.as_bytes()), expected, "{line}");
        }
        let Command::Sum(binary, _) = command(b"md5sum -b x") else {
            panic!()
        };
        assert_eq!(binary.mark, '*');
    }

    #[test]
    fn whatever_a_shell_would_do_more_is_refused() {
        for line in [
            "",
            "id",
            "ls -l",
            "scp -f /x",
            "rsync --server",
            "/usr/bin/md5sum x",
            "MD5SUM x",
            "md5sum x; id",
            "md5sum x & id",
            "md5sum x && id",
            "md5sum x || id",
            "md5sum x | sh",
            "md5sum < /x",
            "md5sum x > /y",
            "md5sum $(id)",
            "md5sum `id`",
            "md5sum \"$HOME\"",
            "md5sum \"`id`\"",
            "md5sum *.xml",
            "md5sum ~/x",
            "md5sum a\nid",
            "md5sum {a,b}",
            "md5sum 'open",
            "md5sum \"open",
            "md5sum open\\",
            "md5sum -c list",
            "md5sum --check list",
            "md5sum - x",
            "echo abc",
            "echo -n abc | md5sum",
            r"echo 'a\nb' | md5sum",
            "echo abc | md5sum x",
            "echo abc | md5sum | md5sum",
            "cat x | md5sum",
            "A=b md5sum x",
        ] {
            assert_eq!(command(line.as_bytes()), Command::Other, "{line}");
        }
        assert_eq!(command(b"md5sum \xFF"), Command::Other);
    }

    #[test]
    fn the_probes_of_rclone_are_known() {
        for line in [
            "echo ${ShellId}%ComSpec%",
            "md5 -r",
            "rclone md5sum",
            "rclone hashsum crc32",
            "df -k /",
        ] {
            assert_eq!(command(line.as_bytes()), Command::Probe, "{line}");
        }
    }

    #[test]
    fn one_path_or_byte_past_the_limit_is_refused() {
        let paths = "md5sum".to_owned() + &" x".repeat(COMMAND_PATHS_MAX);
        assert!(matches!(command(paths.as_bytes()), Command::Sum(..)));
        assert_eq!(command((paths + " x").as_bytes()), Command::Other);

        let long = format!("md5sum {}", "x".repeat(COMMAND_BYTES_MAX - 7));
        assert!(matches!(command(long.as_bytes()), Command::Sum(..)));
        assert_eq!(command((long + "x").as_bytes()), Command::Other);
    }

    #[test]
    fn what_is_printed_is_what_coreutils_print() {
        let sum = Sum {
            hash: HashName::Md5,
            mark: ' ',
        };
        let x = HashName::Md5.of(b"x");
        let hex = "9dd4e461268c8034f5c8564e155c67a6";

        assert_eq!(sum.line(&x, "a b"), format!("{hex}  a b\n"));
        assert_eq!(sum.line(&x, r"a\b"), format!("\\{hex}  a\\\\b\n"));
        assert_eq!(sum.line(&x, "a\nb\r"), format!("\\{hex}  a\\nb\\r\n"));
        let binary = Sum { mark: '*', ..sum };
        assert_eq!(binary.line(&x, "a"), format!("{hex} *a\n"));
        let missing = "No such file or directory";
        assert_eq!(
            sum.complaint("/zoé.xml", missing),
            "md5sum: /zoé.xml: No such file or directory\n"
        );
        assert_eq!(
            sum.complaint("it's\r", missing),
            "md5sum: 'it'\\''s?': No such file or directory\n"
        );
    }
}
