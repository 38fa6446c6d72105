"""Accounts whose keys are canaries, for an exchange and a desk, and where such a key may be."""

import hashlib
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faulty_desk import FaultyDesk, Paper
from msgspec.structs import replace
from paper_process import paper_process
from real_proxies import PASSWORD, RealProxy

from tradedesk import log
from tradedesk.access.egress import EXIT_SCOPE, Egress, loopback_addresses
from tradedesk.access.keyseat import KeySeat
from tradedesk.access.secret import Secret
from tradedesk.access.signing import KeySigner
from tradedesk.access.vault import Vault, open_vault
from tradedesk.cli.demo import MADE_BY, make_desk, new_vault
from tradedesk.clock import SystemClock
from tradedesk.config import find_home, load, private_folder, render
from tradedesk.desk.build import build, real_parts
from tradedesk.domain.words import AccountId

NAMES = ("acme", "birch", "cedar")


def canary(name: str) -> str:
    """64 letters that nobody else uses, as an exchange makes keys; the same in each run, so that a failure can be looked into."""
    return hashlib.sha512(f"canary {name}".encode()).hexdigest()[:52].swapcase() + "xYzCanary123"


SECRETS = {f"{name}'s {what}": canary(f"{name} {what}") for name in NAMES for what in ("key", "secret")} | {
    "the proxies' password": PASSWORD
}


def accounts_file(folder: Path) -> Path:
    """Of the paper exchange: three accounts, each with its own address."""
    addresses = loopback_addresses(len(NAMES))
    tables = [_table(name, address) for name, address in zip(NAMES, addresses, strict=True)]
    path = folder / "accounts.toml"
    path.touch(mode=0o600)
    path.write_text("\n".join(tables), encoding="ascii")
    return path


@contextmanager
def canary_desk(folder: Path, keys: Path, proxies: Mapping[str, RealProxy]) -> Iterator[FaultyDesk]:
    """A desk of these accounts, some of which leave by a proxy whose password lies in the vault."""
    home = find_home({"TRADEDESK_HOME": str(folder)})
    with paper_process("--seed", "11", "--accounts-file", str(keys)) as described:
        vault = new_vault(home)
        make_desk(home, described, vault)
        settings = load(home.config)
        accounts = dict(settings.accounts)
        for name, proxy in proxies.items():
            accounts[AccountId(name)] = replace(accounts[AccountId(name)], egress=proxy.exit)
            vault.put_text(proxy.exit, EXIT_SCOPE, PASSWORD)
        home.config.write_text(f"{MADE_BY}\n{render(replace(settings, accounts=accounts))}", encoding="utf-8")
        private_folder(home.log)
        log_file = log.open_log(home.log / "tradedesk.log")
        settings, clock = load(home.config), SystemClock()
        desk = build(
            settings, home, real_parts(settings, open_vault(home.vault, home.passphrase), clock, home), clock=clock
        )
        desk.start()
        try:
            found = FaultyDesk(desk, Paper(described))
            found.until(found.is_well, "every account ready and every market live")
            yield found
        finally:
            desk.stop()
            log_file.close()


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
