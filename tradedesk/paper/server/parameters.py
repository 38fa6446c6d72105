"""What a client sent, read strictly: each parameter once, in its own form, and nothing left over."""

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from urllib.parse import unquote_plus

from tradedesk.paper.rows import Refusal

_NUMBER = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_INTEGER = r"^[0-9]{1,20}$"
CLIENT_ORDER_ID = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
SYMBOL = r"^[\w\-._&&[^a-z]]{1,50}$"  # as the venue words it in its answer; tested below without Java's intersection
_SYMBOL = re.compile(r"[\w\-.]{1,50}")
_COMPILED = {
    pattern: re.compile(pattern.removesuffix("$") + r"\Z", re.ASCII) for pattern in (_NUMBER, _INTEGER, CLIENT_ORDER_ID)
}
_TOO_PRECISE = Decimal("NaN")
LARGEST = Decimal(10) ** 12  # above any price or quantity of any symbol, below what would format to pages
_LARGEST_LONG = 2**63 - 1
_LONGEST_NUMBER = 41  # characters of _NUMBER
_HOUR = 3_600 * 1_000_000_000  # ns


def pairs(text: str) -> list[tuple[str, str]]:
    """The decoded parameters of a query string or form body, in their order. Raises Refusal -1101 on a double name."""
    found: list[tuple[str, str]] = []
    is_plain = "%" not in text and "+" not in text
    for piece in text.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            found.append((name, value) if is_plain else (unquote_plus(name), unquote_plus(value)))
    if len(dict(found)) != len(found):
        names = [name for name, _ in found]
        double = next(name for name in names if names.count(name) > 1)
        raise Refusal(-1101, f"Duplicate values for parameter '{double[:40]}'.")
    return found


def missing(name: str) -> Refusal:
    return Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def invalid(name: str) -> Refusal:
    return Refusal(-1130, f"Data sent for parameter '{name}' is not valid.")


def _empty(name: str) -> Refusal:
    return Refusal(-1105, f"Parameter '{name}' was empty.")


@lru_cache(maxsize=16_384)  # clients write the same few prices and quantities again and again
def _number(text: str) -> Decimal | None:
    """What it says; None if it is no plain number."""
    if not _COMPILED[_NUMBER].match(text):
        return None
    value = Decimal(text)
    return _TOO_PRECISE if value >= LARGEST or len(text.partition(".")[2].rstrip("0")) > 8 else value


def _illegal(name: str, pattern: str) -> Refusal:
    return Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'.")


