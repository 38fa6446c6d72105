"""One user of this machine in a process of their own: runs a desk of their own, or tries to get at somebody else's.

`python user_desk.py desk FOLDER UID GUEST` runs a scripted desk in FOLDER as UID, which user GUEST may trade on too (0:
nobody); it prints "ready" and ends with its stdin.
`python user_desk.py look FOLDER UID` prints, as JSON, what user UID could do with the desk there.
All is imported before the user is changed: the interpreter's own files may be nobody else's to read.
"""

import encodings.ascii
import encodings.idna  # noqa: F401
import json
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripted_desk import HELLO, operated_by, running

import tradedesk.desk.client
import tradedesk.monitor.socket_feed  # noqa: F401
from tradedesk.access.encrypted_file import create_file, unlock
from tradedesk.access.passphrases import Passphrases
from tradedesk.cli.reach import watching
from tradedesk.config import Home, find_home
from tradedesk.domain.words import OperatorId
from tradedesk.journal.records import Reading
from tradedesk.journal.sqlite import read

WORDS = "correct horse battery"


def desk(folder: Path, uid: int, guest: int) -> None:
    create_file(folder / "vault", WORDS)
    Passphrases(folder / "operators").put(OperatorId("me"), WORDS)
    people: dict[str, tuple[str, str, int | None]] = {"me": ("trader risk", "*", uid)}
    if guest:
        people["guest"] = ("trader", "acme", guest)
    with running(folder, change=operated_by(people)):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()


def watched(home: Home) -> list[str]:
    """The accounts that `tradedesk orders` and its like would show."""
    with watching(home) as watch:
        return sorted(watch.replica.accounts)


def look(folder: Path) -> None:
    home = find_home({"TRADEDESK_HOME": str(folder)})

    def told(path: Path, hello: bytes) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
            caller.settimeout(10)
            caller.connect(str(path))
            with suppress(BrokenPipeError):  # turned away before a word: why stands to be read
                caller.sendall(hello)
            return caller.recv(200).decode() or "nothing"

    tries: dict[str, Callable[[], Any]] = {
        "control": lambda: told(home.control_socket, b'{"type":"hello","operator":"me","passphrase":"x"}\n'),
        "own name": lambda: told(home.control_socket, b'{"type":"hello"}\n'),
        "orders": lambda: watched(home),
        "read": lambda: told(home.read_socket, HELLO),
        "vault": lambda: unlock(home.vault, WORDS) and "opened",
        "operators": lambda: sorted(Passphrases(home.operators).names()),
        "journal": lambda: len(list(read(home.journal, Reading()))),
        "state": lambda: sorted(os.listdir(home.state)),
        "halt": lambda: os.open(home.state / "halt-desk", os.O_RDWR),
    }
    found = {}
    for name, attempt in tries.items():
        try:
            found[name] = f"got in: {attempt()}"
        except Exception as error:
            found[name] = f"refused: {error}"
    sys.stdout.write(json.dumps(found))


def main() -> None:
    what, folder, uid = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    if what == "desk":
        desk(folder, uid, int(sys.argv[4]))
    else:
        look(folder)


if __name__ == "__main__":
    main()
