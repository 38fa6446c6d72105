"""`tradedesk accounts offboard`, and what `accounts remove` looks at: an account leaves only with nothing of it open."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradedesk.cli.accounts_common import NameArgument, a_desk_runs, account_in, settings_of, vault_of
from tradedesk.cli.endings import FAILED, USAGE, end
from tradedesk.cli.reach import ConfigOption, JsonOption, OperatorOption, controlled, home_of, show, watching
from tradedesk.cli.run import PassphraseOption

if TYPE_CHECKING:
    from tradedesk.config import Home, Settings
    from tradedesk.domain.accounts import Account, Halt
    from tradedesk.domain.words import OperatorId
    from tradedesk.views.replica import Replica

WAIT_S = 15.0  # for openings to be cancelled, and for the desk to let go
HoldingsOption = Annotated[
    bool, typer.Option("--with-holdings", help="What a spot account holds is the client's and goes with the client.")
]


def offboard(
    name: NameArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the journal.")],
    with_holdings: HoldingsOption = False,
    operator: OperatorOption = None,
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a client go: close-only at once; once nothing is open, its keys are forgotten and it leaves desk.toml.

    The journal is kept. Run it again until it is through: what is done stays done. With a running desk the account leaves
    while the others go on.

    Example: tradedesk accounts offboard acme --reason "contract ended"
    """
    from tradedesk.access.vault import VaultError
    from tradedesk.cli.accounts import forget

    if not reason.strip():
        end("--reason: must not be empty", USAGE)
    home = home_of(config)
    settings = settings_of(home)
    account = account_in(settings, home, name)
    if a_desk_runs(home):
        open_ = _with_the_desk(home, account, reason, operator, with_holdings=with_holdings)
    else:
        open_ = _without_a_desk(home, settings, account, reason, passphrase_file, with_holdings=with_holdings)
    if not open_:
        try:
            _take_from_operators(home, name)
            forget(home, name, passphrase_file)
        except VaultError as error:
            end(str(error))
    if as_json:
        show({"schema": "offboard.v1", "account": name, "is_out": not open_, "open": list(open_)})
    elif not open_:
        typer.echo(f"{name} is out: its keys are forgotten, it stands in {home.config} no more; the journal is kept")
    if open_:
        typer.echo(f"{name} is close-only and not out yet: {'; '.join(open_)}; run this again then", err=True)
        raise typer.Exit(FAILED)


def refuse_while_open(
    home: "Home", settings: "Settings", account: "Account", passphrase_file: Path | None, *, with_holdings: bool
) -> None:
    """End the program if anything of the account is open, here or at its venue, or a desk drives it."""
    if a_desk_runs(home):
        end(
            f"accounts.{account.id}: a desk runs with it; stop the desk first, or use `tradedesk accounts offboard"
            f" {account.id}`, which lets it go while the others trade"
        )
    replica, _ = _told(home)
    found = _open_anywhere(home, settings, account, replica, passphrase_file, with_holdings=with_holdings)
    if found:
        end(f"accounts.{account.id}: {'; '.join(found)}; it stays until that is closed")


# -- beside a running desk --------------------------------------------------------------------------------------------------


def _with_the_desk(
    home: "Home", account: "Account", reason: str, operator: str | None, *, with_holdings: bool
) -> tuple[str, ...]:
    """Close-only, then out as soon as the desk's books allow it; what is still open."""
    from tradedesk.domain import events as ev
    from tradedesk.domain.accounts import HaltLevel
    from tradedesk.domain.commands import HaltTrading, NotSubmitted, Offboard
    from tradedesk.domain.words import OperatorId
    from tradedesk.views.feed import Numbered
    from tradedesk.views.leaving import in_the_way

    control = controlled(home, operator)
    me = OperatorId("")
    with watching(home) as watch:
        if account.id not in watch.replica.accounts:
            return ()  # the desk was started without it: nothing is left but its keys
        if account.id not in watch.replica.halts:
            halt = HaltTrading(
                account=account.id, level=HaltLevel.CancelOpening, reason=f"offboarding: {reason}", operator=me
            )
            reply = control.submit(halt)
            if isinstance(reply, NotSubmitted):
                end(reply.reason)

        def is_clear() -> bool:
            is_halted = account.id in watch.replica.halts
            return is_halted and not in_the_way(watch.replica, account.id, with_holdings=with_holdings)

        if not watch.until(is_clear, WAIT_S):
            return in_the_way(watch.replica, account.id, with_holdings=with_holdings) or ("it is not halted yet",)
        reply = control.submit(Offboard(account=account.id, with_holdings=with_holdings, reason=reason, operator=me))
        if isinstance(reply, NotSubmitted):
            end(reply.reason)
        answers: list[str] = []

        def is_answered() -> bool:
            for update in watch.updates:
                match update:
                    case Numbered(event=ev.AccountOffboarded(account=gone)) if gone == account.id:
                        answers.append("")
                    case Numbered(event=ev.SubmissionRefused(what="offboard", reason=why)):
                        answers.append(why)
            return bool(answers)

        if not watch.until(is_answered, WAIT_S):
            return ("the desk did not answer",)
        return (answers[0],) if answers[0] else ()


