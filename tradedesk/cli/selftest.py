"""`tradedesk selftest`: a scripted minute on three accounts over real sockets, with a kill in the middle."""

import json
import os
import random
import signal
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradedesk.cli.demo import make_desk, new_vault, paper_exchange, start_desk, wait_until_ready
from tradedesk.cli.endings import FAILED
from tradedesk.cli.reach import DEADLINE_NS, JsonOption, Watch, new_id, show

if TYPE_CHECKING:
    from tradedesk.config import Home
    from tradedesk.desk.client import RemoteControl
    from tradedesk.domain.commands import Command
    from tradedesk.domain.instruments import Instrument
    from tradedesk.domain.orders import Order
    from tradedesk.domain.words import ClientOrderId
    from tradedesk.views.replica import MarketRow, Replica

STEP_S = 20.0  # longer than any doubt lasts: receive window, the venue's time-out and the lag of its queries
RANDOM_ORDERS = 12  # per half
ANSWERED = ("New", "PartiallyFilled", "Filled", "Canceled", "Rejected", "Expired", "Denied")
PART_TRIES = 40
PART_NOTIONAL = Decimal(24_000)  # quote units, of the order that is to fill in part; birch holds twice that


class _Differs(Exception):
    """A step did not come out as it must; the text says which and how."""


def selftest(
    *,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the market and of the script.")] = 1,
    as_json: JsonOption = False,
    keep: Annotated[Path | None, typer.Option(help="Leave the desk's folder here, to look into.")] = None,
    with_drills: Annotated[
        bool,
        typer.Option("--drills", help="Instead, practise stopping: a runaway loop, halt, kill, venues in trouble."),
    ] = False,
) -> None:
    """Trade a scripted minute on a paper exchange, kill the desk in the middle, and compare every book with the exchange's.

    With --drills it is practised how a desk is stopped: frozen, killed, its disk full, its screen blocked, its venue slow,
    half down, banning or down; each compared with the exchange's own records. Takes some minutes.

    Example: tradedesk selftest --drills
    """
    from tradedesk.config import find_home

    if with_drills:
        _drills(seed, as_json=as_json)
        return
    steps: list[str] = []
    found: list[str] = []

    def note(step: str) -> None:
        steps.append(step)
        if not as_json:
            typer.echo(f"  {step}", err=True)

    with TemporaryDirectory(prefix="tradedesk-selftest-") as folder:
        home = find_home({"TRADEDESK_HOME": str(keep or folder)})
        with paper_exchange(seed) as exchange:
            paper = exchange.described
            make_desk(home, paper, new_vault(home))
            rehearsal = Rehearsal(home, paper, seed, note)
            try:
                rehearsal.run()
                found = rehearsal.compare()
            except _Differs as error:
                found = [str(error)]
            finally:
                rehearsal.close()
    document = {
        "schema": "selftest.v1",
        "seed": seed,
        "is_ok": not found,
        "steps": steps,
        "figures": rehearsal.figures,
        "differences": found,
    }
    if as_json:
        show(document)
    else:
        for difference in found:
            typer.echo(difference, err=True)
        typer.echo(
            f"selftest, seed {seed}: {'the desk and the exchange agree' if not found else 'DIFFERENT'} {rehearsal.figures}"
        )
    if found:
        raise typer.Exit(FAILED)


def _drills(seed: int, *, as_json: bool) -> None:
    from tradedesk.cli.drills import DIFFERENT, all_drills

    def told(row: dict[str, Any]) -> None:
        if not as_json:
            typer.echo(f"  {row['drill']}: {row['outcome']}, {row['took_ms'] / 1000:.1f} s", err=True)

    rows = all_drills(seed, told)
    is_ok = all(row["outcome"] != DIFFERENT for row in rows)
    document = {"schema": "drills.v1", "seed": seed, "is_ok": is_ok, "drills": rows}
    if as_json:
        show(document)
    else:
        from tradedesk.cli.tables import print_table

        print_table(document, "drills")
    if not is_ok:
        raise typer.Exit(FAILED)


