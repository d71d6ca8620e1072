"""libssh, through its Python binding (ssh-python)."""

import os

import acts
from ssh import options
from ssh.key import import_privkey_file
from ssh.session import Session


class Libssh:
    def __init__(self, port, login, key):
        self.ssh = Session()
        self.ssh.options_set_port(port)
        self.ssh.options_set(options.HOST, "127.0.0.1")
        self.ssh.options_set(options.USER, login)
        self.ssh.connect()
        self.ssh.userauth_publickey(import_privkey_file(key))
        self.sftp = self.ssh.sftp_new()
        self.sftp.init()

    def leave(self):
        del self.sftp
        self.ssh.disconnect()

    def list(self, folder):
        with self.sftp.opendir(folder) as handle:
            return [entry.name.decode() if isinstance(entry.name, bytes) else entry.name for entry in handle]

    def size(self, file):
        return self.sftp.stat(file).size

    def get(self, file, to):
        with open(to, "wb") as local:
            self.read_from(file, 0, local)

    def read_from(self, file, at, to):
        with self.sftp.open(file, os.O_RDONLY, 0) as remote:
            remote.seek64(at)
            for size, block in remote:
                to.write(block[:size])

    def put(self, file, to):
        remote = self.sftp.open(to, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        with open(file, "rb") as local:
            remote.write(local.read())
        remote.close()

    def rename(self, file, to):
        self.sftp.rename(file, to)

    def remove(self, file):
        self.sftp.unlink(file)


acts.main(Libssh)
