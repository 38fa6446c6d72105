"""What a monitor's process has loaded: nothing that could send, sign or open a vault."""

import subprocess
import sys

PROGRAM = """
import pkgutil, importlib, sys
import tradedesk.monitor, tradedesk.ui
for room in (tradedesk.monitor, tradedesk.ui):
    for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
        importlib.import_module(module.name)
forbidden = ("ccxt", "keyring", "cryptography", "aiohttp", "tradedesk.access", "tradedesk.venues", "tradedesk.journal")
print([name for name in sys.modules if name in forbidden or name.startswith(tuple(f"{f}." for f in forbidden))])
"""


def test_screens_and_monitor_load_neither_ccxt_nor_the_vault() -> None:
    """5.12"""
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"
