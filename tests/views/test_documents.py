"""The JSON objects that scripts rely on: their names, their numbers, and what they say when something is not known."""

import json
from decimal import Decimal

import msgspec
import pytest
from builders import BTCUSDT, NOW, a_fill, a_request, an_instrument, an_order

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, AccountState, HaltLevel, Mode
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.instruments import FeedState
from tradedesk.domain.limits import InstrumentLimits, Limits
from tradedesk.domain.orders import OrdStatus, RequestKind, RequestState
from tradedesk.domain.positions import Balance
from tradedesk.domain.profile import SeenProfile
from tradedesk.domain.words import AccountId, OperatorId, VenueId
from tradedesk.views.documents import (
    alerts_document,
    fills_document,
    orders_document,
    positions_document,
    status_document,
)
from tradedesk.views.replica import Replica

ACME = AccountId("acme")
LIMITS = Limits(
    max_order_notional=Decimal(50_000),
    instruments={BTCUSDT: InstrumentLimits(max_position=Decimal("1.50"))},
)


def an_account(name: str = "acme", limits: Limits = LIMITS) -> Account:
    return Account(
        id=AccountId(name),
        venue=VenueId("binance"),
        owner=name,
        groups=("all",),
        mode=Mode.Paper,
        egress="127.0.0.2",
        secret=name,
        limits=limits,
    )


def a_replica(*events: ev.Event) -> Replica:
    """A desk with one instrument and one ready account, after `events`."""
    replica = Replica()
    for event in (
        ev.DeskStarted(at=NOW, source="desk", desk="main", version="0.1.0", pid=42, reporting_currency="USDT"),
        ev.InstrumentListed(at=NOW, source="desk", instrument=an_instrument()),
        ev.AccountListed(at=NOW, source="desk", account=an_account()),
        ev.AccountChanged(at=NOW, source="worker:acme", account=ACME, state=AccountState.Ready),
        *events,
    ):
        replica.apply(event)
    return replica


def placed(order) -> ev.OrderPlaced:
    return ev.OrderPlaced(at=NOW, source="worker:acme", order=order)


def test_an_order_has_the_documented_fields_and_its_numbers_are_strings():
    order = msgspec.structs.replace(
        an_order(OrdStatus.PartiallyFilled, qty="1.500", cum_qty="0.50", requests=(a_request(),)), block="b1"
    )
    document = orders_document(a_replica(placed(order)))
    assert document["schema"] == "orders.v1"
    (row,) = document["orders"]
    assert row == {
        "account": "acme",
        "client_order_id": "c1",
        "venue_order_id": None,
        "instrument": "BTC/USDT",
        "instrument_id": "binance:BTCUSDT",
        "side": "buy",
        "order_type": "limit",
        "time_in_force": "gtc",
        "post_only": False,
        "reduce_only": False,
        "order_qty": "1.5",
        "price": "60000",
        "cum_qty": "0.5",
        "leaves_qty": "1",
        "avg_px": "60000",
        "state": "PartiallyFilled",
        "ord_status": "PartiallyFilled",
        "is_uncertain": False,
        "is_external": False,
        "reasons": [],
        "requests": [
            {
                "request_id": "r1",
                "kind": "new",
                "state": "Pending",
                "reasons": [],
                "operator": "desk1",
                "replaced_by": None,
                "by": None,
                "order_qty": None,
                "price": None,
                "made_at": "2025-11-24T16:00:00.000000Z",
                "made_at_ns": NOW,
            }
        ],
        "replaces": None,
        "replaced_by": None,
        "known_as": None,
        "triggered_by": None,
        "operator": "desk1",
        "block": "b1",
        "confirm": None,
        "egress": "127.0.0.2",
        "placed_at": "2025-11-24T16:00:00.000000Z",
        "placed_at_ns": NOW,
        "updated_at": "2025-11-24T16:00:00.000000Z",
        "updated_at_ns": NOW,
    }


def test_the_state_of_an_order_is_derived_and_its_doubt_is_said():
    unknown = an_order(OrdStatus.New, requests=(a_request(RequestKind.Cancel, RequestState.Unknown),))
    (row,) = orders_document(a_replica(placed(unknown)))["orders"]
    assert (row["state"], row["ord_status"], row["is_uncertain"]) == ("PendingCancel", "New", True)


def test_a_market_order_has_no_price_and_an_unfilled_one_no_average():
    (row,) = orders_document(a_replica(placed(an_order(price=None))))["orders"]
    assert (row["price"], row["avg_px"]) == (None, None)


