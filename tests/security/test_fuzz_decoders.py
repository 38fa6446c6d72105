"""F84, F85: whatever comes, every decoder at the boundary gives a value that can be kept, or its one documented error."""

import asyncio
import contextlib
import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from builders import an_instrument, an_order
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradedesk.desk import wire
from tradedesk.domain.words import AccountId, ClientOrderId, VenueId
from tradedesk.redaction import Echoes
from tradedesk.venues import spot, spot_feed, spot_key, spot_ledger, spot_prices
from tradedesk.venues.answers import MAX_DEPTH, Digits, Unread, read_json
from tradedesk.venues.ccxt_binance import about_limits
from tradedesk.venues.outcomes import spoken
from tradedesk.venues.spot import Unreadable
from tradedesk.venues.unified_feed import _decimal, _printed
from tradedesk.views.feed import update_decoder

VENUE, ACME, C1 = VenueId("binance"), AccountId("acme"), ClientOrderId("c1")
NUMBERS = (
    "1e999999", "1E5", "NaN", "nan", "Infinity", "-Infinity", "1_0", "١", "１", "+1", "--1", "-1", " 1", "1 ", "0x10", "01", ".5",
    "5.", "1.5.5", "", "-", "0", "-0", "0.0000000000000000001", "9" * 19, "9" * 5000, "1\x00", "\ud800", "0.1",
)  # fmt: skip
TEXTS = ("", "\x1b]52;c;eA==\x07", "[@click=app.quit]x[/]", "\u202eevil", "\u200b", "a\nforged", "\ud800", "x" * 5000)
KINDS = (
    "NEW", "FILLED", "TRADE", "CANCELED", "REPLACED", "EXPIRED_IN_MATCH", "BUY", "SELL", "PRICE_FILTER", "null", "TRADING",
)  # fmt: skip

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 2**31, 2**53, 2**63, 2**64, -(2**63), 10**18, 10**19 - 1])
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(NUMBERS + TEXTS + KINDS)
    | st.sampled_from(NUMBERS[:3]).map(Digits),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcestxSXr") | st.text(max_size=3), inner)
    ),
    max_leaves=6,
)

ORDER = {
    "symbol": "BTCUSDT", "orderId": 28, "orderListId": -1, "clientOrderId": "c1", "transactTime": 1507725176595,
    "price": "1.00000000", "origQty": "10.00000000", "executedQty": "10.00000000", "status": "FILLED", "side": "SELL",
    "origClientOrderId": "c0", "time": 1507725176595, "updateTime": 1507725176595,
    "fills": [{"price": "4000.0", "qty": "1.0", "commission": "4.0", "commissionAsset": "USDT", "tradeId": 56}],
}  # fmt: skip
TRADE = {
    "symbol": "BNBBTC", "id": 28457, "orderId": 100234, "price": "4.0", "qty": "12.0", "commission": "10.1",
    "commissionAsset": "BNB", "time": 1499865549590, "isBuyer": True, "isMaker": False,
}  # fmt: skip
AMENDED = {
    "transactTime": 1741926410255,
    "amendedOrder": {
        "symbol": "BTCUSDT", "orderId": 33, "origClientOrderId": "c1", "clientOrderId": "c2", "price": "5.0", "qty": "5.0",
        "executedQty": "0.0", "status": "NEW", "side": "BUY",
    },
}  # fmt: skip
ACCOUNT = {"balances": [{"asset": "BTC", "free": "4723846.89208129", "locked": "0.00000000"}]}
SYMBOL = {
    "symbol": "ETHBTC", "status": "TRADING", "baseAsset": "ETH", "quoteAsset": "BTC", "baseAssetPrecision": 8,
    "quotePrecision": 8, "amendAllowed": True,
    "filters": [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "9000"},
        {"filterType": "NOTIONAL", "minNotional": "5"},
    ],
}  # fmt: skip
REPORT = {
    "e": "executionReport", "E": 1499405658658, "s": "ETHBTC", "c": "c1", "S": "BUY", "q": "1.0", "p": "0.1", "C": "",
    "x": "TRADE", "X": "NEW", "r": "NONE", "i": 4293153, "l": "0.5", "z": "0.5", "L": "0.1", "n": "0", "N": "BTC",
    "T": 1499405658657, "t": 7, "m": False,
}  # fmt: skip
POSITION = {"e": "outboundAccountPosition", "E": 1564034571105, "B": [{"a": "ETH", "f": "10000.0", "l": "0.0"}]}
DEPTH = {"e": "depthUpdate", "E": 5, "s": "X", "U": 11, "u": 12, "b": [["100.5", "1.25"]], "a": [["101", "0"]]}
PRINT = {"e": "trade", "E": 5, "s": "X", "t": 7, "p": "100.5", "q": "0.5", "T": 4, "m": True}
KLINE = {"e": "kline", "E": 5, "k": {"t": 60000, "o": "100", "h": "102", "l": "99", "c": "101", "v": "3"}}
RIGHTS = {
    "enableReading": True, "enableSpotAndMarginTrading": True, "enableWithdrawals": False, "enableInternalTransfer": False,
    "permitsUniversalTransfer": False, "ipRestrict": True, "tradingAuthorityExpirationTime": 1628985600000,
}  # fmt: skip

