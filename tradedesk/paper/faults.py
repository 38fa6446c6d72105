"""Faults as data: what each kind is, which filters and terms it takes, and the strict reading of a TOML file or a JSON posting.

One `[[faults]]` table, or one JSON object, is one fault:

    [[faults]]
    kind = "mute"            # processed, never answered
    account = "acme"         # filters are globs; absent means any
    method = "place"         # or "POST /api/v3/order", or "order.place"
    at = 5                   # seconds after the start (of a file) or after the posting; 0 unless told
    for = 60                 # seconds it may strike; until removed unless told
    after = 2                # lets so many matches pass first
    count = 1                # strikes so often, then is spent
    chance = 0.5             # of each match, drawn from the seed

Requests (REST and WebSocket API) match by market, transport, account, instrument, method and client_order_id; events of
streams by event ("executionReport", "executionReport.TRADE", "depthUpdate") instead of method. What acts once (ext, bust,
move, funding, mark, key, status, filter, restart, shutdown, disconnect, expire) has only `at`.
"""

import ipaddress
import math
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from msgspec import Struct

from tradedesk.domain.money import parse_decimal

MOST_FAULTS = 1_000  # of one file or posting, and of one exchange at a time
MOST_SECONDS = 7 * 86_400.0
_MOST_TEXT = 20_000
_SHORT = 200


class FaultsError(Exception):
    """The faults cannot be used; the message has one sentence a line, each naming place, entry and field."""


class Filters(Struct, frozen=True, kw_only=True):
    """What a fault strikes: globs, each None for any."""

    market: str | None = None  # spot, futures
    transport: str | None = None  # rest, wsapi, stream
    account: str | None = None
    instrument: str | None = None
    method: str | None = None  # "POST /api/v3/order", "order.place", or an operation: place, cancel, query, ...
    event: str | None = None
    client_order_id: str | None = None


class Fault(Struct, frozen=True, kw_only=True):
    """One fault, valid once built. `terms` are its kind's own: seconds, answer, set, ..."""

    kind: str
    at: float = 0.0  # seconds
    for_s: float | None = None
    count: int | None = None
    after: int = 0
    chance: float = 1.0
    filters: Filters = Filters()
    terms: Mapping[str, Any] = {}

    @property
    def family(self) -> str:
        """requests, events, sockets, connects, clock, once."""
        if self.kind == "alter":
            return "events" if self.filters.event is not None else "requests"
        return KINDS[self.kind].family


class Kind(Struct, frozen=True):
    """What one kind is, for the reader and for the help."""

    family: str
    says: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {
    # requests
    "lose": Kind("requests", "unprocessed, no answer", takes=("seconds", "end")),
    "mute": Kind("requests", "processed, never answered", takes=("seconds", "end")),
    "late": Kind("requests", "processed, answered n seconds later", ("seconds",)),
    "stall": Kind("requests", "processed n seconds later, then answered", ("seconds",)),
    "cut": Kind("requests", "processed, the connection reset"),
    "torn": Kind("requests", "processed, half an answer, then the end of the connection"),
    "say": Kind("requests", "answered so, unprocessed", ("answer",), ("status", "url", "retry_after")),
    "did": Kind("requests", "processed, answered so", ("answer",), ("status", "url", "retry_after")),
    "thin": Kind("requests", "processed, the answer names only the ids"),
    "stale": Kind("requests", "a query answered as of n seconds ago", ("seconds",)),
    "alter": Kind("requests", "fields of the answer (or, with `event`, of the event) set to these values", ("set",)),
    # events
    "hold": Kind("events", "sent n seconds later", ("seconds",)),
    "dup": Kind("events", "sent twice"),
    "swap": Kind("events", "sent after the next one that matches, or after n seconds (1)", takes=("seconds",)),
    "drop": Kind("events", "not sent"),
    "book": Kind("events", "depth and best price: gap (one missing), cross, or stale (old data again)", ("what",)),
    # the rest
    "freeze": Kind("sockets", "sockets stay open and silent; pings are answered unless pings = false", takes=("pings",)),
    "flood": Kind("sockets", "the newest event of each stream again, `rate` times a second", ("rate",)),
    "refuse": Kind("connects", "new connections are reset"),
    "skew": Kind("clock", "the venue's clock is off by n seconds", ("seconds",)),
    # once
    "ext": Kind(
        "once",
        "what = order (a foreign order on the account), cancel (of one of its orders), fill (of one, by the market)",
        ("what", "account", "instrument"),
        ("side", "quantity", "price", "client_order_id", "order_id"),
    ),
    "bust": Kind("once", "a trade undone", ("instrument", "trade_id")),
    "move": Kind(
        "once",
        "money comes, or with an amount below 0 goes: type DEPOSIT, WITHDRAW, TRANSFER, INTEREST, or the name of a dividend",
        ("account", "asset", "amount", "type"),
        ("reference",),
    ),
    "funding": Kind("once", "USD-M: funding is charged now, at this rate if one is given", ("instrument",), ("rate",)),
    "mark": Kind("once", "USD-M: the mark price is held at this price", ("instrument", "price")),
    "key": Kind(
        "once", "a key changes: set revoked, rights, addresses, trades_until", ("account", "set"), ("api_key",)
    ),
    "status": Kind("once", "the instrument's status: TRADING, HALT, BREAK, CANCEL_ONLY", ("instrument", "to")),
    "filter": Kind("once", "rules of the instrument changed", ("instrument", "set")),
    "restart": Kind(
        "once",
        "the exchange goes for n seconds (1) and is back with its state kept, lost, or old (as of the posting)",
        ("state",),
        ("seconds", "meanwhile"),
    ),
    "shutdown": Kind("once", "the notice on every stream, and n seconds (1) later their end", takes=("seconds",)),
    "disconnect": Kind("once", "sockets are closed"),
    "expire": Kind("once", "the account's listen key runs out", ("account",)),
    "ban": Kind(
        "once", "an address is banned for n seconds (as long as it has earned), or set free by 0", ("address",), ("seconds",)
    ),
}  # fmt: skip