class Parameters:
    """The parameters of one request. Each is taken by name; `finish` refuses what nobody took."""

    def __init__(self, values: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
        self._values = values if type(values) is dict else dict(values)
        self._read: set[str] = set()
        self.shift = 0  # ns that the venue's clock is ahead of the present: what the client calls now

    def peek(self, name: str) -> str | None:
        """The raw text without taking it: for what stands outside the operation (weights, the log)."""
        return self._values.get(name)

    def text(self, name: str) -> str | None:
        """The value, None if it was not sent. Raises -1105 if it is empty."""
        value = self._values.get(name)
        if value:
            self._read.add(name)
        elif value is not None:
            raise _empty(name)
        return value

    def has_any(self, names: frozenset[str]) -> bool:
        """Whether any of them was sent."""
        return not names.isdisjoint(self._values)

    def must(self, name: str) -> str:
        value = self._values.get(name)
        if not value:
            raise missing(name) if value is None else _empty(name)
        self._read.add(name)
        return value

    def choice(self, name: str, allowed: Iterable[str]) -> str | None:
        if name not in self._values:
            return None
        value = self.must(name)
        if value not in allowed:
            raise invalid(name)
        return value

    def flag(self, name: str) -> bool:
        return self.choice(name, ("true", "false", "TRUE", "FALSE")) in ("true", "TRUE")

    def decimal(self, name: str) -> Decimal | None:
        """A quantity or a price: plain digits, at most 8 decimals (-1100, -1111)."""
        text = self.text(name)
        if text is None:
            return None
        value = _number(text) if len(text) <= _LONGEST_NUMBER else None
        if value is None:
            raise _illegal(name, _NUMBER)
        if value is _TOO_PRECISE:
            raise Refusal(-1111, f"Parameter '{name}' has too much precision.")
        return value

    def must_decimal(self, name: str) -> Decimal:
        value = self.decimal(name)
        if value is None:
            raise missing(name)
        return value

    def integer(self, name: str) -> int | None:
        """From 0 to the largest of 64 bits (-1100, -1108)."""
        text = self.text(name)
        if text is None:
            return None
        if not _COMPILED[_INTEGER].match(text):
            raise _illegal(name, _INTEGER)
        value = int(text)
        if value > _LARGEST_LONG:
            raise Refusal(-1108, f"Parameter '{name}' overflowed.")
        return value

    def must_integer(self, name: str) -> int:
        value = self.integer(name)
        if value is None:
            raise missing(name)
        return value

    def limit(self, name: str, default: int, most: int) -> int:
        """A row count from 1; what is above `most` gives `most` rows, as the venue does."""
        value = self.integer(name)
        if value == 0:
            raise invalid(name)
        return min(default if value is None else value, most)

    def span(self, most_hours: int | None = None) -> tuple[int | None, int | None]:
        """`startTime` and `endTime` in ns; -1127 if both are sent and further apart than the endpoint allows."""
        start, end = self.time("startTime"), self.time("endTime")
        if most_hours is not None and start is not None and end is not None and end - start > most_hours * _HOUR:
            raise Refusal(-1127, f"More than {most_hours} hours between startTime and endTime.")
        return start, end

    def time(self, name: str) -> int | None:
        """A moment in ns since the epoch; sent in ms, or in µs when it has 16 digits."""
        value = self.integer(name)
        return None if value is None else to_ns(value) - self.shift

    def client_order_id(self, name: str) -> str | None:
        if name not in self._values:
            return None
        text = self.text(name)
        if text is not None and not _COMPILED[CLIENT_ORDER_ID].match(text):
            raise _illegal(name, CLIENT_ORDER_ID)
        return text

    def symbol(self) -> str:
        text = self.must("symbol")
        if not _is_symbol(text):
            raise _illegal("symbol", SYMBOL)
        return text

    def optional_symbol(self) -> str | None:
        return None if self.text("symbol") is None else self.symbol()

    def symbols(self) -> list[str] | None:
        """The list of the `symbols` parameter (a JSON array), None if it was not sent."""
        text = self.text("symbols")
        if text is None:
            return None
        try:
            names = json.loads(text)
        except (ValueError, RecursionError):
            names = None
        if (
            not isinstance(names, list)
            or not names
            or not all(isinstance(name, str) and _is_symbol(name) for name in names)
        ):
            raise _illegal("symbols", r'^\["[\w\-._&&[^a-z]]{1,50}"(,"[\w\-._&&[^a-z]]{1,50}"){0,}\]$')
        if len(set(names)) != len(names):
            raise Refusal(-1101, "Duplicate values for parameter 'symbols'.")
        return names

    def finish(self) -> None:
        """Raises -1104 if something was sent that nobody read. Before any effect: a typing error must not trade."""
        if len(self._read) < len(self._values):
            unread = set(self._values) - self._read
            sent = len(self._values)
            raise Refusal(
                -1104,
                f"Not all sent parameters were read; read '{sent - len(unread)}' parameter(s) but was sent '{sent}'.",
            )


def _is_symbol(text: str) -> bool:
    return bool(_SYMBOL.fullmatch(text)) and text == text.upper()


def to_ns(stamp: int) -> int:
    """A client's stamp in ns: sent in ms, or in µs when it is that large (the venue takes both)."""
    return stamp * (1_000 if stamp >= 10**15 else 1_000_000)
