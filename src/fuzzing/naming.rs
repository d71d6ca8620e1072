//! Does whatever people write become one harmless name in its place?

use std::collections::BTreeMap;

use jiff::civil::{Date, date};

use crate::layout::{
    FILE_NAME_CHARS_MAX, FOLDER_CHARS_MAX, FileFacts, FileTemplate, FolderTemplate, LinkFacts,
    Profile, file_name, safe_file_name, safe_folder_name,
};
use crate::model::{Kind, Language, PATH_BYTES_MAX, VirtualPath, fold, steers};

/// A day on which everything here happens.
const DAY: Date = date(2026, 3, 14);

/// Takes the bytes as a path that a peer names.
///
/// # Panics
///
/// When a promise of [`VirtualPath`] is not kept.
pub fn virtual_path(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let folded = fold(&text);
    assert_eq!(fold(&folded), folded, "folding twice changes nothing");
    check_names(&text);
    let Ok(path) = VirtualPath::parse(&text) else {
        let has_control = text.chars().any(char::is_control);
        assert!(has_control || text.len() > PATH_BYTES_MAX);
        return;
    };
    for name in path.components() {
        assert!(!name.is_empty() && name != "." && name != "..");
        assert!(!name.contains('/') && !name.chars().any(char::is_control));
    }
    let written = path.to_string();
    assert!(written.len() <= PATH_BYTES_MAX + 1, "a `/` may come before");
    // One `/` more than was written may be one too many to be read again.
    if written.len() <= PATH_BYTES_MAX {
        assert_eq!(VirtualPath::parse(&written).as_ref(), Ok(&path));
    }
    assert_eq!(
        path.parent().components().len(),
        path.components().len().saturating_sub(1)
    );
    let depth = path.key().matches('/').count();
    assert_eq!(
        depth,
        path.components().len().max(1),
        "a key has its path's depth"
    );
}

/// What folders and rejected files are called: legal, and legal means unchanged.
fn check_names(text: &str) {
    let (folder, file) = (safe_folder_name(text), safe_file_name(text));
    assert!(folder.chars().count() <= FOLDER_CHARS_MAX);
    for name in [&folder, &file] {
        assert!(!name.is_empty() && !name.contains(steers), "{name:?}");
        assert!(
            !name.contains(['/', '\\', ':', '"', '*', '?', '<', '>', '|']),
            "{name:?}"
        );
        assert!(
            !name.ends_with(['.', ' ']) && !name.starts_with(' '),
            "{name:?}"
        );
    }
    assert_eq!(safe_folder_name(&folder), folder);
    assert_eq!(safe_file_name(&file), file);
}

/// Takes the bytes as templates and what is filled into them, or as a whole profile.
///
/// A profile has a line `[folders]`. Else the lines are: two folder templates, a file template, the code,
/// the dossier's name, the number, the party.
///
/// # Panics
///
/// When a template that was taken does not render to what it promises.
pub fn layout_template(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if text.contains("[folders]") {
        return profile(&text);
    }
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (one, two, file) = (next(), next(), next());
    let facts = LinkFacts {
        firm: "kantoor-peeters",
        dossier_code: next(),
        dossier_name: next(),
        enterprise_number: Some("0239843188"),
        language: Language::Nl,
    };
    let (number, party) = (next(), next());
    let words = BTreeMap::from([("purchases".to_owned(), "Aankopen".to_owned())]);
    let folders = [one, two].map(|text| FolderTemplate::parse(text, &words).ok());
    let paths = folders.each_ref().map(|template| {
        let rendered = template.as_ref()?.render(&facts, DAY).ok();
        rendered.inspect(check_folder)
    });
    for (text, path) in [one, two].into_iter().zip(&paths) {
        let depth = path.as_ref().map(|path| path.components().len());
        assert!(depth.is_none_or(|depth| depth == text.split('/').count()));
    }
    if let ([Some(one), Some(two)], [Some(first), Some(second)]) = (&folders, &paths)
        && one.surely_differs(two)
    {
        assert_ne!(first.key(), second.key(), "folders that surely differ");
    }
    check_named(file, number, party);
}

/// Each folder is legal as it is; text and value together may compose otherwise, which lookups ignore.
fn check_folder(path: &VirtualPath) {
    for name in path.components() {
        assert_eq!(fold(&safe_folder_name(name)), fold(name), "{name:?}");
    }
}

fn profile(text: &str) {
    let id = text.lines().find_map(|line| line.strip_prefix("id = \""));
    let id = id.and_then(|id| id.split('"').next()).unwrap_or("fuzz");
    let Ok(profile) = Profile::parse(&format!("{id}.toml"), text) else {
        return;
    };
    let facts = LinkFacts {
        firm: "kantoor-peeters",
        dossier_code: "ACME",
        dossier_name: "..",
        enterprise_number: Some("0239843188"),
        language: Language::Fr,
    };
    let preview = profile.preview(&facts, DAY);
    let mut keys = Vec::new();
    for path in preview.iter().filter_map(|(_, path)| path.as_ref().ok()) {
        check_folder(path);
        keys.push(path.key());
    }
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count, "a profile's folders differ");
}

fn check_named(template: &str, number: &str, party: &str) {
    let Ok(template) = FileTemplate::parse(template) else {
        return;
    };
    let facts = |seq| FileFacts {
        day: DAY,
        seq,
        number: Some(number),
        party: Some(party),
        issued: None,
        kind: Kind::Invoice,
        extension: "xml",
    };
    let names = [9, 10].map(|seq| file_name(&template, &facts(seq)));
    for name in &names {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        assert!(
            name.chars().all(is_plain) && name.len() <= FILE_NAME_CHARS_MAX,
            "{name:?}"
        );
        assert!(name.starts_with(|c: char| c.is_ascii_digit()) && name.ends_with(".xml"));
        assert_eq!(&safe_file_name(name), name);
    }
    assert!(
        names[0] < names[1],
        "names sort by their counter: {names:?}"
    );
}

/// Looks at the name that a document's own words would give it.
pub(super) fn check_file_name(number: Option<&str>, party: Option<&str>) {
    check_named(
        "{seq}_{number}_{party}",
        number.unwrap_or_default(),
        party.unwrap_or_default(),
    );
}
