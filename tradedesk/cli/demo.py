"""`tradedesk demo`: a paper exchange and a desk with three client accounts, made on the spot, thrown away at the end."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradedesk.cli import screen
from tradedesk.cli.endings import FAILED, end
from tradedesk.cli.reach import JsonOption, Watch, is_terminal, show, told_to_stop, until_told
from tradedesk.cli.screen import AsciiOption, SlowOption, ThemeOption

if TYPE_CHECKING:
    from tradedesk.access.vault import Vault
    from tradedesk.config import Home

NAMES = ("acme", "birch", "cedar")
READY_S = 60.0
MADE_BY = "# made by `tradedesk demo`"  # how desk.toml begins if it is a demo's


def demo(
    *,
    headless: Annotated[bool, typer.Option("--headless", help="No screen; print where everything is.")] = False,
    as_json: JsonOption = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the synthetic market.")] = 1,
    recording: Annotated[Path | None, typer.Option(help="Replay this recording instead of a synthetic market.")] = None,
    speed: Annotated[float, typer.Option(help="How fast the recording passes; 1 is as it was.")] = 1.0,
    theme: ThemeOption = None,
    as_ascii: AsciiOption = False,
    slow: SlowOption = False,
) -> None:
    """Trade for three client accounts on a paper exchange: no keys, no network, one command.

    Example: tradedesk demo
    """
    if not headless and not is_terminal():
        end("tradedesk demo opens a screen and needs a terminal; use --headless for a desk without one", 2)
    options = ("--market", "replay", "--recording", str(recording), "--speed", str(speed)) if recording else ()
    with demo_home() as home, paper_exchange(seed, *options, log_file=_prepared(home)) as exchange:
        vault = _vault(home)
        if headless:
            make_desk(home, exchange.described, vault)
            _headless(home, exchange, as_json)
        else:
            screen.load()
            make_desk(home, exchange.described, vault)
            look = screen.Look(theme=theme, ascii=as_ascii, slow=slow)
            screen.screen_of(home, look, vault=vault, until_ended=exchange.until_ended)


@contextmanager
def demo_home() -> "Iterator[Home]":
    """TRADEDESK_HOME if it is set, and kept; else a folder of its own, removed at the end unless a desk failed in it."""
    from tradedesk.config import find_home

    if os.environ.get("TRADEDESK_HOME"):
        yield find_home(os.environ)
        return
    folder = Path(tempfile.mkdtemp(prefix="tradedesk-demo-"))
    home = find_home({"TRADEDESK_HOME": str(folder)})
    is_kept = False
    try:
        yield home
    except Exception as error:
        status = error.exit_code if isinstance(error, typer.Exit) else FAILED
        is_kept = (
            status != 0 and (home.log / "tradedesk.log").exists()
        )  # which the sentence on the screen may have named
        raise
    finally:
        if is_kept:
            typer.echo(f"what the desk wrote is kept in {folder}", err=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


class PaperProcess:
    """A paper exchange in a process of its own, perhaps still starting."""

    def __init__(self, process: "subprocess.Popen[bytes]", log_file: Path | None) -> None:
        self._process = process
        self._log_file = log_file
        self.pid = process.pid

    @cached_property
    def described(self) -> dict[str, Any]:
        """Its paper.v1 object, once it serves. Ends the program with a sentence if it does not."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            if self._log_file is not None:
                typer.echo(self._log_file.read_text(encoding="utf-8", errors="replace").strip(), err=True)
            end("the paper exchange did not start; what it said stands above")
        found: dict[str, Any] = json.loads(line)
        return found

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def until_ended(self) -> str:
        """Wait for its end; returns the sentence about it. For any thread."""
        status = self._process.wait()
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return f"the paper exchange ended ({how}); start again with `tradedesk demo`"


