"""desk.toml as typed settings, and where a desk keeps its files. Errors name file, key and remedy, all of them at once.

Pure but for `load` and `private_folder`. Imports `domain`.
"""

import hashlib
import ipaddress
import json
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
import platformdirs
from msgspec import Struct

from tradedesk.domain.accounts import Account, Mode
from tradedesk.domain.instruments import instrument_id
from tradedesk.domain.limits import InstrumentLimits, Limits
from tradedesk.domain.money import parse_decimal, plain
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, InstrumentId, OperatorId, VenueId

_Key = TypeVar("_Key", bound=str)

ROLES = ("trader", "risk", "support")
EVERY_ACCOUNT = "*"  # in an operator's accounts
MAX_BYTES = 1_000_000  # of desk.toml; a thousand accounts are a third of it
MAX_SOCKET_PATH = 100  # bytes; the kernels take 104 to 108

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", re.ASCII)
_SYMBOL = re.compile(r"[^\s/:]{1,24}/[^\s/:]{1,24}")
_CURRENCY = re.compile(r"[A-Z0-9]{2,12}", re.ASCII)


class ConfigError(Exception):
    """The settings cannot be used. `mistakes` are sentences, each with file, key and remedy."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class DeskSettings(Struct, frozen=True, kw_only=True):
    name: str
    reporting_currency: str


class VenueSettings(Struct, frozen=True, kw_only=True):
    id: VenueId
    exchange: str  # ccxt's id
    url: str | None = None  # of a paper exchange or a test site; None: the venue's own
    egress: str | None = None  # source address of the public market data
    instruments: tuple[str, ...]  # symbols for people: BTC/USDT


class OperatorSettings(Struct, frozen=True, kw_only=True):
    name: OperatorId
    roles: tuple[str, ...]
    accounts: tuple[str, ...]  # account ids, or "*"
    uid: int | None = None


class Settings(Struct, frozen=True, kw_only=True):
    """All of desk.toml, checked: every name in it that points somewhere points at something."""

    desk: DeskSettings
    venues: dict[VenueId, VenueSettings] = msgspec.field(default_factory=dict)
    accounts: dict[AccountId, Account] = msgspec.field(default_factory=dict)
    operators: dict[OperatorId, OperatorSettings] = msgspec.field(default_factory=dict)
    keys: dict[str, str] = msgspec.field(default_factory=dict)  # action of the screen -> key


# ---- where things are ------------------------------------------------------------------------------------------------


class Home(Struct, frozen=True, kw_only=True):
    """The files and folders of one desk."""

    config: Path
    state: Path
    log: Path

    @property
    def journal(self) -> Path:
        return self.state / "journal.sqlite"

    @property
    def vault(self) -> Path:
        """The encrypted vault, where the system's keyring does not serve."""
        return self.config.parent / "vault"

    @property
    def passphrase(self) -> Path:
        """Where an unattended desk finds the passphrase of its vault (0600), if it has one."""
        return self.config.parent / "passphrase"

    @property
    def control_socket(self) -> Path:
        return self.sockets / "control.sock"

    @property
    def read_socket(self) -> Path:
        return self.sockets / "read.sock"

    @property
    def sockets(self) -> Path:
        """The state folder, or where that makes too long a path, a folder whose short name follows from it.

        Always /tmp and neither TMPDIR nor XDG_RUNTIME_DIR: the desk and who looks for it may see different ones.
        """
        if len(os.fsencode(self.state / "control.sock")) <= MAX_SOCKET_PATH:
            return self.state
        digest = hashlib.blake2b(os.fsencode(self.state), digest_size=8).hexdigest()
        return Path(f"/tmp/tradedesk-{os.getuid()}-{digest}")  # noqa: S108 `private_folder` checks whose it is


