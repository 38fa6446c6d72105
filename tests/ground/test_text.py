"""`clean`: what it takes out, what it leaves, and its laws."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradedesk.domain.text import DEFAULT_LIMIT, clean, unmistakable

HOSTILE = "\x00\x07\x1b\x7f\x9b\u00ad\u200b\u200e\u202e\u2066\u2028\u2029\ufeff\ue000\U000e0041"


@pytest.mark.parametrize("char", HOSTILE)
def test_F80_a_character_that_could_steer_a_terminal_is_removed(char):
    assert clean(f"a{char}b") == "ab"


def test_names_in_any_script_and_markup_are_left_alone():
    for text in ("BTC/USDT", "币安人生USDT", "naïve café", "[/] [@click=app.boom]x", "a\u00a0b", "１２"):
        assert clean(text) == text


def test_long_text_is_cut_and_says_so():
    assert clean("x" * 9, limit=4) == "xxx…"
    assert clean("x" * 4, limit=4) == "xxxx"


@given(st.text(alphabet=st.characters(), max_size=700), st.integers(1, 600))
def test_clean_text_is_short_harmless_and_stays_as_it_is(text, limit):
    once = clean(text, limit)
    assert len(once) <= limit
    assert not {unicodedata.category(c) for c in once} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert clean(once, limit) == once
    assert clean(text) == text or len(text) > DEFAULT_LIMIT or not text.isprintable()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\u0412\u0422\u0421", "<0412><0422><0421>"),  # BTC in Cyrillic
        ("B\u0422C", "B<0422>C"),
        ("\u0391DA", "<0391>DA"),  # a Greek A
        ("\uff22\uff34\uff23", "<FF22><FF34><FF23>"),  # full width
        ("B\u0301TC", "B<0301>TC"),  # an accent that lies over it
        ("BTC ", "BTC<0020>"),
        ("BTC\u00a0", "BTC<00A0>"),
        ("\u0661INCH", "<0661>INCH"),  # an Arabic 1
        ("\u3007X", "<3007>X"),  # a zero that is none
        ("BTC", "BTC"),
        ("1INCH.P-2_a/b", "1INCH.P-2_a/b"),
        ("币安人生USDT", "币安人生USDT"),
    ],
)
def test_a_name_that_could_be_taken_for_another_shows_its_codes(name: str, shown: str) -> None:
    assert unmistakable(name) == shown


@given(st.text(max_size=40))
def test_an_unmistakable_name_is_harmless_and_stays_as_it_is(text: str) -> None:
    once = unmistakable(clean(text))
    assert unmistakable(once) == once
    assert once.isprintable()
