"""desk.toml read and checked: every name in it that points somewhere points at something."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from tradedesk.config.exits import check_exits, read_check, read_exit, read_exit_keys
from tradedesk.config.limit_tables import read_limits, read_totals
from tradedesk.config.mandate_tables import read_mandate, read_profile
from tradedesk.config.risk_tables import read_rules
from tradedesk.config.settings import (
    APPROVALS,
    EVERY_ACCOUNT,
    ROLES,
    WATCHDOG_S,
    ConfigError,
    DeskSettings,
    GroupSettings,
    OperatorSettings,
    Settings,
    VenueSettings,
)
from tradedesk.config.tables import NAME, Table, nearest, shown
from tradedesk.domain.accounts import Account, DeadMan, Mode, OnStop, SignsIn
from tradedesk.domain.alerts import Severity
from tradedesk.domain.instruments import instrument_id
from tradedesk.domain.text import clean
from tradedesk.domain.webhooks import Receiver, ReceiverKind
from tradedesk.domain.words import AccountId, InstrumentId, OperatorId, VenueId

MAX_BYTES = 1_000_000  # of desk.toml; a thousand accounts are a third of it

_Key = TypeVar("_Key", bound=str)
_SYMBOL = re.compile(r"[^\s/:]{1,24}/[^\s/:]{1,24}")
_CURRENCY = re.compile(r"[A-Z0-9]{2,12}", re.ASCII)
LEAST_WATCHDOG_S = 5  # below it a desk that is busy for a moment would be taken for dead


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
    top = Table(values, (), mistakes, file)
    settings = settings_of(top)
    if mistakes:
        raise ConfigError(mistakes)
    return settings


def settings_of(top: Table) -> Settings:
    desk = top.table("desk")
    name, currency = desk.text("name", "main"), desk.text("reporting_currency", "USDT")
    if name is not None and not NAME.fullmatch(name):
        desk.wrong("name", f"{shown(name)} cannot be a name; use at most 32 letters, digits, - and _")
    if currency is not None and not _CURRENCY.fullmatch(currency):
        desk.wrong("reporting_currency", f"{shown(currency)} is no currency; use e.g. USDT")
    approvals = desk.texts("approvals", '["rearm-breach"]', required=False)
    for wanted in approvals:
        if wanted not in APPROVALS:
            desk.wrong("approvals", f"{shown(wanted)} is nothing that can be approved; {nearest(wanted, APPROVALS)}")
    idle_lock_minutes = desk.count("idle_lock_minutes", 0, "10") or 0
    read_group = desk.text("read_group", "support", required=False)
    watchdog_seconds = desk.count("watchdog_seconds", LEAST_WATCHDOG_S, "15") or WATCHDOG_S
    exit_check = read_check(desk)
    desk.finish()
    venues = {VenueId(key): _venue(VenueId(key), table) for key, table in top.table("venues").named("a venue").items()}
    account_tables = top.table("accounts").named("an account")
    accounts = {
        AccountId(key): _account(AccountId(key), table, venues, exit_check) for key, table in account_tables.items()
    }
    _check_exclusive(account_tables, accounts)
    desk_limits = read_limits(top.table("limits"), venues.values())
    totals = read_totals(top.table("totals"))
    groups = {
        key: _group(table, venues, [account for account in accounts.values() if key in account.groups])
        for key, table in top.table("groups").named("a group").items()
    }
    operator_tables = top.table("operators").named("an operator")
    operators = {OperatorId(key): _operator(OperatorId(key), table, accounts) for key, table in operator_tables.items()}
    for first, second in _shared({key: operator.uid for key, operator in operators.items()}):
        uid = operators[second].uid
        operator_tables[second].wrong("uid", f"{uid} is that of operators.{first} too; use another, or leave it out")
    alerts = {key: _receiver(key, table) for key, table in top.table("alerts").named("a receiver").items()}
    rules = read_rules(top.table("risk"), accounts.values(), operators)
    keys = top.table("keys")
    remapped = {action: keys.text(action, "f9") or "" for action in keys.names()}
    top.finish()
    return Settings(
        desk=DeskSettings(
            name=name or "",
            reporting_currency=currency or "",
            approvals=approvals,
            idle_lock_minutes=idle_lock_minutes,
            read_group=read_group,
            watchdog_seconds=watchdog_seconds,
            exit_check=exit_check,
        ),
        venues=venues,
        accounts=accounts,
        limits=desk_limits,
        totals=totals,
        groups=groups,
        operators=operators,
        rules=rules,
        alerts=alerts,
        keys=remapped,
    )


def _venue(id_: VenueId, table: Table) -> VenueSettings:
    exchange = table.text("exchange", "binance")
    url = table.text("url", "http://127.0.0.1:8765", required=False)
    if url is not None and not is_site(url):  # never shown: it may hold a password
        table.wrong(
            "url", "is not the address of a site; use e.g. http://127.0.0.1:8765, without path, user or password"
        )
    egress = read_exit(table, "egress", "127.0.0.1", required=False)
    instruments = table.texts("instruments", '["BTC/USDT", "ETH/USDT"]')
    ids: dict[InstrumentId, str] = {}
    for symbol in instruments:
        known = ids.setdefault(instrument_id(id_, symbol), symbol)
        if not _SYMBOL.fullmatch(symbol) or symbol != symbol.upper():
            table.wrong("instruments", f"{shown(symbol)} is no instrument; use base/quote in capitals, e.g. BTC/USDT")
        elif known != symbol:
            table.wrong("instruments", f"{symbol} and {known} would be one instrument; remove one")
    table.finish()
    return VenueSettings(id=id_, exchange=exchange or "", url=url, egress=egress, instruments=instruments)


def _account(id_: AccountId, table: Table, venues: dict[VenueId, VenueSettings], desk_check: str | None) -> Account:
    venue_name = table.text("venue", "binance")
    venue = venues.get(VenueId(venue_name)) if venue_name is not None else None
    if venue_name is not None and venue is None:
        table.wrong("venue", f"there is no [venues.{venue_name}]; {nearest(venue_name, venues)}")
    secret, owner = table.text("secret", id_), table.text("owner", id_)
    egress = read_exit(table, "egress", "127.0.0.2", required=True)
    exits = read_exit_keys(table, egress, desk_check)
    groups = table.texts("groups", '["all"]', required=False)
    family = table.text("family", "home", required=False)
    uid, master = table.text("uid", "35380", required=False), table.text("master", "35000", required=False)
    stp_group = table.text("stp_group", "desk", required=False)
    mode_name = table.text("mode", "paper")
    mode = Mode(mode_name) if mode_name in (Mode.Paper, Mode.Live) else None
    if mode_name is not None and mode is None:
        table.wrong("mode", f"{shown(mode_name)} is no mode; use paper or live")
    if venue is not None and mode is Mode.Paper and venue.url is None:
        table.wrong("mode", f"paper needs venues.{venue.id}.url; set it to the paper exchange's, or use mode live")
    if venue is not None and mode is Mode.Live and venue.url is not None:
        table.wrong("mode", f"live forbids venues.{venue.id}.url; remove that url, or use mode paper")
    limits = read_limits(table.table("limits"), [venue] if venue is not None else venues.values())
    mandate, profile = read_mandate(table), read_profile(table)
    cancel_secret = table.text("cancel_secret", f"{id_}-cancel", required=False)
    on_stop = table.text("on_stop", "keep", required=False) or OnStop.Keep
    if on_stop not in tuple(OnStop):
        table.wrong("on_stop", f"{shown(on_stop)} is not known; use keep or cancel")
    dead_man = table.text("dead_man", "watchdog", required=False)
    if dead_man is not None and dead_man not in tuple(DeadMan):
        table.wrong("dead_man", f"{shown(dead_man)} is not known; use watchdog, or leave it out")
    signer = table.text("signer", "process", required=False) or SignsIn.Thread
    if signer not in tuple(SignsIn):
        table.wrong("signer", f"{shown(signer)} is not known; use thread or process")
    flatten_by_itself = table.flag("flatten_by_itself")
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
        flatten_by_itself=flatten_by_itself,
        family=family,
        uid=uid,
        master=master,
        stp_group=stp_group,
        **exits,
        cancel_secret=cancel_secret,
        on_stop=OnStop.Cancel if on_stop == OnStop.Cancel else OnStop.Keep,
        dead_man=DeadMan.Watchdog if dead_man == DeadMan.Watchdog else None,
        signer=SignsIn(signer) if signer in tuple(SignsIn) else SignsIn.Thread,
        mandate=mandate,
        profile=profile,
    )


def _group(table: Table, venues: dict[VenueId, VenueSettings], members: list[Account]) -> GroupSettings:
    if not members:
        table.wrong("limits", "no account is in this group; name it in accounts.X.groups, or remove the table")
    limits = read_limits(table.table("limits"), venues.values())
    totals = read_totals(table.table("totals"))
    table.finish()
    return GroupSettings(limits=limits, totals=totals)


def _operator(name: OperatorId, table: Table, accounts: dict[AccountId, Account]) -> OperatorSettings:
    roles = table.texts("roles", '["trader"]')
    for role in roles:
        if role not in ROLES:
            table.wrong("roles", f"{shown(role)} is no role; {nearest(role, ROLES)}")
    theirs = table.texts("accounts", '["acme"]')
    sees = table.texts("sees", '["acme"]', required=False) if "sees" in table.names() else None
    for key, named in (("accounts", theirs), ("sees", sees or ())):
        for account in named:
            if account != EVERY_ACCOUNT and account not in accounts:
                table.wrong(key, f"there is no [accounts.{account}]; {nearest(account, accounts)}")
    if sees is not None and EVERY_ACCOUNT not in sees:
        unseen = [account for account in theirs if account not in sees]
        if unseen:
            table.wrong("sees", f"leaves out {', '.join(unseen)}, and nobody trades what they do not see; add it")
    uid = table.count("uid", 0, "1000")
    table.finish()
    return OperatorSettings(name=name, roles=roles, accounts=theirs, sees=sees, uid=uid)


def _receiver(name: str, table: Table) -> Receiver:
    kind = table.text("kind", "slack")
    if kind is not None and kind not in tuple(ReceiverKind):
        table.wrong("kind", f"{shown(kind)} is not known; {nearest(kind, ReceiverKind)}")
        kind = None
    least = table.text("least", "critical", required=False) or Severity.Warning
    if least not in tuple(Severity):
        table.wrong("least", f"{shown(least)} is no severity; {nearest(least, Severity)}")
        least = Severity.Warning
    chat = table.text("chat", "@our-desk", required=kind == ReceiverKind.Telegram)
    if chat is not None and kind is not None and kind != ReceiverKind.Telegram:
        table.wrong("chat", f"only telegram has chats; leave it out of a receiver of kind {kind}")
    if "url" in table.names():  # never shown: who has it can write there
        table.wrong("url", f"is a secret; take it out, and put it in with `tradedesk alerts-to add {name}`")
        table.text("url", "", required=False)
    table.finish()
    return Receiver(name=name, kind=ReceiverKind(kind or ReceiverKind.Json), least=Severity(least), chat=chat)


def _check_exclusive(tables: dict[str, Table], accounts: dict[AccountId, Account]) -> None:
    """No exit and no key serves two clients unseen; a family says openly that its accounts share an exit."""
    check_exits(tables, accounts)
    for first, second in _shared({key: account.secret or None for key, account in accounts.items()}):
        tables[second].wrong(
            "secret", f"{shown(accounts[second].secret)} is that of accounts.{first} too; use an entry of its own"
        )
    owners = {account.secret: key for key, account in accounts.items()}
    for key, account in accounts.items():
        holder = owners.setdefault(account.cancel_secret, key) if account.cancel_secret is not None else None
        if holder is not None and (holder != key or account.cancel_secret == account.secret):
            tables[key].wrong(
                "cancel_secret",
                f"{shown(account.cancel_secret)} is that of accounts.{holder} already; use an entry of its own",
            )


def _shared(values: Mapping[_Key, object]) -> list[tuple[_Key, _Key]]:
    """Who has the same value as somebody before: (the first, who comes later). None is nobody's."""
    first: dict[object, _Key] = {}
    return [
        (holder, key)
        for key, value in values.items()
        if value is not None and (holder := first.setdefault(value, key)) != key
    ]


def is_site(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and is_bare
