//! What becomes of a file that is taken and could not be let go of?

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;

use super::world::{Root, files, seconds, until};

#[tokio::test(start_paused = true)]
async fn what_is_taken_and_cannot_be_removed_is_not_taken_again_and_holds_nobody_up() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = Root::new();
    root.drop("sub/F-1.xml", "<Invoice>1");
    let allow =
        |mode| fs::set_permissions(root.path("sub"), fs::Permissions::from_mode(mode)).unwrap();
    allow(0o555);
    if fs::write(root.path("sub/probe"), "").is_ok() {
        return; // a privileged user may write everywhere
    }

    root.while_running(async {
        seconds(600).await;
        root.drop("F-2.xml", "<Invoice>2");
        until(|| !root.path("F-2.xml").exists()).await;
        allow(0o755);
        until(|| files(&root.path("")).is_empty()).await;
    })
    .await;

    let expected = ["1 drop:sub/F-1.xml kept", "1 drop:F-2.xml kept"];
    assert_eq!(root.fake.taken(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_and_stays_there_is_taken_anew_once_it_has_changed() {
    let root = Root::new();
    root.drop("F-1.xml", "%PDF");
    root.drop("rejected", "in the way");

    root.while_running(async {
        seconds(60).await;
        root.drop("F-1.xml", "<Invoice>1");
        until(|| !root.path("F-1.xml").exists()).await;
    })
    .await;

    let expected = ["1 drop:F-1.xml quarantined", "1 drop:F-1.xml kept"];
    assert_eq!(root.fake.taken(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_is_written_over_what_is_taken_is_not_removed_unread_though_size_and_time_are_the_same()
 {
    let root = Root::new();
    root.drop("F-1.xml", "%PDF");
    root.drop("rejected", "in the way");
    let path = root.path("F-1.xml");
    let found = || fs::metadata(&path).unwrap();

    root.while_running(async {
        seconds(60).await;
        assert_eq!(root.fake.taken(), ["1 drop:F-1.xml quarantined"]);
        let before = found();
        // The time of a change has the fineness of the kernel's clock.
        while (found().ctime(), found().ctime_nsec()) == (before.ctime(), before.ctime_nsec()) {
            fs::write(&path, "%TIF").unwrap();
            let times = fs::FileTimes::new().set_modified(before.modified().unwrap());
            let file = File::options().write(true).open(&path).unwrap();
            file.set_times(times).unwrap();
        }
        assert_eq!(found().modified().unwrap(), before.modified().unwrap());
        fs::remove_file(root.path("rejected")).unwrap();
        until(|| !path.exists()).await;
    })
    .await;

    let expected = ["1 drop:F-1.xml quarantined", "1 drop:F-1.xml quarantined"];
    assert_eq!(root.fake.taken(), expected);
    assert_eq!(root.fake.with(|inner| inner.kept.len()), 2);
}

/// As after a reload.
#[tokio::test(start_paused = true)]
async fn what_is_taken_and_stays_there_is_not_taken_anew_by_the_next_door() {
    let root = Root::new();
    root.drop("F-1.xml", "%PDF");
    root.drop("rejected", "in the way");

    root.while_running(seconds(60)).await;
    root.while_running(async {
        seconds(60).await;
        fs::remove_file(root.path("rejected")).unwrap();
        until(|| root.path("rejected/F-1.xml").exists()).await;
    })
    .await;

    assert_eq!(root.fake.taken(), ["1 drop:F-1.xml quarantined"]);
    assert!(!root.path("F-1.xml").exists());
}
