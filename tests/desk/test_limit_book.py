"""Limits set live: what is a raise, what a restart keeps, what is wrong, and who is asked."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from test_office import ACME, BIRCH, DESK_FILE, NOBODY, TRADER, Bureau, an_operator

from tradedesk import config
from tradedesk.accounts.mail import NewLimits
from tradedesk.desk.limit_book import LimitBook, at_start
from tradedesk.domain import events as ev
from tradedesk.domain.commands import Approve, SetLimits, Submitted
from tradedesk.domain.words import AccountId, InstrumentId

BTC = InstrumentId("binance:BTCUSDT")
BOOK = LimitBook(config.parse(DESK_FILE))
RISK, SECOND = an_operator("risk1", "risk", "*"), an_operator("risk2", "risk", "*")


def an_event(
    value: str | None,
    figure: str = "max_order_notional",
    account: AccountId | None = ACME,
    of: InstrumentId | None = None,
) -> ev.LimitsSet:
    return ev.LimitsSet(
        at=1_764_000_000_000_000_000, source="desk", account=account, group=None, instrument=of, figure=figure,
        value=value, before=None, by=RISK.name, reason="r",
    )  # fmt: skip


def a_setting(value: str | None, figure: str = "max_order_notional", account: AccountId | None = ACME) -> SetLimits:
    return SetLimits(account=account, figure=figure, value=value, reason="r", operator=NOBODY)


@pytest.fixture
def bureau(tmp_path: Path) -> Iterator[Bureau]:
    made = Bureau(tmp_path, operators={each.name: each for each in (RISK, SECOND, TRADER)}, takes_two=("raise-limits",))
    yield made
    made.latch.close()


def test_the_tighter_of_file_and_journal_holds_after_a_restart_and_both_are_told() -> None:
    tight, told = at_start(BOOK.file, [an_event("500")])
    assert tight.of(BOOK.file.accounts[ACME]).max_order_notional == 500
    assert told == ["accounts.acme max_order_notional: 500 as risk1 set it, 1000 in desk.toml: what was set holds"]
    wide, told = at_start(BOOK.file, [an_event("5000")])
    assert wide.of(BOOK.file.accounts[ACME]).max_order_notional == 1000
    assert told == ["accounts.acme max_order_notional: 5000 as risk1 set it, 1000 in desk.toml: desk.toml holds"]


def test_a_figure_without_a_value_is_the_files_again() -> None:
    book = BOOK.changed(an_event("500"))
    limits = book.of(BOOK.file.accounts[ACME])
    assert limits.sources["max_order_notional"] == "accounts.acme, set by risk1 2025-11-24 16:00Z"
    assert book.changed(an_event(None)).of(BOOK.file.accounts[ACME]).max_order_notional == 1000
    assert book.raised_by(an_event(None)) == [ACME]


def test_what_lets_more_pass_is_a_raise_though_the_scope_said_nothing_before() -> None:
    assert BOOK.raised_by(an_event("40", "max_open_orders")) == []  # built in: 50
    assert BOOK.raised_by(an_event("60", "max_open_orders", None)) == [ACME, BIRCH]
    assert BOOK.raised_by(an_event("20000", "max_position_notional")) == [ACME]  # unset it is ten full orders
    assert BOOK.raised_by(an_event("900", "price_away_bps")) == [ACME]  # unset it is the collar
    assert BOOK.raised_by(an_event("2000", of=BTC)) == [ACME]
    assert BOOK.raised_by(an_event("1", "max_order_qty", of=BTC)) == []


@pytest.mark.parametrize("value", ["0", "-1", "1e3", "NaN", "", " 5", "9" * 19, "٣"])
def test_a_value_that_is_no_plain_number_is_refused(bureau: Bureau, value: str) -> None:
    assert "must be a plain number" in bureau.refusal(RISK, a_setting(value))
    assert [event for event in bureau.events if isinstance(event, ev.LimitsSet)] == []


def test_what_cannot_be_set_is_said(bureau: Bureau) -> None:
    assert "did you mean max_open_orders" in bureau.refusal(RISK, a_setting("5", "max_open_order"))
    assert "whole number" in bureau.refusal(RISK, a_setting("5.5", "max_open_orders"))
    odd = SetLimits(
        account=ACME,
        instrument=InstrumentId("binance:NO"),
        figure="max_order_qty",
        value="1",
        reason="r",
        operator=NOBODY,
    )
    assert "is not traded by this desk" in bureau.refusal(RISK, odd)
    assert "takes the role risk" in bureau.refusal(TRADER, a_setting("5"))


def test_a_tighter_limit_goes_to_the_workers_concerned_without_a_second_person(bureau: Bureau) -> None:
    assert bureau.submit(RISK, a_setting("400")) == Submitted()
    (post,) = bureau.posts(ACME)
    assert isinstance(post, NewLimits)
    assert post.limits.max_order_notional == Decimal(400)
    assert bureau.posts(BIRCH) == []


def test_a_raise_waits_for_the_second_person_and_is_made_when_they_approve(bureau: Bureau) -> None:
    asked = bureau.submit(RISK, a_setting("2000"))
    assert isinstance(asked, Submitted)
    assert asked.approval is not None
    assert bureau.posts(ACME) == []
    assert "somebody else" in bureau.refusal(RISK, Approve(id=asked.approval, operator=NOBODY))
    assert bureau.submit(SECOND, Approve(id=asked.approval, operator=NOBODY)) == Submitted()
    (post,) = bureau.posts(ACME)
    assert isinstance(post, NewLimits)
    assert post.limits.max_order_notional == Decimal(2000)
    (event,) = [event for event in bureau.events if isinstance(event, ev.LimitsSet)]
    assert (event.by, event.before) == ("risk1", "1000")
