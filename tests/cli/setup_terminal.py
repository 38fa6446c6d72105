"""A program on a pseudo-terminal of its own: what it shows is waited for, what a person would type is typed."""

import contextlib
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path

WITHIN_S = 30.0
PROGRAM = (sys.executable, "-m", "tradedesk")


class Terminal:
    """The person's side of it. `shown` is everything the program wrote, echoes included."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor
        self.shown = ""
        self._read_to = 0
        self._status: int | None = None

    def until(self, *words: str) -> str:
        """Wait for the first of these words after what was waited for last; returns which it was."""
        while True:
            rest = self.shown[self._read_to :]
            found = [(place.end(), word) for word in words if (place := _anywhere(word).search(rest)) is not None]
            if found:
                end, word = min(found)
                self._read_to += end
                return word
            assert self._more(), f"{words} never came; it showed: {rest}"

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode() + b"\r")

    def press(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def answer(self, question: str, text: str) -> None:
        """Wait for the question and then for the prompt below it, and answer."""
        self.until(question)
        self.until("> ")
        self.type(text)

    def ended(self) -> int:
        """Wait for the end of the program; returns its status."""
        while self._more():
            pass
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status

    def _more(self) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], WITHIN_S)
        assert ready, f"nothing more within {WITHIN_S} s; it showed: {self.shown[-800:]}"
        try:
            read = os.read(self._descriptor, 65536)
        except OSError:  # Linux says so where others say nothing more
            return False
        self.shown += read.decode(errors="replace")
        return bool(read)


def _anywhere(words: str) -> re.Pattern[str]:
    """Also where the lines of the terminal break between words. A space at the end counts: a prompt is ready after it."""
    return re.compile(re.sub(r"(\\ )+", r"\\s+", re.escape(words)))


def said(shown: str) -> str:
    """The text as one line, without colours."""
    return " ".join(plain(shown).split())


@contextlib.contextmanager
def terminal(
    home: Path, *words: str, columns: int = 80, lines: int = 24, term: str = "xterm-256color"
) -> Iterator[Terminal]:
    """`tradedesk WORDS` on a terminal of that size; killed at the end if it still runs."""
    pid, descriptor = pty.fork()
    if pid == 0:
        ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        environment = {**os.environ, "TRADEDESK_HOME": str(home), "TERM": term, "COLORTERM": "truecolor"}
        for name in ("COLUMNS", "LINES"):  # would be believed rather than the terminal
            environment.pop(name, None)
        os.execve(sys.executable, [*PROGRAM, *words], environment)
    found = Terminal(pid, descriptor)
    try:
        yield found
    finally:
        if found._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        os.close(descriptor)


def plain(shown: str) -> str:
    """The text without colours and cursor movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]", "", shown)
