//! Does a file change what it says and nothing else, and does writing and reading it change nothing?

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::*;
use crate::cli::apply::file::WantedKey;
use crate::cli::demo::office::Office;
use crate::layout::Profiles;
use crate::model::{DeviceKind, Language, Means};

mod changing;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti kevin@pc";

const TODAY: Date = Date::constant(2026, 3, 14);

fn here(profiles: &Profiles) -> Here<'_> {
    Here {
        profiles,
        zone: const { &TimeZone::UTC },
        today: TODAY,
    }
}

async fn office(folder: &Path) -> (Office, Present) {
    let office = Office::found(folder, 0).await.unwrap();
    let firm = find_firm(&office.house, office.firm.slug.as_str()).await;
    let present = present(&office.house, firm.unwrap()).await.unwrap();
    (office, present)
}

fn planned(
    wanted: &Wanted,
    present: &Present,
    profiles: &Profiles,
) -> Result<Vec<String>, Vec<String>> {
    let changes = plan(wanted, present, &here(profiles), keys::parse)?;
    Ok(changes.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn what_was_written_changes_nothing_when_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (office, present) = office(folder.path()).await;

    let text = toml::to_string(&written(&present)).unwrap();

    let read: Wanted = toml::from_str(&text).unwrap();
    assert_eq!(read, written(&present));
    assert_eq!(
        planned(&read, &present, &office.house.profiles),
        Ok(Vec::new())
    );
}

#[tokio::test]
async fn a_file_is_carried_out_once() {
    let folder = tempfile::tempdir().unwrap();
    let (office, present) = office(folder.path()).await;
    let (house, slug) = (&office.house, present.firm.slug.clone());
    let text = format!(
        r#"
        [firm]
        slug = "{slug}"
        transfer = "nightly"
        default_device = "laptop"
        [[device]]
        name = "laptop"
        kind = "pull"
        uploads = "on"
        keys = ["{KEY}"]
        [[dossier]]
        name = "Nieuwe Klant"
        ids = ["0403.019.261"]
        [[dossier.link]]
        profile = "expertm"
        code = "NIEUW"
        device = "laptop"
        transfer = "after=10m"
        from = "2026-01-01"
        [[dossier.link]]
        profile = "bob-demat"
        code = "NIEUW"
        "#
    );
    let wanted: Wanted = toml::from_str(&text).unwrap();
    let changes = plan(&wanted, &present, &here(&house.profiles), keys::parse).unwrap();
    let told: Vec<_> = changes.iter().map(ToString::to_string).collect();

    assert_eq!(
        told,
        [
            "add device `laptop` (pull), 1 keys",
            "set uploads of device `laptop` on",
            "set the firm: transfer nightly, approval required, night 02:00 in the configured zone, duplicates hold",
            "make `laptop` the default device",
            "add dossier `Nieuwe Klant` with 0403.019.261",
            "add link `NIEUW` in `expertm` to 0403.019.261: to laptop, transfer after=10m, approval firm, from 2026-01-01",
            "add link `NIEUW` in `bob-demat` to 0403.019.261: to the default device, transfer firm, approval firm",
        ]
    );
    let links = present.links.len();
    let mut doing = Doing::begin(house, present);
    for change in &changes {
        doing.make(change).await.unwrap();
    }
    let firm = find_firm(house, slug.as_str()).await.unwrap();
    let after = super::present(house, firm).await.unwrap();
    assert_eq!(planned(&wanted, &after, &house.profiles), Ok(Vec::new()));
    assert_eq!(
        after.links.len(),
        links + 2,
        "what is not in the file stays"
    );
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_and_nothing_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let (office, present) = office(folder.path()).await;
    let taken = &present.links[0];
    let text = format!(
        r#"
        [firm]
        slug = "{}"
        time_zone = "Europe/Brugge"
        [[device]]
        name = "laptop"
        kind = "pull"
        [[device]]
        name = "scanner"
        kind = "source"
        keys = ["{KEY}"]
        [[dossier]]
        name = "Nieuwe Klant"
        ids = ["0403.019.261", "--"]
        [[dossier.link]]
        profile = "{}"
        code = "{}"
        device = "scanner"
        [[dossier.link]]
        profile = "nothing"
        code = "A"
        device = "nobody"
        [[dossier]]
        name = "Dezelfde"
        ids = ["BE0403019261"]
        "#,
        present.firm.slug, taken.profile, taken.code
    );
    let wanted: Wanted = toml::from_str(&text).unwrap();

    let faults = planned(&wanted, &present, &office.house.profiles).unwrap_err();

    let all = faults.join("\n");
    for fault in [
        "device `laptop` is new and has no key",
        "`Europe/Brugge` is not known",
        "`--` of dossier `Nieuwe Klant` is no number",
        "device `scanner` only uploads",
        "is of dossier `",
        "device `nobody` is neither there nor in the file",
        "`nothing`",
        "stands with dossier `Nieuwe Klant` and with `Dezelfde`",
    ] {
        assert!(all.contains(fault), "{fault} in\n{all}");
    }
    assert_eq!(faults.len(), 8, "{all}");
}

#[test]
fn a_word_that_nobody_knows_is_refused_where_it_stands() {
    for (text, fault) in [
        ("[firm]\nslug = \"a\"\nnigth = \"02:00\"", "nigth"),
        ("[firm]\nslug = \"a\"\nnight = \"25:00\"", "25:00"),
        (
            "[firm]\nslug = \"a\"\ntransfer = \"after 10m\"",
            "after 10m",
        ),
        (
            "[firm]\nslug = \"a\"\n[[device]]\nname = \"b\"\nkind = \"pool\"",
            "pool",
        ),
    ] {
        let error = toml::from_str::<Wanted>(text).unwrap_err().to_string();
        assert!(error.contains(fault), "{error}");
    }
}

#[tokio::test]
async fn one_dossier_that_two_entries_mean_is_neither() {
    let folder = tempfile::tempdir().unwrap();
    let (office, mut present) = office(folder.path()).await;
    let own = present.dossiers[0].clone();
    present.dossiers[0]
        .identifiers
        .push(Identifier::new("0403019261").unwrap());
    let text = format!(
        "[firm]\nslug = \"{}\"\n[[dossier]]\nname = \"{}\"\nids = [\"{}\"]\n[[dossier]]\nname = \"Afgesplitst\"\nids = [\"0403019261\"]\n",
        present.firm.slug, own.name, own.identifiers[0].raw
    );
    let wanted: Wanted = toml::from_str(&text).unwrap();

    let faults = planned(&wanted, &present, &office.house.profiles).unwrap_err();

    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains("meant by two entries"), "{faults:?}");
}