@contextmanager
def paper_exchange(seed: int, *options: str, log_file: Path | None = None) -> Iterator[PaperProcess]:
    """A paper exchange that ends with the context; what takes time can be done while it starts.

    What it says on stderr goes to `log_file`, so that it is not written over a screen; without one to ours.
    """
    from tradedesk.access.egress import loopback_addresses

    addresses = loopback_addresses(len(NAMES))
    if len(addresses) < len(NAMES):  # macOS has 127.0.0.1 only, until others are added by hand
        typer.echo("this machine has no further loopback addresses: the accounts share 127.0.0.1 as a family", err=True)
        with tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False) as file:
            file.write(_sharing_accounts(seed))
        options = (*options, "--accounts-file", file.name)
    command = [sys.executable, "-m", "tradedesk", "paper", "--json", "--port", "0", "--seed", str(seed)]
    with log_file.open("wb") if log_file is not None else nullcontext() as said:
        process = subprocess.Popen(  # noqa: S603  (ourselves)
            [*command, "--until-stdin-ends", *options],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield PaperProcess(process, log_file)
    finally:
        process.terminate()
        process.wait()


def _sharing_accounts(seed: int) -> str:
    """An accounts file of the usual demo accounts, all of them from 127.0.0.1."""
    from tradedesk.paper.accounts import generated

    tables = []
    for account in generated(len(NAMES), seed):
        held = ", ".join(f'{asset} = "{amount}"' for asset, amount in account.balances.items())
        tables.append(
            f'[[accounts]]\nname = "{account.name}"\napi_key = "{account.api_key}"\nsecret = "{account.secret}"\n'
            f'addresses = ["127.0.0.1"]\nbalances = {{ {held} }}\n'
        )
    return "\n".join(tables)


def new_vault(home: "Home") -> "Vault":
    """The vault of this home, opened by the passphrase file beside it; both are made if they are missing.

    Ends the program with a sentence if the home is not a demo's to write in.
    """
    _prepared(home)
    return _vault(home)


def _prepared(home: "Home") -> Path:
    """See to the folders of this home; returns the file for what its paper exchange says."""
    from tradedesk.config import ConfigError, private_folder

    try:
        private_folder(home.config.parent)
        _make_room(home)
        private_folder(home.log)
    except ConfigError as error:
        end(str(error))
    return home.log / "paper.log"


def _vault(home: "Home") -> "Vault":
    from tradedesk.access.vault import VaultError, open_vault

    words = home.passphrase
    if not words.exists():
        words.touch(mode=0o600)
        words.write_text(secrets.token_urlsafe(24), encoding="ascii")
    try:
        return open_vault(home.vault, words, create=True)
    except VaultError as error:
        end(str(error))


def _make_room(home: "Home") -> None:
    """See to it that nothing of a real desk is written over, and that no state of an earlier exchange is taken for this one's."""
    folder = home.config.parent
    if home.config.exists():
        if not home.config.read_text(encoding="utf-8", errors="replace").startswith(MADE_BY):
            end(
                f"{home.config}: is no demo's, and a demo would write over it; unset TRADEDESK_HOME or name an empty folder"
            )
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(str(home.control_socket)) == 0:
                end(f"{folder}: a desk runs there; join it with `tradedesk attach`, or name another folder")
        home.config.replace(home.config.with_name(home.config.name + ".before"))
    if home.state.exists():
        before = home.state.with_name(home.state.name + ".before")
        shutil.rmtree(before, ignore_errors=True)
        home.state.replace(before)


def make_desk(home: "Home", paper: dict[str, Any], vault: "Vault") -> None:
    """Write desk.toml, and the keys into the vault, for the accounts of this paper exchange."""
    import msgspec

    from tradedesk.access.vault import Secret
    from tradedesk.config import DeskSettings, OperatorSettings, Settings, VenueSettings, render
    from tradedesk.domain.accounts import Account, Mode
    from tradedesk.domain.alert_rules import RULES
    from tradedesk.domain.instruments import instrument_id
    from tradedesk.domain.limits import InstrumentLimits, Limits
    from tradedesk.domain.words import AccountId, OperatorId, VenueId

    venue = VenueId("binance")
    limits = Limits(
        max_order_notional=Decimal(50_000),
        max_position_notional=Decimal(400_000),
        price_collar_bps=Decimal(300),
        max_open_orders=40,
        max_drawdown=Decimal(2_500),
        max_exposure=Decimal(500_000),
        instruments={instrument_id(venue, "BTC/USDT"): InstrumentLimits(max_order_qty=Decimal("0.75"))},
    )
    is_family = any("127.0.0.1" in account["addresses"] for account in paper["accounts"])
    accounts = {
        AccountId(account["name"]): Account(
            id=AccountId(account["name"]),
            venue=venue,
            owner=account["name"],
            groups=("all",),
            mode=Mode.Paper,
            egress=account["addresses"][0],
            secret=account["name"],
            limits=limits,
            family="demo" if is_family else None,
        )
        for account in paper["accounts"]
    }
    settings = Settings(
        desk=DeskSettings(name="demo", reporting_currency="USDT", exit_check=f"{paper['rest']}/echo"),
        venues={
            venue: VenueSettings(
                id=venue, exchange="binance", url=paper["rest"], egress="127.0.0.1", instruments=_listed(paper["rest"])
            )
        },
        accounts=accounts,
        rules={  # who is here trades, and alone: nobody could rearm what a rule halted
            name: msgspec.structs.replace(RULES[name], action=None) for name in ("drawdown", "daily-loss")
        },
        operators={
            OperatorId("demo"): OperatorSettings(
                name=OperatorId("demo"), roles=("trader", "risk"), accounts=("*",), uid=os.getuid()
            )
        },
    )
    for account in paper["accounts"]:
        vault.put(account["name"], venue, Secret(account["api_key"], account["secret"]))
    home.config.write_text(
        f"{MADE_BY}: accounts of a paper exchange that lives as long as the demo\n{render(settings)}",
        encoding="utf-8",
    )


def _listed(rest: str) -> tuple[str, ...]:
    """The symbols that the paper exchange serves."""
    import urllib.request

    with urllib.request.urlopen(f"{rest}/api/v3/exchangeInfo", timeout=10) as answer:  # noqa: S310  (on loopback)
        return tuple(f"{row['baseAsset']}/{row['quoteAsset']}" for row in json.load(answer)["symbols"])


def _headless(home: "Home", exchange: PaperProcess, as_json: bool) -> None:
    told = told_to_stop()
    desk = start_desk(home)
    try:
        wait_until_ready(home, desk)
        document = {
            "schema": "demo.v1",
            "home": str(home.config.parent),
            "desk_pid": desk.pid,
            "paper_pid": exchange.pid,
            "paper": exchange.described,
        }
        if as_json:
            show(document)
        else:
            typer.echo(f"desk of {', '.join(NAMES)} in {home.config.parent}; Ctrl+C ends it")
        until_told(told, exchange.has_ended)  # the desk may be killed and run again meanwhile: the exchange stays
        if exchange.has_ended():
            end(exchange.until_ended())
    finally:
        desk.terminate()
        desk.wait()


def start_desk(home: "Home") -> "subprocess.Popen[bytes]":
    """`tradedesk run` on this home, in a process of its own."""
    environment = {**os.environ, "TRADEDESK_HOME": str(home.config.parent)}
    command = [sys.executable, "-m", "tradedesk", "run"]
    return subprocess.Popen(  # noqa: S603  (ourselves)
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip


def wait_until_ready(home: "Home", desk: "subprocess.Popen[bytes]") -> None:
    """Wait until every account of the desk is Ready; ends the program with the desk's own words if it cannot be."""
    from tradedesk.domain.accounts import AccountState

    watch = Watch(home)
    try:
        watch.until(lambda: desk.poll() is not None or _are_ready(watch), READY_S)
        if desk.poll() is not None:
            words = desk.stderr.read().decode(errors="replace").strip() if desk.stderr is not None else ""
            end(words or "the desk ended before it was up")
        if not _are_ready(watch):
            waiting = [row for row in watch.replica.accounts.values() if row.state is not AccountState.Ready]
            words = "; ".join(f"{row.account.id} is {row.state}: {row.reason}" for row in waiting)
            end(f"the accounts did not get ready within {READY_S:.0f} s: {words or 'the desk said nothing'}")
    finally:
        watch.view.close()


def _are_ready(watch: Watch) -> bool:
    from tradedesk.domain.accounts import AccountState

    rows = watch.replica.accounts.values()
    return watch.view.lost is None and bool(rows) and all(row.state is AccountState.Ready for row in rows)