READERS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "order": (ORDER, lambda row: spot.read_order(row, VENUE)),
    "cancelled": (ORDER, lambda row: spot.read_order(row, VENUE, is_cancel=True)),
    "fills of an answer": (ORDER, lambda row: spot.read_answer_fills(row, an_order())),
    "amended": (AMENDED, lambda row: spot.read_amended(row, VENUE)),
    "trade": (TRADE, lambda row: spot.read_trade(row, VENUE, ACME, C1)),
    "balances": (ACCOUNT, spot.read_balances),
    "instrument": (SYMBOL, lambda row: spot.read_instrument(row, VENUE)),
    "execution report": (REPORT, lambda row: spot.read_execution_report(row, VENUE, ACME)),
    "account position": (POSITION, spot.read_account_position),
    "depth": (DEPTH, lambda row: spot_feed.read_public(row, an_instrument())),
    "print": (PRINT, lambda row: spot_feed.read_public(row, an_instrument())),
    "kline": (KLINE, lambda row: spot_feed.read_public(row, an_instrument())),
    "key": (RIGHTS, spot_key.read_rights),
    "error": ({"code": -1013, "msg": "no"}, lambda row: spoken(400, row)),
    "limit": (
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 50},
        lambda row: spot_prices.announced(row) if isinstance(row, dict) else None,
    ),
}
NEEDS_AN_OBJECT = ("execution report", "account position", "depth", "print", "kline")  # `hear` has looked already


@st.composite
def mutations(draw: st.DrawFn, row: Any) -> Any:
    """The row with some of its values replaced, removed, or wrapped; anywhere in it."""
    changed = copy.deepcopy(row)
    places = list(_places(changed))
    for holder, key in draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)):
        if key == "e":
            continue
        if isinstance(holder, dict) and draw(st.booleans()) and draw(st.booleans()):
            holder.pop(key, None)
        else:
            holder[key] = draw(junk)
    return changed


def _places(value: Any) -> Any:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


MANY = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.mark.parametrize("name", READERS)
@MANY
@given(data=st.data())
def test_F84_a_reader_gives_what_can_be_kept_or_refuses(name: str, data: st.DataObject) -> None:
    row, read = READERS[name]
    anything = mutations(row) if name in NEEDS_AN_OBJECT else mutations(row) | junk
    given_row = data.draw(anything)
    found = value_or_refusal(lambda: read(given_row))
    msgspec.json.decode(msgspec.json.encode(found))  # as the journal and the stream will
    assert_clean(msgspec.to_builtins(found))


@pytest.mark.parametrize("name", READERS)
def test_the_documented_form_is_read(name: str) -> None:
    row, read = READERS[name]
    assert read(row) is not None


def value_or_refusal(read: Callable[[], Any]) -> Any:
    """What is read; of a refusal its text, which must be fit to show. Any other error goes on."""
    try:
        return read()
    except (Unreadable, Unread) as refused:
        return str(refused)


def assert_clean(value: Any) -> None:
    match value:
        case str():
            assert value.isprintable(), repr(value)
            assert len(value) <= 600
        case dict():
            for inner in value.values():
                assert_clean(inner)
        case list() | tuple():
            for inner in value:
                assert_clean(inner)


LEDGER = {
    "sapiGetCapitalDepositHisrec": [{"coin": "USDT", "amount": "1.5", "id": "d1", "insertTime": 1, "status": 1}],
    "sapiGetCapitalWithdrawHistory": [
        {
            "coin": "BTC",
            "amount": "1",
            "transactionFee": "0.1",
            "id": "w1",
            "applyTime": "2026-11-24 12:00:00",
            "status": 6,
        }
    ],
    "sapiGetAssetTransfer": {
        "rows": [{"asset": "BTC", "amount": "1", "tranId": 5, "timestamp": 1, "status": "CONFIRMED"}]
    },
    "sapiGetAssetAssetDividend": {"rows": [{"asset": "BTC", "amount": "1", "id": 5, "divTime": 1, "enInfo": "x"}]},
    "sapiGetMarginInterestHistory": {
        "rows": [{"asset": "BTC", "interest": Digits("1e-8"), "txId": 5, "interestAccuredTime": 1}]
    },
}


