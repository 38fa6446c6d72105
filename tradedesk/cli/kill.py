"""`tradedesk kill`: stop accounts at their venues, whatever state the desk is in, and leave a receipt."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import FAILED, USAGE, end
from tradedesk.cli.reach import ConfigOption, JsonOption, home_of, show
from tradedesk.cli.run import PassphraseOption
from tradedesk.cli.scopes import GroupOption, InstrumentOption, VenueOption
from tradedesk.cli.unlocking import unlocked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tradedesk.access.vault import Vault
    from tradedesk.config import Home, Settings
    from tradedesk.desk.kill import Order
    from tradedesk.domain.receipts import KillReceipt
    from tradedesk.domain.scopes import Scope
    from tradedesk.domain.words import AccountId, OperatorId

LEVELS = ("cancel-opening", "cancel-all")


def kill(
    *,
    account: Annotated[list[str] | None, typer.Option("--account", help="This account; may be repeated.")] = None,
    group: GroupOption = None,
    venue: VenueOption = None,
    instrument: InstrumentOption = None,
    every: Annotated[bool, typer.Option("--all", help="Every account, and the desk itself.")] = False,
    level: Annotated[str, typer.Option(help="cancel-opening leaves protective orders; cancel-all does not.")] = LEVELS[
        0
    ],
    flatten: Annotated[bool, typer.Option("--flatten", help="Cancel all, then close at market what is held.")] = False,
    external: Annotated[
        bool, typer.Option("--external", help="Cancel orders of other software too; else they are listed.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the receipt and the journal.")],
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop accounts at their venues, also when the desk hangs, is dead or cannot write. It halts them first, durably.

    A process of its own: it takes the keys from the vault, cancels order by order until each venue shows none left, and
    keeps a receipt in the state folder. An account whose exit fails is tried by its standby exit. Of an instrument it
    cancels those orders alone, and with --flatten sells what is held of what it trades. `tradedesk rearm` lifts the halt.

    Example: tradedesk kill --all --reason "the market has gone mad"
    """
    from tradedesk.access.vault import VaultError
    from tradedesk.desk.kill import Order, reason_of
    from tradedesk.domain.accounts import HaltLevel

    if level not in LEVELS:
        end(f"--level: {level!r} is not known; use {' or '.join(LEVELS)}, or --flatten", USAGE)
    if not reason.strip():
        end("--reason: must not be empty", USAGE)
    named = {"--account": account, "--group": group, "--venue": venue, "--instrument": instrument, "--all": every}
    given = [option for option, value in named.items() if value]
    if len(given) != 1:
        what = f"{' and '.join(given)}: name one of them" if given else "name what is to be killed"
        end(f"{what}: --account NAME (several if need be), --group, --venue, --instrument, or --all", USAGE)
    home = home_of(config)
    settings = _settings(home, reason_of(reason), is_desk_wide=every)
    scope = _scope(settings, group=group, venue=venue, instrument=instrument)
    wanted = _accounts(settings, account) if scope is None else _accounts_in(settings, scope)
    order = Order(
        accounts=wanted,
        scope=scope,
        is_desk_wide=every,
        level=HaltLevel.Flatten if flatten else HaltLevel(level),
        by=who(settings),
        reason=reason_of(reason),
        with_external=external,
    )
    latch_now(home, order)  # before the vault, which takes its time or may not open at all
    try:
        vault = unlocked(home, passphrase_file)
    except VaultError as error:
        end(f"halted, but nothing was cancelled: {error}")
    receipt = killed(home, settings, vault, order, can_be_interrupted=True)
    print_receipt(home, receipt, as_json=as_json)
    if not receipt.is_complete:
        raise typer.Exit(FAILED)


def _settings(home: "Home", reason: str, *, is_desk_wide: bool) -> "Settings":
    """desk.toml; where it cannot be used the desk is halted all the same, if it was meant whole."""
    from tradedesk.config import ConfigError, load
    from tradedesk.desk.kill import Order
    from tradedesk.domain.accounts import HaltLevel
    from tradedesk.domain.words import OperatorId

    try:
        return load(home.config)
    except ConfigError as error:
        mistakes = str(error)
    if not is_desk_wide or not home.state.is_dir():
        end(mistakes)
    by = OperatorId(f"uid:{os.getuid()}")
    latch_now(home, Order(accounts=(), is_desk_wide=True, level=HaltLevel.CancelOpening, by=by, reason=reason))
    end(f"{mistakes}\nthe desk is halted, but nothing was cancelled: which accounts there are could not be read")


def settings_of(home: "Home") -> "Settings":
    from tradedesk.config import ConfigError, load

    try:
        return load(home.config)
    except ConfigError as error:
        end(str(error))


def who(settings: "Settings") -> "OperatorId":
    """Under whose name it is recorded: the operator of this user, else the user. The right to do it is the vault's passphrase."""
    from tradedesk.domain.words import OperatorId

    mine = [operator.name for operator in settings.operators.values() if operator.uid == os.getuid()]
    return mine[0] if len(mine) == 1 else OperatorId(f"uid:{os.getuid()}")