_FAMILY_FILTERS = {
    "requests": ("market", "transport", "account", "instrument", "method", "client_order_id"),
    "events": ("market", "transport", "account", "instrument", "event", "client_order_id"),
    "sockets": ("market", "transport", "account", "instrument"),
    "connects": ("market",),
    "clock": ("market",),
    "once": ("market",),
}
_TIMES = ("at", "for", "count", "after", "chance")
_FAMILY_TIMES = {"once": ("at",), "clock": ("at", "for")}
_EXTRA_FILTERS = {"disconnect": ("transport", "account"), "shutdown": ("transport",), "alter": ("event",)}


# -- values of fields: each takes what was written and returns what is meant, or raises ValueError with the rest of a sentence


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > _SHORT or not value.isprintable():
        raise ValueError(f"must be a text of 1 to {_SHORT} printable characters")
    return value


def _choice(*allowed: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value not in allowed:
            raise ValueError(f"must be {' or '.join(allowed)}")
        return str(value)

    return check


def _number(least: float, most: float, unit: str) -> Callable[[object], float]:
    def check(value: object) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(number := float(value)) or not least <= number <= most:  # type: ignore[arg-type]
            raise ValueError(f"must be {unit} from {least:g} to {most:g}")
        return number

    return check


def _whole(least: int, most: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return check


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _amount(value: object) -> Decimal:
    """A decimal as text, or a whole number: a float would not be exact."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError('must be a text, like "0.5"')
    try:
        return parse_decimal(value, "amount")
    except ValueError:
        raise ValueError('must be a decimal number as text, like "0.5"') from None


def _answer(value: object) -> int | str:
    """A venue's code (below 0), an HTTP status, or a text: a message, "html", or the body as it is."""
    if isinstance(value, int) and not isinstance(value, bool) and (-9_999 <= value < 0 or 200 <= value <= 599):
        return value
    if isinstance(value, str) and len(value) <= _MOST_TEXT:
        return value
    raise ValueError('must be a venue code (like -1007), an HTTP status (like 502) or a text ("html", "" or the body)')


def _settings(value: object) -> dict[str, object]:
    if not isinstance(value, dict) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError('must be a table of values by name, like { p = "0" }')
    try:
        size = len(orjson.dumps(value))  # as it will be written: what that refuses must not stop a stream later
    except (TypeError, RecursionError):
        raise ValueError("must hold only texts, numbers, lists and tables") from None
    if size > _MOST_TEXT:
        raise ValueError(f"must be at most {_MOST_TEXT} characters")
    return dict(value)


def _url(value: object) -> str:
    text = _text(value)
    if not text.startswith(("http://", "https://")) or not text.isascii() or " " in text:
        raise ValueError("must begin with http:// or https://")
    return text


def _address(value: object) -> str:
    try:
        return str(ipaddress.ip_address(_text(value)))
    except ValueError:
        raise ValueError('must be an IP address, like "127.0.0.2"') from None


_FIELDS: dict[str, Callable[[object], Any]] = {
    "at": _number(0, MOST_SECONDS, "seconds"),
    "for": _number(0.001, MOST_SECONDS, "seconds"),
    "count": _whole(1, 1_000_000_000),
    "after": _whole(0, 1_000_000_000),
    "chance": _number(0, 1, "a number"),
    "market": _choice("spot", "futures"),
    "transport": _choice("rest", "wsapi", "stream"),
    "account": _text,
    "instrument": _text,
    "method": _text,
    "event": _text,
    "client_order_id": _text,
    "seconds": _number(0, MOST_SECONDS, "seconds"),
    "end": _choice("hang", "close", "reset"),
    "answer": _answer,
    "status": _whole(200, 599),
    "url": _url,
    "retry_after": _whole(0, 1_000_000),
    "set": _settings,
    "pings": _flag,
    "rate": _whole(1, 1_000_000),
    "side": _choice("BUY", "SELL"),
    "quantity": _amount,
    "price": _amount,
    "order_id": _whole(1, 2**63 - 1),
    "trade_id": _whole(0, 2**63 - 1),
    "asset": _text,
    "amount": _amount,
    "type": _text,
    "reference": _text,
    "api_key": _text,
    "address": _address,
    "to": _choice("TRADING", "HALT", "BREAK", "CANCEL_ONLY"),
    "state": _choice("kept", "lost", "old"),
    "meanwhile": _choice("closed", "503"),
}
_OWN_FIELDS: dict[tuple[str, str], Callable[[object], Any]] = {
    ("book", "what"): _choice("gap", "cross", "stale"),
    ("ext", "what"): _choice("order", "cancel", "fill"),
    ("funding", "rate"): _amount,
    ("stale", "seconds"): _number(0.001, 60, "seconds"),
    ("skew", "seconds"): _number(-86_400, 86_400, "seconds"),
}


def read(path: Path) -> tuple[int | None, list[Fault]]:
    """The seed (None if the file has none) and the faults of a TOML file. Raises FaultsError with every mistake in it."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FaultsError(f"{path}: cannot be read ({error.strerror}); name a file with [[faults]] tables") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FaultsError(f"{path}: is not TOML: {error}") from None
    return from_document(document, f"{path}: ")


def from_document(document: Mapping[str, Any], where: str = "") -> tuple[int | None, list[Fault]]:
    """The same of the file's content. `where` stands before each sentence."""
    wrong = [f"{where}{name}: is not known; use seed and faults" for name in sorted(set(document) - {"seed", "faults"})]
    seed = document.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool) or seed < 0):
        wrong.append(f"{where}seed: must be a whole number from 0")
    if wrong:
        raise FaultsError("\n".join(wrong))
    if "faults" not in document:
        raise FaultsError(f"{where}faults: is missing; add at least one [[faults]] table")
    return seed, many(document["faults"], where)