@pytest.mark.parametrize("instrument", ["BTC/USDT", "binance:BTCUSDT"])
def test_rows_can_be_chosen_by_account_and_instrument(instrument):
    replica = a_replica(
        placed(an_order(client_order_id="c1")),
        placed(an_order(client_order_id="c2", account="zeta")),
        ev.OrderFilled(at=NOW, source="worker:acme", fill=a_fill()),
    )
    assert len(orders_document(replica)["orders"]) == 2
    assert [row["client_order_id"] for row in orders_document(replica, "zeta")["orders"]] == ["c2"]
    for document, rows in (
        (orders_document(replica, "acme", instrument), "orders"),
        (positions_document(replica, "acme", instrument), "positions"),
        (fills_document(replica, "acme", instrument), "fills"),
    ):
        assert len(document[rows]) == 1
    assert orders_document(replica, None, "ETH/USDT")["orders"] == []


def test_a_position_shows_its_figures_and_null_where_there_is_no_price():
    bought = ev.OrderFilled(at=NOW, source="worker:acme", fill=a_fill("2", "100", fee="0.2"))
    (row,) = positions_document(a_replica(bought))["positions"]
    assert (row["qty"], row["avg_px"], row["cost"], row["fees"]) == ("2", "100", "200", "0.2")
    assert (row["mark"], row["unrealized"], row["net"]) == (None, None, None)
    (row,) = positions_document(a_replica(bought, a_book("109", "111")))["positions"]
    assert (row["mark"], row["notional"], row["unrealized"], row["net"]) == ("110", "220", "20", "19.8")


def a_book(bid: str, ask: str) -> ev.BookFrame:
    return ev.BookFrame(
        at=NOW,
        source="feed:binance",
        instrument=BTCUSDT,
        bids=((Decimal(bid), Decimal(1)),),
        asks=((Decimal(ask), Decimal(1)),),
        received_at=NOW,
        state=FeedState.Live,
    )


def test_a_fill_shows_its_fee_or_that_it_is_not_known():
    known = ev.OrderFilled(at=NOW, source="s", fill=a_fill(fee="-0.10", trade_id="1"))
    unknown = ev.OrderFilled(at=NOW, source="s", fill=a_fill(fee=None, trade_id="2"))
    rows = fills_document(a_replica(known, unknown))["fills"]
    assert [row["fee"] for row in rows] == [{"amount": "-0.1", "currency": "USDT"}, None]
    assert rows[0]["transact_time_ns"] == NOW


def test_an_alert_shows_how_often_it_came_and_who_took_it():
    alert = Alert(
        key="drawdown:acme", rule="drawdown", severity=Severity.Critical, account=ACME, text="down 9 %", at=NOW
    )
    raised = ev.AlertRaised(at=NOW, source="system:risk", alert=alert)
    taken = ev.AlertAcknowledged(at=NOW, source="desk", key=alert.key, by=OperatorId("desk1"), note="seen")
    replica = a_replica(raised, raised, taken)
    (row,) = alerts_document(replica)["alerts"]
    assert (row["count"], row["acknowledged_by"], row["note"], row["is_active"]) == (2, "desk1", "seen", True)
    assert alerts_document(replica, "zeta")["alerts"] == []
    assert status_document(replica, NOW)["alerts"] == {"active": 1, "unacknowledged": 0}


def test_status_tells_how_an_account_stands():
    document = status_document(
        a_replica(
            a_book("109", "111"),
            ev.OrderFilled(at=NOW, source="s", fill=a_fill("2", "100", fee="0.2")),
            ev.BalancesRead(
                at=NOW,
                source="s",
                account=ACME,
                balances=(
                    Balance(asset="USDT", free=Decimal("800.50"), locked=Decimal(0)),
                    Balance(asset="BTC", free=Decimal(2), locked=Decimal(0)),
                    Balance(asset="XYZ", free=Decimal(1), locked=Decimal(0)),
                ),
                is_complete=True,
            ),
            ev.AccountHealth(
                at=NOW,
                source="s",
                account=ACME,
                is_stream_up=True,
                stream_age_ms=12,
                ack_ms=Decimal("1.25"),
                clock_offset_ms=-3,
                mailbox=0,
                exit_seen="127.0.0.2",
            ),
            ev.Reconciled(at=NOW, source="s", account=ACME, differences=("a fill was missing: repaired",)),
        ),
        NOW + 2_500_000_000,
    )
    assert document["schema"] == "status.v1"
    assert document["desk"]["name"] == "main"
    assert document["desk"]["pid"] == 42
    (market,) = document["markets"]
    assert (market["instrument"], market["state"], market["age_ms"]) == ("BTC/USDT", "live", 2500)
    (acme,) = document["accounts"]
    assert (acme["account"], acme["state"], acme["egress"], acme["exit_seen"]) == (
        "acme",
        "Ready",
        "127.0.0.2",
        "127.0.0.2",
    )
    assert (acme["uid"], acme["master"], acme["stp_group"]) == (None, None, None)
    assert acme["exit"] == {
        "in_use": "127.0.0.2", "standby": None, "seen": None, "how": None, "problem": None, "proved_at": None,
        "proved_at_ns": None, "age_ms": None,
    }  # fmt: skip
    assert acme["balances"][0] == {"asset": "USDT", "free": "800.5", "locked": "0", "total": "800.5"}
    assert acme["stream"] == {"is_up": True, "age_ms": 12}
    assert acme["latency"] == {"ack_ms": "1.25", "clock_offset_ms": -3}
    assert acme["halt"] is None
    assert acme["limits"]["max_order_notional"] == "50000"
    assert acme["limits"]["max_position_notional"] == "500000"
    assert acme["limits"]["max_open_orders"] == 50
    assert acme["limits"]["instruments"] == {"BTC/USDT": {"max_position": "1.5"}}
    assert acme["pnl"] == {
        "currency": "USDT",
        "equity": "1020.5",
        "exposure": "220",
        "realized": "0",
        "unrealized": "20",
        "fees": "0.2",
        "income": "0",
        "net": "19.8",
        "open_orders": 0,
        "unvalued": ["XYZ"],
    }
    assert acme["reconciled_at"] == "2025-11-24T16:00:00.000000Z"
    assert acme["differences"] == ["a fill was missing: repaired"]
    assert acme["worklist"] == []