#[tokio::test]
async fn a_number_that_is_left_out_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (office, present) = office(folder.path()).await;
    let mut wanted = written(&present);
    let more = "0088:5412345000013";
    wanted.dossiers[0].ids = vec![wanted.dossiers[0].ids[0].clone(), more.to_owned()];
    let mut with_more = present.dossiers[0].clone();
    with_more.identifiers.push(Identifier::new(more).unwrap());

    let changes = planned(&wanted, &present, &office.house.profiles).unwrap();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert!(changes[0].ends_with(more), "{changes:?}");

    let present = Present {
        dossiers: [vec![with_more], present.dossiers[1..].to_vec()].concat(),
        ..present
    };
    wanted.dossiers[0].ids.pop();
    assert_eq!(
        planned(&wanted, &present, &office.house.profiles),
        Ok(Vec::new())
    );
}

#[test]
fn a_file_one_byte_past_the_limit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kantoor.toml");
    let most = usize::try_from(FILE_BYTES_MAX).unwrap();
    std::fs::write(&path, "#".repeat(most)).unwrap();
    assert_eq!(read(&path).unwrap().len(), most);

    std::fs::write(&path, "#".repeat(most + 1)).unwrap();

    let refused = read(&path).unwrap_err().to_string();
    assert!(
        refused.contains("is larger than 16777216 bytes"),
        "{refused}"
    );
}

/// Plans one new dossier with these links, each in `PROFILE/CODE`.
fn faults_of(ids: &str, links: &[&str], present: &Present, profiles: &Profiles) -> Vec<String> {
    let slug = &present.firm.slug;
    let mut text =
        format!("[firm]\nslug = \"{slug}\"\n[[dossier]]\nname = \"Nieuwe Klant\"\nids = [{ids}]\n");
    for link in links {
        let (profile, code) = link.split_once('/').unwrap();
        text += &format!("[[dossier.link]]\nprofile = \"{profile}\"\ncode = \"{code}\"\n");
    }
    let wanted: Wanted = toml::from_str(&text).unwrap();
    planned(&wanted, present, profiles)
        .err()
        .unwrap_or_default()
}

