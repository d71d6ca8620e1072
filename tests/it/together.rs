//! Do two who change the setup at the same time undo each other, or change what is there no longer?

use sluis::alarm::OwnLimits;
use sluis::catalog::{DeviceKey, Dossier, Error, FirmRules, Link, LinkRules, NewLink};
use sluis::model::{
    Approval, DeviceKind, Duplicates, Flow, Keep, Language, Means, OrFirm, Transfer, Uploads,
};
use sluis::sending::{self, Destination};

use crate::gateway::{Gateway, invoice};

#[tokio::test]
async fn of_two_who_set_something_else_at_a_firm_neither_undoes_the_other() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let (catalog, now) = (&gateway.house.catalog, gateway.now());
    let keep = |text: &str| text.parse::<Keep>().unwrap();
    let was = catalog.firm_by_id(office.firm).await.unwrap();
    let year = was.keeps.with(None, Some(keep("1y")), None).unwrap();
    catalog.set_retention(&was, &year, now).await.unwrap();
    // Both have read the firm before either writes.
    let was = catalog.firm_by_id(office.firm).await.unwrap();

    let forever = was.keeps.with(None, Some(Keep::FOREVER), None).unwrap();
    catalog.set_retention(&was, &forever, now).await.unwrap();
    let short = was.keeps.with(Some(keep("30d")), None, None).unwrap();
    catalog.set_retention(&was, &short, now).await.unwrap();
    for named in [("Dupont", was.language), (&*was.name, Language::Fr)] {
        catalog.rename_firm(&was, named, now).await.unwrap();
    }
    for (uncollected, unseen) in [("2d", "default"), ("default", "never")] {
        let own = OwnLimits {
            uncollected: uncollected.parse().unwrap(),
            unseen: unseen.parse().unwrap(),
        };
        catalog.set_alarms(&was, own, now).await.unwrap();
    }
    let zone = FirmRules {
        time_zone: Some("Europe/Lisbon".to_owned()),
        ..was.sends.clone()
    };
    let replacing = FirmRules {
        duplicates: Duplicates::Replace,
        transfer: Transfer::Nightly,
        ..was.sends.clone()
    };
    catalog.set_firm_rules(&was, &zone, now).await.unwrap();
    catalog.set_firm_rules(&was, &replacing, now).await.unwrap();

    let firm = catalog.firm_by_id(office.firm).await.unwrap();
    let times = (firm.keeps.in_view(), firm.keeps.documents());
    assert_eq!(times, (keep("30d"), Keep::FOREVER));
    let own = (firm.alarms.uncollected, firm.alarms.unseen);
    let told = (own.0.to_string(), own.1.to_string());
    assert_eq!(told, ("2d".to_owned(), "never".to_owned()));
    let named = (firm.name.as_str(), firm.language);
    assert_eq!(named, ("Dupont", Language::Fr));
    assert_eq!(firm.sends.time_zone.as_deref(), Some("Europe/Lisbon"));
    assert_eq!(firm.sends.duplicates, Duplicates::Replace);
    assert_eq!(firm.sends.transfer, Transfer::Nightly);
}

#[tokio::test]
async fn times_that_no_longer_fit_what_another_has_set_are_refused() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let (catalog, now) = (&gateway.house.catalog, gateway.now());
    let keep = |text: &str| text.parse::<Keep>().unwrap();
    let was = catalog.firm_by_id(office.firm).await.unwrap();
    let short = was.keeps.with(None, Some(keep("1y")), Some(keep("2y")));
    let long = was.keeps.with(Some(keep("3y")), None, None).unwrap();
    catalog
        .set_retention(&was, &short.unwrap(), now)
        .await
        .unwrap();

    let refused = catalog.set_retention(&was, &long, now).await;

    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    let firm = catalog.firm_by_id(office.firm).await.unwrap();
    assert_eq!(firm.keeps.in_view(), was.keeps.in_view());
    assert_eq!(firm.keeps.documents(), keep("1y"));
}

#[tokio::test]
async fn of_two_who_set_something_else_at_a_link_neither_undoes_the_other() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let (catalog, now) = (&gateway.house.catalog, gateway.now());
    let was = catalog.links(office.firm).await.unwrap().remove(0);
    let approval = LinkRules {
        approval: OrFirm::Own(Approval::Required),
        ..was.sends
    };
    let from = LinkRules {
        from: Some("2026-01-01".parse().unwrap()),
        ..was.sends
    };

    catalog.set_link(&was, None, &was.sends, now).await.unwrap();
    let own = Some(device.id);
    catalog.set_link(&was, own, &approval, now).await.unwrap();
    catalog.set_link(&was, own, &from, now).await.unwrap();

    let link = catalog.links(office.firm).await.unwrap().remove(0);
    assert_eq!((link.device, link.sends.from), (None, from.from));
    assert_eq!(link.sends.approval, approval.approval);
    assert_eq!(link.sends.transfer, was.sends.transfer);
}

