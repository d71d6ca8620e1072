//! What do the SFTP libraries of JavaScript, Perl, Ruby, PHP, Java and Go do?

use std::path::PathBuf;
use std::process::Command;

use super::errand::{Client, Errand, expect, finish, in_repository};

pub const SSH2_SFTP_CLIENT: Client = Client {
    name: "ssh2-sftp-client",
    needs: "node -e 'require(\"module\").createRequire(process.env.SLUIS_TEST_NODE + \"/\")(\"ssh2-sftp-client\")'",
    command: |errand| Some(errand.script(&["node"], "ssh2_sftp_client.mjs")),
};

pub const NET_SFTP_FOREIGN: Client = Client {
    name: "Net::SFTP::Foreign",
    needs: "perl -MNet::SFTP::Foreign -e 1",
    command: |errand| Some(errand.script(&["perl"], "net_sftp_foreign.pl")),
};

pub const NET_SFTP: Client = Client {
    name: "net-sftp",
    needs: "ruby -e 'require \"net/sftp\"'",
    command: |errand| Some(errand.script(&["ruby"], "net_sftp.rb")),
};

pub const PHPSECLIB: Client = Client {
    name: "phpseclib",
    needs: "php -r 'require \"phpseclib3/autoload.php\";'",
    command: |errand| Some(errand.script(&["php"], "phpseclib.php")),
};

pub const JSCH: Client = Client {
    name: "JSch",
    needs: "command -v javac && command -v ssh-keygen && test -e /usr/share/java/jsch.jar",
    command: |errand| {
        let class_path = format!("/usr/share/java/jsch.jar:{}", jsch(errand).display());
        let options = ["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp"];
        let runner = [&["java"], &options[..], &[&class_path, "Jsch"]].concat();
        let mut command = errand.program(&runner);
        command.env("SLUIS_TEST_KEY", pem(errand));
        Some(command)
    },
};

pub const PKG_SFTP: Client = Client {
    name: "pkg/sftp",
    needs: "command -v go && test -e /usr/share/gocode/src/github.com/pkg/sftp",
    command: |errand| Some(errand.program(&[pkg_sftp().to_str().unwrap()])),
};

/// The compiled class.
fn jsch(errand: &Errand<'_>) -> PathBuf {
    let folder = errand.scene.program.path("classes");
    if !folder.exists() {
        let mut compiler = errand.command("javac");
        compiler.args(["-cp", "/usr/share/java/jsch.jar", "-d"]);
        compiler.arg(&folder);
        let source = in_repository("tests/interop/clients/Jsch.java");
        expect(&finish(compiler.arg(source)));
    }
    folder
}

/// A key that `JSch` can read, which knows neither Ed25519 nor the form of OpenSSH. The device gets it too.
fn pem(errand: &Errand<'_>) -> PathBuf {
    let key = errand.device.key_file.with_extension("pem");
    if !key.exists() {
        let mut maker = errand.command("ssh-keygen");
        maker.args([
            "-q", "-t", "ecdsa", "-b", "256", "-m", "PEM", "-N", "", "-f",
        ]);
        expect(&finish(maker.arg(&key)));
        let (firm, device) = errand.login().split_once('.').unwrap();
        let public = format!("{}.pub", key.display());
        let program = &errand.scene.program;
        program.ok(&["device", "key", "add", firm, device, "--key", &public]);
    }
    key
}

/// The built program; Go keeps what it has built.
fn pkg_sftp() -> PathBuf {
    let folder = in_repository("target/ci-go");
    let program = folder.join("pkg_sftp");
    let mut build = Command::new("go");
    build
        .args(["build", "-o"])
        .arg(&program)
        .arg("main.go")
        .current_dir(in_repository("tests/interop/clients/pkg_sftp"))
        .env("GO111MODULE", "off")
        .env("GOPATH", "/usr/share/gocode")
        .env("GOCACHE", folder.join("cache"));
    expect(&finish(&mut build));
    program
}
