"""Start-up: from the command to the first paint and to a screen one can trade on, beside a trivial Textual app."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import Any

from tradedesk.cli.bench import median, row
from tradedesk.cli.endings import end

ROWS, COLUMNS = 50, 200
PAINTED = b"orders"  # the title of a pane
READY = b"3 of 3 ready"  # the fleet pane's title once every account can trade
LONGEST_S = 60.0
TRIVIAL = """
from textual.app import App
from textual.widgets import Static
class Trivial(App):
    def compose(self):
        yield Static("orders")
Trivial().run()
"""


def measured(rounds: int) -> list[dict[str, Any]]:
    bare, helped, trivial, painted, ready = [], [], [], [], []
    for _ in range(rounds):
        bare.append(_run_ms([sys.executable, "-c", "pass"]))
        helped.append(_run_ms([sys.executable, "-m", "tradedesk", "--help"]))
        trivial.append(_until([sys.executable, "-c", TRIVIAL], PAINTED)[0])
        first, second = _until([sys.executable, "-m", "tradedesk", "demo"], PAINTED, READY)
        painted.append(first)
        ready.append(second)
    return [
        row("bare python", median(bare), "ms"),
        row("tradedesk --help", median(helped), "ms", beside="bare python", ratio=median(helped) / median(bare)),
        row("trivial Textual app, first paint", median(trivial), "ms"),
        row(
            "tradedesk demo, first paint (with its exchange, desk and vault made on the way)",
            median(painted),
            "ms",
            beside="trivial Textual app",
            ratio=median(painted) / median(trivial),
        ),
        row("tradedesk demo, three accounts ready to trade", median(ready), "ms"),
    ]


def _run_ms(command: list[str]) -> float:
    started = time.monotonic_ns()
    subprocess.run(command, capture_output=True, check=True)  # noqa: S603  (ourselves)
    return (time.monotonic_ns() - started) / 10**6


def _until(command: list[str], *signs: bytes) -> list[float]:
    """Milliseconds until each sign stood on the screen of a terminal of its own, in this order."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    for name in ("TRADEDESK_HOME", "COLUMNS", "LINES", "NO_COLOR"):
        environment.pop(name, None)
    started = time.monotonic_ns()
    process = subprocess.Popen(  # noqa: S603  (ourselves)
        command, stdin=side, stdout=side, stderr=side, env=environment, start_new_session=True
    )
    os.close(side)
    seen, found = b"", []
    try:
        for sign in signs:
            while sign not in seen:
                is_late = time.monotonic_ns() - started > LONGEST_S * 10**9
                if is_late or (not select.select([main], [], [], 1.0)[0] and process.poll() is not None):
                    end(f"bench startup: {command[-1]} did not show {sign.decode()!r} within {LONGEST_S:.0f} s")
                seen += os.read(main, 65536)
            found.append((time.monotonic_ns() - started) / 10**6)
    finally:
        process.send_signal(signal.SIGTERM)
        _drain(main, process)
        os.close(main)
    return found


def _drain(main: int, process: "subprocess.Popen[bytes]") -> None:
    """Read on until the process has gone: a full terminal would hold up its end."""
    deadline = time.monotonic() + 15
    while process.poll() is None and time.monotonic() < deadline:
        if select.select([main], [], [], 0.1)[0]:
            try:
                os.read(main, 65536)
            except OSError:  # the terminal closed with the process
                break
    if process.poll() is None:
        process.kill()
    process.wait()
