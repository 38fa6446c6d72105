"""`tradedesk accounts test|accept`: an account's key, clock, exit and stream looked at; a key's risk accepted by name."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradedesk.cli.accounts_common import a_desk_runs
from tradedesk.cli.endings import FAILED, USAGE, end
from tradedesk.cli.reach import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    OperatorPassphraseOption,
    account_of,
    controlled,
    decided,
    home_of,
    show,
    watching,
)
from tradedesk.cli.run import PassphraseOption, desk_of
from tradedesk.cli.unlocking import unlocked

if TYPE_CHECKING:
    from tradedesk.config import Home, Settings
    from tradedesk.desk.build import Connect
    from tradedesk.desk.client import RemoteControl
    from tradedesk.domain.accounts import Account
    from tradedesk.domain.findings import Finding
    from tradedesk.domain.keys import AcceptedRisk


def check(
    name: Annotated[str, typer.Argument(help="The account to test.")],
    *,
    trade: Annotated[
        bool, typer.Option("--trade", help="Also place an order far off, query, amend and cancel it, for real.")
    ] = False,
    instrument: Annotated[
        str | None, typer.Option(help="With --trade: which; the first that is live unless told.")
    ] = None,
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the venue about an account: its key and rights, the clock, the exit, the stream. Ends with 1 if anything fails.

    --trade goes through the running desk, or, where none runs, through one of this account alone that ends with the test.

    Example: tradedesk accounts test acme --trade --json
    """
    import asyncio

    from tradedesk.access.vault import VaultError
    from tradedesk.cli.account_checks import is_fit
    from tradedesk.clock import SystemClock
    from tradedesk.config import ConfigError, load
    from tradedesk.desk.build import CannotBuild, real_parts
    from tradedesk.domain.accounts import Mode
    from tradedesk.domain.findings import fail
    from tradedesk.domain.words import AccountId

    home, clock = home_of(config), SystemClock()
    try:
        settings = load(home.config)
        account = settings.accounts.get(AccountId(name))
        if account is None:
            end(f"accounts.{name}: is not in {home.config}; known: {', '.join(settings.accounts) or 'none'}", USAGE)
        vault = unlocked(home, passphrase_file)
        parts = real_parts(only(settings, account), vault, clock, home)
        connect, exit_ = parts.adapters[account.id], _exit_in_use(home, account)
        if parts.exits is not None and exit_ != account.egress:
            parts.exits.use(account.id, exit_)
    except (ConfigError, VaultError, CannotBuild) as error:
        end(str(error))
    findings = asyncio.run(_looked(connect, account, exit_, lambda: _accepted(home, account), clock.now()))
    if trade and is_fit(findings):
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # an order may rest: it is cancelled before the end
        try:
            with _desk(home, passphrase_file, vault, account) as where:
                if not as_json:
                    typer.echo(f"trading {account.mode} on {account.venue} through {where}", err=True)
                control = controlled(home, operator, operator_passphrase_file)
                _trade(home, account, connect, control, instrument, findings)
        except KeyboardInterrupt:
            findings.append(fail("interrupted", "the test was ended before it was through", "run it again"))
    document: dict[str, Any] = {
        "schema": "accounts_test.v1",
        "account": account.id,
        "venue": account.venue,
        "mode": account.mode.value,
        "is_live": account.mode is Mode.Live,
        "is_ok": is_fit(findings),
        "traded": trade,
        "checks": [
            {"what": each.what, "level": each.level.value, "text": each.text, "remedy": each.remedy}
            for each in findings
        ],
    }
    if as_json:
        show(document)
    else:
        from tradedesk.cli.tables import print_table

        print_table(document, "checks")
    if not document["is_ok"]:
        raise typer.Exit(FAILED)


