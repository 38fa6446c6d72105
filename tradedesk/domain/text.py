"""Text from outside, made safe to store, log and show (5.14): no control, format or bidi characters, and a length.

Names that could be taken for other names, and the one way in which a moment is written, too.
"""

import unicodedata
from datetime import UTC, datetime

_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_EASTERN = ("CJK UNIFIED", "HIRAGANA LETTER", "KATAKANA LETTER", "HANGUL SYLLABLE")
DEFAULT_LIMIT = 500  # characters; a venue's longest honest error text is a third of this


def clean(text: str, limit: int = DEFAULT_LIMIT) -> str:
    """`text` without characters that could steer a terminal or hide text, at most `limit` (> 0) characters long.

    What is cut ends in an ellipsis. Markup is left as it is: it is never parsed (F79). Cleaning twice changes nothing.
    """
    if len(text) > limit:
        text = text[: limit - 1] + "…"  # cut first: the price of a hostile megabyte is that of `limit` characters
    if text.isprintable():  # true for ASCII and most names: a single pass in C
        return text
    return "".join(c for c in text if unicodedata.category(c) not in _DROPPED)


def unmistakable(name: str) -> str:
    """`name` (of an asset or a symbol, cleaned) with what could pass for a Latin letter, a digit or nothing shown as its code.

    ASCII and the letters of China, Japan and Korea stay, as venues list such names; a Cyrillic or Greek letter, an accent,
    a full-width or foreign digit, a blank does not: `ВТС` in Cyrillic becomes `<0412><0422><0421>`, which is never `BTC`.
    """
    if name.isascii() and " " not in name:
        return name
    return "".join(c if "!" <= c <= "~" or _is_eastern(c) else f"<{ord(c):04X}>" for c in name)


def _is_eastern(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(_EASTERN) and unicodedata.normalize("NFKC", letter) == letter


def iso_time(at: int) -> str:
    """The moment `at` (ns since the epoch) in UTC, to the microsecond: 2026-11-24T12:00:00.000000Z."""
    moment = datetime.fromtimestamp(at // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at // 1_000 % 1_000_000:06d}Z"


_SPANS = {"s": 1, "m": 60, "h": 3_600}


def span_ns(text: str) -> int | None:
    """A length of time as people write it, 90s, 30m or 2h, in ns; None if it is none."""
    digits, unit = text[:-1], text[-1:]
    if unit not in _SPANS or not digits.isdecimal() or not digits.isascii() or len(digits) > 6 or int(digits) == 0:
        return None
    return int(digits) * _SPANS[unit] * 10**9