def latch_now(home: "Home", order: "Order") -> None:
    """The halt alone, as far as this disk takes it in time; the kill latches again and tells what failed."""
    import threading

    from tradedesk.clock import SystemClock
    from tradedesk.desk.kill import LATCH_S, latches_in
    from tradedesk.domain.accounts import HaltLevel

    level = HaltLevel.CancelAll if order.level is HaltLevel.Flatten else order.level
    now = SystemClock().now()
    latching = threading.Thread(target=lambda: latches_in(home.state)(order, level, now), daemon=True)
    latching.start()
    latching.join(LATCH_S)


def killed(
    home: "Home", settings: "Settings", vault: "Vault", order: "Order", *, can_be_interrupted: bool = False
) -> "KillReceipt":
    """Do it, and tell on stderr how it goes. Interrupted, it ends with a receipt; a terminal that goes ends nothing."""
    import asyncio
    import signal

    from tradedesk.clock import SystemClock
    from tradedesk.desk import ways
    from tradedesk.desk.kill import Killing, latches_in, read_journal
    from tradedesk.domain.accounts import HaltLevel
    from tradedesk.domain.scopes import ScopeKind
    from tradedesk.domain.words import InstrumentId

    clock = SystemClock()
    accounts = {name: settings.accounts[name] for name in order.accounts}
    places_orders = order.level is HaltLevel.Flatten
    killing = Killing(
        order,
        desk=settings.desk.name,
        accounts=accounts,
        tasks=ways.tasks(
            settings,
            accounts,
            order.level,
            with_external=order.with_external,
            instrument=InstrumentId(order.scope.name)
            if order.scope is not None and order.scope.kind is ScopeKind.Instrument
            else None,
        ),
        ways=ways.ways(settings, accounts, vault, clock, home, places_orders=places_orders),
        latch=latches_in(home.state),
        read_journal=lambda: read_journal(home.journal, accounts),
        clock=clock,
        told=lambda line: print(line, file=sys.stderr, flush=True),
    )

    async def run() -> "KillReceipt":
        if can_be_interrupted:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, killing.give_up)
        return await killing.run()

    if not can_be_interrupted:
        return asyncio.run(run())
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        return asyncio.run(run())
    finally:
        signal.signal(signal.SIGHUP, before)


def print_receipt(home: "Home", receipt: "KillReceipt", *, as_json: bool) -> "Path | None":
    """Keep it and show it; where it is kept, if it is."""
    from tradedesk.desk import receipts
    from tradedesk.views.receipts import receipt_document

    kept = receipts.keep(home, receipt)
    document = receipt_document(receipt) | {"file": str(kept) if isinstance(kept, Path) else None}
    if as_json:
        show(document)
    else:
        from tradedesk.cli.tables import print_table

        print_table(document, "accounts")
        state = "complete" if receipt.is_complete else "NOT complete"
        print(f"{state}, in {receipt.took_ms / 1000:.1f} s", file=sys.stderr)
    print(f"receipt: {kept}" if isinstance(kept, Path) else kept, file=sys.stderr)
    return kept if isinstance(kept, Path) else None


def _scope(settings: "Settings", *, group: str | None, venue: str | None, instrument: str | None) -> "Scope | None":
    """The group, venue or instrument that was named, of desk.toml: a kill asks no desk."""
    from difflib import get_close_matches

    from tradedesk.domain.instruments import instrument_id
    from tradedesk.domain.scopes import Scope, ScopeKind

    if instrument is not None:
        kind, name = ScopeKind.Instrument, instrument
        ids: dict[str, str] = {
            instrument_id(key, symbol): symbol for key, found in settings.venues.items() for symbol in found.instruments
        }
        meant = [key for key, symbol in ids.items() if instrument.upper() in (symbol, symbol.replace("/", ""))]
        if len(meant) > 1:
            end(f"--instrument: {instrument} is traded at several venues; say {' or '.join(meant)}", USAGE)
        name, known = meant[0] if meant else instrument, [*ids]
    elif group is not None:
        kind, name = ScopeKind.Group, group
        known = sorted({one for account in settings.accounts.values() for one in account.groups})
    elif venue is not None:
        kind, name = ScopeKind.Venue, venue
        known = [*settings.venues]
    else:
        return None
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or 'none'}"
        end(f"--{kind}: {name!r} is not known to this desk; {hint}", USAGE)
    return Scope(kind=kind, name=name)


def _accounts_in(settings: "Settings", scope: "Scope") -> "tuple[AccountId, ...]":
    from tradedesk.domain.scopes import may_concern

    return tuple(
        name for name, found in settings.accounts.items() if may_concern(scope, name, found.groups, found.venue)
    )


def _accounts(settings: "Settings", named: "Iterable[str] | None") -> "tuple[AccountId, ...]":
    from difflib import get_close_matches

    from tradedesk.domain.words import AccountId

    if named is None or not (wanted := tuple(dict.fromkeys(AccountId(name) for name in named))):
        return tuple(settings.accounts)
    for name in wanted:
        if name not in settings.accounts:
            near = get_close_matches(name, settings.accounts, n=1)
            hint = f"did you mean {near[0]}?" if near else f"accounts: {', '.join(settings.accounts) or 'none'}"
            end(f"--account: {name!r} is no account of this desk; {hint}", USAGE)
    return wanted
