"""`tradedesk kill`: stop accounts at their venues, whatever state the desk is in, and leave a receipt."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import FAILED, USAGE, end
from tradedesk.cli.reach import ConfigOption, JsonOption, home_of, show
from tradedesk.cli.run import PassphraseOption
from tradedesk.cli.unlocking import unlocked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tradedesk.access.vault import Vault
    from tradedesk.config import Home, Settings
    from tradedesk.desk.kill import Order
    from tradedesk.domain.receipts import KillReceipt
    from tradedesk.domain.words import AccountId, OperatorId

LEVELS = ("cancel-opening", "cancel-all")


def kill(
    *,
    account: Annotated[list[str] | None, typer.Option("--account", help="This account; may be repeated.")] = None,
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
    keeps a receipt in the state folder. `tradedesk rearm` lifts the halt.

    Example: tradedesk kill --all --reason "the market has gone mad"
    """
    from tradedesk.access.vault import VaultError
    from tradedesk.desk.kill import Order, reason_of
    from tradedesk.domain.accounts import HaltLevel

    if level not in LEVELS:
        end(f"--level: {level!r} is not known; use {' or '.join(LEVELS)}, or --flatten", USAGE)
    if not reason.strip():
        end("--reason: must not be empty", USAGE)
    if bool(account) == every:
        end("name the accounts with --account NAME, or say --all", USAGE)
    home = home_of(config)
    settings = _settings(home, reason_of(reason), is_desk_wide=every)
    wanted = _accounts(settings, account)
    order = Order(
        accounts=wanted,
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

    clock = SystemClock()
    accounts = {name: settings.accounts[name] for name in order.accounts}
    places_orders = order.level is HaltLevel.Flatten
    killing = Killing(
        order,
        desk=settings.desk.name,
        accounts=accounts,
        tasks=ways.tasks(settings, accounts, order.level, with_external=order.with_external),
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
