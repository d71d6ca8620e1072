"""asyncssh, which reads a file in parallel and no byte past its end."""

import asyncio

import acts
import asyncssh


class Asyncssh:
    def __init__(self, port, login, key):
        self.run = asyncio.new_event_loop().run_until_complete
        self.ssh = self.run(
            asyncssh.connect("127.0.0.1", port, username=login, client_keys=[key], known_hosts=None, config=None)
        )
        self.sftp = self.run(self.ssh.start_sftp_client())

    def leave(self):
        self.sftp.exit()
        self.ssh.close()
        self.run(self.ssh.wait_closed())

    def list(self, folder):
        return self.run(self.sftp.listdir(folder))

    def size(self, file):
        return self.run(self.sftp.getsize(file))

    def get(self, file, to):
        self.run(self.sftp.get(file, to))

    def read_from(self, file, at, to):
        async def read():
            async with self.sftp.open(file, "rb") as remote:
                await remote.seek(at)
                return await remote.read()

        to.write(self.run(read()))

    def put(self, file, to):
        self.run(self.sftp.put(file, to))

    def append(self, block, to):
        async def write():
            async with self.sftp.open(to, "ab") as remote:
                await remote.write(block)

        self.run(write())

    def rename(self, file, to):
        self.run(self.sftp.rename(file, to))

    def replace(self, file, to):
        self.run(self.sftp.posix_rename(file, to))

    def remove(self, file):
        self.run(self.sftp.remove(file))


acts.main(Asyncssh)
