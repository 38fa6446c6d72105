"""Building a desk for the real world: vault, exits, ccxt adapters and market data from the settings.

ccxt is imported on the threads that use it and not before: the first paint does not wait for it (PERFORMANCE.md 6).
"""

import secrets
from collections.abc import Callable, Mapping
from random import Random, SystemRandom

import msgspec

from tradedesk.access.egress import Egress
from tradedesk.access.lease import Lease
from tradedesk.access.vault import Secret, Vault, key_fingerprint
from tradedesk.clock import Clock
from tradedesk.config import Home, Settings, VenueSettings, private_folder
from tradedesk.desk.desk import Desk, Parts
from tradedesk.desk.keeper import Keeper
from tradedesk.domain.accounts import Account
from tradedesk.domain.events import Event
from tradedesk.domain.keys import FINGERPRINT_DIGITS
from tradedesk.domain.words import AccountId, client_order_id
from tradedesk.journal.sqlite import SqliteJournal
from tradedesk.marketdata.host import FeedHost
from tradedesk.venues.adapter import Adapter, LastCheck, Markets
from tradedesk.venues.bans import BanFolder
from tradedesk.venues.budgets import Scopes
from tradedesk.venues.feed import PublicFeed
from tradedesk.venues.spot_prices import LIMITS
from tradedesk.venues.turns import Budgets, Door

DEFAULT_EXIT = "127.0.0.1"  # of market data on a paper exchange where desk.toml names none
SUPPORTED = ("binance",)  # ccxt ids that `venues` has an adapter for


class CannotBuild(Exception):
    """The settings are sound, and still no desk can be made of them here. The text is a sentence for the operator."""


Connect = Callable[[LastCheck], Adapter]


def real_parts(settings: Settings, vault: Vault, clock: Clock, home: Home) -> Parts:
    """Adapters and feeds over real sockets, each with its own exit and, of the vault, its own secret alone.

    Raises CannotBuild or VaultError.
    """
    for venue in settings.venues.values():
        if venue.exchange not in SUPPORTED:
            raise CannotBuild(
                f"venues.{venue.id}.exchange: there is no adapter for {venue.exchange!r} yet; use {', '.join(SUPPORTED)}"
            )
        if venue.egress is None and venue.url is None:
            raise CannotBuild(f"venues.{venue.id}.egress: is missing; set the source address of its market data")
    chance = SystemRandom()
    budgets = Budgets(clock, BanFolder(home.state / "bans"))
    markets = {venue.id: Markets(venue.instruments) for venue in settings.venues.values()}
    secrets_of = {account.id: vault.get(account.secret, account.venue) for account in settings.accounts.values()}
    _refuse_twins(secrets_of)
    return Parts(
        adapters={
            account.id: adapter_of(
                account,
                settings.venues[account.venue],
                secrets_of[account.id],
                markets[account.venue],
                clock,
                chance,
                budgets.door(
                    place_of(settings.venues[account.venue]), LIMITS, scopes_of(account, secrets_of[account.id])
                ),
            )
            for account in settings.accounts.values()
        },
        feeds={
            venue.id: _feed(
                venue,
                markets[venue.id],
                clock,
                chance,
                budgets.door(place_of(venue), LIMITS, Scopes(exit=venue.egress or DEFAULT_EXIT)),
            )
            for venue in settings.venues.values()
        },
        budgets=budgets,
        keys={account: key_fingerprint(secret.api_key)[:FINGERPRINT_DIGITS] for account, secret in secrets_of.items()},
        leases={
            account.id: Lease(secrets_of[account.id].api_key, place_of(settings.venues[account.venue]), home.state)
            for account in settings.accounts.values()
        },
    )


def _refuse_twins(secrets_of: Mapping[AccountId, Secret]) -> None:
    """Two accounts with one key are one account at the venue, and each would take the other's orders for strange."""
    owners: dict[str, AccountId] = {}
    for account, secret in secrets_of.items():
        owner = owners.setdefault(key_fingerprint(secret.api_key), account)
        if owner != account:
            raise CannotBuild(
                f"accounts.{account}: has the same API key as accounts.{owner}; give each its own, or remove one of them"
            )


def place_of(venue: VenueSettings) -> str:
    """What tells one exchange from another: where it is reached."""
    return venue.url or venue.exchange


def scopes_of(account: Account, secret: Secret) -> Scopes:
    """By what names the venue's limits know the account: whoever has one of them too shares its budget."""
    return Scopes(
        exit=account.egress,
        account=account.id,
        key=key_fingerprint(secret.api_key)[:FINGERPRINT_DIGITS],
        uid=account.uid,
        master=account.master,
    )


def build(settings: Settings, home: Home, parts: Parts, *, clock: Clock) -> Desk:
    """A desk ready to start. Opens the journal (and its lock: a second desk on this home is refused) and reads it.

    Raises JournalError, or ConfigError for folders that are not ours.
    """
    for folder in (home.state, home.sockets):
        private_folder(folder)
    accounts = {
        name: msgspec.structs.replace(account, key=parts.keys.get(name, ""))
        for name, account in settings.accounts.items()
    }
    settings = msgspec.structs.replace(settings, accounts=accounts)
    made: list[Desk] = []  # the journal comes first, and tells the desk that is made after it

    def failed(reason: str) -> None:
        for desk in made:
            desk.journal_failed(reason)

    def recovered(reason: str) -> None:
        for desk in made:
            desk.journal_recovered(reason)

    store = SqliteJournal(home.journal, clock=clock, on_failure=failed, on_recovery=recovered, fold=Keeper)
    store.open()
    try:
        desk = Desk(
            settings,
            home,
            store=store,
            parts=parts,
            new_id=lambda account: client_order_id(clock.now(), secrets.randbits(40)),
            clock=clock,
            random=SystemRandom(),
        )
    except BaseException:
        store.close()
        raise
    made.append(desk)
    return desk


def adapter_of(
    account: Account, venue: VenueSettings, secret: Secret, markets: Markets, clock: Clock, chance: Random, door: Door
) -> Connect:
    """Makes the account's adapter on its worker's thread. The secret is held here and in the adapter, nowhere else (5.6)."""

    def made(last_check: LastCheck) -> Adapter:
        from tradedesk.venues.ccxt_binance import addresses_of
        from tradedesk.venues.spot_adapter import SpotAdapter

        return SpotAdapter(
            account=account.id,
            venue=venue.id,
            secret=secret,
            exit_=Egress(account.egress),
            addresses=addresses_of(venue.url),
            markets=markets,
            last_check=last_check,
            clock=clock,
            chance=chance,
            door=door,
        )

    return made


def _feed(
    venue: VenueSettings, markets: Markets, clock: Clock, chance: Random, door: Door
) -> Callable[[Callable[[Event], None]], FeedHost]:
    def opened() -> PublicFeed:
        from tradedesk.venues.ccxt_binance import addresses_of
        from tradedesk.venues.spot_feed import SpotFeed

        return SpotFeed(
            venue=venue.id,
            exit_=Egress(venue.egress or DEFAULT_EXIT),
            addresses=addresses_of(venue.url),
            symbols=venue.instruments,
            clock=clock,
            chance=chance,
            door=door,
        )

    def made(publish: Callable[[Event], None]) -> FeedHost:
        return FeedHost(venue=venue.id, feed=opened, markets=markets, publish=publish, clock=clock, chance=chance)

    return made