def find_home(environ: Mapping[str, str], config: Path | None = None) -> Home:
    """Where this desk is: TRADEDESK_HOME if it is set, else the system's folders; `config` (--config) names the file."""
    home = environ.get("TRADEDESK_HOME")
    if home:
        root = Path(home).expanduser().resolve()
        folders = Home(config=root / "desk.toml", state=root / "state", log=root / "log")
    else:
        folders = Home(
            config=platformdirs.user_config_path("tradedesk", appauthor=False) / "desk.toml",
            state=platformdirs.user_state_path("tradedesk", appauthor=False),
            log=platformdirs.user_log_path("tradedesk", appauthor=False),
        )
    return folders if config is None else msgspec.structs.replace(folders, config=config.expanduser().resolve())


def private_folder(path: Path) -> Path:
    """Make `path` a folder of this user's alone. Raises ConfigError if somebody else's stands there."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise ConfigError(
            [f"{path}: cannot be made ({error.strerror}); set TRADEDESK_HOME to a folder of yours"]
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ConfigError([f"{path}: is not a folder of yours; have its owner remove it, or set TRADEDESK_HOME"])
    if found.st_mode & 0o077:
        path.chmod(0o700)
    return path


# ---- reading ---------------------------------------------------------------------------------------------------------


def load(path: Path) -> Settings:
    """The settings in the file `path`. Raises ConfigError with every mistake in it."""
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size <= MAX_BYTES else b""
    except FileNotFoundError:
        raise ConfigError(
            [f"{path}: there is no such file; `tradedesk demo` needs none, or name another with --config FILE"]
        ) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror}); name a file that you may read"]) from None
    if size > MAX_BYTES:
        raise ConfigError([f"{path}: is {size} bytes long; a desk.toml has at most {MAX_BYTES}"])
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError([f"{path.name}: line {line} is not UTF-8; save the file as UTF-8"]) from None
    return parse(text, path.name)


def parse(text: str, file: str = "desk.toml") -> Settings:
    """The settings written in `text`; `file` is its name in mistakes. Raises ConfigError with every mistake."""
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise ConfigError([f"{file}: is nested too deep; write it flat, as in the README's example"]) from None
    except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
        raise ConfigError([f"{file}: {clean(str(error))}; mend that line, TOML is described at toml.io"]) from None
    mistakes: list[str] = []
    top = _Table(values, (), mistakes, file)
    settings = _settings(top)
    if mistakes:
        raise ConfigError(mistakes)
    return settings


class _Table:
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
            self.wrong(key, f"{_shown(value)} is {_kind(value)}; write it like {key} = {example}")
            return None
        return value

    def text(self, key: str, example: str, *, required: bool = True) -> str | None:
        """A text of one clean line; None if it is absent or wrong."""
        value = self._get(key, str, json.dumps(example), required)
        if value is None:
            return None
        text = str(value)
        if not text.strip() or text != clean(text, 200):
            self.wrong(
                key, f"{_shown(text)} is empty, too long or has characters no screen shows; use e.g. {example!r}"
            )
            return None
        return text

    def texts(self, key: str, example: str, *, required: bool = True) -> tuple[str, ...]:
        values = self._get(key, list, example, required)
        if values is None:
            return ()
        assert isinstance(values, list)
        for value in values:
            if not isinstance(value, str) or not value.strip() or value != clean(value, 60):
                self.wrong(key, f"{_shown(value)} is no clean text; write it like {key} = {example}")
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
            self.wrong(key, f"{_shown(value)} is out of range; use {least} or more, e.g. {example}")
            return None
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
            number = parse_decimal(_shown(value) if isinstance(value, int) else str(value), key)
        except ValueError:
            self.wrong(key, f'{_shown(value)} is not a plain decimal number; use digits and one point, e.g. "0.125"')
            return None
        if number < 0:
            self.wrong(key, f"{plain(number)} is negative; use 0 or more")
            return None
        return number

    def table(self, key: str) -> "_Table":
        """The table under `key`; an empty one if it is absent."""
        self._looked_at.append(key)
        values = self._values.get(key, {})
        if not isinstance(values, dict):
            self.wrong(
                key, f"{_shown(values)} is {_kind(values)}; write it as a table, [{_dotted((*self._where, key))}]"
            )
            values = {}
        return _Table(values, (*self._where, key), self._mistakes, self._file)

    def names(self) -> tuple[str, ...]:
        return tuple(self._values)

    def tables(self) -> dict[str, "_Table"]:
        """All that stands here, as tables by name, e.g. the accounts under `accounts`."""
        return {key: self.table(key) for key in self._values}

    def named(self, what: str) -> dict[str, "_Table"]:
        """As `tables`, where the names must be usable as ids."""
        tables = self.tables()
        for key in tables:
            if not _NAME.fullmatch(key):
                self.wrong(key, f"cannot be the name of {what}; use at most 32 letters, digits, - and _")
        return tables

    def finish(self) -> None:
        """Call when all known keys were looked at: what is left is unknown."""
        for key in self._values:
            if key not in self._looked_at:
                self.wrong(key, f"is unknown; {_nearest(key, self._looked_at)}")


def _settings(top: _Table) -> Settings:
    desk = top.table("desk")
    name, currency = desk.text("name", "main"), desk.text("reporting_currency", "USDT")
    if name is not None and not _NAME.fullmatch(name):
        desk.wrong("name", f"{_shown(name)} cannot be a name; use at most 32 letters, digits, - and _")
    if currency is not None and not _CURRENCY.fullmatch(currency):
        desk.wrong("reporting_currency", f"{_shown(currency)} is no currency; use e.g. USDT")
    desk.finish()
    venues = {VenueId(key): _venue(VenueId(key), table) for key, table in top.table("venues").named("a venue").items()}
    account_tables = top.table("accounts").named("an account")
    accounts = {AccountId(key): _account(AccountId(key), table, venues) for key, table in account_tables.items()}
    _check_exclusive(account_tables, accounts)
    operator_tables = top.table("operators").named("an operator")
    operators = {OperatorId(key): _operator(OperatorId(key), table, accounts) for key, table in operator_tables.items()}
    for first, second in _shared({key: operator.uid for key, operator in operators.items()}):
        uid = operators[second].uid
        operator_tables[second].wrong("uid", f"{uid} is that of operators.{first} too; use another, or leave it out")
    keys = top.table("keys")
    remapped = {action: keys.text(action, "f9") or "" for action in keys.names()}
    top.finish()
    return Settings(
        desk=DeskSettings(name=name or "", reporting_currency=currency or ""),
        venues=venues,
        accounts=accounts,
        operators=operators,
        keys=remapped,
    )


def _venue(id_: VenueId, table: _Table) -> VenueSettings:
    exchange = table.text("exchange", "binance")
    url = table.text("url", "http://127.0.0.1:8765", required=False)
    if url is not None and not _is_site(url):  # never shown: it may hold a password
        table.wrong(
            "url", "is not the address of a site; use e.g. http://127.0.0.1:8765, without path, user or password"
        )
    egress = _source(table, "egress", "127.0.0.1", required=False)
    instruments = table.texts("instruments", '["BTC/USDT", "ETH/USDT"]')
    ids: dict[InstrumentId, str] = {}
    for symbol in instruments:
        known = ids.setdefault(instrument_id(id_, symbol), symbol)
        if not _SYMBOL.fullmatch(symbol) or symbol != symbol.upper():
            table.wrong("instruments", f"{_shown(symbol)} is no instrument; use base/quote in capitals, e.g. BTC/USDT")
        elif known != symbol:
            table.wrong("instruments", f"{symbol} and {known} would be one instrument; remove one")
    table.finish()
    return VenueSettings(id=id_, exchange=exchange or "", url=url, egress=egress, instruments=instruments)


def _account(id_: AccountId, table: _Table, venues: dict[VenueId, VenueSettings]) -> Account:
    venue_name = table.text("venue", "binance")
    venue = venues.get(VenueId(venue_name)) if venue_name is not None else None
    if venue_name is not None and venue is None:
        table.wrong("venue", f"there is no [venues.{venue_name}]; {_nearest(venue_name, venues)}")
    secret, owner = table.text("secret", id_), table.text("owner", id_)
    egress = _source(table, "egress", "127.0.0.2", required=True)
    groups = table.texts("groups", '["all"]', required=False)
    family = table.text("family", "home", required=False)
    mode_name = table.text("mode", "paper")
    mode = Mode(mode_name) if mode_name in (Mode.Paper, Mode.Live) else None
    if mode_name is not None and mode is None:
        table.wrong("mode", f"{_shown(mode_name)} is no mode; use paper or live")
    if venue is not None and mode is Mode.Paper and venue.url is None:
        table.wrong("mode", f"paper needs venues.{venue.id}.url; set it to the paper exchange's, or use mode live")
    if venue is not None and mode is Mode.Live and venue.url is not None:
        table.wrong("mode", f"live forbids venues.{venue.id}.url; remove that url, or use mode paper")
    limits = _limits(table.table("limits"), venue)
    table.finish()
    return Account(
        id=id_,
        venue=VenueId(venue_name or ""),
        owner=owner or "",
        groups=groups,
        mode=mode or Mode.Paper,
        egress=egress or "",
        secret=secret or "",
        limits=limits,
        family=family,
    )


def _limits(table: _Table, venue: VenueSettings | None) -> Limits:
    found = _figures(table, Limits)
    instruments: dict[InstrumentId, InstrumentLimits] = {}
    inner = table.table("instruments")
    for symbol, own in inner.tables().items():
        if venue is not None and symbol not in venue.instruments:
            inner.wrong(symbol, f"is none of venues.{venue.id}.instruments; {_nearest(symbol, venue.instruments)}")
        figures = _figures(own, InstrumentLimits)
        own.finish()
        if venue is not None:
            instruments[instrument_id(venue.id, symbol)] = InstrumentLimits(**figures)  # type: ignore[arg-type]
    table.finish()
    return Limits(**found, instruments=instruments)  # type: ignore[arg-type]


def _figures(table: _Table, kind: type[Limits] | type[InstrumentLimits]) -> dict[str, Decimal | int]:
    """The limits that stand in the table, by the names they have in the domain; the others keep their defaults."""
    found: dict[str, Decimal | int | None] = {}
    for field in msgspec.structs.fields(kind):
        if field.type is int:
            found[field.name] = table.count(field.name, 1 if field.name.endswith("_ms") else 0, str(field.default))
        elif field.name != "instruments":
            found[field.name] = table.amount(field.name)
    return {name: value for name, value in found.items() if value is not None}


def _operator(name: OperatorId, table: _Table, accounts: dict[AccountId, Account]) -> OperatorSettings:
    roles = table.texts("roles", '["trader"]')
    for role in roles:
        if role not in ROLES:
            table.wrong("roles", f"{_shown(role)} is no role; {_nearest(role, ROLES)}")
    theirs = table.texts("accounts", '["acme"]')
    for account in theirs:
        if account != EVERY_ACCOUNT and account not in accounts:
            table.wrong("accounts", f"there is no [accounts.{account}]; {_nearest(account, accounts)}")
    uid = table.count("uid", 0, "1000")
    table.finish()
    return OperatorSettings(name=name, roles=roles, accounts=theirs, uid=uid)


def _check_exclusive(tables: dict[str, _Table], accounts: dict[AccountId, Account]) -> None:
    """No exit and no key serves two clients unseen; a family says openly that its accounts share an exit."""
    for first, second in _shared({key: account.egress or None for key, account in accounts.items()}):
        one, other = accounts[first], accounts[second]
        if one.family is None or one.family != other.family:
            tables[second].wrong(
                "egress",
                f"{other.egress} is the exit of accounts.{first} too; use an address of its own, "
                "or give both the same family",
            )
    for first, second in _shared({key: account.secret or None for key, account in accounts.items()}):
        tables[second].wrong(
            "secret", f"{_shown(accounts[second].secret)} is that of accounts.{first} too; use an entry of its own"
        )


def _shared(values: Mapping[_Key, object]) -> list[tuple[_Key, _Key]]:
    """Who has the same value as somebody before: (the first, who comes later). None is nobody's."""
    first: dict[object, _Key] = {}
    return [
        (holder, key)
        for key, value in values.items()
        if value is not None and (holder := first.setdefault(value, key)) != key
    ]


