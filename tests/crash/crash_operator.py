"""A seeded operator on the control socket: orders of all kinds, amends, cancels, halts. It knows what it asked for, no more."""

from decimal import Decimal
from random import Random

from exchange_books import Exchange

from tradedesk.desk.client import RemoteControl
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.commands import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    Command,
    HaltTrading,
    PlaceOrder,
    Rearm,
    Reconcile,
    Submitted,
)
from tradedesk.domain.words import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    OperatorId,
    OrderType,
    Side,
    TimeInForce,
    client_order_id,
)

DEADLINE_NS = 10 * 10**9
SIZES = {"BTCUSDT": "0.002", "ETHUSDT": "0.05", "SOLUSDT": "1"}  # small: no limit of an account is to end the trading
ME = OperatorId("")
CENT = Decimal("0.01")  # a multiple of every tick


class Operator:
    """Acts at random, from its seed; `now` (ns) is handed in, as an order id tells it."""

    def __init__(self, chance: Random, exchange: Exchange) -> None:
        self._chance = chance
        self._exchange = exchange
        self.asked: dict[ClientOrderId, AccountId] = {}  # every order id it ever gave out
        self.halted: set[AccountId] = set()
        self._prices = exchange.prices()

    def resting(self, now: int, account: str = "acme") -> PlaceOrder:
        """A small bid two per cent below the market."""
        bid, _ = self._prices["ETHUSDT"]
        return PlaceOrder(
            account=AccountId(account),
            client_order_id=self._new_id(AccountId(account), now),
            instrument=InstrumentId("binance:ETHUSDT"),
            side=Side.Buy,
            order_type=OrderType.Limit,
            order_qty=Decimal(SIZES["ETHUSDT"]),
            price=(bid * Decimal("0.98")).quantize(CENT),
            operator=ME,
            deadline=now + DEADLINE_NS,
        )

    def look(self) -> None:
        """See where the markets are."""
        self._prices = self._exchange.prices()

    def act(self, control: RemoteControl, now: int) -> None:
        """Submit one command; what becomes of it is the desk's to tell, and a killed desk tells nothing."""
        account = AccountId(self._chance.choice(self._exchange.names))
        command = self._chance.choices(
            (self._place, self._amend, self._cancel, self._cancel_all, self._reconcile, self._halt),
            (60, 12, 20, 2, 3, 2),
        )[0](account, now)
        control.submit(command)

    def rearm(self, control: RemoteControl) -> bool:
        """End every halt of its own; whether the desk took all of it."""
        for account in sorted(self.halted):
            if isinstance(control.submit(Rearm(account=account, reason="drill over", operator=ME)), Submitted):
                self.halted.discard(account)
        return not self.halted

    def _new_id(self, account: AccountId, now: int) -> ClientOrderId:
        key = client_order_id(now, self._chance.getrandbits(40))
        self.asked[key] = account
        return key

    def _place(self, account: AccountId, now: int) -> Command:
        symbol = self._chance.choice(sorted(SIZES))
        side = self._chance.choice((Side.Buy, Side.Sell))
        bid, ask = self._prices[symbol]
        is_market = self._chance.random() < 0.15
        away = Decimal(self._chance.randint(-15, 60)) / 10_000  # some cross the spread, most rest
        price = bid * (1 - away) if side is Side.Buy else ask * (1 + away)
        return PlaceOrder(
            account=account,
            client_order_id=self._new_id(account, now),
            instrument=InstrumentId(f"binance:{symbol}"),
            side=side,
            order_type=OrderType.Market if is_market else OrderType.Limit,
            time_in_force=self._chance.choices((TimeInForce.GoodTillCancel, TimeInForce.ImmediateOrCancel), (9, 1))[0]
            if not is_market
            else TimeInForce.GoodTillCancel,
            order_qty=Decimal(SIZES[symbol]) * self._chance.randint(1, 5),
            price=None if is_market else price.quantize(CENT),
            operator=ME,
            deadline=now + DEADLINE_NS,
        )

    def _some_order(self, account: AccountId) -> ClientOrderId | None:
        mine = [key for key, owner in self.asked.items() if owner == account][-12:]
        return self._chance.choice(mine) if mine else None

    def _amend(self, account: AccountId, now: int) -> Command:
        old = self._some_order(account)
        if old is None:
            return self._place(account, now)
        bid, _ = self._prices[
            "ETHUSDT"
        ]  # whatever the order's market: a price out of its collar is denied, which is fair
        return AmendOrder(
            account=account,
            client_order_id=old,
            new_client_order_id=self._new_id(account, now),
            order_qty=Decimal(SIZES["ETHUSDT"]) * self._chance.randint(2, 8),
            price=(bid * Decimal(self._chance.choice(("0.99", "0.995", "1.001")))).quantize(CENT),
            operator=ME,
            deadline=now + DEADLINE_NS,
        )

    def _cancel(self, account: AccountId, now: int) -> Command:
        old = self._some_order(account)
        if old is None:
            return self._place(account, now)
        return CancelOrder(account=account, client_order_id=old, operator=ME)

    def _cancel_all(self, account: AccountId, now: int) -> Command:
        return CancelAll(account=account, operator=ME)

    def _reconcile(self, account: AccountId, now: int) -> Command:
        return Reconcile(account=account, operator=ME)

    def _halt(self, account: AccountId, now: int) -> Command:
        self.halted.add(account)
        level = self._chance.choice((HaltLevel.CancelOpening, HaltLevel.CancelAll, HaltLevel.BlockNew))
        return HaltTrading(account=account, level=level, reason="drill", operator=ME)


