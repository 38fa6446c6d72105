"""`tradedesk paper`: the paper exchange as a process of its own."""

import asyncio
import errno
import json
import secrets
import signal
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import FAILED, USAGE, end
from tradedesk.cli.paper_market import MARKETS, Chosen, MarketAsked, MarketError, chosen
from tradedesk.cli.paper_troubles import Troubles, TroublesAsked, TroublesError
from tradedesk.cli.paper_troubles import read as read_troubles

if TYPE_CHECKING:
    from decimal import Decimal

    from tradedesk.paper.accounts import Account
    from tradedesk.paper.exchange import Exchange
    from tradedesk.paper.futures.contracts import Contract
    from tradedesk.paper.futures.exchange import FuturesExchange
    from tradedesk.paper.futures.saved import SavedFutures
    from tradedesk.paper.market import Market
    from tradedesk.paper.rows import Spec
    from tradedesk.paper.saved import Saved
    from tradedesk.paper.server.app import Running

STOPPING = (signal.SIGINT, signal.SIGTERM)


class _Unusable(Exception):
    """What was asked for cannot be done; the message is for the operator. `status` is the exit status."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.status = status


def paper(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one paper.v1 object when ready, and nothing else.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of REST and sockets; 0 takes a free one.")] = 0,
    futures_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of USD-M futures; 0 takes a free one.")
    ] = 0,
    accounts: Annotated[
        int | None, typer.Option(min=1, max=5_000, help="How many accounts to make; 3 unless told.")
    ] = None,
    accounts_file: Annotated[
        Path | None,
        typer.Option(help="TOML file with [[accounts]] tables instead: name, api_key, secret, balances, ..."),
    ] = None,
    any_address: Annotated[
        bool, typer.Option("--any-address", help="Keys may be used from anywhere, not from their own address only.")
    ] = False,
    market: Annotated[str, typer.Option(help="What everyone else does: synthetic, replay or live.")] = "synthetic",
    instruments: Annotated[
        int | None, typer.Option(min=1, max=1_000, help="How many spot pairs a synthetic market has; 3 unless told.")
    ] = None,
    recording: Annotated[Path | None, typer.Option(help="The recording to replay.")] = None,
    speed: Annotated[float, typer.Option(help="How fast the replay passes; 1 is as it was.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the order flow and of the keys.")] = 1,
    exchange: Annotated[
        str | None, typer.Option(help="The venue a live market follows, by its name in ccxt; binance unless told.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="REST address of the site to follow instead of the real one.")] = None,
    instrument: Annotated[
        list[str] | None, typer.Option(help="What a live market has, like BTC/USDT; may be given again and again.")
    ] = None,
    egress: Annotated[
        str | None, typer.Option(help="Address of this machine that a live market is read by, or a proxy.")
    ] = None,
    faults: Annotated[
        Path | None, typer.Option(help="TOML file with [[faults]] tables: what goes wrong, and when.")
    ] = None,
    latency: Annotated[
        str | None, typer.Option(help="Round trip of every message: 5ms, 5ms±2ms or '5ms±2ms lognormal'.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="Go on from this file if it is there, and leave the clients' state in it.")
    ] = None,
    until_stdin_ends: Annotated[bool, typer.Option("--until-stdin-ends", hidden=True)] = False,
) -> None:
    """Run a paper exchange that speaks the protocol of Binance: spot, and beside a synthetic market USD-M futures.

    Example: tradedesk paper --json --port 8765 --futures-port 8766 --accounts 3

    For a bot of yours: tradedesk paper --port 8765 --any-address, then give it the REST address and a key that are printed.

    With faults: tradedesk paper --faults faults.toml --latency 5ms±2ms --state paper.state

    \b
    where faults.toml has tables like
        [[faults]]
        kind = "mute"        # processed, never answered
        account = "acme"
        method = "place"
        count = 1

    The kinds and their fields are listed by GET / at the admin address; POST /faults there takes the same as JSON.
    """
    try:
        asked = _Asked(
            host=host,
            port=port,
            futures_port=futures_port,
            accounts=accounts,
            accounts_file=accounts_file,
            any_address=any_address,
            market=MarketAsked(
                market=market,
                seed=seed,
                instruments=instruments,
                recording=recording,
                speed=speed,
                exchange=exchange,
                url=url,
                symbols=tuple(instrument or ()),
                egress=egress,
            ),
            seed=seed,
            troubles=TroublesAsked(faults=faults, latency=latency, state=state),
            until_stdin_ends=until_stdin_ends,
        )
        asked.check()
        _run(asked, as_json=as_json)
    except _Unusable as unusable:
        end(str(unusable), unusable.status)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """The options, as given."""

    host: str
    port: int
    futures_port: int
    accounts: int | None
    accounts_file: Path | None
    any_address: bool
    market: MarketAsked
    seed: int
    troubles: TroublesAsked
    until_stdin_ends: bool  # the life line of a demo: however it dies, its exchange goes with it

    def check(self) -> None:
        """Raises _Unusable for options that do not go together."""
        if self.market.market not in MARKETS:
            raise _Unusable(f"--market: {self.market.market[:40]!r} is not known; use {' or '.join(MARKETS)}")
        mistake = self.market.mistake()
        if mistake is not None:
            raise _Unusable(mistake, USAGE)
        if self.accounts is not None and self.accounts_file is not None:
            raise _Unusable("--accounts: goes without --accounts-file, which names the accounts itself", USAGE)


def _run(asked: _Asked, *, as_json: bool) -> None:
    made = _accounts(asked)
    try:
        troubles = read_troubles(asked.troubles)
        market = chosen(asked.market)
    except (MarketError, TroublesError) as error:
        raise _Unusable(str(error)) from None
    main = _serve(asked, made, market, troubles, as_json=as_json)
    try:
        import uvloop
    except ImportError:  # not made for every platform; asyncio's own loop serves as well, slower
        asyncio.run(main)
    else:
        uvloop.run(main)


def _accounts(asked: _Asked) -> "list[Account]":
    from tradedesk.paper import accounts

    try:
        made = (
            accounts.generated(asked.accounts or 3, asked.seed)
            if asked.accounts_file is None
            else accounts.read(asked.accounts_file)
        )
    except accounts.AccountsError as error:
        raise _Unusable(str(error)) from None
    return [accounts.from_anywhere(account) for account in made] if asked.any_address else made


def _futures(
    asked: _Asked, accounts: "list[Account]", again: "_Again", saved: "SavedFutures | None", now: int
) -> "FuturesExchange | None":
    """The futures market of a futures recording, or the one that goes with the synthetic spot market, which is its index.

    ValueError if the saved state does not fit.
    """
    from tradedesk.paper.accounts import futures_specs
    from tradedesk.paper.futures.contracts import default_contracts
    from tradedesk.paper.futures.exchange import FuturesExchange
    from tradedesk.paper.synthetic import FUTURES, Synthetic

    recorded = again.recorded_futures()
    if recorded is not None:
        contracts = [_contract(spec) for spec in again.market.futures_specs]
        return FuturesExchange(contracts, futures_specs(accounts), recorded, now=now, saved=saved)
    if asked.market.market != "synthetic":
        return None

    def index(symbol: str, _now: int) -> "Decimal | None":
        """The middle of the spot pair of the same name."""
        best = again.exchange.book_ticker(symbol)
        return None if best.bid is None or best.ask is None else (best.bid + best.ask) / 2

    listed = {spec.symbol for spec in again.exchange.specs()}
    contracts = [contract for contract in default_contracts() if contract.symbol in listed]
    market = Synthetic([contract.spec for contract in contracts], asked.seed, kind=FUTURES)
    return FuturesExchange(contracts, futures_specs(accounts), market, now=now, index=index, saved=saved)


def _contract(spec: "Spec") -> "Contract":
    """The contract of a recording: a known one where the grid is the same, else one with the terms of the first known."""
    from msgspec import structs

    from tradedesk.paper.futures.contracts import default_contracts

    known = default_contracts()
    for contract in known:
        if (contract.symbol, contract.spec.tick, contract.spec.lot) == (spec.symbol, spec.tick, spec.lot):
            return contract
    terms = {"min_notional": known[0].spec.min_notional, "max_notional": known[0].spec.max_notional}
    return structs.replace(known[0], spec=structs.replace(spec, **terms))


class _Again:
    """The spot exchange and its market, and how both are made again after a restart of the exchange."""

    def __init__(self, asked: _Asked, accounts: "list[Account]", market: Chosen) -> None:
        self.market = market
        self._asked = asked
        self._accounts = accounts
        self._played: Market | None = None
        self.exchange: Exchange

    def make(self, saved: "Saved | None", now: int) -> "Exchange":
        """The first one. ValueError if the saved state does not fit."""
        from tradedesk.paper.accounts import specs as account_specs
        from tradedesk.paper.exchange import Exchange

        specs = account_specs(self._accounts)
        self.exchange = Exchange(self.market.specs, specs, self.market.market, now=now, saved=saved)
        return self.exchange

    def remake(self, saved: "Saved | None", now: int) -> "Exchange":
        """A further one, with the market from its beginning."""
        self._begin_again()
        return self.make(saved, now)

    def recorded_futures(self) -> "Market | None":
        """The futures of a recording, from their beginning; None where there are none."""
        if self.market.futures is not None and self.market.futures is self._played:
            self._begin_again()
        self._played = self.market.futures
        return self._played

    def _begin_again(self) -> None:
        try:
            fresh = chosen(self._asked.market)
        except MarketError as error:
            raise ValueError(str(error)) from None
        self.market.close()
        fresh.stop = self.market.stop
        self.market = fresh


async def _serve(
    asked: _Asked, accounts: "list[Account]", market: Chosen, troubles: Troubles, *, as_json: bool
) -> None:
    """Serve until a signal asks for the end, or the exchange breaks."""
    from tradedesk.clock import SystemClock
    from tradedesk.paper.faults import FaultsError
    from tradedesk.paper.server.app import start

    clock = SystemClock()
    now = clock.now()
    again = _Again(asked, accounts, market)
    futures = partial(_futures, asked, accounts, again)
    found = troubles.found
    try:
        again.make(found.spot if found is not None else None, now)
        opened = futures(found.futures if found is not None else None, now)
    except ValueError as error:
        raise _Unusable(f"--state: {asked.troubles.state}: {error}") from None
    try:
        running = await start(
            again.exchange,
            accounts,
            clock,
            admin_token=secrets.token_urlsafe(32),
            host=asked.host,
            port=asked.port,
            futures=opened,
            futures_port=asked.futures_port,
            faults=troubles.faults,
            latency=troubles.latency,
            seed=asked.seed if troubles.seed is None else troubles.seed,
            remake=again.remake,
            remake_futures=futures,
        )
    except FaultsError as error:
        raise _Unusable(f"--faults: {asked.troubles.faults}: {error}") from None
    except OSError as error:
        raise _Unusable(_cannot_bind(asked, error)) from None
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask_to_stop(_number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(asked_to_stop.set)

    market.stop = asked_to_stop.set
    if market.failure:  # it could not even begin
        asked_to_stop.set()
    for number in STOPPING:
        signal.signal(number, ask_to_stop)
    if asked.until_stdin_ends:
        loop.add_reader(sys.stdin.fileno(), asked_to_stop.set)  # nothing is ever written there: readable means ended
    print(json.dumps(running.described()) if as_json else _table(running), flush=True)
    stopping = asyncio.create_task(asked_to_stop.wait())
    await asyncio.wait((stopping, running.failed), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)  # to the end of the process: a second one must not kill what ends well
    again.market.close()
    await running.stop()  # raises what broke the exchange, if that was the reason: a bug is shown whole
    try:
        troubles.leave(again.exchange.saved(), running.futures.saved() if running.futures is not None else None)
    except TroublesError as error:
        raise _Unusable(str(error)) from None
    if again.market.failure:
        raise _Unusable(again.market.failure)


def _cannot_bind(asked: _Asked, error: OSError) -> str:
    where = f"port {asked.port} of {asked.host}"
    if asked.futures_port:
        where = f"port {asked.port} or {asked.futures_port} of {asked.host}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"--port: {where} is in use; choose another, or 0 for any that is free"
        case errno.EACCES:
            return f"--port: {where} may not be used by this user; choose one above 1023"
        case errno.EADDRNOTAVAIL:
            return f"--host: {asked.host} is not an address of this machine; use 127.0.0.1"
        case _:
            return f"--host: cannot listen on {where}: {error.strerror or error}"


def _futures_lines(running: "Running") -> list[str]:
    if running.futures_addresses is None:
        return []
    rest, ws, wsapi = running.futures_addresses
    return [f"USD-M REST     {rest}", f"USD-M streams  {ws}", f"USD-M API      {wsapi}"]


def _table(running: "Running") -> str:
    lines = [
        f"REST           {running.rest}",
        f"streams        {running.ws}",
        f"WebSocket API  {running.wsapi}",
        *_futures_lines(running),
        f"admin          {running.admin}  token {running.admin_token}",
        "",
        f"{'account':<12} {'from':<16} {'api key':<64}  secret",
    ]
    for account in running.commons.accounts.values():
        addresses = ", ".join(account.addresses) or "anywhere"
        secret = account.secret if account.secret is not None else "(public key)"
        lines.append(f"{account.name:<12} {addresses:<16} {account.api_key:<64}  {secret}")
    return "\n".join([*lines, "", "ctrl+c ends it"])
