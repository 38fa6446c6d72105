"""A program on a real pseudo-terminal: every byte it writes is kept, and taken apart into what a terminal would obey."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

WITHIN_S = 120.0
# What Textual's driver and compositor, and our window title, write. Whatever else steers a terminal came from outside.
EXPECTED = (
    r"\x1b\[[0-9;:]*m",  # colours and styles
    r"\x1b\[[0-9]+;[0-9]+H",  # the cursor
    r"\x1b\[\?(25|1000|1002|1003|1004|1006|1015|1016|1049|2004|2026|2048|7)[hl]",  # cursor, mouse, focus, screens, paste, sync
    r"\x1b\[\?(2026|2048)\$p",  # does it know synchronized output, and in-band resizes?
    r"\x1b\[(>[0-9]{1,2}|<)u",  # kitty's keyboard, on and off
    r"\x1b\[>?[0-9;]*[cq]",  # who are you?
    r"\x1b\]22;[a-z-]{0,20}\x07",  # the pointer's shape
    r"\x1b\]0;[ -~]{0,100}\x07",  # the window's title
    r"\x1b\[>4;[0-9]m",
    r"\x1b\[\?1l|\x1b>|\x1b\(B",
    r"\x1b\[[0-9]*[ABCDGJK]",  # at the end, below the last picture
    r"\x07",  # the bell, which an alert rings
    r"\x1bP\+q[0-9A-F;]*\x1b\\",
)
_EXPECTED = re.compile("|".join(f"(?:{each})" for each in EXPECTED))
_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;:?<>=$]*|\][^\x07]*|P[^\x1b]*)?\Z")  # it writes on while we look
_TITLE = re.compile(r"\x1b\]0;([^\x07]*)\x07")


class Screen:
    """The terminal's side."""

    def __init__(self, process: "subprocess.Popen[bytes]", master: int) -> None:
        self.process, self._master = process, master
        self._kept = bytearray()
        self._lock = threading.Lock()
        self._grown = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                ready, _, _ = select.select([self._master], [], [], 1.0)
                chunk = os.read(self._master, 65536) if ready else b""
            except (OSError, ValueError):  # the other side has gone
                return
            if chunk:
                with self._lock:
                    self._kept += chunk
                self._grown.set()

    def bytes(self) -> bytes:
        with self._lock:
            return bytes(self._kept)

    def text(self) -> str:
        """All that was written, without what steers."""
        return _EXPECTED.sub("", self.bytes().decode("utf-8", "replace"))

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def until(self, happened: "str | re.Pattern[str]", after: int = 0) -> None:
        """Wait until the text stands in what was written after byte `after`."""
        wanted = re.compile(re.escape(happened)) if isinstance(happened, str) else happened
        deadline = time.monotonic() + WITHIN_S
        while not wanted.search(_EXPECTED.sub("", self.bytes()[after:].decode("utf-8", "replace"))):
            self._grown.clear()
            assert self.process.poll() is None, f"it ended with {self.process.poll()}: {self.text()[-2000:]}"
            assert time.monotonic() < deadline, f"{happened} was not drawn: {self.text()[-3000:]}"
            self._grown.wait(0.2)

    def until_grown(self, path: Path) -> None:
        """Wait until something stands in a file that another program writes."""
        deadline = time.monotonic() + WITHIN_S
        while not path.stat().st_size:
            assert time.monotonic() < deadline, f"nothing came into {path}"
            self._grown.clear()
            self._grown.wait(0.2)

    def unexpected(self) -> list[str]:
        """Everything in it that a terminal would obey and nobody of ours writes, with what stands around it."""
        text = _UNFINISHED.sub("", self.bytes().decode("utf-8", "replace"))
        rest = _EXPECTED.sub("\n", text)
        return [
            repr(rest[max(0, at - 30) : at + 30])
            for at, letter in enumerate(rest)
            if letter not in "\r\n" and unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        ]

    def titles(self) -> set[str]:
        return set(_TITLE.findall(self.bytes().decode("utf-8", "replace")))

    def press_until(self, key: bytes, drawn: "re.Pattern[str]") -> None:
        """Press the key until it had this effect: a dialog just opened does not hear it."""
        before, deadline = len(self.bytes()), time.monotonic() + WITHIN_S
        while not drawn.search(_EXPECTED.sub("", self.bytes()[before:].decode("utf-8", "replace"))):
            assert time.monotonic() < deadline, f"{drawn.pattern} was not drawn: {self.text()[-3000:]}"
            self.type(key)
            self._grown.clear()
            self._grown.wait(0.5)

    def end_by(self, key: bytes) -> int:
        """Press the key until it is gone: a dialog just opened does not hear it."""
        deadline = time.monotonic() + WITHIN_S
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.type(key)
            self._grown.clear()
            self._grown.wait(0.2)
        return self.end()

    def end(self) -> int:
        try:
            return self.process.wait(WITHIN_S)
        finally:
            if self.process.poll() is None:
                self.process.kill()


@contextmanager
def on_a_terminal(
    *words: str,
    env: Mapping[str, str],
    columns: int = 160,
    rows: int = 45,
    program: tuple[str, ...] = ("-m", "tradedesk"),
) -> Iterator[Screen]:
    """The program with a terminal of its own; killed at the end if it still runs."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, *program, *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **env},
    )
    os.close(slave)
    screen = Screen(process, master)
    try:
        yield screen
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        screen.end()
        os.close(master)
