"""Limits changed on a running desk: the next order goes by them, a restart keeps them, and raising one takes two."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from faulty_desk import ACME, BTC, ME, faulty_desk
from paper_process import has_loopback_range

from tradedesk.config import Settings
from tradedesk.desk.limit_book import at_start
from tradedesk.domain import events as ev
from tradedesk.domain.commands import SetLimits, Submitted
from tradedesk.domain.limits import effective
from tradedesk.domain.orders import OrderState
from tradedesk.domain.words import Side

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")


def by_two(settings: Settings) -> Settings:
    """Raising a limit takes a second person."""
    desk = msgspec.structs.replace(settings.desk, approvals=("raise-limits",))
    return msgspec.structs.replace(settings, desk=desk)


def a_cap(value: str) -> SetLimits:
    return SetLimits(
        account=ACME, instrument=BTC, figure="max_order_qty", value=value, reason="thin market", operator=ME
    )


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

        mark = desk.mark()
        raised = desk.control.submit(a_cap("0.02"))
        assert isinstance(raised, Submitted)
        assert raised.approval is not None
        assert "above the limit 0.005" in desk.denials(desk.place(Side.Buy, "0.01", price))
        assert desk.since(mark, ev.LimitsSet) == []

        journal = list(desk.desk._store.replay())
        recorded = [event for event in journal if isinstance(event, ev.LimitsSet)]
        assert [(event.value, event.reason) for event in recorded] == [("0.005", "thin market")]
        book, told = at_start(desk.desk._limits.book.file, recorded)
        found = effective(book.settings().accounts[ACME].limits, BTC)
        assert found is not None
        assert found.max_order_qty == Decimal("0.005")
        assert len(told) == 1
