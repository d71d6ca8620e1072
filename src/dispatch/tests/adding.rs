//! Which webhooks may a firm have?

use super::world::{URL, World};
use crate::catalog::NewWebhook;
use crate::dispatch::Secret;
use crate::model::{EventKind, Timestamp};

#[tokio::test]
async fn a_firm_has_sixteen_webhooks_and_not_one_more() {
    let world = World::new(&[]).await;
    let add = async |nth: usize| {
        let new = NewWebhook {
            url: &format!("{URL}?nth={nth}"),
            origin: "https://example.com",
            kinds: &[],
            secret: &Secret::shown([2; 32]),
            from: None,
        };
        let catalog = &world.catalog;
        catalog.add_webhook(world.firm, &new, Timestamp(0)).await
    };
    for nth in 1..16 {
        add(nth).await.unwrap();
    }

    let error = add(16).await;

    assert!(error.unwrap_err().to_string().contains("16 webhooks"));
    assert_eq!(world.catalog.webhooks(world.firm).await.unwrap().len(), 16);
}

#[tokio::test]
async fn an_address_is_told_the_same_once_and_something_else_besides() {
    use EventKind::{Collected, Offered};
    let world = World::new(&[Offered, Collected]).await;
    let add = async |kinds: &[EventKind]| {
        let new = NewWebhook {
            url: URL,
            origin: "https://example.com",
            kinds,
            secret: &Secret::shown([2; 32]),
            from: None,
        };
        let catalog = &world.catalog;
        catalog.add_webhook(world.firm, &new, Timestamp(0)).await
    };

    let again = add(&[Collected, Offered]).await.unwrap_err().to_string();

    assert!(
        again.starts_with("webhook 1 tells this address the same already;"),
        "{again}"
    );
    let first = world.webhook().await.webhook.id;
    let (catalog, now) = (&world.catalog, Timestamp(0));
    let pausing = catalog.pause_webhook(world.firm, first, "by hand", now);
    assert!(pausing.await.unwrap());
    let again = add(&[Offered, Collected]).await.unwrap_err().to_string();
    assert!(again.contains("is paused: resume it"), "{again}");
    add(&[Offered]).await.unwrap();
    add(&[]).await.unwrap();
    assert!(add(&[]).await.is_err());
    let removing = catalog.remove_webhook(world.firm, first, now);
    removing.await.unwrap();
    add(&[Offered, Collected]).await.unwrap();
    assert_eq!(catalog.webhooks(world.firm).await.unwrap().len(), 3);
}
