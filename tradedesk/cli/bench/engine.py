"""Matching: the book alone, and the exchange with filters, balances and events, beside the least a book can cost."""

import random
import time
from bisect import insort
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from tradedesk.cli.bench import median, row

if TYPE_CHECKING:
    from tradedesk.paper.exchange import Exchange
    from tradedesk.paper.rows import NewOrder

OPERATIONS = 22_000  # 60 % passive, 25 % aggressive, 15 % cancel
ORDERS = 5_000

T = TypeVar("T")
Operation = tuple[str, bool, int, int]  # kind, is_buy, price in ticks, quantity in lots


def measured(rounds: int) -> list[dict[str, Any]]:
    limit, book, exchange = [], [], []
    for number in range(rounds):
        flow = _flow(number)
        limit.append(OPERATIONS / _cpu(_limit, flow))
        book.append(OPERATIONS / _cpu(_book, flow))
        exchange.append(ORDERS / _cpu(_exchange, (_ready(), _orders(number))))
    bare = "bare dict, deque and bisect"
    return [
        row(bare, median(limit), "operations per CPU second"),
        row(
            "matching book", median(book), "operations per CPU second", beside=bare, ratio=median(book) / median(limit)
        ),
        row("exchange: checked, matched, booked, told", median(exchange), "orders per CPU second"),
    ]


def _cpu(work: Callable[[T], None], given: T) -> float:
    """CPU seconds that the work takes."""
    started = time.process_time()
    work(given)
    return time.process_time() - started


def _flow(seed: int) -> list[Operation]:
    chance = random.Random(seed)
    flow: list[Operation] = []
    for _ in range(OPERATIONS):
        kind = chance.choices(("rest", "take", "cancel"), (60, 25, 15))[0]
        is_buy = chance.random() < 0.5
        away = chance.randint(1, 50)
        flow.append((kind, is_buy, 10_000 + (-away if is_buy else away), chance.randint(1, 20)))
    return flow


def _limit(flow: list[Operation]) -> None:
    """The least that keeps price-time priority: integers, one queue a price, no ids but the order's place."""
    levels: tuple[dict[int, deque[list[int]]], dict[int, deque[list[int]]]] = ({}, {})
    prices: tuple[list[int], list[int]] = ([], [])
    resting: list[list[int]] = []
    for kind, is_buy, price, qty in flow:
        if kind == "rest":
            side, key = (0, -price) if is_buy else (1, price)
            queue = levels[side].get(key)
            if queue is None:
                queue = levels[side][key] = deque()
                insort(prices[side], key)
            order = [qty]
            queue.append(order)
            resting.append(order)
        elif kind == "take":
            side, wanted = 1 if is_buy else 0, qty
            while wanted and prices[side]:
                queue = levels[side][prices[side][0]]
                while wanted and queue:
                    taken = min(wanted, queue[0][0])
                    wanted -= taken
                    queue[0][0] -= taken
                    if not queue[0][0]:
                        queue.popleft()
                if not queue:
                    del levels[side][prices[side].pop(0)]
        elif resting:
            resting[qty * 997 % len(resting)][0] = 0


def _book(flow: list[Operation]) -> None:
    from tradedesk.paper.book import Book

    book = Book(1)
    ids: list[int] = []
    for number, (kind, is_buy, price, qty) in enumerate(flow):
        if kind == "rest":
            book.rest(number, is_buy, price, qty)
            ids.append(number)
        elif kind == "take":
            book.match(is_buy, None, qty)
        elif ids:
            book.withdraw(ids[qty * 997 % len(ids)])


def _orders(seed: int) -> list[tuple[str, "NewOrder"]]:
    """(account, order): limits around one price, a good part of which trade."""
    from tradedesk.paper.rows import Kind, NewOrder

    chance = random.Random(seed)
    orders = []
    for _ in range(ORDERS):
        is_buy = chance.random() < 0.5
        price = Decimal(60_000 + (chance.randint(-40, 10) if is_buy else chance.randint(-10, 40)))
        order = NewOrder(
            symbol="BTCUSDT",
            side="BUY" if is_buy else "SELL",
            kind=Kind.LIMIT,
            quantity=Decimal(chance.randint(1, 40)) / 100,
            price=price,
            time_in_force="GTC",
        )
        orders.append((chance.choice("ab"), order))
    return orders


def _ready() -> "Exchange":
    """One instrument, two rich accounts, nobody else. At the usual limit most orders would be refused for their number."""
    from msgspec.structs import replace

    from tradedesk.paper.exchange import Exchange
    from tradedesk.paper.market import Quiet
    from tradedesk.paper.rows import AccountSpec
    from tradedesk.paper.synthetic import default_specs

    rich = {"USDT": Decimal(10**9), "BTC": Decimal(10**5)}
    accounts = [AccountSpec(name=name, balances=rich, maker=Decimal("0.001"), taker=Decimal("0.001")) for name in "ab"]
    return Exchange([replace(default_specs()[0], max_orders=ORDERS)], accounts, Quiet(), now=10**18)


def _exchange(given: tuple["Exchange", list[tuple[str, "NewOrder"]]]) -> None:
    exchange, orders = given
    for number, (account, order) in enumerate(orders):
        exchange.place(account, order, 10**18 + number * 1_000_000)  # a Refusal would be a bug of the measurement
        exchange.drain()
