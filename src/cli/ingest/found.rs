//! Which files are taken in by hand, and where is something said of each?

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::dropfolder;
use crate::model::{Said, on_one_line};

/// The files to take, and what is none.
#[derive(Default)]
pub(super) struct Found {
    /// Each with the file in which something is said of it, if there is one.
    pub(super) files: Vec<(PathBuf, Option<PathBuf>)>,
    /// In folders.
    pub(super) left_alone: Vec<PathBuf>,
    /// Each with why it is not taken.
    pub(super) missed: Vec<(PathBuf, String)>,
    /// Of folders in which files were named themselves.
    around: BTreeMap<PathBuf, Result<Around, String>>,
}

impl Found {
    /// Looks at what was named, and joins what is said beside documents.
    pub(super) fn name(&mut self, path: &Path) {
        let metadata = fs::metadata(path);
        let is_folder = metadata.as_ref().is_ok_and(fs::Metadata::is_dir);
        let mut walk = Walk {
            root: path,
            files: Vec::new(),
            found: self,
        };
        walk.look(path, metadata);
        let files = walk.files;
        if !is_folder {
            for file in files {
                match self.beside(&file) {
                    Ok(beside) => self.files.push((file, beside)),
                    Err(why) => self.miss(&file, &why),
                }
            }
            return;
        }
        let joined = dropfolder::joined(files);
        self.files.extend(joined.documents);
        for alone in joined.alone {
            self.miss(
                &alone,
                "it says something of a document that does not lie beside it",
            );
        }
    }

    /// Finds what is said of a file that was named itself. Its folder is looked at once, for a shell names them all.
    fn beside(&mut self, file: &Path) -> Result<Option<PathBuf>, String> {
        let folder = dropfolder::folder_of(file);
        let around = self.around.entry(folder.to_owned());
        let around = around.or_insert_with(|| Around::look(folder));
        let around = around.as_ref().map_err(Clone::clone)?;
        let name = Path::new(file.file_name().unwrap_or_default());
        Ok(around
            .beside(name)
            .map(|beside| file.with_file_name(beside)))
    }

    fn miss(&mut self, path: &Path, why: &str) {
        self.missed.push((path.to_owned(), why.to_owned()));
    }
}

/// The names of the files in a folder, as a drop folder would see them.
struct Around {
    names: Vec<PathBuf>,
    joined: BTreeMap<PathBuf, Option<PathBuf>>,
}

impl Around {
    fn look(folder: &Path) -> Result<Self, String> {
        let told = |error: std::io::Error| {
            format!(
                "nobody can tell whether something is said beside it, for its folder cannot be looked at: {error}"
            )
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(told)? {
            let entry = entry.map_err(told)?;
            let kind = entry.file_type().map_err(told)?;
            let leads_to_file = || fs::metadata(entry.path()).is_ok_and(|it| it.is_file());
            let name = PathBuf::from(entry.file_name());
            if (kind.is_file() || kind.is_symlink() && leads_to_file())
                && !dropfolder::is_left_alone(&name)
            {
                names.push(name);
            }
        }
        let joined = dropfolder::joined(names.clone()).documents;
        let joined = joined.into_iter().collect();
        Ok(Self { names, joined })
    }

    fn beside(&self, name: &Path) -> Option<PathBuf> {
        if let Some(beside) = self.joined.get(name) {
            return beside.clone();
        }
        // Each that is named goes through the whole folder here, so only one that a drop folder would leave alone.
        if !dropfolder::is_left_alone(name) {
            return None;
        }
        let names = self.names.iter().map(PathBuf::as_path);
        let all = names.chain([name]).map(Path::to_owned);
        let documents = dropfolder::joined(all).documents;
        documents.into_iter().find(|(it, _)| it == name)?.1
    }
}

/// A walk through what was named.
struct Walk<'a> {
    root: &'a Path,
    files: Vec<PathBuf>,
    found: &'a mut Found,
}

impl Walk<'_> {
    fn look(&mut self, path: &Path, metadata: std::io::Result<fs::Metadata>) {
        match metadata {
            Ok(it) if it.is_dir() => self.enter(path),
            Ok(it) if it.is_file() => self.files.push(path.to_owned()),
            Ok(_) => self.found.miss(path, "it is neither a file nor a folder"),
            Err(error) => self.found.miss(path, &error.to_string()),
        }
    }

    /// Names are sorted, so that the same folder is taken in the same order everywhere.
    fn enter(&mut self, folder: &Path) {
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.found.miss(folder, &error.to_string()),
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let within = path.strip_prefix(self.root).unwrap_or(&path);
            if dropfolder::is_left_alone(within) {
                self.found.left_alone.push(path);
                continue;
            }
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            match fs::metadata(&path) {
                // It may lead back here, and then there would be no end.
                Ok(it) if is_link && it.is_dir() => self.found.miss(
                    &path,
                    "a link to a folder is not followed; name the folder itself",
                ),
                metadata => self.look(&path, metadata),
            }
        }
    }
}

