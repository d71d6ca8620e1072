//! Which clients are asked whether they do what the table says?

use super::errand::Client;
use super::{lftp, libraries, openssh, putty, python, rclone, table, web};

/// Asks each of these by a test of its own.
macro_rules! clients {
    ($($test:ident: $client:path,)*) => {
        /// All clients that the table has.
        pub const CLIENTS: &[&Client] = &[$(&$client,)*];

        $(#[test]
        fn $test() {
            table::holds(&$client);
        })*
    };
}

clients! {
    sftp_does_what_the_table_says: openssh::SFTP,
    scp_does_what_the_table_says: openssh::SCP,
    sshfs_does_what_the_table_says: openssh::SSHFS,
    lftp_does_what_the_table_says: lftp::LFTP,
    rclone_does_what_the_table_says: rclone::RCLONE,
    rclone_mount_does_what_the_table_says: rclone::MOUNT,
    psftp_does_what_the_table_says: putty::PSFTP,
    pscp_does_what_the_table_says: putty::PSCP,
    filezilla_does_what_the_table_says: putty::FILEZILLA,
    curl_does_what_the_table_says: web::CURL,
    gio_does_what_the_table_says: web::GIO,
    paramiko_does_what_the_table_says: python::PARAMIKO,
    asyncssh_does_what_the_table_says: python::ASYNCSSH,
    libssh2_does_what_the_table_says: python::LIBSSH2,
    libssh_does_what_the_table_says: python::LIBSSH,
    ssh2_sftp_client_does_what_the_table_says: libraries::SSH2_SFTP_CLIENT,
    net_sftp_foreign_does_what_the_table_says: libraries::NET_SFTP_FOREIGN,
    net_sftp_does_what_the_table_says: libraries::NET_SFTP,
    phpseclib_does_what_the_table_says: libraries::PHPSECLIB,
    jsch_does_what_the_table_says: libraries::JSCH,
    pkg_sftp_does_what_the_table_says: libraries::PKG_SFTP,
}

/// A client that is asked and not told of, or told of and not asked.
#[test]
fn the_table_has_these_clients_and_no_others() {
    let asked: Vec<_> = CLIENTS.iter().map(|client| client.name).collect();

    assert_eq!(asked, table::clients());
}