class Wallet:
    """Answers every question of the ledger with what it was given."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers

    async def call(self, method: str, *_: Any, **__: Any) -> Any:
        return self._answers[method]


def movements(answers: dict[str, Any]) -> Any:
    return asyncio.run(spot_ledger.movements(Wallet(answers), ACME, 0, 1))  # type: ignore[arg-type]


def test_the_documented_ledger_is_read() -> None:
    assert len(movements(LEDGER)) >= 5


@MANY
@given(data=st.data())
def test_F84_the_ledger_is_read_or_refused(data: st.DataObject) -> None:
    method = data.draw(st.sampled_from(sorted(LEDGER)))
    answers = LEDGER | {method: data.draw(mutations(LEDGER[method]) | junk)}
    found = value_or_refusal(lambda: movements(answers))
    msgspec.json.encode(found)
    assert_clean(msgspec.to_builtins(found))


def test_a_ledger_without_an_end_is_not_read_for_ever() -> None:
    endless = {"rows": [LEDGER["sapiGetAssetTransfer"]["rows"][0]] * spot_ledger.TRANSFER_PAGE}  # type: ignore[call-overload]
    with pytest.raises(Unreadable, match="no end"):
        movements(LEDGER | {"sapiGetAssetTransfer": endless})


# ---- bytes --------------------------------------------------------------------------------------------------------------


@MANY
@given(st.text() | st.sampled_from(NUMBERS).map(lambda number: f'{{"a": {number}}}'))
def test_F84_any_text_is_a_value_or_unread(text: str) -> None:
    found = value_or_refusal(lambda: read_json(text))
    assert not _has_float(found)


def _has_float(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, float) or any(map(_has_float, inner))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested too deeply"),
        ('{"a":' * 900 + "1" + "}" * 900, "nested too deeply"),
        ('{"orderId": 1, "orderId": 2}', "twice"),
        ('{"a": [{"b": 1, "b": 1}]}', "twice"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "is no number"),
        ('{"a": 1_0}', "no JSON"),
        ('{"a": ١}', "no JSON"),
        ('{"a": ' + "9" * 5_000 + "}", "too many digits"),
        ("<html>please log in</html>", "no JSON"),
        ("", "no JSON"),
        ('{"a": 1}{"b": 2}', "no JSON"),
    ],
)
def test_F85_what_no_honest_venue_sends_is_not_read(text: str, why: str) -> None:
    with pytest.raises(Unread, match=why):
        read_json(text)


def test_F84_a_number_stays_what_was_written() -> None:
    assert read_json('{"a": 0.1000000000000000055511151231257827, "b": 1e999999, "c": -12}') == {
        "a": Digits("0.1000000000000000055511151231257827"),
        "b": Digits("1e999999"),
        "c": -12,
    }
    assert read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None


@MANY
@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12)) | junk)
def test_headers_of_any_kind_say_something_about_limits_or_nothing(headers: Any) -> None:
    if isinstance(headers, dict):
        assert all(name.startswith(("x-", "retry-after")) for name in about_limits(headers))


@MANY
@given(junk)
def test_what_a_unified_feed_takes_for_a_number_is_one(value: Any) -> None:
    number = _decimal(value)
    assert number is None or len(format(number, "f")) < 80
    trade = {"price": value, "amount": "1", "id": value, "timestamp": 5}
    printed = _printed(an_instrument().id, trade)
    assert printed is None or msgspec.json.encode(printed)


@MANY
@given(junk)
def test_echoes_leave_any_answer_in_its_form(value: Any) -> None:
    scrubbed = Echoes(("CANARYkeyA1b2C3d4",)).scrub_all(value)
    assert type(scrubbed) is type(value)


# ---- the desk's own sockets ---------------------------------------------------------------------------------------------

SAID = (
    b'{"type":"hello","operator":"ann"}',
    b'{"type":"submit","command":{"type":"CancelAll"}}',
    msgspec.json.encode({"type": "Numbered", "number": 1, "event": {"type": "Heartbeat", "at": 1, "source": "desk"}}),
    msgspec.json.encode({"type": "Lost", "since": 1, "reason": "x"}),
)


@pytest.mark.parametrize(
    "decoder", [wire.ask_decoder, wire.reply_decoder, update_decoder], ids=["control", "reply", "stream"]
)
@MANY
@given(data=st.data())
def test_any_line_of_a_socket_is_a_message_or_an_error_of_msgspec(decoder: Any, data: st.DataObject) -> None:
    line = bytearray(data.draw(st.binary(max_size=200) | st.sampled_from(SAID)))
    for place, byte in data.draw(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=4)):
        if place < len(line):
            line[place] = byte
    with contextlib.suppress(ValueError):  # msgspec's own, or of a value that its type refuses; readers catch both
        decoder.decode(bytes(line))


@pytest.mark.parametrize("decoder", [wire.ask_decoder, wire.reply_decoder, update_decoder])
def test_deep_nesting_on_a_socket_is_an_error_of_msgspec(decoder: Any) -> None:
    for line in (b"[" * 1_000_000, b'{"type":"submit","command":' + b'{"a":' * 500_000):
        with pytest.raises((ValueError, RecursionError)):
            decoder.decode(line)