#[tokio::test]
async fn a_folder_that_cannot_be_or_is_another_link_s_is_told_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let (office, present) = office(folder.path()).await;
    let faults = |ids, links: &[&str]| faults_of(ids, links, &present, &office.house.profiles);
    let (gln, number) = ("\"0088:5412345000013\"", "\"0403.019.261\"");

    assert_eq!(
        faults(gln, &["billsync/K1"]),
        [
            "link `K1` in `billsync` of dossier `Nieuwe Klant`: the folder is named after the enterprise number: add its ten digits to the dossier with `sluis dossier set FIRM DOSSIER --add-id NUMBER`"
        ]
    );
    assert_eq!(faults(number, &["billsync/K1"]), [""; 0]);
    let shared = faults(number, &["billsync/K1", "billsync/K2"]);
    assert_eq!(shared.len(), 1, "{shared:?}");
    let other =
        "of link `K2` in `billsync` belongs to link `K1` in `billsync` already: give another code";
    assert!(shared[0].ends_with(other), "{shared:?}");
}

#[tokio::test]
async fn a_source_that_would_not_upload_is_told_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let (office, present) = office(folder.path()).await;
    let slug = &present.firm.slug;
    let text = format!(
        "[firm]\nslug = \"{slug}\"\n[[device]]\nname = \"scanner\"\nkind = \"source\"\nuploads = \"off\"\nkeys = [\"{KEY}\"]\n"
    );
    let wanted: Wanted = toml::from_str(&text).unwrap();

    let faults = planned(&wanted, &present, &office.house.profiles).unwrap_err();

    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains("does nothing but upload"), "{faults:?}");
}

#[tokio::test]
async fn a_folder_that_a_link_has_already_is_told_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let (office, mut present) = office(folder.path()).await;
    let own = present.dossiers[0].clone();
    let id = own.identifiers[0].raw.clone();
    let add = |code: &str| {
        format!(
            "[firm]\nslug = \"{}\"\n[[dossier]]\nname = \"{}\"\nids = [\"{id}\"]\n[[dossier.link]]\nprofile = \"billsync\"\ncode = \"{code}\"\n",
            present.firm.slug, own.name
        )
    };
    let (first, second) = (add("K1"), add("K2"));
    let (house, slug) = (&office.house, present.firm.slug.clone());
    let wanted: Wanted = toml::from_str(&first).unwrap();
    let changes = plan(&wanted, &present, &here(&house.profiles), keys::parse).unwrap();
    let mut doing = Doing::begin(house, present);
    for change in &changes {
        doing.make(change).await.unwrap();
    }
    let firm = find_firm(house, slug.as_str()).await.unwrap();
    present = super::present(house, firm).await.unwrap();

    let wanted: Wanted = toml::from_str(&second).unwrap();
    let faults = planned(&wanted, &present, &house.profiles).unwrap_err();

    assert_eq!(faults.len(), 1, "{faults:?}");
    let other = "belongs to link `K1` in `billsync` already";
    assert!(faults[0].contains(other), "{faults:?}");
}

/// Gives the firm a device for every way to log in, and returns how many.
async fn add_devices(house: &House, firm: &Firm) -> usize {
    let (catalog, now) = (&house.catalog, house.clock.read());
    let all = [
        Means::KeyOrPassword,
        Means::Key,
        Means::Password,
        Means::KeyAndPassword,
    ];
    let mut count = 0;
    for means in all {
        for bits in 0..16_u8 {
            let [expires, is_narrow, is_disabled, has_key] = [1, 2, 4, 8].map(|bit| bits & bit > 0);
            let mut key = keys::parse(KEY).unwrap().remove(0);
            // One that has expired, too.
            key.expires_at = expires.then(|| now.plus_ms(i64::from(bits) * 1000 - 5000));
            let keys = [key];
            let new = NewDevice {
                name: &format!("{means}-{bits}").parse().unwrap(),
                kind: DeviceKind::Pull,
                password_hash: Some("$argon2id$"),
                keys: if has_key { &keys } else { &[] },
                is_default: false,
            };
            if !means.are_met_by(has_key, true) {
                continue;
            }
            catalog.add_device(firm.id, &new, now).await.unwrap();
            let device = catalog.device(firm.id, new.name.as_str()).await.unwrap();
            let networks = is_narrow.then(|| "192.0.2.0/24,2001:db8::/32".parse().unwrap());
            let login = (Some(means), networks.as_ref());
            catalog.set_login(&device, login, now).await.unwrap();
            if is_disabled {
                let why = "lost on the train";
                catalog.disable_device(&device, why, now).await.unwrap();
            }
            count += 1;
        }
    }
    count
}