def posted(body: object) -> list[Fault]:
    """The faults of a posting: one object, a list of them, or {"faults": [...]}. Raises FaultsError."""
    if isinstance(body, dict) and "kind" in body:
        return many([body])
    if isinstance(body, dict):
        if set(body) != {"faults"}:
            raise FaultsError('faults: send one fault with its kind, a list of faults, or {"faults": [...]}')
        return many(body["faults"])
    return many(body)


def many(tables: object, where: str = "") -> list[Fault]:
    if not isinstance(tables, list) or not tables:
        raise FaultsError(f"{where}faults: must be a list of at least one fault")
    if len(tables) > MOST_FAULTS:
        raise FaultsError(f"{where}faults: {len(tables)} are too many; at most {MOST_FAULTS}")
    faults: list[Fault] = []
    wrong: list[str] = []
    for number, table in enumerate(tables):
        entry = f"{where}faults[{number}]"
        fault, mistakes = _one(table, entry) if isinstance(table, dict) else (None, [f"{entry}: must be a table"])
        wrong += mistakes
        if fault is not None:
            faults.append(fault)
    if wrong:
        raise FaultsError("\n".join(wrong))
    return faults


def _one(table: Mapping[str, object], entry: str) -> tuple[Fault | None, list[str]]:
    name = table.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(name, str):
        return None, [f"{entry}.kind: is not known; use {', '.join(KINDS)}"]
    terms, filters = kind.needs + kind.takes, _filters_of(name)
    allowed = fields_of(name)
    wrong = [f"{entry}.{_shown(f)}: goes not with {name}; use {', '.join(allowed)}" for f in table if f not in allowed]
    wrong += [f"{entry}.{f}: is missing; {name} needs it: {kind.says}" for f in kind.needs if f not in table]
    values: dict[str, Any] = {}
    for field in (f for f in allowed if f != "kind" and f in table):
        try:
            values[field] = (_OWN_FIELDS.get((name, field)) or _FIELDS[field])(table[field])
        except ValueError as error:
            wrong.append(f"{entry}.{field}: {error}")
    if not wrong:
        wrong += [f"{entry}.{field}: {said}" for field, said in _together(name, values)]
    if wrong:
        return None, wrong
    return (
        Fault(
            kind=name,
            at=values.get("at", 0.0),
            for_s=values.get("for"),
            count=values.get("count"),
            after=values.get("after", 0),
            chance=values.get("chance", 1.0),
            filters=Filters(**{field: values[field] for field in filters if field in values}),
            terms={field: values[field] for field in terms if field in values},
        ),
        [],
    )


