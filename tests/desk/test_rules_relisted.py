"""F30: rules that changed while the desk was away are those it goes by, whatever its journal had written down."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import scripted_account
from scripted_account import an_info, an_intent
from scripted_desk import Running, running

from tradedesk.accounts.mail import Relisted
from tradedesk.domain import events as ev
from tradedesk.domain.commands import Submitted
from tradedesk.domain.orders import OrderState, state
from tradedesk.domain.outcomes import VenueInfo
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId

ACME = AccountId("acme")


def with_tick(tick: str) -> VenueInfo:
    info = an_info()
    changed = tuple(msgspec.structs.replace(each, tick=Decimal(tick)) for each in info.instruments)
    return msgspec.structs.replace(info, instruments=changed)


def place(desk: Running, key: str, price: str) -> str:
    """What became of it: its state, and why."""
    command = msgspec.structs.replace(an_intent(key), price=Decimal(price))
    assert isinstance(desk.desk.control(desk.desk.operators[OperatorId("me")]).submit(command), Submitted)
    name = ClientOrderId(key)
    wanted = (OrderState.New, OrderState.Denied)
    assert desk.until(lambda: name in desk.view.replica.orders and state(desk.view.replica.orders[name]) in wanted), (
        desk.view.replica.orders.get(name)
    )
    order = desk.view.replica.orders[name]
    return " ".join([state(order), *order.requests[0].reasons])


def test_rules_that_changed_while_the_desk_was_away_are_the_ones_it_goes_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path) as desk:
        assert place(desk, "c1", "60000.05") == OrderState.New
        venues = desk.venues
    coarser = with_tick("0.1")
    monkeypatch.setattr(scripted_account, "an_info", lambda: coarser)
    with running(tmp_path, venues) as desk:
        assert "moves in steps of 0.1" in place(desk, "c2", "60000.05")
        assert place(desk, "c3", "60000.1") == OrderState.New
        recorded = [event.instrument for event in desk.desk._store.replay() if isinstance(event, ev.InstrumentListed)]
        assert recorded[-2:] == list(coarser.instruments)


def test_a_change_is_told_to_every_account_of_the_venue_before_what_waits_behind_it(tmp_path: Path) -> None:
    with running(tmp_path) as desk:
        changed, _ = with_tick("0.1").instruments
        desk.desk.emit(ev.InstrumentListed(at=1, source="feed:binance", instrument=changed))
        assert "moves in steps of 0.1" in place(desk, "c1", "60000.05")
        assert desk.view.replica.instruments[changed.id].tick == Decimal("0.1")
        worker = desk.desk._workers[AccountId("birch")]
        assert worker.post(Relisted(instrument=with_tick("0.5").instruments[0]))  # and each goes by what it was told
        command = msgspec.structs.replace(an_intent("c2", account="birch"), price=Decimal("60000.1"))
        assert isinstance(desk.desk.control(desk.desk.operators[OperatorId("me")]).submit(command), Submitted)
        assert desk.until(
            lambda: (
                "moves in steps of 0.5"
                in " ".join(
                    reason
                    for order in desk.view.replica.orders.values()
                    if order.client_order_id == "c2"
                    for reason in order.requests[0].reasons
                )
            )
        )
