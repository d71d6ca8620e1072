//! What does the door do while nothing can be taken from anybody?

use super::world::{Root, files, seconds, until};
use crate::wellness::{Cause, Part, Unready};

/// How long nothing can be taken, in seconds.
const LONG: u64 = 600;

/// More questions than there may be in that time: one every two seconds, some hints, and the looks at every folder.
const QUESTIONS_MAX: usize = 400;

fn full() -> Unready {
    Unready {
        part: Part::Space,
        cause: Cause::Full,
        why: "4 MiB are free".to_owned(),
    }
}

fn down() -> Unready {
    Unready {
        part: Part::CatalogWrites,
        cause: Cause::Locked,
        why: "another program holds it".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_due_while_nothing_can_be_taken_is_asked_for_on_a_timer_and_not_in_a_loop() {
    for unready in [full(), down()] {
        let root = Root::new();
        root.drop("F-1.xml", "<Invoice>1");

        root.while_running(async {
            // It was seen, and is due in a second.
            seconds(1).await;
            root.fake.with(|inner| {
                inner.unready = Some(unready.clone());
                inner.questions = 0;
                inner.questions_max = QUESTIONS_MAX;
            });
            seconds(LONG).await;
            let questions = root.fake.with(|inner| inner.questions);
            assert!(
                (100..=QUESTIONS_MAX).contains(&questions),
                "{questions} in {LONG} s"
            );
            assert_eq!(root.fake.with(|inner| inner.calls), 0, "nothing is tried");
            assert!(root.path("F-1.xml").exists(), "no file is blamed");

            root.fake.with(|inner| inner.unready = None);
            seconds(4).await;
            assert_eq!(root.fake.taken(), ["1 drop:F-1.xml kept"]);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_while_nothing_can_be_taken_is_not_looked_at_and_taken_afterwards() {
    let root = Root::new();
    root.fake.with(|inner| {
        inner.unready = Some(full());
        inner.questions_max = QUESTIONS_MAX;
    });

    root.while_running(async {
        for n in 0..50 {
            root.drop(&format!("F-{n}.xml"), format!("<Invoice>{n}"));
            seconds(LONG / 50).await;
        }
        assert_eq!(files(&root.path("")).len(), 50);

        root.fake.with(|inner| inner.unready = None);
        until(|| files(&root.path("")).is_empty()).await;
    })
    .await;

    assert_eq!(root.fake.taken().len(), 50);
}
