"""libssh2, through its Python binding (ssh2-python)."""

import os
import socket
import sys

import acts
from ssh2.session import Session
from ssh2.sftp import LIBSSH2_FXF_CREAT, LIBSSH2_FXF_READ, LIBSSH2_FXF_TRUNC, LIBSSH2_FXF_WRITE


class Libssh2:
    def __init__(self, port, login, key):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.ssh = Session()
        self.ssh.handshake(self.socket)
        self.ssh.userauth_publickey_fromfile(login, key, "", os.path.splitext(key)[0] + ".pub")
        self.sftp = self.ssh.sftp_init()

    def leave(self):
        del self.sftp
        self.ssh.disconnect()
        self.socket.close()

    def list(self, folder):
        with self.sftp.opendir(folder) as handle:
            return [name.decode() for size, name, _ in handle.readdir() if size > 0]

    def size(self, file):
        return self.sftp.stat(file).filesize

    def get(self, file, to):
        with open(to, "wb") as local:
            self.read_from(file, 0, local)

    def read_from(self, file, at, to):
        with self.sftp.open(file, LIBSSH2_FXF_READ, 0) as remote:
            remote.seek64(at)
            size = 1
            while size > 0:  # a loop over the handle would take an error for the end
                size, block = remote.read(65536)
                to.write(block)
            if size < 0:
                sys.exit(f"could not read: {size}")

    def put(self, file, to):
        flags = LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC
        remote = self.sftp.open(to, flags, 0o644)
        with open(file, "rb") as local:
            remote.write(local.read())
        if remote.close():
            sys.exit("the file was not taken")

    def rename(self, file, to):
        self.sftp.rename(file, to)

    def remove(self, file):
        self.sftp.unlink(file)


acts.main(Libssh2)
