"""A desk of two clients on a real paper exchange: acme leaves by proxies, birch by an address of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from faulty_desk import ACME, BIRCH, FaultyDesk, Paper
from paper_process import paper_process
from real_proxies import PASSWORD, RealProxy

from tradedesk import log
from tradedesk.access.egress import EXIT_SCOPE
from tradedesk.access.vault import open_vault
from tradedesk.cli.demo import make_desk, new_vault
from tradedesk.clock import SystemClock
from tradedesk.config import Home, Settings, find_home, load, private_folder, render
from tradedesk.desk.build import build, real_parts
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.words import AccountId, VenueId

BIRCH_AT = "127.0.0.3"
FEED_AT = "127.0.0.1"
BALANCES = '{ USDT = "1000000", BTC = "2", ETH = "20" }'


class World:
    """The exchange and the settings of the desk, which can be started, ended and started again on them."""

    def __init__(self, home: Home, described: dict[str, Any], settings: Settings) -> None:
        self.home, self.paper, self.settings = home, Paper(described), settings
        self.rest: str = described["rest"]
        self._before = self._last()  # what made the desk asked the exchange too

    @contextmanager
    def desk(self, *, is_well: bool = True) -> Iterator[FaultyDesk]:
        clock, vault = SystemClock(), open_vault(self.home.vault, self.home.passphrase)
        desk = build(self.settings, self.home, real_parts(self.settings, vault, clock, self.home), clock=clock)
        desk.start()
        try:
            found = FaultyDesk(desk, self.paper)
            if is_well:
                found.until(found.is_well, lambda: f"every account ready, but {standing(found)}")
            yield found
        finally:
            desk.stop()

    def peers(self, account: AccountId) -> dict[str, set[str]]:
        """By transport, every address that the account's key was used from."""
        found: dict[str, set[str]] = {}
        for row in self.rows():
            if row["account"] == account:
                found.setdefault(row["transport"], set()).add(row["peer"])
        return found

    def strangers(self) -> set[str]:
        """Addresses that anything at all came from and that are nobody's here."""
        return {row["peer"] for row in self.rows()}

    def rows(self) -> list[dict[str, Any]]:
        return [row for row in self.paper.ask("GET", "/requests")["requests"] if row["number"] > self._before]

    def _last(self) -> int:
        return max((int(row["number"]) for row in self.paper.ask("GET", "/requests")["requests"]), default=0)


def standing(found: FaultyDesk) -> str:
    return "; ".join(f"{row.account.id} is {row.state}: {row.reason}" for row in found.view.replica.accounts.values())


def is_as(found: FaultyDesk, state: AccountState, *words: str, account: AccountId = ACME) -> bool:
    row = found.view.replica.accounts[account]
    return row.state is state and all(word in row.reason for word in words)


@contextmanager
def world(folder: Path, egress: str, standby: str | None, allowed: list[str], feed: str = FEED_AT) -> Iterator[World]:
    """acme leaves by `egress`; its key is bound to the addresses `allowed`."""
    home = find_home({"TRADEDESK_HOME": str(folder / "home")})
    accounts = folder / "accounts.toml"
    accounts.write_text(
        "".join(
            f'[[accounts]]\nname = "{name}"\napi_key = "{name * 12}"\nsecret = "secret-of-{name}"\n'
            f"addresses = {addresses}\nbalances = {BALANCES}\n"
            for name, addresses in ((ACME, allowed), (BIRCH, [BIRCH_AT]))
        )
    )
    with paper_process("--seed", "11", "--accounts-file", str(accounts)) as described:
        described["accounts"][0]["addresses"] = ["127.0.0.99"]  # of acme, until it gets its exit below
        make_desk(home, described, vault := new_vault(home))
        for exit_ in (egress, standby, feed):
            if exit_ is not None and "@" in exit_:
                vault.put_text(exit_, EXIT_SCOPE, PASSWORD)
        private_folder(home.log)
        log_file = log.open_log(home.log / "tradedesk.log")
        settings = load(home.config)
        acme = msgspec.structs.replace(settings.accounts[ACME], egress=egress, standby_egress=standby)
        venue = msgspec.structs.replace(settings.venues[VenueId("binance")], egress=feed)
        settings = msgspec.structs.replace(
            settings,
            desk=msgspec.structs.replace(settings.desk, exit_check=f"{described['rest']}/echo"),
            accounts={**settings.accounts, ACME: acme},
            venues={venue.id: venue},
        )
        home.config.write_text(render(settings))
        try:
            yield World(home, described, load(home.config))
        finally:
            log_file.close()


@contextmanager
def proxies(folder: Path, *wanted: tuple[str, str]) -> Iterator[list[RealProxy]]:
    """Real proxies, running: (scheme, address) each."""
    made = [RealProxy(scheme, folder, address) for scheme, address in wanted]
    try:
        for proxy in made:
            proxy.start()
        yield made
    finally:
        for proxy in made:
            proxy.kill()
