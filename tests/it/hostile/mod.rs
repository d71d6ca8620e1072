//! What does a document, or a name, that means harm do at each door?
//!
//! One table of documents and one of words (`documents`, `names`), and each door takes all of it. Whatever
//! comes, the program lives within a bound of memory; what was received is kept, under a name that is
//! plain, or refused with a reason; nothing that it says is followed, run, or shown as it is; and an
//! honest document right behind it comes in as ever.
//!
//! What a device that means harm does to the server, and to whoever is served beside it: `packets` sends SFTP
//! that is wrong in one place; `floods` sends SSH and SFTP without end, to the real program, and looks at its memory, also
//! after what `packets` sends and after strangers whom the guard counts and bars; `ssh` is what they speak with. After
//! each, the server lives, its memory is where it was, and another device was served all along.

mod asking;
mod checks;
mod documents;
mod dropped;
mod filed;
mod floods;
mod growing;
mod ingested;
mod names;
mod packets;
pub mod ssh;
mod strict;
mod uploaded;

use sluis::model::Kind;
use sluis::ubl;

use documents::Becomes;

#[test]
fn each_document_is_read_as_the_table_says() {
    // What is larger costs time, and the doors say the same of it.
    let table = documents::all(9).into_iter();
    for hostile in table.filter(|one| one.bytes.len() < 1_000_000) {
        let reading = ubl::read(&hostile.bytes).reading;
        let remarks: Vec<_> = reading.remarks.iter().map(ToString::to_string).collect();
        let told = remarks.join("; ");
        let name = &hostile.name;
        match hostile.becomes {
            Becomes::Offered => {
                assert_eq!(reading.kind, Kind::Invoice, "{name}: {told}");
                assert_ne!(reading.number.as_deref(), Some("WRONG"), "{name}");
            }
            Becomes::Held => assert_eq!(reading.kind, Kind::Other, "{name}: {told}"),
            Becomes::Unreadable(why) => {
                assert_eq!(reading.kind, Kind::Unreadable, "{name}: {told}");
                assert!(told.contains(why), "{name}: {told}");
            }
        }
    }
}
