"""paramiko. Its `get` asks for all of a file at once, unless it is told how much may be under way."""

import os

import acts
import paramiko


class Paramiko:
    def __init__(self, port, login, key):
        self.ssh = paramiko.SSHClient()
        self.ssh.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        self.ssh.connect("127.0.0.1", port, login, key_filename=key, look_for_keys=False, allow_agent=False)
        self.sftp = self.ssh.open_sftp()

    def leave(self):
        self.sftp.close()
        self.ssh.close()

    def list(self, folder):
        return self.sftp.listdir(folder)

    def size(self, file):
        return self.sftp.stat(file).st_size

    def get(self, file, to):
        self.sftp.get(file, to, max_concurrent_prefetch_requests=64)

    def read_from(self, file, at, to):
        with self.sftp.open(file) as remote:
            remote.seek(at)
            to.write(remote.read())

    def put(self, file, to):
        self.sftp.put(file, to)

    def append(self, block, to):
        with self.sftp.open(to, "ab") as remote:
            remote.write(block)

    def rename(self, file, to):
        self.sftp.rename(file, to)

    def replace(self, file, to):
        self.sftp.posix_rename(file, to)

    def remove(self, file):
        self.sftp.remove(file)

    def special(self, act, file, to):
        if act == "get-at-once":  # as its manual shows it
            return self.sftp.get(file, to)
        remote = self.sftp.open(file, "rb")
        size = remote.stat().st_size
        if act == "pieces":  # as a program that reads lines, here and there
            got = remote.read(100) + remote.readline() + remote.read()
        elif act == "head":
            got = remote.read(100)
        elif act == "exact":  # all bytes and no more: no end of file is ever read
            got = b"".join(remote.readv([(0, size)]))
        elif act == "past-the-end":
            got = b""
            for at in range(64):
                remote.seek(size + at * 32768)
                got += remote.read(32768)
        else:
            got = remote.read()
        with open(to, "wb") as local:
            local.write(got)
        if act == "no-close":  # and in order otherwise
            remote.close = lambda: None
            self.sftp.sock.close()
        elif act == "hang-up":  # without a word
            os._exit(0)
        else:
            remote.close()


acts.main(Paramiko)
