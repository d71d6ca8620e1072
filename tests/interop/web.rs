//! What do programs do for which SFTP is one protocol among many: curl, and the desktop's `gio`?

use super::errand::{Act, Client, FETCHED};

pub const CURL: Client = Client {
    name: "curl",
    needs: "command -v curl && curl --version | grep -qw sftp",
    command: |errand| {
        let url = |path: &str| {
            let path = path.replace(' ', "%20");
            format!("sftp://127.0.0.1:{}{path}", errand.port)
        };
        let mut command = errand.command("curl");
        command.args(["-sS", "--disable", "--insecure", "--user"]);
        command.arg(format!("{}:", errand.login()));
        command.arg("--key").arg(&errand.device.key_file);
        command
            .arg("--pubkey")
            .arg(errand.device.key_file.with_extension("pub"));
        match errand.act {
            Act::List { folder } => command.arg("-l").arg(url(&format!("{folder}/"))),
            Act::Get { file, to } => command.arg("-o").arg(to).arg(url(file)),
            Act::Stat { .. } | Act::Folder { .. } => return None,
            Act::Resume { file, to } => command.args(["-C", "-", "-o"]).arg(to).arg(url(file)),
            Act::Put { from, to } => command.arg("-T").arg(from).arg(url(to)),
            Act::Rename { from, to } | Act::Replace { from, to } => command
                .arg("-l")
                .arg(url("/"))
                .args(["-Q", &format!("rename \"{from}\" \"{to}\"")]),
            Act::Remove { file } => command
                .arg("-l")
                .arg(url("/"))
                .args(["-Q", &format!("rm \"{file}\"")]),
            // A hyphen before it: when the file has come.
            Act::FetchRemove { file } => command
                .args(["-o", FETCHED])
                .arg(url(file))
                .args(["-Q", &format!("-rm \"{file}\"")]),
            Act::FetchRename { file, to } => command
                .args(["-o", FETCHED])
                .arg(url(file))
                .args(["-Q", &format!("-rename \"{file}\" \"{to}\"")]),
        };
        Some(command)
    },
};

pub const GIO: Client = Client {
    name: "gio (gvfs)",
    needs: "command -v gio && command -v dbus-run-session && command -v ssh && gio help mount >/dev/null",
    command: |errand| Some(errand.script(&["bash"], "gio.sh")),
};
