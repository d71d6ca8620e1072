//! Does a file change what a firm and its dossiers are called, and undo nobody else's change?

use super::*;

#[tokio::test]
async fn a_firm_is_called_as_its_file_says_and_what_the_file_adds_is_in_its_language() {
    let folder = tempfile::tempdir().unwrap();
    let (office, present) = office(folder.path()).await;
    let (house, slug) = (&office.house, present.firm.slug.clone());
    let before = present.links.clone();
    let read = |named: &str| {
        let text = format!(
            "[firm]\nslug = \"{slug}\"\n{named}\n[[dossier]]\nname = \"Client\"\nids = [\"0403.019.261\"]\n[[dossier.link]]\nprofile = \"bob-demat\"\ncode = \"NEUF\"\n"
        );
        toml::from_str::<Wanted>(&text).unwrap()
    };
    let nameless = planned(&read("name = \" \""), &present, &house.profiles);
    assert_eq!(nameless, Err(vec!["the firm wants a name".to_owned()]));
    let wanted = read("name = \"Fiduciaire Dupont\"\nlanguage = \"fr\"");
    let changes = plan(&wanted, &present, &here(&house.profiles), keys::parse).unwrap();
    let first = changes[0].to_string();
    assert_eq!(first, "set the firm: name `Fiduciaire Dupont`, language fr");

    let mut doing = Doing::begin(house, present);
    for change in &changes {
        doing.make(change).await.unwrap();
    }

    let firm = find_firm(house, slug.as_str()).await.unwrap();
    let named = (firm.name.as_str(), firm.language);
    assert_eq!(named, ("Fiduciaire Dupont", Language::Fr));
    let after = super::present(house, firm).await.unwrap();
    let (new, old) = after.links.split_last().unwrap();
    assert_eq!((&*new.code, new.language), ("NEUF", Language::Fr));
    assert_eq!(old, before, "what is there keeps its folders");
    assert_eq!(planned(&wanted, &after, &house.profiles), Ok(Vec::new()));
}

#[tokio::test]
async fn a_number_that_somebody_adds_while_a_file_is_applied_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (office, present) = office(folder.path()).await;
    let house = &office.house;
    let (firm, id) = (present.firm.id, present.dossiers[0].id);
    let mut wanted = written(&present);
    wanted.dossiers[0].ids.push("0088:5412345000013".to_owned());
    let changes = plan(&wanted, &present, &here(&house.profiles), keys::parse).unwrap();
    let other = Identifier::new("0403019261").unwrap();
    let with_other = |there: &Dossier, _: &[Link]| {
        let mut new = there.clone();
        new.identifiers.push(other);
        Ok(new)
    };
    let now = house.clock.read();
    let adding = house.catalog.change_dossier(firm, id, with_other, now);
    assert!(adding.await.unwrap().is_some());

    let mut doing = Doing::begin(house, present);
    for change in &changes {
        doing.make(change).await.unwrap();
    }

    let dossiers = house.catalog.dossiers(firm).await.unwrap();
    let own = dossiers.iter().find(|one| one.id == id).unwrap();
    let keys: Vec<_> = own.identifiers.iter().map(|own| own.key.as_str()).collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert!(keys[1].ends_with("5412345000013"), "{keys:?}");
    let known = doing.present.dossiers.iter().find(|one| one.id == id);
    assert_eq!(known, Some(own));
}
