//! Does a file change what it says and nothing else, and does writing and reading it change nothing?

use jiff::civil::Date;

use super::*;
use crate::cli::demo::office::Office;
use crate::layout::Profiles;
use crate::model::Identifier;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti kevin@pc";

const TODAY: Date = Date::constant(2026, 3, 14);

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
    let changes = plan(wanted, present, profiles, keys::parse, TODAY)?;
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
    let changes = plan(&wanted, &present, &house.profiles, keys::parse, TODAY).unwrap();
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
            "link `K1` in `billsync` of dossier `Nieuwe Klant`: the folder is named after the enterprise number: add the ten digits to the dossier's identifiers"
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
    let changes = plan(&wanted, &present, &house.profiles, keys::parse, TODAY).unwrap();
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