def a_halt(account: str | None, reason: str = "drill") -> ev.HaltSet:
    return ev.HaltSet(
        at=NOW,
        source="desk",
        account=None if account is None else AccountId(account),
        level=HaltLevel.CancelOpening,
        by=OperatorId("desk1"),
        reason=reason,
    )


def test_a_halted_account_says_so_unless_something_worse_keeps_it_from_trading():
    """5.5"""
    (acme,) = status_document(a_replica(a_halt("acme")), NOW)["accounts"]
    assert (acme["state"], acme["reason"]) == ("Halted", "drill")
    assert acme["halt"] == {
        "account": "acme",
        "scope": "account",
        "name": "acme",
        "level": "cancel-opening",
        "by": "desk1",
        "reason": "drill",
        "at": "2025-11-24T16:00:00.000000Z",
        "at_ns": NOW,
    }
    blocked = ev.AccountChanged(at=NOW, source="s", account=ACME, state=AccountState.Blocked, reason="bad key")
    (acme,) = status_document(a_replica(a_halt("acme"), blocked), NOW)["accounts"]
    assert (acme["state"], acme["reason"], acme["halt"]["level"]) == ("Blocked", "bad key", "cancel-opening")


def test_a_halt_of_the_desk_halts_every_account_and_stands_at_the_desk():
    document = status_document(a_replica(a_halt(None, "fire")), NOW)
    assert document["halt"]["reason"] == "fire"
    assert document["accounts"][0]["state"] == "Halted"
    assert document["accounts"][0]["halt"]["account"] is None


def test_an_account_without_limits_has_null_there():
    replica = a_replica(ev.AccountListed(at=NOW, source="desk", account=an_account("zeta", Limits())))
    assert status_document(replica, NOW)["accounts"][1]["limits"] is None


def test_a_desk_that_has_said_nothing_yet_gives_documents_of_nulls():
    document = status_document(Replica(), NOW)
    assert (document["desk"], document["halt"], document["accounts"]) == (None, None, [])
    known_first = Replica()
    known_first.apply(ev.AccountListed(at=NOW, source="desk", account=an_account()))
    (acme,) = status_document(known_first, NOW)["accounts"]
    assert (acme["pnl"], acme["reconciled_at"], acme["exit_seen"]) == (None, None, None)


def test_every_document_is_plain_json():
    replica = a_replica(
        placed(an_order(requests=(a_request(),))),
        ev.OrderFilled(at=NOW, source="s", fill=a_fill()),
        a_halt("acme"),
        a_book("1", "2"),
    )
    for document in (
        status_document(replica, NOW),
        orders_document(replica),
        positions_document(replica),
        fills_document(replica),
        alerts_document(replica),
    ):
        assert json.loads(json.dumps(document)) == document
        assert not any(isinstance(value, float) for value in walked(document))


def walked(value):
    yield value
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from walked(inner)


def test_an_account_that_only_reduces_says_why_though_it_is_ready():
    replica = Replica()
    replica.apply(ev.AccountListed(at=NOW, source="s", account=an_account()))
    replica.apply(ev.AccountChanged(at=NOW, source="s", account=ACME, state=AccountState.Ready))
    differs = "leverage is 20 at the venue and must be 3"
    replica.apply(ev.ProfileChecked(at=NOW, source="s", account=ACME, seen=SeenProfile(), differences=(differs,)))
    (acme,) = status_document(replica, NOW)["accounts"]
    assert (acme["state"], acme["reduces_because"]) == ("Ready", differs)
    assert acme["reason"] == f"only what reduces is sent: {differs}"