def accept(
    name: Annotated[str, typer.Argument(help="The account whose key is refused.")],
    *,
    reason: Annotated[str, typer.Option(help="Why it may trade all the same; kept in the audit trail.")],
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
) -> None:
    """Let an account trade with a key that can withdraw or transfer: the risk role's decision, good for this key alone.

    Example: tradedesk accounts accept acme --reason "transfer right goes on Friday" --operator rosa
    """
    from tradedesk.domain.commands import AcceptKeyRisk
    from tradedesk.domain.events import KeyRiskAccepted
    from tradedesk.domain.words import OperatorId

    home = home_of(config)
    control = controlled(home, operator, operator_passphrase_file)
    with watching(home, control) as watch:
        account = account_of(watch.replica, name)
        checked = watch.replica.accounts[account].key
        if checked is None:
            end(f"account {account}: its key was not looked at yet; try again once it was")
        fingerprint = checked.report.fingerprint
        command = AcceptKeyRisk(account=account, fingerprint=fingerprint, reason=reason, operator=OperatorId(""))
        decided(control, watch, command, KeyRiskAccepted, "tradedesk status")
    typer.echo(f"{account}: key {fingerprint} may trade; `tradedesk alerts` keeps what it can do in sight")


def looks_told(home: "Home") -> dict[str, dict[str, Any] | None]:
    """By account, the newest look at its key that the running desk tells of; nothing where none runs."""
    from tradedesk.views.documents import key_document

    if not a_desk_runs(home):
        return {}
    with watching(home) as watch:
        return {name: key_document(row) for name, row in watch.replica.accounts.items()}


def only(settings: "Settings", account: "Account") -> "Settings":
    """The settings of a desk of this account alone, which leaves its orders as they are when it ends."""
    from msgspec.structs import replace

    from tradedesk.domain.accounts import OnStop

    return replace(
        settings,
        accounts={account.id: replace(account, on_stop=OnStop.Keep)},
        venues={account.venue: settings.venues[account.venue]},
    )


async def _looked(
    connect: "Connect", account: "Account", exit_: str, accepted: "Callable[[], AcceptedRisk | None]", now: int
) -> "list[Finding]":
    from tradedesk.cli.account_checks import looked_at

    adapter = connect(lambda approved: "a test sends no orders")
    try:
        return await looked_at(adapter, account, exit_, accepted, now)
    finally:
        await adapter.close()


def _trade(
    home: "Home",
    account: "Account",
    connect: "Connect",
    control: "RemoteControl",
    symbol: str | None,
    found: "list[Finding]",
) -> None:
    import asyncio

    from tradedesk.cli.account_trial import Trial
    from tradedesk.domain.instruments import Instrument
    from tradedesk.domain.orders import Order
    from tradedesk.domain.outcomes import QueryAnswer

    async def queried(order: Order, instrument: Instrument) -> QueryAnswer:
        adapter = connect(lambda approved: "a test asks, it sends no orders")
        try:
            await adapter.start()
            return await adapter.query(order, instrument)
        finally:
            await adapter.close()

    with watching(home, control) as watch:
        Trial(control, watch, account.id, lambda order, instrument: asyncio.run(queried(order, instrument)), found).run(
            symbol
        )


@contextmanager
def _desk(home: "Home", passphrase_file: Path | None, vault: Any, account: "Account") -> "Iterator[str]":
    """The running desk, or one of this account alone meanwhile; says which."""
    if a_desk_runs(home):
        yield "the running desk"
        return
    with desk_of(home, passphrase_file, vault, lambda settings: only(settings, account)):
        yield "a desk of its own"


def _exit_in_use(home: "Home", account: "Account") -> str:
    """The exit that the running desk uses for the account, else the one it would start with."""
    if not a_desk_runs(home):
        return account.egress
    with watching(home) as watch:
        return watch.replica.exit_of(account)[0]


def _accepted(home: "Home", account: "Account") -> "AcceptedRisk | None":
    """The newest yes to a key of the account that could move money, as the journal has it."""
    from tradedesk.domain.events import KeyRiskAccepted
    from tradedesk.journal.records import Reading
    from tradedesk.journal.sqlite import read
    from tradedesk.journal.store import JournalError

    found = None
    try:
        for _, event in read(home.journal, Reading()) if home.journal.exists() else ():
            if isinstance(event, KeyRiskAccepted) and event.account == account.id:
                found = event.risk
    except JournalError:
        return None  # then the key is judged without it, and the desk will say what is wrong with its journal
    return found
