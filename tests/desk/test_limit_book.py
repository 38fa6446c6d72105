"""Limits set live: what is a raise, what a restart keeps, what is wrong, and who is asked."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from order_builders import an_instrument
from test_office import ACME, BIRCH, DESK_FILE, NOBODY, TRADER, Bureau, an_operator

from tradedesk import config
from tradedesk.accounts.mail import NewLimits
from tradedesk.desk.limit_book import LimitBook, at_start
from tradedesk.domain import events as ev
from tradedesk.domain.commands import Approve, SetLimits, Submitted
from tradedesk.domain.words import AccountId, InstrumentId

MINUTE = 60 * 10**9
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


def a_setting(
    value: str | None, figure: str = "max_order_notional", account: AccountId | None = ACME, until: int | None = None
) -> SetLimits:
    return SetLimits(account=account, figure=figure, value=value, until=until, reason="r", operator=NOBODY)


def an_exception(value: str, until: int = 1_764_000_000_000_000_000 + MINUTE) -> ev.LimitsSet:
    return msgspec.structs.replace(an_event(value), until=until)


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


def test_a_list_is_set_whole_and_the_next_order_goes_by_it(bureau: Bureau) -> None:
    assert bureau.submit(RISK, a_setting("BTC/USDT", "restricted")) == Submitted()
    assert bureau.submit(RISK, a_setting("limit", "order_types")) == Submitted()
    assert bureau.submit(RISK, a_setting("none", "allowed")) == Submitted()
    limits = [post.limits for post in bureau.posts(ACME) if isinstance(post, NewLimits)][-1]
    assert (limits.restricted, limits.order_types, limits.allowed) == ((BTC,), ("limit",), ())
    assert limits.sources["restricted"].startswith("accounts.acme, set by risk1")


def test_a_list_that_lets_more_pass_takes_two_and_what_the_file_restricts_stays_so(bureau: Bureau) -> None:
    bureau.submit(RISK, a_setting("BTC/USDT", "restricted"))
    for wider in (a_setting("none", "restricted"), a_setting("repeat, price_collar", "soft")):
        asked = bureau.submit(RISK, wider)
        assert isinstance(asked, Submitted)
        assert asked.approval is not None
    written = config.parse(DESK_FILE + '[limits]\nrestricted = ["BTC/USDT"]\n')
    book = LimitBook(written).changed(an_event("none", "restricted"))
    assert book.of(written.accounts[ACME]).restricted == (BTC,)
    recorded = an_event("BTC/USDT", "restricted", None)
    assert at_start(written, [recorded])[1] == []  # the same, in other words
    assert at_start(BOOK.file, [recorded])[0].of(BOOK.file.accounts[ACME]).restricted == (BTC,)


@pytest.mark.parametrize(
    ("figure", "value", "says"),
    [
        ("restricted", "DOGE/USDT", "is not known"),
        ("order_types", "limits", "did you mean limit?"),
        ("trading_hours", "mon 8-9", "no window of time"),
        ("soft", "max_order_qty", "is not known"),
        ("allowed", ",".join(["BTC/USDT"] * 101), "at most 100 words"),
    ],
)
def test_a_list_with_a_word_nobody_knows_is_refused(bureau: Bureau, figure: str, value: str, says: str) -> None:
    assert says in bureau.refusal(RISK, a_setting(value, figure))


def test_what_the_desk_holds_in_sum_is_set_live_for_all_accounts_at_once(bureau: Bureau) -> None:
    def total() -> tuple[Decimal | None, str]:
        found = {scope.name: scope for scope in bureau.shared.together(ACME, an_instrument())}
        assert found["the desk"].totals.max_net_exposure is None
        return found["the desk"].totals.max_exposure, found["the desk"].source

    assert bureau.submit(RISK, a_setting("500", "totals.max_exposure", None)) == Submitted()
    assert total() == (500, "totals in desk.toml; max_exposure set by risk1 2025-11-24 16:00Z")
    asked = bureau.submit(RISK, a_setting("900", "totals.max_exposure", None))
    assert isinstance(asked, Submitted)
    assert asked.approval is not None
    until = bureau.clock.now() + MINUTE
    waits = bureau.submit(RISK, a_setting("800", "totals.max_exposure", None, until=until))
    assert isinstance(waits, Submitted)
    assert waits.approval is not None
    assert total()[0] == 500
    assert bureau.submit(SECOND, Approve(id=waits.approval, operator=NOBODY)) == Submitted()
    assert total()[0] == 800
    bureau.clock.advance(MINUTE)
    bureau.office._limits.expire()
    assert total()[0] == 500
    assert "a group's or the desk's" in bureau.refusal(RISK, a_setting("5", "totals.max_exposure"))


def test_totals_set_live_are_kept_over_a_restart_where_they_are_tighter() -> None:
    recorded = an_event("500", "totals.max_exposure", None)
    book, told = at_start(BOOK.file, [recorded])
    assert book.totals()["the desk"][0].max_exposure == 500
    assert told == ["limits totals.max_exposure: 500 as risk1 set it, nothing in desk.toml: what was set holds"]
    tighter = config.parse(DESK_FILE + '[totals]\nmax_exposure = "100"\n')
    assert at_start(tighter, [recorded])[0].totals()["the desk"][0].max_exposure == 100


# ---- exceptions that end by themselves ----------------------------------------------------------------------------------


def excepted(bureau: Bureau, value: str = "2000", minutes: int = 30) -> int:
    """An exception that two persons let pass; when it ends."""
    until = bureau.clock.now() + minutes * MINUTE
    asked = bureau.submit(RISK, a_setting(value, until=until))
    assert isinstance(asked, Submitted)
    assert asked.approval is not None
    assert bureau.submit(SECOND, Approve(id=asked.approval, operator=NOBODY)) == Submitted()
    return until


def told(bureau: Bureau) -> list[Decimal | None]:
    """What acme's worker was told of its largest order, in turn."""
    return [post.limits.max_order_notional for post in bureau.posts(ACME) if isinstance(post, NewLimits)]