class Rehearsal:
    """The script: what a screen would submit, submitted through the same control, and what must come of it."""

    def __init__(self, home: "Home", paper: dict[str, Any], seed: int, note: Callable[[str], None]) -> None:
        self._home = home
        self._paper = paper
        self._chance = random.Random(seed)
        self._note = note
        self._desk: subprocess.Popen[bytes] | None = None
        self._control: RemoteControl | None = None
        self._watch: Watch | None = None
        self.figures: dict[str, int] = {}

    # -- the script -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        self._start("the desk is up, three accounts are ready")
        self._rest_amend_cancel()
        self._fill_in_part()
        self._fill_in_full()
        self._deny_and_alert()
        self._halt_and_rearm()
        self._trade_at_random()
        self._kill()
        self._start("the desk is killed and up again; nothing is unknown")
        self._trade_at_random()
        self._end_quietly()

    def _rest_amend_cancel(self) -> None:
        market = self._market("BTC/USDT")
        instrument = self._instrument("BTC/USDT")
        price = self._on_tick(market.bids[0][0] * Decimal("0.99"), instrument)
        placed = self._place("acme", instrument, "buy", Decimal("0.1"), price)
        self._expect("an order rests", placed, "New")
        amended = self._amend(placed, Decimal("0.05"), price + instrument.tick * 10)
        self._expect("the amended order rests in its place", amended, "New")
        self._expect("the order before the amend is gone", placed, "Canceled")
        self._cancel(amended)
        self._expect("it is cancelled", amended, "Canceled")

    def _fill_in_part(self) -> None:
        """An order larger than what is offered at its price: the rest stays on the book, for the halt to take."""
        for _ in range(PART_TRIES):
            symbol = min(("BTC/USDT", "ETH/USDT", "SOL/USDT"), key=self._offered)
            instrument, (price, offered) = self._instrument(symbol), self._market(symbol).asks[0]
            if price * offered < PART_NOTIONAL / 2:
                placed = self._place("birch", instrument, "buy", offered + PART_NOTIONAL / 2 / price, price)
                self._until("birch's order has its answer", lambda key=placed: self._state(key) in ANSWERED)  # type: ignore[misc]
                if self._state(placed) == "PartiallyFilled":
                    order = self._order(placed)
                    self._note(f"an order is filled in part: {order.cum_qty} of {order.order_qty} {instrument.base}")
                    return
                if not self._order(placed).is_dead:
                    self._cancel(placed)
            self._watch_for(0.2)  # the market moved on before the order came, or offers too much: look again
        raise _Differs(f"no order of birch was filled in part in {PART_TRIES} tries")

    def _offered(self, symbol: str) -> Decimal:
        """Quote units offered at the best price."""
        price, qty = self._market(symbol).asks[0]
        return price * qty

    def _fill_in_full(self) -> None:
        instrument = self._instrument("ETH/USDT")
        bought = self._place("cedar", instrument, "buy", Decimal("0.5"), None)
        self._expect("a market buy is filled", bought, "Filled")
        sold = self._place("cedar", instrument, "sell", Decimal("0.2"), None)
        self._expect("a market sell is filled", sold, "Filled")

    def _deny_and_alert(self) -> None:
        instrument = self._instrument("BTC/USDT")
        market = self._market("BTC/USDT")
        far = self._on_tick(market.asks[0][0] * 2, instrument)
        denied = [self._place("cedar", instrument, "buy", Decimal("0.01"), far) for _ in range(6)]
        self._expect("the Gate denies a price far off", denied[-1], "Denied")
        self._until(
            "so many denials raise a risk alert",
            lambda: any(row.alert.rule == "reject-burst" for row in self._replica.alerts.values()),
        )
        self._note("a risk alert is raised")

    def _halt_and_rearm(self) -> None:
        from tradedesk.domain.accounts import HaltLevel
        from tradedesk.domain.commands import HaltTrading, Rearm
        from tradedesk.domain.words import AccountId, OperatorId

        birch = AccountId("birch")
        operator = OperatorId("")
        self._submit(HaltTrading(account=birch, level=HaltLevel.CancelAll, reason="selftest", operator=operator))
        self._until(
            "the halt of birch leaves none of its orders",
            lambda: (
                birch in self._replica.halts
                and all(order.is_dead for order in self._replica.orders.values() if order.account == birch)
            ),
        )
        instrument = self._instrument("ETH/USDT")
        price = self._on_tick(self._market("ETH/USDT").bids[0][0], instrument)
        halted = self._place("birch", instrument, "buy", Decimal("0.1"), price)
        self._expect("a halted account is denied", halted, "Denied")
        self._submit(Rearm(account=birch, reason="selftest", operator=operator))
        self._until("birch is armed again", lambda: birch not in self._replica.halts)
        self._note("birch was halted, swept and rearmed")

    def _trade_at_random(self) -> None:
        """Orders of all kinds on all accounts, not waited for: some fill, some rest, some are refused, some are cancelled."""
        for _ in range(RANDOM_ORDERS):
            account = self._chance.choice(("acme", "birch", "cedar"))
            symbol, size = self._chance.choice((("BTC/USDT", "0.01"), ("ETH/USDT", "0.2"), ("SOL/USDT", "3")))
            instrument, market = self._instrument(symbol), self._market(symbol)
            side = self._chance.choice(("buy", "sell"))
            best = (market.asks if side == "buy" else market.bids)[0][0]
            offset = instrument.tick * self._chance.randint(-200, 50) * (1 if side == "buy" else -1)
            price = None if self._chance.random() < 0.3 else self._on_tick(best + offset, instrument)
            placed = self._place(account, instrument, side, Decimal(size) * self._chance.randint(1, 4), price)
            self._watch_for(0.05)
            if self._chance.random() < 0.3:
                self._cancel(placed)
        self._note(f"{RANDOM_ORDERS} orders at random")

    def _kill(self) -> None:
        """SIGKILL while orders are on their way."""
        assert self._desk is not None
        instrument, market = self._instrument("BTC/USDT"), self._market("BTC/USDT")
        for account in ("acme", "birch", "cedar"):
            for step in range(3):
                price = self._on_tick(market.bids[0][0] - instrument.tick * 100 * step, instrument)
                self._place(account, instrument, "buy", Decimal("0.01"), price)
        os.kill(self._desk.pid, signal.SIGKILL)
        self._desk.wait()
        self._hang_up()

    def _end_quietly(self) -> None:
        from tradedesk.domain.commands import CancelAll, Reconcile
        from tradedesk.domain.words import AccountId, OperatorId

        accounts = [AccountId(account["name"]) for account in self._paper["accounts"]]
        for account in accounts:
            self._submit(CancelAll(account=account, operator=OperatorId("")))
        self._until(
            "every order is closed and certain",
            lambda: all(order.is_dead and not order.is_uncertain for order in self._replica.orders.values()),
        )
        before = {account: self._replica.accounts[account].reconciled_at or 0 for account in accounts}
        for account in accounts:
            self._submit(Reconcile(account=account, operator=OperatorId("")))
        self._until(
            "every account is reconciled once more",
            lambda: all((self._replica.accounts[key].reconciled_at or 0) > before[key] for key in accounts),
        )

    def compare(self) -> list[str]:
        """The differences between the desk's books and the exchange's, in sentences."""
        import urllib.request

        from tradedesk.cli.comparison import differences
        from tradedesk.domain.words import AccountId

        found = []
        for account in self._paper["accounts"]:
            request = urllib.request.Request(  # noqa: S310  (our own admin door on loopback)
                f"{self._paper['admin']}/accounts/{account['name']}",
                headers={"Authorization": f"Bearer {self._paper['admin_token']}"},
            )
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                books = json.load(answer)
            found.extend(differences(self._replica, AccountId(account["name"]), books))
        self.figures = {"orders": len(self._replica.orders), "fills": len(self._replica.fills)}
        return found

    # -- the means ------------------------------------------------------------------------------------------------------

    def _start(self, step: str) -> None:
        from tradedesk.domain.orders import RequestState

        self._desk = start_desk(self._home)
        wait_until_ready(self._home, self._desk)
        from tradedesk.desk.client import RemoteControl

        self._watch = Watch(self._home)
        self._control = RemoteControl(self._home.control_socket, None)
        self._until(
            step,
            lambda: (
                bool(self._replica.accounts)
                and all(market.bids and market.asks for market in self._replica.markets.values())
                and len(self._replica.markets) >= 3
                and not any(
                    request.state in (RequestState.Pending, RequestState.Unknown)
                    for order in self._replica.orders.values()
                    for request in order.requests
                )
            ),
        )
        self._note(step)

    def _hang_up(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._watch is not None:
            self._watch.view.close()
        self._control = self._watch = None

    def close(self) -> None:
        self._hang_up()
        if self._desk is not None:
            self._desk.terminate()
            self._desk.wait()

    @property
    def _replica(self) -> "Replica":
        assert self._watch is not None
        return self._watch.replica

    def _submit(self, command: "Command") -> None:
        from tradedesk.domain.commands import NotSubmitted

        assert self._control is not None
        reply = self._control.submit(command)
        if isinstance(reply, NotSubmitted):
            raise _Differs(f"{type(command).__name__} was not taken: {reply.reason}")

    def _place(
        self, account: str, instrument: "Instrument", side: str, qty: Decimal, price: Decimal | None
    ) -> "ClientOrderId":
        from tradedesk.domain.commands import PlaceOrder
        from tradedesk.domain.words import AccountId, OperatorId, OrderType, Side

        assert self._watch is not None
        now = self._watch.clock.now()
        key = new_id(now)
        self._submit(
            PlaceOrder(
                account=AccountId(account),
                client_order_id=key,
                instrument=instrument.id,
                side=Side(side),
                order_type=OrderType.Market if price is None else OrderType.Limit,
                order_qty=self._on_lot(qty, instrument),
                price=price,
                confirm="the selftest's own accounts may meet",
                operator=OperatorId(""),
                deadline=now + DEADLINE_NS,
            )
        )
        return key

    def _amend(self, key: "ClientOrderId", qty: Decimal, price: Decimal) -> "ClientOrderId":
        from tradedesk.domain.commands import AmendOrder
        from tradedesk.domain.words import OperatorId

        assert self._watch is not None
        now = self._watch.clock.now()
        order, replacement = self._order(key), new_id(now)
        self._submit(
            AmendOrder(
                account=order.account,
                client_order_id=key,
                new_client_order_id=replacement,
                order_qty=qty,
                price=price,
                operator=OperatorId(""),
                deadline=now + DEADLINE_NS,
            )
        )
        return replacement

    def _cancel(self, key: "ClientOrderId") -> None:
        from tradedesk.domain.commands import CancelOrder
        from tradedesk.domain.words import OperatorId

        self._until(f"order {key} is known", lambda: key in self._replica.orders)
        order = self._order(key)
        if not order.is_dead:
            self._submit(CancelOrder(account=order.account, client_order_id=key, operator=OperatorId("")))

    def _expect(self, step: str, key: "ClientOrderId", state: str) -> None:
        self._until(step, lambda: self._state(key) == state)
        self._note(step)

    def _state(self, key: "ClientOrderId") -> str | None:
        from tradedesk.domain.orders import state

        order = self._replica.orders.get(key)
        return state(order).value if order is not None else None

    def _order(self, key: "ClientOrderId") -> "Order":
        return self._replica.orders[key]

    def _until(self, step: str, happened: Callable[[], bool]) -> None:
        assert self._watch is not None
        if not self._watch.until(happened, STEP_S):
            states = ", ".join(
                f"{order.account} {order.client_order_id} {self._state(order.client_order_id)} {'; '.join(order.reasons)}"
                for order in list(self._replica.orders.values())[-6:]
            )
            raise _Differs(f"did not happen within {STEP_S:.0f} s: {step}. The newest orders: {states or 'none'}")

    def _watch_for(self, seconds: float) -> None:
        assert self._watch is not None
        self._watch.until(lambda: False, seconds)

    def _instrument(self, symbol: str) -> "Instrument":
        return next(item for item in self._replica.instruments.values() if item.symbol == symbol)

    def _market(self, symbol: str) -> "MarketRow":
        instrument = self._instrument(symbol)
        self._until(
            f"{symbol} has two sides",
            lambda: bool(self._replica.market(instrument.id).bids and self._replica.market(instrument.id).asks),
        )
        return self._replica.market(instrument.id)

    @staticmethod
    def _on_tick(price: Decimal, instrument: "Instrument") -> Decimal:
        return price // instrument.tick * instrument.tick

    @staticmethod
    def _on_lot(qty: Decimal, instrument: "Instrument") -> Decimal:
        return qty // instrument.lot * instrument.lot