# -- without one --------------------------------------------------------------------------------------------------------------


def _without_a_desk(
    home: "Home",
    settings: "Settings",
    account: "Account",
    reason: str,
    passphrase_file: Path | None,
    *,
    with_holdings: bool,
) -> tuple[str, ...]:
    """The same by the journal and the venue; what is recorded is recorded by us, as no desk has the journal's lock."""
    from tradedesk.cli.kill import who
    from tradedesk.clock import SystemClock
    from tradedesk.desk.kill import reason_of
    from tradedesk.domain import events as ev
    from tradedesk.domain.accounts import Halt, HaltLevel
    from tradedesk.domain.money import plain
    from tradedesk.risk.halts import HaltLatch
    from tradedesk.views.leaving import held

    replica, offboarded = _told(home)
    if account.id in offboarded:
        return ()  # it was through, and stopped on the way: what is left are its keys
    now, by = SystemClock().now(), who(settings)
    latch = HaltLatch(home.state, (account.id,))
    events: list[ev.DurableEvent] = []
    if latch.own(account.id) is None:
        halt = Halt(
            account=account.id,
            level=HaltLevel.CancelOpening,
            by=by,
            reason=reason_of(f"offboarding: {reason}"),
            at=now,
        )
        latch.latch(halt)
        events.append(_halt_set(halt, by))
    latch.close()
    found = _open_anywhere(home, settings, account, replica, passphrase_file, with_holdings=with_holdings)
    if not found:
        went = tuple(f"{plain(qty)} {asset}" for asset, qty in sorted(held(replica, account.id).items()))
        events.append(
            ev.AccountOffboarded(
                at=now, source="offboard", account=account.id, by=by, reason=reason_of(reason), held=went
            )
        )
    _record(home, events)
    return found


def _halt_set(halt: "Halt", by: "OperatorId") -> Any:
    from tradedesk.domain import events as ev

    return ev.HaltSet(at=halt.at, source="offboard", account=halt.account, level=halt.level, by=by, reason=halt.reason)


def _record(home: "Home", events: "list[Any]") -> None:
    """Put them into the journal and wait for the disk. Ends the program if that cannot be."""
    from tradedesk.clock import SystemClock
    from tradedesk.journal.sqlite import SqliteJournal
    from tradedesk.journal.store import JournalError

    failures: list[str] = []
    journal = SqliteJournal(home.journal, clock=SystemClock(), on_failure=failures.append)
    try:
        journal.open()
        try:
            handles = [journal.append(event) for event in events]
        finally:
            journal.close()
    except JournalError as error:
        end(str(error))
    if failures or not all(handle.is_durable for handle in handles):
        end(f"{home.journal}: not recorded ({'; '.join(failures) or 'the disk refused it'}); nothing was forgotten")


