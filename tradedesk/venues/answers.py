"""What a venue sends, decoded strictly: exact numbers, each name once, no deeper than any honest answer (F84, F85)."""

import json
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

MAX_DEPTH = 16  # of lists and objects in each other; an order list with its reports in a socket's answer has 6
MAX_FRAME_BYTES = 1024 * 1024  # of one WebSocket message, decompressed; an honest one has a hundredth of it
_LONGEST_INTEGER = 19  # digits of 64 bits


class Digits(Struct, frozen=True):
    """A number with a point or an exponent, as it stood in the answer: no float, and no text where text is due."""

    written: str


class Unread(ValueError):
    """What came is not JSON as we take it. The text says why, and nothing of what came."""


def read_json(text: str) -> Any:
    """The value; a number with a point or an exponent becomes Digits, never a float (5.10).

    Raises Unread.
    """
    try:
        value = _DECODER.decode(text)
    except Unread:
        raise
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else "it is no JSON"
    else:
        _measure(value, MAX_DEPTH)
        return value
    raise Unread(why)


def _measure(value: Any, left: int) -> None:
    if not isinstance(value, list | dict):
        return
    if not left:
        raise Unread("it is nested too deeply")
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, list | dict):
            _measure(item, left - 1)


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found = list(pairs)
    value = dict(found)
    if len(value) != len(found):  # whoever reads the first and whoever reads the last would see two answers
        raise Unread("a name stands in it twice")
    return value


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _LONGEST_INTEGER:
        raise Unread("a number in it has too many digits")
    return int(digits)


def _no_number(name: str) -> None:
    raise Unread(f"{name} is no number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Digits, parse_int=_integer, parse_constant=_no_number
)
