"""Accounts whose keys are canaries, for an exchange and a desk, and where such a key may be."""

import hashlib
import types
from pathlib import Path
from typing import Any

from tradedesk.access.egress import Egress, loopback_addresses
from tradedesk.access.keyseat import KeySeat
from tradedesk.access.secret import Secret
from tradedesk.access.signing import KeySigner
from tradedesk.access.vault import Vault

NAMES = ("acme", "birch", "cedar")


def canary(name: str) -> str:
    """64 letters that nobody else uses, as an exchange makes keys; the same in each run, so that a failure can be looked into."""
    return hashlib.sha512(f"canary {name}".encode()).hexdigest()[:52].swapcase() + "xYzCanary123"


SECRETS = {f"{name}'s {what}": canary(f"{name} {what}") for name in NAMES for what in ("key", "secret")}


def accounts_file(folder: Path) -> Path:
    """Of the paper exchange: three accounts, each with its own address."""
    addresses = loopback_addresses(len(NAMES))
    tables = [_table(name, address) for name, address in zip(NAMES, addresses, strict=True)]
    path = folder / "accounts.toml"
    path.touch(mode=0o600)
    path.write_text("\n".join(tables), encoding="ascii")
    return path


def _table(name: str, address: str) -> str:
    key, secret = SECRETS[f"{name}'s key"], SECRETS[f"{name}'s secret"]
    return (
        f'[[accounts]]\nname = "{name}"\napi_key = "{key}"\nsecret = "{secret}"\naddresses = ["{address}"]\n'
        'balances = { USDT = "100000", BTC = "2", ETH = "20" }\n'
    )


_ADAPTER = ("SpotAdapter", "GuardedBinance")


def is_compartment(value: Any) -> bool:
    """Whether a secret may stand in it: an account's adapter, at rest or at work, its signer, its seat at the vault, its exit."""
    if isinstance(value, types.CoroutineType):
        return "/tradedesk/venues/" in value.cr_code.co_filename
    return isinstance(value, Vault | KeySeat | Secret | KeySigner | Egress) or type(value).__name__ in _ADAPTER