def _told(home: "Home") -> "tuple[Replica, set[str]]":
    """What the journal tells, and which accounts were offboarded and did nothing since."""
    from tradedesk.domain import events as ev
    from tradedesk.journal.records import Reading
    from tradedesk.journal.sqlite import read
    from tradedesk.journal.store import JournalError
    from tradedesk.views.replica import Replica

    replica, offboarded = Replica(), set[str]()
    if not home.journal.exists():
        return replica, offboarded
    reading = Reading()
    try:
        for _, event in read(home.journal, reading):
            replica.apply(event)
            match event:
                case ev.AccountOffboarded():
                    offboarded.add(event.account)
                case ev.OrderPlaced():
                    offboarded.discard(event.order.account)
                case _:
                    pass
    except JournalError as error:
        end(str(error))
    if reading.damaged:
        end(f"{home.journal}: is damaged; `tradedesk audit verify` says where, and nothing is known for certain")
    return replica, offboarded


def _open_anywhere(
    home: "Home",
    settings: "Settings",
    account: "Account",
    replica: "Replica",
    passphrase_file: Path | None,
    *,
    with_holdings: bool,
) -> tuple[str, ...]:
    """By the venue where it can be asked, and by the journal. An account that never was opened here has nothing to ask about."""
    from tradedesk.access.vault import VaultError
    from tradedesk.clock import SystemClock
    from tradedesk.desk import ways
    from tradedesk.views.leaving import in_the_way

    shown: Any
    try:
        vault = vault_of(home, passphrase_file)
        way = ways.ways(settings, (account.id,), vault, SystemClock(), home, places_orders=True)[account.id]
        shown = way if isinstance(way, str) else asyncio.run(_shown(way.connect, account))
    except VaultError as error:
        shown = str(error)
    by_books = in_the_way(replica, account.id, with_holdings=with_holdings)
    if not isinstance(shown, str):
        return (*_at_venue(shown, settings, account, with_holdings=with_holdings), *_not_orders(by_books))
    was_opened = any(order.account == account.id for order in replica.orders.values()) or bool(
        replica.ledgers.get(account.id)
    )
    if by_books:
        return (*by_books, f"its venue could not be asked ({shown})")
    if was_opened and not shown.startswith(_REFUSED):
        return (f"its venue could not be asked ({shown})",)
    typer.echo(f"its venue could not be asked ({shown}); by the journal nothing of it is open", err=True)
    return ()


_REFUSED = "the venue refuses the key"


def _not_orders(sentences: tuple[str, ...]) -> tuple[str, ...]:
    """Of the books' sentences those that the venue's own list does not overrule: it shows orders and holdings itself."""
    return tuple(sentence for sentence in sentences if sentence.startswith("differences"))


async def _shown(connect: "Callable[..., Any]", account: "Account") -> Any:
    """What its venue shows of the account and the instruments there; or why it does not."""
    from tradedesk.venues.adapter import VenueFailed

    adapter = connect(account.egress, lambda _: "nothing is sent here")
    try:
        info = await adapter.start()
        return info.instruments, await adapter.venue_state(None)
    except VenueFailed as error:
        return f"{_REFUSED}: {error.cause}" if error.is_auth else error.cause
    finally:
        await adapter.close()


def _at_venue(shown: Any, settings: "Settings", account: "Account", *, with_holdings: bool) -> tuple[str, ...]:
    from tradedesk.risk.kill import bases_of, held, in_words

    instruments, state = shown
    bases = bases_of(account.venue, settings.venues[account.venue].instruments)
    holdings = in_words(held(state.balances, bases, instruments), bases)
    found = []
    if state.open_orders:
        keys = ", ".join(report.client_order_id for report in state.open_orders[:5])
        found.append(f"its venue shows {len(state.open_orders)} open orders: {keys}")
    if holdings and not with_holdings:
        found.append(f"it holds {', '.join(holdings)}")
    return tuple(found)


def _take_from_operators(home: "Home", name: str) -> None:
    """Out of what operators may trade and see; else desk.toml would name an account that is not there."""
    import msgspec

    from tradedesk.cli.setup_writing import text_of, write_whole
    from tradedesk.config import render

    settings = settings_of(home)
    operators = {
        key: msgspec.structs.replace(
            operator,
            accounts=tuple(account for account in operator.accounts if account != name),
            sees=None if operator.sees is None else tuple(account for account in operator.sees if account != name),
        )
        for key, operator in settings.operators.items()
    }
    if operators != settings.operators:
        text = render(msgspec.structs.replace(settings, operators=operators))
        write_whole(home.config, text, before=text_of(home.config))
