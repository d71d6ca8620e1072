"""What a Python library is asked to do, in the words of the tests.

A library is a class: its maker connects, `leave` ends in order, and the rest are the acts.
Arguments: port, login, key file, what to do, with what.
"""

import os
import sys


def main(library):
    port, login, key = sys.argv[1:4]
    act, one, other = sys.argv[-3:]
    client = library(int(port), login, key)
    try:
        if act == "list":
            print(*client.list(one), sep="\n")
        elif act == "stat":
            print(client.size(one))
        elif act == "get":
            client.get(one, other)
        elif act == "folder":
            for name in client.list(one):
                if name not in (".", ".."):
                    client.get(f"{one}/{name}", f"{other}/{name}")
        elif act == "resume":
            with open(other, "ab") as file:
                client.read_from(one, os.path.getsize(other), file)
        elif act == "put":
            client.put(one, other)
        elif act == "reput":
            with open(one, "rb") as file:
                file.seek(client.size(other))
                client.append(file.read(), other)
        elif act == "rename":
            client.rename(one, other)
        elif act == "replace":  # by posix-rename, where the library has it
            getattr(client, "replace", client.rename)(one, other)
        elif act == "remove":
            client.remove(one)
        elif act == "fetch-remove":
            client.get(one, "fetched.xml")
            client.remove(one)
        elif act == "fetch-rename":
            client.get(one, "fetched.xml")
            client.rename(one, other)
        else:
            client.special(act, one, other)
    finally:
        client.leave()
