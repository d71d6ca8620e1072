//! What can a device that means harm do to the server, and to whoever is served beside it?
//!
//! `packets` sends SFTP that is wrong in one place, `floods` sends SSH and SFTP without end, to the real program,
//! and looks at its memory; `ssh` is what they speak with. After each, the server lives, its memory is where it
//! was, and another device was served all along.

mod floods;
mod packets;
pub mod ssh;