#[tokio::test]
async fn what_was_written_of_a_firm_makes_another_that_is_written_so_too() {
    let folder = tempfile::tempdir().unwrap();
    let (office, first) = office(folder.path()).await;
    let house = &office.house;
    let count = add_devices(house, &first.firm).await;
    let read = async |slug: &str| {
        let firm = find_firm(house, slug).await.unwrap();
        present(house, firm).await.unwrap()
    };
    let text = toml::to_string(&written(&read("demo").await)).unwrap();
    let again: Wanted = toml::from_str(&text).unwrap();
    assert_eq!(
        planned(&again, &read("demo").await, &house.profiles),
        Ok(Vec::new())
    );
    let (slug, now) = ("leeg".parse().unwrap(), house.clock.read());
    let adding = house.catalog.add_firm(&slug, "Leeg", Language::Nl, now);
    adding.await.unwrap();
    let text = text.replace("slug = \"demo\"", "slug = \"leeg\"");
    let wanted: Wanted = toml::from_str(&text).unwrap();

    let empty = read("leeg").await;
    let changes = plan(&wanted, &empty, &here(&house.profiles), keys::parse).unwrap();
    let mut doing = Doing::begin(house, empty);
    for change in &changes {
        doing.make(change).await.unwrap();
    }

    let made = read("leeg").await;
    let there = read("demo").await;
    assert_eq!(made.devices.len(), count + first.devices.len());
    for (own, other) in made.devices.iter().zip(&there.devices) {
        assert_eq!((&own.name, own.kind), (&other.name, other.kind));
        assert_eq!((own.means, own.uploads), (other.means, other.uploads));
        assert_eq!(own.networks, other.networks, "{}", own.name);
        assert_eq!(own.keys, other.keys, "{}", own.name);
        let why = |one: &Device| one.disabled.as_ref().map(|disabled| disabled.why.clone());
        assert_eq!(why(own), why(other), "{}", own.name);
    }
    assert_eq!(toml::to_string(&written(&made)).unwrap(), text);
    assert_eq!(planned(&wanted, &made, &house.profiles), Ok(Vec::new()));
}

#[tokio::test]
async fn what_a_file_does_not_say_of_a_device_lets_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    let (office, present) = office(folder.path()).await;
    let house = &office.house;
    add_devices(house, &present.firm).await;
    let firm = find_firm(house, "demo").await.unwrap();
    let present = super::present(house, firm).await.unwrap();
    let mut silent = written(&present);
    for device in &mut silent.devices {
        (device.login, device.from, device.disabled) = (None, None, None);
        let lines = device.keys.iter();
        let lines = lines.map(|key| WantedKey::Line(key.line().to_owned()));
        device.keys = lines.collect();
    }

    assert_eq!(planned(&silent, &present, &house.profiles), Ok(Vec::new()));
}

#[tokio::test]
async fn a_new_device_that_is_kept_out_gets_its_keys_when_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (office, present) = office(folder.path()).await;
    let read = |more: &str| {
        let slug = &present.firm.slug;
        let text = format!(
            "[firm]\nslug = \"{slug}\"\n[[device]]\nname = \"laptop\"\nkind = \"pull\"\n{more}"
        );
        let wanted = toml::from_str::<Wanted>(&text).map_err(|bad| vec![bad.to_string()])?;
        planned(&wanted, &present, &office.house.profiles)
    };
    let changes = read(&format!(
        "from = \"192.0.2.0/24\"\nlogin = \"key\"\ndisabled = \"not here yet\"\nkeys = [{{ key = \"{KEY}\", expires = \"2027-01-31\" }}]"
    ));

    let fingerprint = &keys::parse(KEY).unwrap()[0].fingerprint;
    assert_eq!(
        changes.unwrap(),
        [
            "add device `laptop` (pull), 0 keys".to_owned(),
            "disable device `laptop`: not here yet".to_owned(),
            "set device `laptop`: logs in by key from 192.0.2.0/24".to_owned(),
            format!("add a key to device `laptop`: {fingerprint}, until 2027-02-01T00:00:00.000Z"),
        ]
    );
    for (more, fault) in [
        ("login = \"key\"", "could never log in"),
        ("keys = [{ key = \"ssh-ed25519\" }]", "a key is a line"),
        ("from = \"192.0.2.0/99\"", "no range of addresses"),
        (
            "disabled = \" \"\nlogin = \"password\"",
            "a reason has 1 to",
        ),
    ] {
        let faults = read(more).unwrap_err().join("\n");
        assert!(faults.contains(fault), "{fault} in {faults}");
    }
    let (key, soon) = (KEY, "soon");
    let faults = read(&format!(
        "keys = [{{ key = \"{key}\", expires = \"{soon}\" }}]"
    ));
    assert!(faults.unwrap_err()[0].contains("`soon` is no time"));
}
