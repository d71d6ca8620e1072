//! What can a newcomer paste?

use std::net::SocketAddr;
use std::path::Path;

use super::office::Office;
use crate::cli::Error;
use crate::cli::print::{self, shell_word};

/// Prints commands that work as they stand.
pub(super) fn print(office: &Office, address: SocketAddr) -> Result<(), Error> {
    let port = address.port();
    let (pull, mount) = (
        shell_word(&office.key_file("pull")),
        shell_word(&office.key_file("mount")),
    );
    let hosts = shell_word(&office.known_hosts());
    let folder = office.folder.display();
    let beside = |name: &str| shell_word(Path::new(&format!("{folder}-{name}")));
    let (got, mirror, drive) = (beside("got"), beside("mirror"), beside("drive"));
    let drop = shell_word(&office.house.config.drop.root.join("demo"));
    let next = shell_word(&office.folder.join("next-invoice.xml"));
    let program = std::env::current_exe().unwrap_or_else(|_| "sluis".into());
    let sluis = format!(
        "{} --config {}",
        shell_word(&program),
        shell_word(&office.folder.join("sluis.toml"))
    );
    let options = format!("-o IdentitiesOnly=yes -o UserKnownHostsFile={hosts}");
    print::line(&format!(
        "An office called `demo`, in {folder}.\n\
         Device `demo.pull` fetches for Expert/M; what it has read whole is collected.\n\
         Device `demo.mount` is a drive for BOB Demat; only what the importer removes or moves is.\n\n\
         Look around, and type `help`:\n\
         \x20 sftp -P {port} -i {pull} {options} demo.pull@127.0.0.1\n\n\
         Fetch everything, as a script would; the files leave the folder:\n\
         \x20 sftp -r -P {port} -i {pull} {options} demo.pull@127.0.0.1:/expertm {got}\n\n\
         The same with lftp:\n\
         \x20 lftp -u demo.pull,x -e \"set sftp:connect-program 'ssh -a -x -i {pull} {options}'; mirror /expertm {mirror}; bye\" sftp://127.0.0.1:{port}\n\n\
         Mount the drive, look, process an invoice, and let go:\n\
         \x20 mkdir {drive} && sshfs -p {port} -o IdentityFile={mount} {options} demo.mount@127.0.0.1:/ {drive}\n\
         \x20 find {drive} -type f\n\
         \x20 mv {drive}/bob-demat/MOLENS/ventes/*F-2026-0117* {drive}/bob-demat/traites/MOLENS/ventes/\n\
         \x20 fusermount3 -u {drive} && rmdir {drive}\n\n\
         Let one more invoice arrive:\n\
         \x20 cp {next} {drop}/\n\n\
         Ask where an invoice is, and see what has happened:\n\
         \x20 {sluis} explain demo F-2026-0117\n\
         \x20 {sluis} deliveries demo\n\
         \x20 {sluis} events demo\n"
    ))
}