def troubles(chance: Random, names: list[str], prices: dict[str, tuple[Decimal, Decimal]]) -> list[dict[str, object]]:
    """What goes wrong in one life of the desk: requests, answers, events, connections, other software, money that moves."""
    found: list[dict[str, object]] = []
    for _ in range(chance.randint(1, 4)):
        account = chance.choice(names)
        method = chance.choice(("place", "place", "cancel", "replace", "query", "trades", "open_orders"))
        event = chance.choice(("executionReport", "executionReport.TRADE", "outboundAccountPosition"))
        request = {"account": account, "method": method, "count": chance.randint(1, 4), "chance": 0.7}
        report = {"account": account, "event": event, "count": chance.randint(1, 4), "chance": 0.7}
        symbol = chance.choice(sorted(SIZES))
        quantity = str(Decimal(SIZES[symbol]) * chance.randint(1, 3))
        bid, ask = prices[symbol]
        side = chance.choice(("BUY", "SELL"))
        resting = bid * Decimal("0.995") if side == "BUY" else ask * Decimal("1.005")
        foreign: dict[str, object] = {
            "kind": "ext", "what": "order", "account": account, "instrument": symbol, "side": side, "quantity": quantity,
        }  # fmt: skip
        found.append(
            chance.choice(
                (
                    {"kind": "lose", "end": chance.choice(("hang", "close", "reset")), **request},
                    {"kind": "mute", "end": chance.choice(("hang", "close", "reset")), **request},
                    {"kind": "late", "seconds": chance.choice((0.3, 1.0, 3.0)), **request},
                    {"kind": "stall", "seconds": chance.choice((0.3, 1.0, 2.5)), **request},
                    {"kind": "cut", **request},
                    {"kind": "torn", **request},
                    {"kind": "thin", **request},
                    {"kind": "did", "answer": chance.choice((-1007, -1006, 502)), **request},
                    {"kind": "say", "answer": chance.choice((-1007, -1001, 503, "html")), **request},
                    {"kind": "drop", **report},
                    {"kind": "dup", **report},
                    {"kind": "hold", "seconds": chance.choice((0.2, 1.0, 2.0)), **report},
                    {"kind": "swap", **report},
                    {"kind": "disconnect", "account": account},
                    foreign,
                    {**foreign, "price": str(resting.quantize(CENT))},
                    {
                        "kind": "move",
                        "account": account,
                        "asset": "USDT",
                        "amount": str(chance.randint(1, 900)),
                        "type": "DEPOSIT",
                    },
                )
            )
        )
    return found
