"""Limits changed on a running desk: the next order goes by them, a restart keeps them, and raising one takes two."""

import itertools
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from faulty_desk import ACME, BTC, ME, FaultyDesk, faulty_desk
from paper_process import has_loopback_range

from tradedesk.clock import SystemClock
from tradedesk.config import Settings
from tradedesk.desk.limit_book import at_start
from tradedesk.domain import events as ev
from tradedesk.domain.commands import PlaceOrder, SetLimits, Submitted, Verdict
from tradedesk.domain.limits import effective
from tradedesk.domain.orders import OrderState
from tradedesk.domain.words import ClientOrderId, OrderType, RequestId, Side

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")

_numbers = itertools.count(1)


def by_two(settings: Settings) -> Settings:
    """Raising a limit takes a second person."""
    desk = msgspec.structs.replace(settings.desk, approvals=("raise-limits",))
    return msgspec.structs.replace(settings, desk=desk)


def a_cap(value: str) -> SetLimits:
    return SetLimits(
        account=ACME, instrument=BTC, figure="max_order_qty", value=value, reason="thin market", operator=ME
    )


def checked(desk: FaultyDesk, qty: str, price: Decimal) -> Verdict:
    """What acme's own worker says its Gate would say to a buy."""
    request = RequestId(f"check-{next(_numbers)}")
    desk.control.preview(
        PlaceOrder(
            account=ACME, client_order_id=ClientOrderId(request), instrument=BTC, side=Side.Buy,
            order_type=OrderType.Limit, order_qty=Decimal(qty), price=price, operator=ME,
            deadline=SystemClock().now() + 10**10,
        ),
        request,
    )  # fmt: skip
    desk.until(lambda: request in desk.view.previews, "the worker answers")
    return desk.view.previews[request].verdict


def orders_recorded(desk: FaultyDesk) -> int:
    kinds = (ev.OrderPlaced, ev.RequestMade, ev.RequestDecided)
    return sum(isinstance(event, kinds) for event in desk.desk._store.replay())


def test_a_limit_set_live_holds_from_the_next_order_on_and_is_raised_by_two(tmp_path: Path) -> None:
    with faulty_desk(tmp_path, change=by_two) as desk:
        price = (desk.bid() * Decimal("0.98")).quantize(Decimal("0.01"))
        desk.until_order(desk.place(Side.Buy, "0.01", price), OrderState.New)

        assert desk.control.submit(a_cap("0.005")) == Submitted()
        desk.until(
            lambda: "set by" in desk.view.replica.accounts[ACME].account.limits.sources[f"{BTC} max_order_qty"],
            "acme is listed anew",
        )
        denied = desk.place(Side.Buy, "0.01", price)
        assert "above the limit 0.005" in desk.denials(denied)
        assert denied not in {
            row["client_order_id"] for row in desk.paper.requests(path="/api/v3/order", method="POST")
        }

        recorded = orders_recorded(desk)
        sent = len(desk.paper.requests(path="/api/v3/order", method="POST"))
        verdict = checked(desk, "0.01", price)
        rows = {answer.rule: answer for answer in verdict.answers}
        cap = rows["max_order_qty"]
        assert (cap.passes, cap.value, cap.limit) == (False, "0.01", "0.005")
        assert "set by" in cap.source
        assert cap.source in cap.text
        assert rows["max_order_notional"].passes
        assert rows["max_order_notional"].source
        assert verdict.denials == (cap.text,)
        assert all(answer.passes for answer in checked(desk, "0.004", price).answers)
        assert len(desk.paper.requests(path="/api/v3/order", method="POST")) == sent
        assert orders_recorded(desk) == recorded

        mark = desk.mark()
        soon = msgspec.structs.replace(a_cap("0.002"), until=SystemClock().now() + 2 * 10**9)
        assert desk.control.submit(soon) == Submitted()
        desk.until(lambda: desk.since(mark, ev.LimitExceptionEnded), "the exception has ended by itself")
        desk.until_order(desk.place(Side.Buy, "0.004", price), OrderState.New)

        mark = desk.mark()
        raised = desk.control.submit(a_cap("0.02"))
        assert isinstance(raised, Submitted)
        assert raised.approval is not None
        assert "above the limit 0.005" in desk.denials(desk.place(Side.Buy, "0.01", price))
        assert desk.since(mark, ev.LimitsSet) == []

        journal = list(desk.desk._store.replay())
        recorded = [event for event in journal if isinstance(event, ev.LimitsSet)]
        assert [(event.value, event.reason) for event in recorded] == [
            ("0.005", "thin market"),
            ("0.002", "thin market"),
        ]
        assert [event.value for event in journal if isinstance(event, ev.LimitExceptionEnded)] == ["0.002"]
        book, told = at_start(desk.desk._limits.book.file, recorded[:1])
        found = effective(book.settings().accounts[ACME].limits, BTC)
        assert found is not None
        assert found.max_order_qty == Decimal("0.005")
        assert len(told) == 1