def _filters_of(kind: str) -> list[str]:
    row = KINDS[kind]
    terms = row.needs + row.takes
    return [field for field in _FAMILY_FILTERS[row.family] + _EXTRA_FILTERS.get(kind, ()) if field not in terms]


def fields_of(kind: str) -> tuple[str, ...]:
    """Every field a fault of this kind may have; those it needs come first after `kind`."""
    row = KINDS[kind]
    return ("kind", *row.needs, *row.takes, *_filters_of(kind), *_FAMILY_TIMES.get(row.family, _TIMES))


def _together(kind: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Fields that are right alone and wrong together, each with the rest of a sentence."""
    wrong: list[tuple[str, str]] = []
    if kind in ("say", "did"):
        is_redirect = 300 <= values.get("status", values["answer"] if isinstance(values["answer"], int) else 0) < 400
        if is_redirect != ("url" in values):
            wrong.append(("url", "goes with a status from 300 to 399, and they need it"))
    if kind == "alter" and "method" in values and "event" in values:
        wrong.append(("event", "goes without method: either answers are altered or events"))
    if kind == "ext":
        match values["what"]:
            case "order":
                missing = [f for f in ("side", "quantity") if f not in values]
                wrong += [(f, "is missing; a foreign order needs it") for f in missing]
            case "cancel" if "order_id" not in values and "client_order_id" not in values:
                wrong.append(("order_id", "is missing; name the order by it or by client_order_id"))
            case "fill" if ("order_id" in values) == ("client_order_id" in values):
                wrong.append(("order_id", "name the order to be filled by it or by client_order_id, not by both"))
        positive = [f for f in ("quantity", "price") if f in values and values[f] <= 0]
        wrong += [(f, "must be above 0") for f in positive]
    if kind == "mark" and values["price"] <= 0:
        wrong.append(("price", "must be above 0"))
    if kind == "move" and values["amount"] == 0:
        wrong.append(("amount", "must not be 0"))
    if kind == "move" and values["type"] != values["type"].upper():  # "deposit" would be told as a dividend's name
        wrong.append(("type", "must be DEPOSIT, WITHDRAW, TRANSFER, INTEREST or a name in capitals"))
    if kind == "restart" and values["state"] == "old" and not values.get("at"):
        wrong.append(("at", "must be above 0: the old state is that of the posting"))
    return wrong


def _shown(field: object) -> str:
    text = str(field)[:40]
    return text if text.isprintable() else ascii(text)


def as_document(fault: Fault) -> dict[str, object]:
    """The fault as it would be written in JSON."""
    filters = {name: getattr(fault.filters, name) for name in fault.filters.__struct_fields__}
    times: dict[str, object] = {
        "at": fault.at or None,
        "for": fault.for_s,
        "count": fault.count,
        "after": fault.after or None,
        "chance": fault.chance if fault.chance != 1 else None,
    }
    terms = {name: str(value) if isinstance(value, Decimal) else value for name, value in fault.terms.items()}
    return {"kind": fault.kind} | {n: v for n, v in (filters | times | terms).items() if v is not None}