#[tokio::test]
async fn what_another_has_removed_meanwhile_is_not_changed_and_nothing_is_given_to_it() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let (catalog, firm, now) = (&gateway.house.catalog, office.firm, gateway.now());
    let weaver = gateway.dossier(&office, "De Wever", &["0403019261"]).await;
    let gone = catalog.dossiers(firm).await.unwrap();
    let gone = gone.iter().find(|one| one.id == weaver).unwrap();
    let new = NewLink {
        dossier: weaver,
        profile: "expertm",
        code: "WEVER",
        language: Language::Nl,
        device: None,
        sends: LinkRules::FIRM,
    };
    let link = catalog.add_link(firm, &new, now).await.unwrap();
    let links = catalog.links(firm).await.unwrap();
    let link = links.iter().find(|one| one.id == link).unwrap();
    let spare = gateway.device(&office, "spare", DeviceKind::Pull).await;
    let devices = catalog.devices(firm).await.unwrap();
    let device = devices.iter().find(|one| one.id == spare.id).unwrap();
    gateway.receive(&office, invoice("F-1", 900)).await;
    catalog.remove_link(firm, link, now).await.unwrap();
    catalog.remove_dossier(firm, gone, now).await.unwrap();
    catalog.remove_device(firm, device, now).await.unwrap();
    let before = gateway.deliveries(&office).await;

    let renamed = |old: &Dossier, _: &[Link]| {
        let name = "W".to_owned();
        Ok(Dossier {
            name,
            ..old.clone()
        })
    };
    let changes = [
        catalog.set_link(link, None, &LinkRules::FIRM, now).await,
        catalog.remove_link(firm, link, now).await,
        catalog
            .change_dossier(firm, weaver, renamed, now)
            .await
            .map(drop),
        catalog.remove_dossier(firm, gone, now).await,
        catalog.add_link(firm, &new, now).await.map(drop),
        catalog.remove_device(firm, device, now).await,
    ];

    for (nth, change) in changes.iter().enumerate() {
        assert!(
            matches!(change, Err(Error::Missing { .. })),
            "{nth}: {change:?}"
        );
    }
    let sending = &gateway.house.sending;
    let rows = catalog.delivery_rows(firm, 0, 100).await.unwrap();
    let id = rows[0].delivery.id;
    let to = Destination {
        dossier: weaver,
        flow: Flow::Purchase,
    };
    let moved = sending.move_to(firm, id, to, "theirs", now).await;
    assert!(
        matches!(moved, Err(sending::Error::NoWay { .. })),
        "{moved:?}"
    );
    assert_eq!(gateway.deliveries(&office).await, before);
    // The number is free.
    gateway.dossier(&office, "Wever", &["0403019261"]).await;
}

#[tokio::test]
async fn nothing_is_sent_to_a_device_that_is_no_longer_in_use() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    let spare = gateway.device(&office, "spare", DeviceKind::Pull).await;
    let (dossier, own) = (office.dossier, Some(device.id));
    let by_hand = Transfer::Manual;
    gateway
        .link_as(&office, dossier, "expertm", "ACME", own, by_hand)
        .await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    let (catalog, firm, now) = (&gateway.house.catalog, office.firm, gateway.now());
    let devices = catalog.devices(firm).await.unwrap();
    let gone = devices.iter().find(|one| one.id == spare.id).unwrap();
    catalog.remove_device(firm, gone, now).await.unwrap();
    let held = catalog.held(firm).await.unwrap().remove(0);

    let sending = &gateway.house.sending;
    let sent = sending.send(firm, held.id, Some(spare.id), now).await;

    assert!(
        matches!(sent, Err(sending::Error::NoWay { .. })),
        "{sent:?}"
    );
    assert_eq!(gateway.deliveries(&office).await, ["- held (manual)"]);
}

#[tokio::test]
async fn nothing_is_changed_of_a_device_that_is_no_longer_in_use() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let spare = gateway.device(&office, "spare", DeviceKind::Pull).await;
    let (catalog, firm, now) = (&gateway.house.catalog, office.firm, gateway.now());
    let gone = catalog.device(firm, "spare").await.unwrap();
    let key = gone.keys[0].clone();
    let other = DeviceKey {
        fingerprint: "SHA256:other".to_owned(),
        ..key.clone()
    };
    catalog.remove_device(firm, &gone, now).await.unwrap();
    let before = catalog.firm_by_id(firm).await.unwrap().version;

    let login = (Some(Means::Key), None);
    let expiry = (key.fingerprint.as_str(), Some(now));
    let changes = [
        catalog.set_login(&gone, login, now).await.map(drop),
        catalog.set_password(&gone, Some("$argon2id$"), now).await,
        catalog.set_password(&gone, None, now).await,
        catalog.set_key_expiry(&gone, expiry, now).await,
        catalog.add_device_key(&gone, &other, now).await,
        catalog
            .remove_device_key(&gone, &key.fingerprint, now)
            .await,
        catalog.disable_device(&gone, "lost", now).await,
        catalog.set_uploads(&gone, Uploads::On, now).await,
    ];

    for (nth, change) in changes.iter().enumerate() {
        assert!(
            matches!(change, Err(Error::Missing { .. })),
            "{nth}: {change:?}"
        );
    }
    let keys = catalog.device_keys(spare.id).await.unwrap();
    let keys: Vec<_> = keys.into_iter().map(|kept| kept.key).collect();
    assert_eq!(keys, [key]);
    assert_eq!(catalog.firm_by_id(firm).await.unwrap().version, before);
}
