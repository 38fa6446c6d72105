"""A paper process for the futures clients of others, and the addresses that their users would set."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from paper_process import paper_process

NAMES = ("acme", "birch", "cedar", "dogwood")


def futures_process(folder: Path) -> Iterator[dict[str, Any]]:
    """Accounts from anywhere with money in both wallets, and everyone else in the market."""
    path = folder / "accounts.toml"
    path.write_text(
        "".join(
            f'[[accounts]]\nname = "{name}"\napi_key = "{(name * 16)[:64]}"\nsecret = "secret-of-{name}"\n'
            'rights = ["read", "spot", "futures", "transfer"]\n'
            'balances = { USDT = "100000" }\nfutures = { USDT = "100000" }\n'
            for name in NAMES
        )
    )
    with paper_process("--accounts-file", str(path), "--seed", "3") as described:
        yield described


def redirected(urls: Any, paper: dict[str, Any]) -> Any:
    """Every address on the paper exchange, nested ones too: one that is missed would be a real host."""
    if isinstance(urls, dict):
        return {name: redirected(each, paper) for name, each in urls.items()}
    scheme, _, rest = urls.partition("://")
    host, _, path = rest.partition("/")
    market = paper["futures"] if host.startswith(("fapi", "fstream", "ws-fapi")) else paper
    return f"{market['ws'] if scheme == 'wss' else market['rest']}/{path}"


def until(happened: Callable[[], Any], within_s: float = 10.0) -> None:
    """Ask again until it has happened."""
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
