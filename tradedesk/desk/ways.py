"""How a kill reaches the accounts: keys from the vault, each account's own exit, and one session to its venue's hosts."""

from collections.abc import Iterable
from random import SystemRandom
from typing import cast

import msgspec

from tradedesk.access.keyseat import KeySeat
from tradedesk.access.lease import Lease
from tradedesk.access.vault import Vault, VaultError
from tradedesk.clock import Clock
from tradedesk.config import Home, Settings
from tradedesk.desk import build
from tradedesk.desk.kill import Way
from tradedesk.desk.sweeping import Closer
from tradedesk.domain.accounts import Account, HaltLevel, SignsIn
from tradedesk.domain.exits import exits_of
from tradedesk.domain.words import AccountId, InstrumentId
from tradedesk.risk.kill import Task, bases_of
from tradedesk.venues.adapter import LastCheck, Markets
from tradedesk.venues.bans import BanFolder
from tradedesk.venues.spot_prices import LIMITS
from tradedesk.venues.turns import Budgets, UrgentDoor


def tasks(
    settings: Settings,
    accounts: Iterable[AccountId],
    level: HaltLevel,
    *,
    with_external: bool,
    instrument: InstrumentId | None = None,
) -> dict[AccountId, Task]:
    return {
        name: Task(
            account=name,
            venue=settings.accounts[name].venue,
            level=level,
            bases={
                key: base
                for key, base in bases_of(
                    settings.accounts[name].venue, settings.venues[settings.accounts[name].venue].instruments
                ).items()
                if instrument in (None, key)
            },
            with_external=with_external,
            instrument=instrument,
        )
        for name in accounts
    }


def ways(
    settings: Settings, accounts: Iterable[AccountId], vault: Vault, clock: Clock, home: Home, *, places_orders: bool
) -> dict[AccountId, Way | str]:
    """By account, how it is reached; or a sentence saying why it cannot be. Reads the keys, all of them, now.

    What only cancels goes by the account's cancel-only key where it has one, and by its own should the venue refuse that.
    `places_orders`: the key that trades, and its lease.
    """
    budgets = Budgets(clock, BanFolder(home.state / "bans"))

    def way(account: Account) -> Way | str:
        own = _way(account, account.secret, settings, vault, clock, home, budgets, places_orders=places_orders)
        if places_orders or account.cancel_secret is None:
            return own
        first = _way(account, account.cancel_secret, settings, vault, clock, home, budgets, places_orders=False)
        if isinstance(first, str) or isinstance(own, str):
            return own if isinstance(first, str) else first
        return msgspec.structs.replace(first, spare=own)

    found = {name: way(settings.accounts[name]) for name in accounts}
    budgets.recall()
    return found


def _way(
    account: Account,
    entry: str,
    settings: Settings,
    vault: Vault,
    clock: Clock,
    home: Home,
    budgets: Budgets,
    *,
    places_orders: bool,
) -> Way | str:
    venue = settings.venues[account.venue]
    if venue.exchange not in build.SUPPORTED:
        return f"there is no adapter for {venue.exchange!r}"
    try:
        key = KeySeat(vault, entry, account.venue, in_process=account.signer is SignsIn.Process)
        egresses = {exit_: build.egress_of(exit_, vault) for exit_ in exits_of(account)}
    except (VaultError, build.CannotBuild) as error:
        return str(error)
    markets = Markets(venue.instruments if places_orders else ())
    leaving = {exit_: msgspec.structs.replace(account, egress=exit_) for exit_ in exits_of(account)}
    doors = {
        exit_: budgets.door(build.place_of(venue), LIMITS, build.scopes_of(each, key.fingerprint), kind=UrgentDoor)
        for exit_, each in leaving.items()
    }

    def connect(exit_: str, last_check: LastCheck) -> Closer:
        made = build.adapter_of(
            leaving[exit_], venue, key, markets, clock, SystemRandom(), doors[exit_], egresses[exit_]
        )(last_check)
        return cast(Closer, made)  # of a real venue, which tells its quotes too

    lease = Lease(key.api_key, build.place_of(venue), home.state) if places_orders else None
    return Way(connect=connect, entry=entry, lease=lease)
