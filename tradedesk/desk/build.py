"""Building a desk for the real world: vault, exits, ccxt adapters and market data from the settings.

ccxt is imported on the threads that use it and not before: the first paint does not wait for it (PERFORMANCE.md 6).
"""

import grp
import secrets
from collections.abc import Callable, Mapping
from random import Random, SystemRandom

import msgspec

from tradedesk.access.egress import EXIT_SCOPE, Egress, parse_egress
from tradedesk.access.exits import Exits
from tradedesk.access.keyholder import KeySource
from tradedesk.access.keyseat import KeySeat
from tradedesk.access.lease import Lease
from tradedesk.access.vault import Vault
from tradedesk.clock import Clock
from tradedesk.config import ConfigError, Home, Settings, VenueSettings, private_folder
from tradedesk.desk.desk import Desk, Parts
from tradedesk.desk.keeper import Keeper
from tradedesk.desk.messenger import learn
from tradedesk.domain.accounts import Account, SignsIn
from tradedesk.domain.events import Event
from tradedesk.domain.exits import Exit, exits_of, parse_exit
from tradedesk.domain.keys import FINGERPRINT_DIGITS
from tradedesk.domain.webhooks import HOOK_SCOPE
from tradedesk.domain.words import AccountId, client_order_id
from tradedesk.journal.sqlite import SqliteJournal
from tradedesk.marketdata.host import FeedHost
from tradedesk.redaction import SCRUBBER
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
    seats = {
        account.id: KeySeat(vault, account.secret, account.venue, in_process=account.signer is SignsIn.Process)
        for account in settings.accounts.values()
    }
    _refuse_twins(seats)
    exits = Exits(settings.accounts)
    return Parts(
        exits=exits,
        adapters={
            account.id: _by_its_exit(
                exits,
                account.id,
                {
                    leaving.egress: adapter_of(
                        leaving,
                        settings.venues[account.venue],
                        seats[account.id],
                        markets[account.venue],
                        clock,
                        chance,
                        budgets.door(
                            place_of(settings.venues[account.venue]),
                            LIMITS,
                            scopes_of(leaving, seats[account.id].fingerprint),
                        ),
                        egress_of(leaving.egress, vault),
                    )
                    for leaving in (msgspec.structs.replace(account, egress=exit_) for exit_ in exits_of(account))
                },
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
                egress_of(venue.egress or DEFAULT_EXIT, vault),
            )
            for venue in settings.venues.values()
        },
        budgets=budgets,
        vault=vault,
        seats=seats,
        keys={account: seat.fingerprint[:FINGERPRINT_DIGITS] for account, seat in seats.items()},
        webhooks={name: learn(url) for name in settings.alerts if (url := vault.text(name, HOOK_SCOPE)) is not None},
        leases={
            account.id: Lease(seats[account.id].api_key, place_of(settings.venues[account.venue]), home.state)
            for account in settings.accounts.values()
        },
    )


def _refuse_twins(seats: Mapping[AccountId, KeySeat]) -> None:
    """Two accounts with one key are one account at the venue, and each would take the other's orders for strange."""
    owners: dict[str, AccountId] = {}
    for account, seat in seats.items():
        owner = owners.setdefault(seat.fingerprint, account)
        if owner != account:
            raise CannotBuild(
                f"accounts.{account}: has the same API key as accounts.{owner}; give each its own, or remove one of them"
            )


def egress_of(exit_: str, vault: Vault) -> Egress:
    """The exit ready for use, the password of a proxy's user from the vault. Raises CannotBuild or VaultError."""
    named = parse_exit(exit_)
    password = vault.text(exit_, EXIT_SCOPE) if isinstance(named, Exit) and named.user else None
    if password is not None:
        SCRUBBER.learn(password)
    found = parse_egress(exit_, password)
    if isinstance(found, str):
        raise CannotBuild(f"{exit_}: {found}")
    return found


def _by_its_exit(exits: Exits, account: AccountId, connects: Mapping[str, Connect]) -> Connect:
    """Connects by the exit that the account leaves by at that moment."""

    def made(last_check: LastCheck) -> Adapter:
        return connects[exits.of(account)](last_check)

    return made


def place_of(venue: VenueSettings) -> str:
    """What tells one exchange from another: where it is reached."""
    return venue.url or venue.exchange


def scopes_of(account: Account, fingerprint: str) -> Scopes:
    """By what names the venue's limits know the account: whoever has one of them too shares its budget."""
    return Scopes(
        exit=account.egress,
        account=account.id,
        key=fingerprint[:FINGERPRINT_DIGITS],
        uid=account.uid,
        master=account.master,
    )


def build(settings: Settings, home: Home, parts: Parts, *, clock: Clock) -> Desk:
    """A desk ready to start. Opens the journal (and its lock: a second desk on this home is refused) and reads it.

    Raises JournalError, or ConfigError for folders that are not ours and a group that this machine does not have.
    """
    group = settings.desk.read_group
    if group is not None and group not in [known.gr_name for known in grp.getgrall()]:
        raise ConfigError([f"desk.read_group: this machine has no group {group!r}; make it, or leave the key out"])
    for folder in (home.state, home.sockets):
        private_folder(folder)
    accounts = {
        name: msgspec.structs.replace(
            account,
            key=parts.keys.get(name, ""),
            exit_check=account.exit_check or settings.desk.exit_check,
        )
        for name, account in settings.accounts.items()
    }
    settings = msgspec.structs.replace(settings, accounts=accounts)
    made: list[Desk] = []  # the journal comes first, and tells the desk that is made after it

    def failed(reason: str) -> None:
        for desk in made:
            desk.alarms.journal_failed(reason)

    def recovered(reason: str) -> None:
        for desk in made:
            desk.alarms.journal_recovered(reason)

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
    account: Account,
    venue: VenueSettings,
    key: KeySource | KeySeat,
    markets: Markets,
    clock: Clock,
    chance: Random,
    door: Door,
    exit_: Egress,
) -> Connect:
    """Makes the account's adapter on its worker's thread. The secret is held here and in the adapter, nowhere else (5.6).

    Of a `KeySeat` it is the key in use at that moment, so that a worker that starts again has it too.
    """

    def made(last_check: LastCheck) -> Adapter:
        from tradedesk.venues.ccxt_binance import addresses_of
        from tradedesk.venues.spot_adapter import SpotAdapter

        return SpotAdapter(
            account=account.id,
            venue=venue.id,
            secret=key.source if isinstance(key, KeySeat) else key,
            exit_=exit_,
            addresses=addresses_of(venue.url),
            markets=markets,
            last_check=last_check,
            clock=clock,
            chance=chance,
            door=door,
        )

    return made


def _feed(
    venue: VenueSettings, markets: Markets, clock: Clock, chance: Random, door: Door, exit_: Egress
) -> Callable[[Callable[[Event], None]], FeedHost]:
    def opened() -> PublicFeed:
        from tradedesk.venues.ccxt_binance import addresses_of
        from tradedesk.venues.spot_feed import SpotFeed

        return SpotFeed(
            venue=venue.id,
            exit_=exit_,
            addresses=addresses_of(venue.url),
            symbols=venue.instruments,
            clock=clock,
            chance=chance,
            door=door,
        )

    def made(publish: Callable[[Event], None]) -> FeedHost:
        return FeedHost(venue=venue.id, feed=opened, markets=markets, publish=publish, clock=clock, chance=chance)

    return made
