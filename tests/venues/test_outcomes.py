"""No proof, no conclusion (5.2): what a venue may say or leave unsaid, and what the desk may take from it."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from decimal import Decimal

import ccxt
import msgspec
import pytest
import pytest_asyncio
from aiohttp import web
from builders import an_instrument, an_order
from ccxt.base import errors as ccxt_errors
from scripted_venue import (
    KEY,
    SECRET,
    Behaviour,
    ScriptedVenue,
    a_cancel_answer,
    a_ticket,
    adapter_at,
    an_amend_answer,
    an_answer,
    approved,
    cuts,
    hangs,
    in_place,
    refuses,
    says,
    says_text,
    scripted_venue,
    tears,
)

from tradedesk.clock import SystemClock
from tradedesk.domain.orders import OrdStatus
from tradedesk.domain.outcomes import Acknowledged, NotSent, Refused, ReplaceOutcome, Unproven
from tradedesk.domain.words import ClientOrderId, OrderType, TimeInForce, VenueOrderId
from tradedesk.log import Record, subscribe
from tradedesk.venues.adapter import VenueFailed
from tradedesk.venues.outcomes import PROOF_OF_REFUSAL, Asked
from tradedesk.venues.questions import venue_clock
from tradedesk.venues.spot_adapter import SpotAdapter

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one venue and one adapter for all: making them costs most
EVERY_CCXT_ERROR = sorted(
    (error for error in vars(ccxt_errors).values() if isinstance(error, type) and issubclass(error, ccxt.BaseError)),
    key=lambda error: error.__name__,
)

PROVES_NOTHING: dict[str, Behaviour] = {
    "the connection is cut after receipt (F02)": cuts,
    "half a body (F03)": tears,
    "an empty 200 (F04)": says_text(200, "", "application/json"),
    "an empty object": says(200, {}),
    "a list": says(200, []),
    "null": says(200, None),
    "HTML with 200": says_text(200, "<html>busy</html>"),
    "JSON that breaks off": says_text(200, '{"symbol": "BTCUSDT"', "application/json"),
    "nesting without end (F85)": says_text(200, "[" * 100_000, "application/json"),
    "numbers that are no decimals (F84)": says(200, an_answer(origQty="NaN")),
    "numbers that went through a float": says(200, an_answer(origQty=1.0)),
    "500": says_text(500, "oops"),
    "502 with HTML (F05)": says_text(502, "<html>bad gateway</html>"),
    "503 with a code that would be proof": refuses(-1013, "Filter failure: LOT_SIZE", 503),
    "403 of a firewall (F05)": says_text(403, "<html>forbidden</html>"),
    "403 with a code that would be proof": refuses(-1013, "Filter failure: LOT_SIZE", 403),
    "404": says_text(404, "not found"),
    "200 with a code": says(200, {"code": -1013, "msg": "Filter failure: LOT_SIZE"}),
    "-1000 (F19)": refuses(-1000, "An unknown error occurred while processing the request."),
    "-1001": refuses(-1001, "Internal error; unable to process your request. Please try again."),
    "-1006 (F19)": refuses(-1006, "An unexpected response was received from the message bus. Execution status unknown."),
    "-1007 (F19)": refuses(-1007, "Timeout waiting for response from backend server. Send status unknown.", 408),
    "-1007 with 400": refuses(-1007, "Timeout waiting for response from backend server."),
    "-1008": refuses(-1008, "Server is currently overloaded with other requests.", 503),
    "-1008 with 400": refuses(-1008, "Server is currently overloaded with other requests."),
    "duplicate order (F20)": refuses(-2010, "Duplicate order sent."),
    "a -2010 nobody has seen": refuses(-2010, "The moon is in the wrong house."),
    "a code nobody has seen": refuses(-9999, "Whatever."),
    "a code that is no number": says(400, {"code": "-1013", "msg": "Filter failure: LOT_SIZE"}),
    "an answer about another client order id (F04)": says(200, an_answer(clientOrderId="c9")),
    "about another instrument": says(200, an_answer(symbol="ETHUSDT")),
    "about the other side": says(200, an_answer(side="SELL")),
    "about another quantity": says(200, an_answer(origQty="2.00000000")),
    "about another price": says(200, an_answer(price="60001.00000000")),
    "without a client order id": says(200, {k: v for k, v in an_answer().items() if k != "clientOrderId"}),
    "with a status nobody has seen": says(200, an_answer(status="SUSPENDED")),
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_venue() -> AsyncIterator[ScriptedVenue]:
    async with scripted_venue() as venue:
        yield venue


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def adapter(shared_venue: ScriptedVenue) -> AsyncIterator[SpotAdapter]:
    async with adapter_at(shared_venue.url) as adapter:
        yield adapter


@pytest.fixture
def venue(shared_venue: ScriptedVenue) -> ScriptedVenue:
    """The venue, with nothing seen yet."""
    shared_venue.seen.clear()
    return shared_venue


@pytest.mark.parametrize("behaviour", PROVES_NOTHING.values(), ids=PROVES_NOTHING.keys())
async def test_what_proves_nothing_leaves_a_placed_order_unproven_and_is_sent_once(
    venue: ScriptedVenue, adapter: SpotAdapter, behaviour: Behaviour
) -> None:
    """5.2, F01-F05, F19, F20"""
    venue.behaviour = behaviour
    answer = await adapter.place(approved())
    assert isinstance(answer, Unproven)
    assert "http" not in answer.cause.lower().replace("http status", "")
    assert len(venue.seen) == 1


@pytest.mark.parametrize("behaviour", PROVES_NOTHING.values(), ids=PROVES_NOTHING.keys())
async def test_what_proves_nothing_leaves_a_cancel_and_a_replace_unproven(
    venue: ScriptedVenue, adapter: SpotAdapter, behaviour: Behaviour
) -> None:
    """5.2: a cancel that is cut on a warm connection reaches the venue once (F07)."""
    venue.behaviour = behaviour
    assert isinstance(await adapter.cancel(a_ticket()), Unproven)
    assert isinstance(await adapter.replace(approved(an_order(client_order_id="c2"), an_order())), Unproven)
    assert isinstance(await adapter.replace(in_place()), Unproven)
    assert (await adapter.query(an_order(), an_instrument())).failed is not None
    assert [row[0] for row in venue.seen] == ["DELETE", "POST", "PUT", "GET"]
    with pytest.raises(VenueFailed):
        await adapter.venue_state(None)


async def test_an_answer_that_comes_too_late_is_unproven(venue: ScriptedVenue) -> None:
    """F06"""
    venue.behaviour = hangs
    async with adapter_at(venue.url, timeout_ms=100) as adapter:
        answer = await adapter.place(approved())
    assert isinstance(answer, Unproven)
    assert len(venue.seen) == 1


@pytest.mark.parametrize("error", EVERY_CCXT_ERROR, ids=lambda error: error.__name__)
async def test_no_class_of_ccxt_is_a_proof(
    venue: ScriptedVenue, adapter: SpotAdapter, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """5.2: whatever ccxt raises once the request has left."""
    fetch = adapter._exchange.fetch

    async def sends_and_raises(*arguments: object) -> None:
        await fetch(*arguments)
        raise error(f"binance POST http://127.0.0.1/api/v3/order?signature={SECRET}")

    monkeypatch.setattr(adapter._exchange, "fetch", sends_and_raises)
    venue.behaviour = says(200, an_answer())
    for answer in (
        await adapter.place(approved()),
        await adapter.cancel(a_ticket()),
        await adapter.replace(approved(an_order(client_order_id="c2"), an_order())),
    ):
        assert isinstance(answer, Unproven)
        assert SECRET not in answer.cause


@pytest.mark.parametrize(("code", "text"), sorted(PROOF_OF_REFUSAL[Asked.Place], key=str))
async def test_each_proof_of_the_table_refuses_a_placed_order(
    venue: ScriptedVenue, adapter: SpotAdapter, code: int, text: str | None
) -> None:
    venue.behaviour = refuses(code, text or "Whatever.", 401 if code in (-2014, -2015) else 400)
    answer = await adapter.place(approved())
    assert isinstance(answer, Refused)
    assert (answer.code, answer.text) == (code, text or "Whatever.")
    assert answer.is_auth is (code in (-1002, -1022, -2008, -2014, -2015))


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-2038, "Unknown order sent."),
        (-2038, "Order amend (quantity increase) is not supported."),
        (-2013, "Order does not exist."),
        (-1013, "Filter failure: LOT_SIZE"),
        (-1021, "Timestamp for this request is outside of the recvWindow."),
    ],
)
async def test_what_refuses_an_amend_in_place(venue: ScriptedVenue, adapter: SpotAdapter, code: int, text: str) -> None:
    """F24"""
    venue.behaviour = refuses(code, text)
    answer = await adapter.replace(in_place())
    assert isinstance(answer, Refused)
    assert (answer.code, answer.text) == (code, text)


async def test_what_refuses_an_amend_proves_nothing_of_an_order_that_is_placed(
    venue: ScriptedVenue, adapter: SpotAdapter
) -> None:
    for code in (-2038, -2013, -2026, -2039):
        venue.behaviour = refuses(code, "Whatever.")
        assert isinstance(await adapter.place(approved()), Unproven)


async def test_an_amend_sends_the_present_client_id_as_the_new_one_and_checks_the_answer(
    venue: ScriptedVenue, adapter: SpotAdapter
) -> None:
    """F24"""
    venue.behaviour = says(200, an_amend_answer())
    answer = await adapter.replace(in_place())
    assert isinstance(answer, Acknowledged)
    assert answer.report is not None
    assert (answer.report.client_order_id, answer.report.renamed_from) == ("c1", None)
    assert answer.report.order_qty == Decimal("0.4")
    sent = venue.seen[-1][2]
    assert (sent["origClientOrderId"], sent["newClientOrderId"], sent["newQty"]) == ("c1", "c1", "0.4")
    venue.behaviour = says(200, an_amend_answer(clientOrderId="random-7"))
    answer = await adapter.replace(in_place())
    assert isinstance(answer, Acknowledged)
    assert answer.report is not None
    assert (answer.report.client_order_id, answer.report.renamed_from) == ("random-7", "c1")


@pytest.mark.parametrize(
    "changes",
    [{"origClientOrderId": "c9"}, {"symbol": "ETHUSDT"}, {"side": "SELL"}, {"price": "1.00000000"}, {"qty": "0.3"}],
)
async def test_an_amend_answered_for_another_order_proves_nothing(
    venue: ScriptedVenue, adapter: SpotAdapter, changes: dict[str, object]
) -> None:
    """F04"""
    venue.behaviour = says(200, an_amend_answer(**changes))
    assert isinstance(await adapter.replace(in_place()), Unproven)


async def test_an_order_under_another_client_id_is_named_by_that_one(
    venue: ScriptedVenue, adapter: SpotAdapter
) -> None:
    """F24: what the venue would not know any more is not asked for"""
    order = msgspec.structs.replace(an_order(), known_as=ClientOrderId("x9"))
    venue.behaviour = says(200, a_cancel_answer(origClientOrderId="x9"))
    assert isinstance(await adapter.cancel(a_ticket(order)), Acknowledged)
    venue.behaviour = says(200, an_answer(clientOrderId="x9"))
    answer = await adapter.query(order, an_instrument())
    assert answer.failed is None
    assert [parameters["origClientOrderId"] for _, _, parameters in venue.seen] == ["x9", "x9"]


async def test_an_order_that_is_gone_under_our_id_is_asked_for_by_the_venues_own(
    venue: ScriptedVenue, adapter: SpotAdapter
) -> None:
    """F24: amended without our knowing, it has a random client id"""
    order = msgspec.structs.replace(an_order(), venue_order_id=VenueOrderId("28"))

    async def renamed(request: web.Request) -> web.StreamResponse:
        known = request.query.get("orderId") == "28"
        behaviour = says(200, an_answer(clientOrderId="random-7")) if known else refuses(-2013, "Order does not exist.")
        return await behaviour(request)

    venue.behaviour = renamed
    answer = await adapter.query(order, an_instrument())
    assert answer.report is not None
    assert (answer.report.client_order_id, answer.report.renamed_from) == ("random-7", "c1")


async def test_an_archived_order_ended_without_a_fill(venue: ScriptedVenue, adapter: SpotAdapter) -> None:
    """-2026: after a restored backup an order may be asked about that ended long ago"""
    venue.behaviour = refuses(
        -2026, "Order was canceled or expired with no executed qty over 90 days ago and has been archived."
    )
    answer = await adapter.query(an_order(), an_instrument())
    assert answer.report is not None
    assert (answer.report.ord_status, answer.report.cum_qty) == (OrdStatus.Canceled, Decimal(0))


async def test_thin_answers_prove_that_the_order_was_there_and_no_more(
    venue: ScriptedVenue, adapter: SpotAdapter
) -> None:
    """DESIGN 6: ids alone"""
    ids = {"symbol": "BTCUSDT", "orderId": 28, "clientOrderId": "c1"}
    venue.behaviour = says(200, ids)
    placed = await adapter.place(approved())
    assert isinstance(placed, Acknowledged)
    assert placed.report is not None
    assert placed.report.ord_status is None
    asked = await adapter.query(an_order(), an_instrument())
    assert asked.report is not None
    assert asked.report.ord_status is None
    venue.behaviour = says(200, ids | {"origClientOrderId": "c1", "clientOrderId": "cancel-9"})
    cancelled = await adapter.cancel(a_ticket())
    assert isinstance(cancelled, Acknowledged)
    assert cancelled.report is None


async def test_an_unknown_order_refuses_a_cancel_and_says_no_more(venue: ScriptedVenue, adapter: SpotAdapter) -> None:
    """F07"""
    venue.behaviour = refuses(-2011, "Unknown order sent.")
    assert isinstance(await adapter.cancel(a_ticket()), Refused)
    assert isinstance(await adapter.place(approved()), Unproven)  # of an order it would prove nothing


async def test_an_order_that_does_not_exist_is_an_answer_to_a_query_only(
    venue: ScriptedVenue, adapter: SpotAdapter
) -> None:
    venue.behaviour = refuses(-2013, "Order does not exist.")
    answer = await adapter.query(an_order(), an_instrument())
    assert (answer.report, answer.failed) == (None, None)
    venue.behaviour = refuses(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    assert (await adapter.query(an_order(), an_instrument())).failed is not None


async def test_an_acknowledgement_names_our_order_and_brings_its_fills(
    venue: ScriptedVenue, adapter: SpotAdapter
) -> None:
    fill = {"price": "59990.5", "qty": "0.4", "commission": "0.0004", "commissionAsset": "BTC", "tradeId": 77}
    venue.behaviour = says(200, an_answer(status="PARTIALLY_FILLED", executedQty="0.4", fills=[fill]))
    answer = await adapter.place(approved())
    assert isinstance(answer, Acknowledged)
    assert answer.report is not None
    assert (answer.report.ord_status, answer.report.cum_qty) == (OrdStatus.PartiallyFilled, Decimal("0.4"))
    (only,) = answer.fills
    assert (only.trade_id, only.last_px, only.last_qty) == ("77", Decimal("59990.5"), Decimal("0.4"))
    assert only.fee is not None
    assert (only.fee.amount, only.fee.currency) == (Decimal("0.0004"), "BTC")


async def test_an_absent_field_does_not_count_against_an_answer(venue: ScriptedVenue, adapter: SpotAdapter) -> None:
    """5.2: the ACK form has neither side nor quantity."""
    short = ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")
    venue.behaviour = says(200, {name: an_answer()[name] for name in short})
    assert isinstance(await adapter.place(approved()), Acknowledged)


async def test_both_legs_of_a_replace_are_reported_each_with_its_own_proof(
    venue: ScriptedVenue, adapter: SpotAdapter
) -> None:
    """F23"""
    new = an_order(client_order_id="c2", price="60001")
    done, refused = (
        an_answer(clientOrderId="c2", price="60001"),
        {"code": -2010, "msg": "Order would immediately match and take."},
    )

    async def replaced(status: int, body: object) -> ReplaceOutcome:
        venue.behaviour = says(status, body)
        outcome = await adapter.replace(approved(new, an_order()))
        assert isinstance(outcome, ReplaceOutcome)
        return outcome

    both = await replaced(
        200,
        {
            "cancelResult": "SUCCESS",
            "newOrderResult": "SUCCESS",
            "cancelResponse": a_cancel_answer(),
            "newOrderResponse": done,
        },
    )
    assert isinstance(both.cancel, Acknowledged)
    assert isinstance(both.new, Acknowledged)
    half = await replaced(
        409,
        {
            "code": -2021,
            "msg": "Order cancel-replace partially failed.",
            "data": {
                "cancelResult": "SUCCESS",
                "newOrderResult": "FAILURE",
                "cancelResponse": a_cancel_answer(),
                "newOrderResponse": refused,
            },
        },
    )
    assert isinstance(half.cancel, Acknowledged)
    assert isinstance(half.new, Refused)
    none = await replaced(
        400,
        {
            "code": -2022,
            "msg": "Order cancel-replace failed.",
            "data": {
                "cancelResult": "FAILURE",
                "newOrderResult": "NOT_ATTEMPTED",
                "cancelResponse": {"code": -2011, "msg": "Unknown order sent."},
                "newOrderResponse": None,
            },
        },
    )
    assert isinstance(none.cancel, Refused)
    assert none.new is None
    doubtful = await replaced(
        409,
        {
            "code": -2021,
            "msg": "Order cancel-replace partially failed.",
            "data": {
                "cancelResult": "SUCCESS",
                "newOrderResult": "FAILURE",
                "cancelResponse": a_cancel_answer(origClientOrderId="c7"),
                "newOrderResponse": {"code": -2010, "msg": "Duplicate order sent."},
            },
        },
    )
    assert isinstance(doubtful.cancel, Unproven)
    assert isinstance(doubtful.new, Unproven)
    whole = await replaced(400, {"code": -1013, "msg": "Filter failure: NOTIONAL"})
    assert isinstance(whole.cancel, Refused)
    assert whole.new is None


async def test_what_the_venue_echoes_is_scrubbed_and_cleaned(venue: ScriptedVenue, adapter: SpotAdapter) -> None:
    """5.6, 5.14: the key and the secret are in nothing that leaves the adapter, nor in the log."""
    logged: list[Record] = []
    unsubscribe = subscribe(logged.append)
    venue.behaviour = refuses(-1022, f"bad \x1b[2J signature of {KEY} by {SECRET}")
    answer = await adapter.place(approved())
    assert isinstance(answer, Refused)
    assert answer.text == "bad [2J signature of <redacted> by <redacted>"
    venue.behaviour = cuts
    with pytest.raises(VenueFailed) as failed:
        await adapter.venue_state(None)
    assert failed.value.__context__ is None
    assert failed.value.__cause__ is None
    unsubscribe()
    everything = repr(failed.value) + repr(answer) + repr(logged)
    assert not re.search(f"{KEY}|{SECRET}|signature=", everything)


async def test_a_redirect_is_not_followed_and_proves_nothing(venue: ScriptedVenue, adapter: SpotAdapter) -> None:
    """F08: not one byte elsewhere."""
    async with scripted_venue() as elsewhere:
        venue.behaviour = says(307, {}, {"Location": f"{elsewhere.url}/api/v3/order"})
        assert isinstance(await adapter.place(approved()), Unproven)
        assert isinstance(await adapter.cancel(a_ticket()), Unproven)
        assert elsewhere.seen == []


async def test_nothing_leaves_when_the_last_check_objects(venue: ScriptedVenue) -> None:
    """5.5: looked at in the task that writes the bytes, with the connection open."""
    async with adapter_at(venue.url, last_check=lambda approved: "the account is halted") as adapter:
        answer = await adapter.place(approved())
        assert answer == NotSent(request_id=approved().request_id, reason="the account is halted")
        assert isinstance(await adapter.replace(approved(an_order(client_order_id="c2"), an_order())), NotSent)
        assert venue.seen == []
        venue.behaviour = says(200, a_cancel_answer())
        assert isinstance(await adapter.cancel(a_ticket()), Acknowledged)  # cancels always pass


async def test_a_venue_that_cannot_be_reached_had_nothing_sent_to_it() -> None:
    async with contextlib.AsyncExitStack() as stack:
        running = contextlib.AsyncExitStack()
        venue = await running.enter_async_context(scripted_venue())
        adapter = await stack.enter_async_context(adapter_at(venue.url))
        await running.aclose()
        await adapter.place(approved())  # on the warm connection: what became of it, nobody can say
        answer = await adapter.place(approved())
        assert isinstance(answer, NotSent)
        assert isinstance(await adapter.cancel(a_ticket()), Unproven)


async def test_what_would_not_go_out_exactly_is_not_sent(venue: ScriptedVenue, adapter: SpotAdapter) -> None:
    """5.10, F84"""
    for order in (
        an_order(qty="0.000001"),
        an_order(price="60000.001"),
        an_order(price="-1"),
        an_order(qty="-1"),
        an_order(qty="0"),
    ):
        assert isinstance(await adapter.place(approved(order)), NotSent)
    assert venue.seen == []


async def test_a_library_that_changes_a_number_sends_nothing(
    venue: ScriptedVenue, adapter: SpotAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F84: what is about to leave is compared with the order."""
    urlencode = adapter._exchange.urlencode
    for name, value in (
        ("price", "60000.01"), ("quantity", "2"), ("side", "SELL"), ("symbol", "ETHUSDT"), ("newClientOrderId", "x"),
    ):  # fmt: skip
        monkeypatch.setattr(adapter._exchange, "urlencode", lambda p, n=name, v=value: urlencode(p | {n: v}))
        answer = await adapter.place(approved())
        assert isinstance(answer, NotSent)
        assert name in answer.reason
    assert venue.seen == []


