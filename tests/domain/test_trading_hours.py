"""Windows of the week, in UTC."""

from datetime import UTC, datetime

import pytest

from tradedesk.domain.trading_hours import Hours, hours_of, is_open


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("window", "moment", "inside"),
    [
        ("mon-fri 08:00-17:30", "2026-11-25T08:00", True),  # a Wednesday
        ("mon-fri 08:00-17:30", "2026-11-25T17:29", True),
        ("mon-fri 08:00-17:30", "2026-11-25T17:30", False),
        ("mon-fri 08:00-17:30", "2026-11-28T12:00", False),  # a Saturday
        ("sat 00:00-24:00", "2026-11-28T23:59", True),
        ("08:00-09:00", "2026-11-28T08:30", True),  # every day
        ("fri-mon 10:00-11:00", "2026-11-29T10:30", True),  # over the week's end
        ("fri-mon 10:00-11:00", "2026-11-25T10:30", False),
        ("fri 22:00-02:00", "2026-11-27T23:00", True),  # over midnight
        ("fri 22:00-02:00", "2026-11-28T01:59", True),
        ("fri 22:00-02:00", "2026-11-28T02:00", False),
        ("fri 22:00-02:00", "2026-11-27T01:00", False),  # the night before
    ],
)
def test_a_window_includes_its_begin_and_not_its_end(window, moment, inside):
    assert is_open((window,), at(moment)) is inside


def test_one_window_of_several_is_enough_and_none_is_closed():
    assert is_open(("mon 08:00-09:00", "wed 08:00-09:00"), at("2026-11-25T08:30"))
    assert not is_open((), at("2026-11-25T08:30"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "08:00",
        "8:00-17:00",
        "mon 25:00-26:00",
        "xyz 08:00-09:00",
        "mon 08:00-08:00",
        "mon 08:00-24:01",
        "08:60-09:00",
    ],
)
def test_what_is_no_window_gets_a_sentence(text):
    found = hours_of(text)
    assert not isinstance(found, Hours)
    assert found