def _source(table: _Table, key: str, example: str, *, required: bool) -> str | None:
    """A source address as `ipaddress` writes it. Whether this machine has it is seen when the desk starts."""
    text = table.text(key, example, required=required)
    if text is None:
        return None
    if "://" in text:  # never shown: it may hold a password
        table.wrong(key, f"a proxy as exit comes later; use a source address of this machine, e.g. {example}")
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        table.wrong(key, f"{_shown(text)} is not an IP address; use a source address of this machine, e.g. {example}")
        return None
    if address.is_unspecified or address.is_multicast:
        table.wrong(key, f"{address} names no exit of its own; use one source address of this machine, e.g. {example}")
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def _is_site(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and is_bare


def _nearest(word: str, known: Iterable[str]) -> str:
    names = list(known)
    near = get_close_matches(word, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(names) or 'none'}"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return clean(repr(value), 60)
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a number of thousands of digits"


def _dotted(parts: Iterable[str]) -> str:
    return ".".join(
        part if _NAME.fullmatch(part) else json.dumps(clean(part, 60), ensure_ascii=False) for part in parts
    )


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


# ---- writing ---------------------------------------------------------------------------------------------------------


def render(settings: Settings) -> str:
    """The desk.toml that `parse` reads as `settings`. What has its default is left out."""
    desk = {"name": settings.desk.name, "reporting_currency": settings.desk.reporting_currency}
    tables = [_table(("desk",), desk)]
    for venue in settings.venues.values():
        tables.append(_table(("venues", venue.id), _set_fields(venue, leave_out=("id",))))
    for account in settings.accounts.values():
        where = ("accounts", account.id)
        tables.append(_table(where, _set_fields(account, leave_out=("id", "limits"))))
        limits = _set_fields(account.limits, leave_out=("instruments",))
        if limits:
            tables.append(_table((*where, "limits"), limits))
        for symbol in settings.venues[account.venue].instruments:
            own = account.limits.instruments.get(instrument_id(account.venue, symbol))
            if own is not None:
                tables.append(_table((*where, "limits", "instruments", symbol), _set_fields(own)))
    for operator in settings.operators.values():
        tables.append(_table(("operators", operator.name), _set_fields(operator, leave_out=("name",))))
    if settings.keys:
        tables.append(_table(("keys",), settings.keys))
    return "\n".join(tables)


def _set_fields(value: Struct, leave_out: tuple[str, ...] = ()) -> dict[str, object]:
    """The fields that differ from their default."""
    return {
        field.name: getattr(value, field.name)
        for field in msgspec.structs.fields(type(value))
        if field.name not in leave_out and getattr(value, field.name) != field.default
    }


def _table(where: tuple[str, ...], values: Mapping[str, object]) -> str:
    lines = [f"[{'.'.join(_toml_key(part) for part in where)}]"]
    return "\n".join([*lines, *(f"{_toml_key(key)} = {_toml(value)}" for key, value in values.items()), ""])


def _toml_key(key: str) -> str:
    return key if _NAME.fullmatch(key) else _toml(key)


def _toml(value: object) -> str:
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)  # a TOML string too: no text here has control characters
        case Decimal():
            return _toml(plain(value))
        case tuple():
            return f"[{', '.join(_toml(item) for item in value)}]"
        case _:
            return str(value)
