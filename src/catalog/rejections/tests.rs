//! Which rejected files does a device see, and for how long?

use super::*;
use crate::catalog::NewDevice;
use crate::model::DeviceKind;

const NOW: Timestamp = Timestamp(1_773_475_200_000);

async fn scene(folder: &std::path::Path) -> (Catalog, FirmId, DeviceId) {
    let catalog = Catalog::open(&folder.join("catalog.sqlite")).await.unwrap();
    let slug = "peeters".parse().unwrap();
    let firm = catalog
        .add_firm(&slug, "P", Language::Fr, NOW)
        .await
        .unwrap();
    let new = NewDevice {
        name: &"scanner".parse().unwrap(),
        kind: DeviceKind::Source,
        password_hash: None,
        keys: &[],
        is_default: false,
    };
    let device = catalog.add_device(firm, &new, NOW).await.unwrap();
    (catalog, firm, device)
}

fn path(at: usize) -> VirtualPath {
    VirtualPath::parse(&format!("/in/F-{at}.xml")).unwrap()
}

fn too_large(path: &VirtualPath) -> NewRejection<'_> {
    NewRejection {
        path,
        why: Rejected::TooLarge,
        detail: "100",
        bytes: None,
        digest: None,
    }
}

#[tokio::test]
async fn the_same_file_again_is_the_same_note_and_shows_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, firm, device) = scene(folder.path()).await;
    let path = path(1);
    let refused = too_large(&path);
    catalog
        .add_rejection(firm, device, &refused, NOW)
        .await
        .unwrap();
    let first = catalog
        .rejections(firm, device, NOW)
        .await
        .unwrap()
        .remove(0);
    let part = (first.id, Part::Text);
    catalog
        .remove_rejection(firm, device, part, NOW)
        .await
        .unwrap();
    assert_eq!(catalog.rejections(firm, device, NOW).await.unwrap(), []);

    let later = NOW.plus_ms(5);
    catalog
        .add_rejection(firm, device, &refused, later)
        .await
        .unwrap();

    let again = catalog.rejections(firm, device, later).await.unwrap();
    assert_eq!(again, [Rejection { at: later, ..first }]);
}

#[tokio::test]
async fn a_millisecond_past_a_week_and_one_past_the_limit_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, firm, device) = scene(folder.path()).await;
    let most = usize::try_from(REJECTED_MAX).unwrap();
    let mut tx = catalog.begin(Durability::Kill).await.unwrap();
    query(
        "with recursive n (at) as (select 0 union all select at + 1 from n where at < $3 - 1)
         insert into rejection (firm_id, device_id, path, path_key, name, name_key, why, detail, digest, at)
         select $1, $2, '/in/F-' || at || '.xml', '/in/f-' || at || '.xml', 'F-' || at || '.xml',
                'f-' || at || '.xml', 'too_large', '100', '', $4 + at from n",
    )
    .bind(firm.0)
    .bind(device.0)
    .bind(REJECTED_MAX)
    .bind(NOW.0)
    .execute(&mut *tx.inner)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let (last, now) = (path(most), NOW.plus_ms(REJECTED_MAX));
    let refused = too_large(&last);
    let noting = catalog.add_rejection(firm, device, &refused, now);
    noting.await.unwrap();

    let all = catalog.rejections(firm, device, NOW).await.unwrap();
    assert_eq!(all.len(), most);
    assert!(all.iter().all(|one| one.path != "/in/F-0.xml"));
    let week = NOW.plus_ms(1 + REJECTED_MS);
    assert_eq!(
        catalog.rejections(firm, device, week).await.unwrap().len(),
        most
    );
    let past = week.plus_ms(1);
    assert_eq!(
        catalog.rejections(firm, device, past).await.unwrap().len(),
        most - 1
    );
    let named = catalog
        .rejections_named(firm, device, "f-1.XML.txt", past)
        .await;
    assert_eq!(named.unwrap(), []);
}

#[test]
fn no_name_is_given_twice_neither_to_a_file_nor_to_a_text() {
    let mut taken: Vec<String> = Vec::new();
    let mut shown: Vec<String> = Vec::new();
    let long = format!("{}.xml", "é".repeat(200));
    for name in [
        "a",
        "A.txt",
        "a.txt.txt",
        "a",
        "F.xml",
        "f.XML",
        "a (2)",
        &long,
        &long,
        ".x",
        ".",
    ] {
        let free = free_name(name, &taken);
        assert!(free.len() + ".txt".len() <= 255, "{free}");
        taken.push(fold(&free));
        shown.extend([fold(&free), format!("{}.txt", fold(&free))]);
    }
    shown.sort();
    let before = shown.len();
    shown.dedup();
    assert_eq!(shown.len(), before);
}
