"""FileZilla's engine, driven as FileZilla drives it.

It reads commands, and writes events: a character (its kind, from '0'), then a line or more. File
content goes through a piece of shared memory. Arguments: port, login, key file, what to do, with what.
"""

import mmap
import os
import subprocess
import sys

BLOCK = 256 * 1024

REPLY, DONE, ERROR, STATUS, ENTRY, HOST_KEY, HOST_KEY_CHANGED, BETTER_KEY = 0, 1, 2, 5, 8, 9, 10, 11
QUOTA_DOWN, QUOTA_UP, SIZE, OPEN, NEXT, FINISH = 16, 17, 26, 27, 28, 29
LINES = {ENTRY: 3, HOST_KEY: 2, HOST_KEY_CHANGED: 2, BETTER_KEY: 2, QUOTA_DOWN: 0, QUOTA_UP: 0, SIZE: 0}


class Engine:
    def __init__(self):
        memory = os.memfd_create("engine")
        os.ftruncate(memory, BLOCK)
        self.memory, self.shared = memory, mmap.mmap(memory, BLOCK)
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(["fzsftp"], stdin=pipe, stdout=pipe, pass_fds=[memory])
        self.until_done(None)

    def say(self, command, file=None):
        self.tell(command)
        return self.until_done(file)

    def tell(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def event(self):
        kind = self.process.stdout.read(1)
        if not kind:
            sys.exit("the engine ended")
        kind = kind[0] - ord("0")
        lines = range(LINES.get(kind, 1))
        return kind, [self.process.stdout.readline().decode().rstrip("\r\n") for _ in lines]

    def until_done(self, file):
        entries = []
        while True:
            kind, text = self.event()
            if kind == REPLY:
                return text[0]
            if kind == DONE:
                return entries if text[0] == "1" else sys.exit("refused")
            if kind in (ERROR, STATUS):
                print(text[0], file=sys.stderr)
            elif kind == ENTRY:
                entries.append(text)
            elif kind in (HOST_KEY, HOST_KEY_CHANGED, BETTER_KEY):
                self.tell("-y")
            elif kind == QUOTA_DOWN:
                self.tell("-0-")
            elif kind == QUOTA_UP:
                self.tell("-1-")
            elif kind == OPEN:
                if file.readable():
                    file.seek(int(text[0]))
                self.tell(f"-{self.memory} {BLOCK} {file.tell()}")
            elif kind == NEXT:
                self.next_block(file, int(text[0]))
            elif kind == FINISH:
                file.write(self.shared[: int(text[0])])
                self.tell("-1")

    def next_block(self, file, filled):
        if file.writable():
            file.write(self.shared[:filled])
            self.tell(f"-0 {BLOCK}")
            return
        block = file.read(BLOCK)
        self.shared[: len(block)] = block
        self.tell(f"-0 {len(block)}" if block else "-")


def fetch(engine, command, path, to, mode):
    with open(to, mode) as file:
        engine.say(f'{command} "{path}" "{to}"', file)


def main(port, login, key, act, one, other):
    engine = Engine()
    engine.say(f'keyfile "{os.path.splitext(key)[0]}.ppk"')
    engine.say(f'open "{login}@127.0.0.1" {port}')
    if act in ("list", "folder"):
        engine.say(f'cd "{one}"')
        names = [name for text, _, name in engine.say("ls") if text.startswith("-")]
    if act == "list":
        print(*names, sep="\n")
    elif act == "folder":
        for name in names:
            fetch(engine, "get", f"{one}/{name}", f"{other}/{name}", "wb")
    elif act == "stat":
        folder, name = one.rsplit("/", 1)
        engine.say(f'cd "{folder}"')
        print(*[text for text, _, found in engine.say("ls") if found == name])
    elif act == "get":
        fetch(engine, "get", one, other, "wb")
    elif act == "resume":
        fetch(engine, "reget", one, other, "ab")
    elif act in ("put", "reput"):
        with open(one, "rb") as file:
            engine.say(f'{act} "{one}" "{other}"', file)
    elif act in ("rename", "replace"):
        engine.say(f'mv "{one}" "{other}"')
    elif act == "remove":
        engine.say(f'rm "{one}"')
    elif act == "fetch-remove":
        fetch(engine, "get", one, "fetched.xml", "wb")
        engine.say(f'rm "{one}"')
    elif act == "fetch-rename":
        fetch(engine, "get", one, "fetched.xml", "wb")
        engine.say(f'mv "{one}" "{other}"')
    engine.process.stdin.close()
    # Why it ends as it does, where that is not well.
    print(engine.process.stdout.read().decode(errors="replace"), file=sys.stderr)
    sys.exit(engine.process.wait())


main(*sys.argv[1:])
