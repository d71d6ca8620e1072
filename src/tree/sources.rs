//! Into which folders may a device put documents?

use super::folders::{Folders, Role};
use super::made::add;
use crate::catalog::{Link, Setup};
use crate::ingest::named::folder_of;
use crate::login::Who;
use crate::model::{DeviceId, DeviceKind, Uploads};

/// The folder into which a device puts documents. It comes before those of links, which could have its name.
const IN: &str = "/in";

/// The folder of what was put in and not accepted.
const REJECTED: &str = "/rejected";

/// Adds the folder of uploads, and that of what was not accepted, for a device that may upload.
pub(super) fn add_in(folders: &mut Folders, setup: &Setup) {
    if setup.uploads == Uploads::On {
        add(folders, IN, Role::In);
        add(folders, REJECTED, Role::Rejected);
    }
}

/// Adds a folder for each code for which the device may send, after all others: what is offered at such a
/// path, by a profile that begins with `in`, is not hidden by it.
///
/// A source serves the whole firm; any other device the dossiers that it is given documents of.
pub(super) fn add_codes(
    folders: &mut Folders,
    who: &Who,
    setup: &Setup,
    (links, default_device): (&[Link], Option<DeviceId>),
) {
    if setup.uploads == Uploads::Off {
        return;
    }
    let serves = |link: &&Link| {
        who.kind == DeviceKind::Source || link.device.or(default_device) == Some(who.device)
    };
    for name in links
        .iter()
        .filter(serves)
        .filter_map(|link| folder_of(&link.code))
    {
        add(folders, &format!("{IN}/{name}"), Role::InDossier(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::LinkRules;
    use crate::model::{DossierId, FirmId, Flow, Language, LinkId, Timestamp, VirtualPath};

    const ME: DeviceId = DeviceId(1);
    const OTHER: DeviceId = DeviceId(2);

    fn link(id: i64, code: &str, device: Option<DeviceId>) -> Link {
        Link {
            id: LinkId(id),
            firm: FirmId(1),
            firm_slug: "peeters".to_owned(),
            dossier: DossierId(id),
            dossier_name: String::new(),
            enterprise_digits: None,
            profile: "expertm".to_owned(),
            code: code.to_owned(),
            language: Language::Nl,
            device,
            sends: LinkRules::FIRM,
        }
    }

    fn folders(kind: DeviceKind, uploads: Uploads, default: Option<DeviceId>) -> Vec<String> {
        let who = Who::for_tests(FirmId(1), ME, kind);
        let setup = Setup {
            keep_in_view: crate::model::Keep::FOREVER,
            version: 1,
            device_added_at: Timestamp(0),
            uploads,
        };
        let links = [
            link(1, "MINE", Some(ME)),
            link(2, "theirs", Some(OTHER)),
            link(3, "NOBODYS", None),
            link(4, "mine", Some(OTHER)),
            link(5, "A/B: \"x\"", Some(ME)),
            link(6, " ", Some(ME)),
        ];
        let mut folders = Folders::new();
        add_in(&mut folders, &setup);
        add_codes(&mut folders, &who, &setup, (&links, default));
        let path = VirtualPath::parse("/in").unwrap();
        folders.children(&path).map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_device_sends_for_the_dossiers_that_it_serves() {
        use DeviceKind::{Mount, Pull, Source};
        use Uploads::{Off, On};
        let all = ["A-B- -x-", "MINE", "NOBODYS", "theirs"];

        assert_eq!(folders(Source, On, None), all);
        assert_eq!(folders(Pull, On, None), ["A-B- -x-", "MINE"]);
        let default = folders(Mount, On, Some(ME));
        assert_eq!(default, ["A-B- -x-", "MINE", "NOBODYS"]);
        let of_other = folders(Pull, On, Some(OTHER));
        assert_eq!(of_other, ["A-B- -x-", "MINE"]);
        assert_eq!(folders(Pull, Off, Some(ME)), Vec::<String>::new());
    }

    #[test]
    fn what_is_offered_in_a_folder_of_that_name_is_not_hidden() {
        let mut folders = Folders::new();
        let path = VirtualPath::parse("/in/MINE").unwrap();
        let inbox = Role::inbox(LinkId(1), Flow::Sale);

        folders.add(&path, inbox.clone());
        folders.add(&path, Role::InDossier("MINE".to_owned()));

        assert_eq!(folders.role(&path), Some(Some(&inbox)));
    }
}