async def test_each_kind_of_order_is_sent_in_the_venues_words(venue: ScriptedVenue, adapter: SpotAdapter) -> None:
    replace = msgspec.structs.replace
    venue.behaviour = refuses(-1013, "Filter failure: NOTIONAL")
    for order in (
        an_order(),
        replace(an_order(), time_in_force=TimeInForce.FillOrKill),
        replace(an_order(), post_only=True),
        replace(an_order(price=None), order_type=OrderType.Market),
    ):
        await adapter.place(approved(order))
    kept = ("type", "timeInForce", "price", "quantity", "side", "newClientOrderId", "recvWindow")
    assert [tuple(row[2].get(name) for name in kept) for row in venue.seen] == [
        ("LIMIT", "GTC", "60000", "1", "BUY", "c1", "3000"),
        ("LIMIT", "FOK", "60000", "1", "BUY", "c1", "3000"),
        ("LIMIT_MAKER", None, "60000", "1", "BUY", "c1", "3000"),
        ("MARKET", None, None, "1", "BUY", "c1", "3000"),
    ]


async def test_a_refused_time_stamp_stands_and_the_clock_is_measured_before_the_next_order(
    venue: ScriptedVenue, adapter: SpotAdapter
) -> None:
    """F57: no automatic retry."""
    adapter._exchange.set_clock_offset(-60_000)
    venue.behaviour = refuses(-1021, "Timestamp for this request is outside of the recvWindow.")
    assert isinstance(await adapter.place(approved()), Refused)
    venue.behaviour = says(200, an_answer())
    assert isinstance(await adapter.place(approved()), Acknowledged)
    first, second = (int(row[2]["timestamp"]) for row in venue.seen)
    assert second - first > 59_000


