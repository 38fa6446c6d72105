"""One table of desk.toml while it is read: what is wrong is noted, with file, key and remedy, and reading goes on."""

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches

from tradedesk.domain.money import parse_decimal, plain
from tradedesk.domain.text import clean

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", re.ASCII)


class Table:
    """One table while it is read. Every look at a key notes what is wrong and answers something usable, to go on with."""

    def __init__(self, values: Mapping[str, object], where: tuple[str, ...], mistakes: list[str], file: str) -> None:
        self._values = values
        self._where = where
        self._mistakes = mistakes
        self._file = file
        self._looked_at: list[str] = []

    def wrong(self, key: str, sentence: str) -> None:
        path = _dotted((*self._where, key))
        self._mistakes.append(clean(f"{self._file}: {path}: {sentence}"))

    def _get(self, key: str, kind: type | tuple[type, ...], example: str, required: bool) -> object:
        self._looked_at.append(key)
        value = self._values.get(key)
        if value is None:
            if required:
                self.wrong(key, f"is missing; add e.g. {key} = {example}")
            return None
        if isinstance(value, bool) or not isinstance(value, kind):
            self.wrong(key, f"{shown(value)} is {_kind(value)}; write it like {key} = {example}")
            return None
        return value

    def text(self, key: str, example: str, *, required: bool = True) -> str | None:
        """A text of one clean line; None if it is absent or wrong."""
        value = self._get(key, str, json.dumps(example), required)
        if value is None:
            return None
        text = str(value)
        if not text.strip() or text != clean(text, 200):
            self.wrong(key, f"{shown(text)} is empty, too long or has characters no screen shows; use e.g. {example!r}")
            return None
        return text

    def texts(self, key: str, example: str, *, required: bool = True) -> tuple[str, ...]:
        values = self._get(key, list, example, required)
        if values is None:
            return ()
        assert isinstance(values, list)
        for value in values:
            if not isinstance(value, str) or not value.strip() or value != clean(value, 60):
                self.wrong(key, f"{shown(value)} is no clean text; write it like {key} = {example}")
                return ()
        for value in sorted({value for value in values if values.count(value) > 1}):
            self.wrong(key, f"{value!r} stands there twice; remove one")
        return tuple(dict.fromkeys(values))

    def count(self, key: str, least: int, example: str) -> int | None:
        value = self._get(key, int, example, False)
        if value is None:
            return None
        assert isinstance(value, int)
        if not least <= value < 2**31:
            self.wrong(key, f"{shown(value)} is out of range; use {least} or more, e.g. {example}")
            return None
        return value

    def flag(self, key: str) -> bool:
        """Whether `key = true` stands there."""
        self._looked_at.append(key)
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            self.wrong(key, f"{shown(value)} is {_kind(value)}; write it like {key} = true")
            return False
        return value

    def amount(self, key: str) -> Decimal | None:
        """An exact number >= 0, written as text or as a whole number."""
        value = self._get(key, (str, int, float), '"50000"', False)
        if value is None:
            return None
        if isinstance(value, float):
            self.wrong(key, f'{value} is a float, and floats are not exact; use quotes: {key} = "{value}"')
            return None
        try:
            number = parse_decimal(shown(value) if isinstance(value, int) else str(value), key)
        except ValueError:
            self.wrong(key, f'{shown(value)} is not a plain decimal number; use digits and one point, e.g. "0.125"')
            return None
        if number < 0:
            self.wrong(key, f"{plain(number)} is negative; use 0 or more")
            return None
        return number

    def table(self, key: str) -> "Table":
        """The table under `key`; an empty one if it is absent."""
        self._looked_at.append(key)
        values = self._values.get(key, {})
        if not isinstance(values, dict):
            self.wrong(
                key, f"{shown(values)} is {_kind(values)}; write it as a table, [{_dotted((*self._where, key))}]"
            )
            values = {}
        return Table(values, (*self._where, key), self._mistakes, self._file)

    def names(self) -> tuple[str, ...]:
        return tuple(self._values)

    def tables(self) -> dict[str, "Table"]:
        """All that stands here, as tables by name, e.g. the accounts under `accounts`."""
        return {key: self.table(key) for key in self._values}

    def named(self, what: str) -> dict[str, "Table"]:
        """As `tables`, where the names must be usable as ids."""
        tables = self.tables()
        for key in tables:
            if not NAME.fullmatch(key):
                self.wrong(key, f"cannot be the name of {what}; use at most 32 letters, digits, - and _")
        return tables

    def finish(self) -> None:
        """Call when all known keys were looked at: what is left is unknown."""
        for key in self._values:
            if key not in self._looked_at:
                self.wrong(key, f"is unknown; {nearest(key, self._looked_at)}")


def nearest(word: str, known: Iterable[str]) -> str:
    names = list(known)
    near = get_close_matches(word, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(names) or 'none'}"


def shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return clean(repr(value), 60)
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a number of thousands of digits"


def _dotted(parts: Iterable[str]) -> str:
    return ".".join(part if NAME.fullmatch(part) else json.dumps(clean(part, 60), ensure_ascii=False) for part in parts)


def _kind(value: object) -> str:
    names = {
        bool: "no text or number",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), "a date or time")
