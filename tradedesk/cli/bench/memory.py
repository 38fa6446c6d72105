"""Memory: a headless desk with 3 and with 50 accounts, and a monitor, beside a trivial Textual app and `import ccxt.pro`."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tradedesk.cli.bench import median, row
from tradedesk.cli.demo import make_desk, new_vault, paper_exchange, start_desk, wait_until_ready
from tradedesk.cli.endings import end

FEW, MANY = 3, 50
SETTLE_S = 3.0
TRIVIAL = """
import os
from textual.app import App
from textual.widgets import Static
class Trivial(App):
    def compose(self):
        yield Static("ready")
    def on_mount(self):
        self.call_after_refresh(self.exit)
Trivial().run(headless=True)
"""
CCXT = "import ccxt.pro\n"
TELL = "print(next(line for line in open('/proc/self/status') if line.startswith('VmRSS')).split()[1])\n"


def measured(rounds: int) -> list[dict[str, Any]]:
    if not Path("/proc/self/status").exists():
        end("bench memory reads /proc, which this system does not have")
    trivial, bare, few, many = [], [], [], []
    for _ in range(rounds):
        trivial.append(_after(TRIVIAL))
        bare.append(_after(CCXT))
        few.append(_desk_of(FEW))
        many.append(_desk_of(MANY))
    each = (median(many) - median(few)) / (MANY - FEW)
    peer = "import ccxt.pro alone"
    return [
        row("trivial Textual app", median(trivial), "MiB"),
        row(peer, median(bare), "MiB"),
        row(f"headless desk, {FEW} accounts", median(few), "MiB", beside=peer, ratio=median(few) / median(bare)),
        row(f"headless desk, {MANY} accounts", median(many), "MiB", beside=peer, ratio=median(many) / median(bare)),
        row("each further account", each, "MiB"),
    ]


def _after(code: str) -> float:
    answer = subprocess.run(  # noqa: S603  (ourselves)
        [sys.executable, "-c", code + TELL], capture_output=True, check=True, text=True
    )
    return int(answer.stdout.split()[-1]) / 1024


def _desk_of(accounts: int) -> float:
    """MiB resident in the process of a headless desk, some seconds after every account was ready."""
    from tradedesk.cli.reach import Watch
    from tradedesk.config import find_home

    with (
        TemporaryDirectory(prefix="tradedesk-bench-") as folder,
        paper_exchange(1, "--accounts", str(accounts)) as exchange,
    ):
        home = find_home({"TRADEDESK_HOME": folder})
        make_desk(home, exchange.described, new_vault(home))
        desk = start_desk(home)
        try:
            wait_until_ready(home, desk)
            watch = Watch(home)
            watch.until(lambda: False, SETTLE_S)
            watch.view.close()
            status = Path(f"/proc/{desk.pid}/status").read_text(encoding="ascii")
            return int(status.split("VmRSS:")[1].split()[0]) / 1024
        finally:
            desk.terminate()
            desk.wait()