async def test_concurrent_requests_do_not_hear_each_others_answers(venue: ScriptedVenue, adapter: SpotAdapter) -> None:
    """CCXT.md: `last_http_response` is shared; ours is not."""

    async def by_order(request: object) -> object:
        client_order_id = venue.seen[-1][2]["newClientOrderId"]
        await asyncio.sleep(0)
        text = f"Filter failure: {client_order_id}"
        return await refuses(-1013, text)(request)  # type: ignore[arg-type]

    venue.behaviour = by_order  # type: ignore[assignment]
    answers = await asyncio.gather(*(adapter.place(approved(an_order(client_order_id=f"c{n}"))) for n in range(20)))
    assert [answer.text for answer in answers if isinstance(answer, Refused)] == [
        f"Filter failure: c{n}" for n in range(20)
    ]


async def test_F57_a_clock_told_too_slowly_is_not_believed(adapter: SpotAdapter) -> None:
    """A venue that hung for a minute over the question would be put half a minute off."""

    class Hung(SystemClock):
        def __init__(self) -> None:
            self.calls = 0

        def monotonic(self) -> int:
            self.calls += 1
            return self.calls * 60 * 10**9

    assert (await venue_clock(adapter._exchange, Hung())).offset_ms is None
    found = await venue_clock(adapter._exchange, SystemClock())
    assert found.offset_ms is not None
    assert abs(found.offset_ms) < 1_000