@pytest.mark.parametrize("takes_two", [("raise-limits",), ()])
def test_an_exception_always_takes_two_and_ends_by_itself(tmp_path: Path, takes_two: tuple[str, ...]) -> None:
    """RTS 6 art. 15: over a limit only by an authorised, recorded, temporary exception"""
    bureau = Bureau(tmp_path, operators={each.name: each for each in (RISK, SECOND)}, takes_two=takes_two)
    limits = bureau.office._limits
    until = excepted(bureau)
    assert told(bureau) == [2000]
    source = limits.book.of(BOOK.file.accounts[ACME]).sources["max_order_notional"]
    assert source == "accounts.acme, exception until 2025-11-24 16:30Z set by risk1 2025-11-24 16:00Z"
    bureau.clock.advance(until - bureau.clock.now() - 1)
    limits.expire()
    assert told(bureau) == [2000]
    bureau.clock.advance(1)
    limits.expire()
    limits.expire()
    assert told(bureau) == [2000, 1000]
    ended = [event for event in bureau.events if isinstance(event, ev.LimitExceptionEnded)]
    assert [(event.value, event.by, event.at) for event in ended] == [("2000", "risk1", until)]
    assert bureau.replica.limit_exceptions == {}
    bureau.latch.close()


def test_after_an_exception_what_was_set_before_it_holds_again(bureau: Bureau) -> None:
    bureau.submit(RISK, a_setting("400"))
    until = excepted(bureau)
    bureau.clock.advance(until - bureau.clock.now())
    bureau.office._limits.expire()
    assert told(bureau) == [400, 2000, 400]


def test_setting_the_figure_without_an_end_ends_the_exception(bureau: Bureau) -> None:
    excepted(bureau)
    assert bureau.submit(RISK, a_setting("900")) == Submitted()
    assert told(bureau) == [2000, 900]
    assert bureau.office._limits.book.exceptions == bureau.replica.limit_exceptions == {}


def test_nobody_alone_makes_an_exception_longer_or_makes_less_of_it_stay() -> None:
    book = BOOK.changed(an_exception("2000"))
    assert book.raised_by(an_exception("2000", 1_764_000_000_000_000_000 + 9 * MINUTE)) == [ACME]
    assert book.raised_by(an_event("1500")) == [ACME]  # less than now, more than before
    assert book.raised_by(an_event("1000")) == []
    tight = BOOK.changed(an_exception("300"))
    assert tight.raised_by(an_event("900")) == [ACME]  # more than now, though less than the file


def test_a_tighter_exception_needs_no_second_person_and_gives_back_what_was(bureau: Bureau) -> None:
    until = bureau.clock.now() + MINUTE
    assert bureau.submit(RISK, a_setting("100", until=until)) == Submitted()
    bureau.clock.advance(MINUTE)
    bureau.office._limits.expire()
    assert told(bureau) == [100, 1000]


def test_a_restart_keeps_an_exception_until_its_end_and_not_longer() -> None:
    end = 1_764_000_000_000_000_000 + MINUTE
    book, said = at_start(BOOK.file, [], [an_exception("2000", end)])
    assert said == []
    assert book.of(BOOK.file.accounts[ACME]).max_order_notional == 2000
    assert book.over(end - 1) == []
    assert book.without(book.over(end)).of(BOOK.file.accounts[ACME]).max_order_notional == 1000
    gone = msgspec.structs.replace(an_exception("2000"), account=AccountId("left"))
    assert at_start(BOOK.file, [], [gone])[0].exceptions == {}


@pytest.mark.parametrize("ahead", [-1, 0, 7 * 24 * 60 * MINUTE + 1])
def test_an_exception_without_a_usable_end_is_refused(bureau: Bureau, ahead: int) -> None:
    assert "ends within seven days" in bureau.refusal(RISK, a_setting("5", until=bureau.clock.now() + ahead))


def test_an_exception_that_was_approved_too_late_is_none(bureau: Bureau) -> None:
    asked = bureau.submit(RISK, a_setting("2000", until=bureau.clock.now() + MINUTE))
    assert isinstance(asked, Submitted)
    assert asked.approval is not None
    bureau.clock.advance(MINUTE)
    assert "asked anew" in bureau.refusal(SECOND, Approve(id=asked.approval, operator=NOBODY))
    assert told(bureau) == []
