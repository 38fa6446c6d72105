"""`clean`: what it takes out, what it leaves, and its laws."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradedesk.domain.text import DEFAULT_LIMIT, clean

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
