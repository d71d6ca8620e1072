//! What becomes of the others when one firm's folder does not answer?

use tokio_util::sync::CancellationToken;

use super::super::turns::{LASTING_MAX, PATIENCE};
use super::world::{Root, seconds, until};
use crate::model::FirmId;

/// A root with the folders of so many firms, `firm-0` and so on, each with a document.
fn root_of(firms: usize) -> Root {
    let root = Root::new();
    for id in 0..firms {
        root.fake
            .add_firm(100 + i64::try_from(id).unwrap(), &format!("firm-{id}"));
        drop_at(&root, id, "F-1.xml");
    }
    root
}

fn drop_at(root: &Root, id: usize, name: &str) {
    let folder = root.root.path().join(format!("firm-{id}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), format!("<Invoice>{id} {name}")).unwrap();
}

/// Has the folders of so many firms hang, and returns what ends that for each.
fn hang(root: &Root, firms: usize) -> Vec<CancellationToken> {
    let ends = (0..firms).map(|id| {
        let until = CancellationToken::new();
        let firm = FirmId(100 + i64::try_from(id).unwrap());
        root.fake
            .with(|inner| inner.hangs.insert(firm, until.clone()));
        until
    });
    ends.collect()
}

fn is_taken(root: &Root, id: usize, name: &str) -> bool {
    let what = format!("{} drop:{name} kept", 100 + id);
    root.fake.taken().contains(&what)
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_does_not_answer_holds_up_no_other_for_long() {
    let root = root_of(2);
    let ends = hang(&root, 1);

    root.while_running(async {
        until(|| is_taken(&root, 1, "F-1.xml")).await;
        assert!(!is_taken(&root, 0, "F-1.xml"));
        // The next ones wait for nothing, however often it is heard of the first.
        for n in 2..6 {
            drop_at(&root, 0, "F-2.xml");
            drop_at(&root, 1, &format!("F-{n}.xml"));
            seconds(PATIENCE.as_secs()).await;
            assert!(is_taken(&root, 1, &format!("F-{n}.xml")), "F-{n}");
        }
        assert!(!is_taken(&root, 0, "F-1.xml"));

        ends[0].cancel();
        until(|| is_taken(&root, 0, "F-1.xml")).await;
        until(|| is_taken(&root, 0, "F-2.xml")).await;
    })
    .await;

    assert_eq!(root.fake.taken().len(), 7, "each once");
}

#[tokio::test(start_paused = true)]
async fn past_the_limit_of_those_that_do_not_answer_all_wait_until_one_does() {
    let root = root_of(LASTING_MAX + 2);
    let ends = hang(&root, LASTING_MAX);
    let last = LASTING_MAX + 1;

    root.while_running(async {
        until(|| root.fake.with(|inner| inner.questions) > 0).await;
        seconds(600).await;
        assert_eq!(root.fake.taken(), [""; 0]);
        root.fake.with(|inner| {
            inner.questions = 0;
            inner.questions_max = 400;
        });
        seconds(600).await; // and is not asked for in a loop

        ends[2].cancel();
        until(|| is_taken(&root, last, "F-1.xml")).await;
        assert!(is_taken(&root, 2, "F-1.xml"));
        ends.iter().for_each(CancellationToken::cancel);
        until(|| root.fake.taken().len() == LASTING_MAX + 2).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_goes_on_beside_the_others_is_finished_before_the_end() {
    let root = root_of(1);
    let ends = hang(&root, 1);
    let cancel = CancellationToken::new();

    let happens = async {
        seconds(60).await;
        cancel.cancel();
        seconds(5).await;
        assert_eq!(root.fake.taken(), [""; 0]);
        ends[0].cancel();
    };
    tokio::join!(root.run(cancel.clone()), happens);

    assert!(is_taken(&root, 0, "F-1.xml"));
}

#[tokio::test(start_paused = true)]
async fn a_firm_that_is_removed_and_added_again_while_its_turn_lasts_has_turns_again() {
    let root = root_of(1);
    let ends = hang(&root, 1);

    root.while_running(async {
        seconds(60).await;
        root.fake.replace_firm(100, 200);
        seconds(60).await; // it is listed
        ends[0].cancel();
        until(|| is_taken(&root, 0, "F-1.xml")).await;
        drop_at(&root, 0, "F-2.xml");
        until(|| {
            root.fake
                .taken()
                .contains(&"200 drop:F-2.xml kept".to_owned())
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_always_has_something_passes_over_nobody_where_turns_are_few() {
    let root = root_of(LASTING_MAX + 1);
    let ends = hang(&root, LASTING_MAX - 1);
    let (busy, last) = (LASTING_MAX - 1, LASTING_MAX);
    let (slow, next) = (CancellationToken::new(), CancellationToken::new());
    let firm = FirmId(100 + i64::try_from(busy).unwrap());
    root.fake
        .with(|inner| inner.hangs.insert(firm, slow.clone()));

    root.while_running(async {
        seconds(300).await;
        assert!(!is_taken(&root, last, "F-1.xml"), "all turns are taken");
        // It ends its turn, and has something for the next at once, which lasts, too.
        drop_at(&root, busy, "F-2.xml");
        root.fake
            .with(|inner| inner.hangs.insert(firm, next.clone()));
        slow.cancel();
        until(|| is_taken(&root, last, "F-1.xml")).await;
        ends.iter()
            .chain([&next])
            .for_each(CancellationToken::cancel);
    })
    .await;
}