/// What is said of a document in the file beside it; where nobody understands that, or something else has the name of
/// such a file, the document is not taken.
pub(super) fn said_beside(document: &Path, beside: Option<&Path>) -> Result<Said, String> {
    let Some(beside) = beside else {
        return dropfolder::nothing_said_of(document).map(|()| Said::default());
    };
    dropfolder::said_in(beside).map_err(|why| {
        let name = beside.display().to_string();
        format!("{why} (`{}`)", on_one_line(&name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(root: &Path, path: &Path) -> String {
        path.strip_prefix(root).unwrap().display().to_string()
    }

    #[test]
    fn what_is_no_file_is_named_and_never_skipped_in_silence() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("b/2.xml"), "2").unwrap();
        fs::write(folder.path().join("a.xml"), "1").unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("dead")).unwrap();

        let mut found = Found::default();
        found.name(folder.path());

        let own = |path: &PathBuf| within(folder.path(), path);
        let files: Vec<_> = found.files.iter().map(|(path, _)| own(path)).collect();
        assert_eq!(files, ["a.xml", "b/2.xml"]);
        let missed: Vec<_> = found.missed.iter().map(|(path, _)| own(path)).collect();
        assert_eq!(missed, ["dead", "loop"]);
    }

    #[test]
    fn what_a_drop_folder_leaves_alone_is_left_alone_and_what_is_said_is_joined() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["rejected", "sub"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        for name in [
            "F-1.xml",
            "F-1.xml.json",
            "F-2.xml.part",
            "rejected/F-3.xml",
            "sub/F-4.xml",
            "sub/F-5.json",
        ] {
            fs::write(folder.path().join(name), "{}").unwrap();
        }
        let own = |path: &PathBuf| within(folder.path(), path);

        let mut found = Found::default();
        found.name(folder.path());

        let joined = |(path, beside): &(PathBuf, Option<PathBuf>)| {
            (own(path), beside.as_ref().map(own).unwrap_or_default())
        };
        let files: Vec<_> = found.files.iter().map(joined).collect();
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(
            files,
            [pair("F-1.xml", "F-1.xml.json"), pair("sub/F-4.xml", "")]
        );
        let left: Vec<_> = found.left_alone.iter().map(own).collect();
        assert_eq!(left, ["F-2.xml.part", "rejected"]);
        let missed: Vec<_> = found.missed.iter().map(|(path, _)| own(path)).collect();
        assert_eq!(missed, ["sub/F-5.json"]);

        let mut named = Found::default();
        named.name(&folder.path().join("F-1.xml"));
        named.name(&folder.path().join("F-2.xml.part"));
        let files: Vec<_> = named.files.iter().map(joined).collect();
        let expected = [pair("F-1.xml", "F-1.xml.json"), pair("F-2.xml.part", "")];
        assert_eq!(files, expected);
        let said = |name: &str| {
            let document = folder.path().join("F-1.xml");
            said_beside(&document, Some(&folder.path().join(name)))
        };
        assert!(said("sub/F-5.json").is_ok());
        assert!(said("missing.json").is_err());
    }

    #[test]
    fn of_a_file_that_is_named_the_same_is_said_as_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [
            "F-1.xml",
            "F-1.JSON",
            "F-2.xml",
            "f-2.XML.json",
            "F-3.xml",
            "f-3.xml",
            "f-3.xml.json",
            "F-4.xml",
        ] {
            fs::write(at(name), "{}").unwrap();
        }
        let beside = |found: &Found, name: &str| {
            let one = found.files.iter().find(|(path, _)| *path == at(name));
            one.unwrap()
                .1
                .as_ref()
                .map(|path| within(folder.path(), path))
        };
        let (mut whole, mut named) = (Found::default(), Found::default());
        whole.name(folder.path());

        let names = ["F-1.xml", "F-2.xml", "F-3.xml", "f-3.xml", "F-4.xml"];
        names.iter().for_each(|name| named.name(&at(name)));

        let expected = [
            Some("F-1.JSON"),
            Some("f-2.XML.json"),
            None,
            Some("f-3.xml.json"),
            None,
        ];
        for (name, expected) in names.iter().zip(expected) {
            assert_eq!(beside(&named, name).as_deref(), expected, "{name}");
            assert_eq!(beside(&whole, name).as_deref(), expected, "{name}");
        }
        assert!(named.missed.is_empty());
    }

    #[test]
    fn where_something_has_the_name_of_what_is_said_and_is_no_file_the_document_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["F-1.xml", "F-2.xml", "F-3.xml", "F-4.xml", "F-5.xml"] {
            fs::write(at(name), "").unwrap();
        }
        fs::create_dir(at("F-1.xml.json")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("F-2.xml.json")).unwrap();
        std::os::unix::fs::symlink("F-3.json", at("F-3.json")).unwrap();
        fs::write(at("elsewhere"), r#"{"status": "draft"}"#).unwrap();
        std::os::unix::fs::symlink("elsewhere", at("F-4.json")).unwrap();

        let said = |found: &Found| {
            let mut all: Vec<_> = found.files.iter().collect();
            all.sort();
            let said = all.into_iter().map(|(path, beside)| {
                let name = within(folder.path(), path);
                let said = said_beside(path, beside.as_deref()).map(|said| said.status);
                format!("{name} {said:?}")
            });
            said.filter(|line| line.starts_with("F-"))
                .collect::<Vec<_>>()
        };
        let expected = [
            r#"F-1.xml Err("`F-1.xml.json` beside it is no file, but a folder or a link: remove that")"#,
            r#"F-2.xml Err("`F-2.xml.json` beside it is no file, but a folder or a link: remove that")"#,
            r#"F-3.xml Err("`F-3.json` beside it is no file, but a folder or a link: remove that")"#,
            "F-4.xml Ok(Some(Draft))",
            "F-5.xml Ok(None)",
        ];
        let (mut whole, mut named) = (Found::default(), Found::default());
        whole.name(folder.path());
        (1..=5).for_each(|n| named.name(&at(&format!("F-{n}.xml"))));

        assert_eq!(said(&whole), expected);
        assert_eq!(said(&named), expected);
        fs::write(at("F-5.json"), "{}").unwrap();
        assert!(said(&named)[4].contains("came just now"));
    }
}
