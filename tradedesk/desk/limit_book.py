"""Whose limits hold for an account: its own, then those of its groups, then the desk's; and what was changed of them live."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from tradedesk.config import Settings
from tradedesk.desk.limit_values import OF_TOTALS, TOTALS, Symbols, Unfit, symbols_of, value_of
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account
from tradedesk.domain.limits import (
    DEFAULT_POSITION_ORDERS,
    DEFAULTS,
    InstrumentLimits,
    Limits,
    Totals,
    is_tighter,
    stacked,
)
from tradedesk.domain.words import AccountId, InstrumentId
from tradedesk.risk.days import DESK
from tradedesk.views.replica import MAX_LIMITS_SET, LimitKey, limit_key

FILE = "desk.toml"
Number = Decimal | int


def with_limits(settings: Settings) -> Settings:
    """The settings with each account under all limits that hold for it."""
    return LimitBook(settings).settings()


def scope_name(account: AccountId | None, group: str | None) -> str:
    return f"accounts.{account}" if account is not None else f"groups.{group}" if group is not None else "limits"


class LimitBook:
    """What desk.toml says and what was set live since. Immutable: `changed` makes the next one."""

    def __init__(
        self, settings: Settings, live: Iterable[ev.LimitsSet] = (), exceptions: Iterable[ev.LimitsSet] = ()
    ) -> None:
        """`exceptions` are those of `LimitsSet` that have an end: each stands over the same figure of the same scope."""
        self.file = settings
        self.live: dict[LimitKey, ev.LimitsSet] = {limit_key(event): event for event in live}
        self.exceptions: dict[LimitKey, ev.LimitsSet] = {limit_key(event): event for event in exceptions}
        self.symbols = symbols_of(settings)

    def changed(self, event: ev.LimitsSet) -> "LimitBook":
        """With this newest one: of a figure the last holds, and one without a value gives it back to the file.

        An exception leaves what was set under it; what is set without an end ends the exception.
        """
        book = self.without([event])
        if event.until is not None:
            return LimitBook(self.file, self.live.values(), [*book.exceptions.values(), event])
        kept = [known for key, known in self.live.items() if key != limit_key(event)]
        return LimitBook(self.file, kept if event.value is None else [*kept, event], book.exceptions.values())

    def over(self, now: int) -> list[ev.LimitsSet]:
        """The exceptions whose time is over at `now` (ns)."""
        return [event for event in self.exceptions.values() if event.until is not None and event.until <= now]

    def without(self, ended: Iterable[ev.LimitsSet]) -> "LimitBook":
        """Without the exceptions of these figures."""
        keys = {limit_key(event) for event in ended}
        return LimitBook(
            self.file, self.live.values(), [event for key, event in self.exceptions.items() if key not in keys]
        )

    @property
    def is_full(self) -> bool:
        return len(self.live) + len(self.exceptions) >= MAX_LIMITS_SET

    def settings(self) -> Settings:
        accounts = {
            key: msgspec.structs.replace(account, limits=self.of(account))
            for key, account in self.file.accounts.items()
        }
        return msgspec.structs.replace(self.file, accounts=accounts)

    def of(self, account: Account) -> Limits:
        """The limits of an account of the file under all scopes; of several groups the one named first."""
        account = self.file.accounts[account.id]
        scopes = self._scope(account.id, None, account.limits)
        for name in account.groups:
            group = self.file.groups.get(name)
            scopes += self._scope(None, name, Limits() if group is None else group.limits)
        return stacked(scopes + self._scope(None, None, self.file.limits))

    def _scope(self, account: AccountId | None, group: str | None, written: Limits) -> list[tuple[str, Limits]]:
        name = scope_name(account, group)
        found = []
        for event in (*self.exceptions.values(), *self.live.values()):
            if (event.account, event.group) == (account, group):
                when = f"set by {event.by} {_minute(event.at)}"
                if event.until is not None:
                    when = f"exception until {_minute(event.until)} {when}"
                found.append((f"{name}, {when}", _limits_of(event, self.symbols)))
        return [*found, (f"{name} in {FILE}", written)]

    def totals(self) -> dict[str, tuple[Totals, str]]:
        """What groups and the desk may hold in sum, with who set it, by the names of `Reservations`."""
        names = {*self.file.groups, *(group for account in self.file.accounts.values() for group in account.groups)}
        found = {f"group {name}": self._totals(name) for name in sorted(names)} | {DESK: self._totals(None)}
        return {scope: (totals, source) for scope, (totals, source) in found.items() if totals != Totals()}

    def totals_of(self, group: str | None) -> tuple[str, Totals, str]:
        """Of the group a change is about, or of the desk: its name for `Reservations`, the totals, who set them."""
        return (DESK if group is None else f"group {group}", *self._totals(group))

    def _totals(self, group: str | None) -> tuple[Totals, str]:
        written = self._written_totals(group)
        source = f"{'totals' if group is None else f'groups.{group}.totals'} in {FILE}"
        found: dict[str, Any] = {}
        for event in (
            *self.live.values(),
            *self.exceptions.values(),
        ):  # the exception last: it stands over what was set
            if (event.account, event.group) == (None, group) and event.figure in TOTALS:
                figure = event.figure.removeprefix(OF_TOTALS)
                found[figure] = value_of(event.figure, None, event.value or "", self.symbols)
                ends = "" if event.until is None else f" until {_minute(event.until)}"
                source += f"; {figure} set{ends} by {event.by} {_minute(event.at)}"
        return msgspec.structs.replace(written, **found), source

    def _written_totals(self, group: str | None) -> Totals:
        if group is None:
            return self.file.totals
        return self.file.groups[group].totals if group in self.file.groups else Totals()

    def said(
        self, account: AccountId | None, group: str | None, instrument: InstrumentId | None, figure: str
    ) -> str | None:
        """What this very scope says of the figure now."""
        key = (account, group, instrument, figure)
        event = self.exceptions.get(key) or self.live.get(key)
        if event is not None:
            return event.value
        value = self.written(account, group, instrument, figure)
        if isinstance(value, tuple):
            return ", ".join(value) or "none"
        return None if value is None else str(value)

    def written(
        self, account: AccountId | None, group: str | None, instrument: InstrumentId | None, figure: str
    ) -> Any:
        """What desk.toml says of the figure in this very scope; None: nothing."""
        if figure in TOTALS:
            return getattr(self._written_totals(group), figure.removeprefix(OF_TOTALS))
        if account is not None:
            written = self.file.accounts[account].limits
        elif group is not None:
            written = self.file.groups[group].limits if group in self.file.groups else Limits()
        else:
            written = self.file.limits
        table = written if instrument is None else written.instruments.get(instrument)
        value = getattr(table, figure, None)
        return None if value == () and figure == "restricted" else value

    def concerned(self, event: ev.LimitsSet) -> list[Account]:
        return [
            account
            for account in self.file.accounts.values()
            if event.account in (None, account.id) and (event.group is None or event.group in account.groups)
        ]

    def raised_by(self, event: ev.LimitsSet) -> list[AccountId]:
        """The accounts for which something would pass after it that does not now, or would not once exceptions have ended.

        So nobody alone makes an exception longer, or makes it stay by setting less than it.
        """
        lasting = LimitBook(self.file, self.live.values())
        return [
            account.id
            for account in self.concerned(event)
            if any(_raises(book, event, account) for book in (self, lasting))
        ]


def at_start(
    settings: Settings, recorded: Iterable[ev.LimitsSet], exceptions: Iterable[ev.LimitsSet] = ()
) -> tuple[LimitBook, list[str]]:
    """The tighter of file and journal, and where they differ, in words. What raises any account is not taken over.

    Exceptions are: two persons let them, and they end.
    """
    file = LimitBook(settings)
    kept: list[ev.LimitsSet] = []
    told = []
    for event in recorded:
        where = f"{scope_name(event.account, event.group)} {event.instrument or ''}".strip() + f" {event.figure}"
        if not _is_usable(event, file):
            continue
        written = file.said(event.account, event.group, event.instrument, event.figure)
        value = value_of(event.figure, event.instrument, event.value or "", file.symbols)
        if value == file.written(event.account, event.group, event.instrument, event.figure):
            continue
        holds = FILE if file.raised_by(event) else "what was set"
        if holds != FILE:
            kept.append(event)
        told.append(f"{where}: {event.value} as {event.by} set it, {written or 'nothing'} in {FILE}: {holds} holds")
    return LimitBook(settings, kept, [event for event in exceptions if _is_usable(event, file)]), told


def _is_usable(event: ev.LimitsSet, file: LimitBook) -> bool:
    """Whether its account and its figure are still there."""
    if event.account is not None and event.account not in file.file.accounts:
        return False
    try:
        value_of(event.figure, event.instrument, event.value or "", file.symbols)
    except Unfit:
        return False
    return True


def totals_of(settings: Settings) -> dict[str, tuple[Totals, str]]:
    """What groups and the desk may hold in sum as desk.toml says, by the names of `Reservations`."""
    return LimitBook(settings).totals()


def _minute(at: int) -> str:
    return datetime.fromtimestamp(at // 10**9, UTC).strftime("%Y-%m-%d %H:%MZ")


def _limits_of(event: ev.LimitsSet, symbols: Symbols) -> Limits:
    try:
        value = value_of(event.figure, event.instrument, event.value or "", symbols)
    except Unfit:  # of an older program, or of an instrument that desk.toml no longer names
        return Limits()
    if event.figure in TOTALS:
        return Limits()
    if event.instrument is None:
        return Limits(**{event.figure: value})
    return Limits(instruments={event.instrument: InstrumentLimits(**{event.figure: value})})


def _raises(book: LimitBook, event: ev.LimitsSet, account: Account) -> bool:
    after = book.changed(event)
    if event.figure not in TOTALS:
        return _lets_more_pass(event.figure, book.of(account), after.of(account))
    figure = event.figure.removeprefix(OF_TOTALS)
    old, new = (getattr(one.totals_of(event.group)[1], figure) for one in (book, after))
    return old != new and not is_tighter(figure, new, old)


def _lets_more_pass(figure: str, before: Limits, after: Limits) -> bool:
    places: set[InstrumentId | None] = {None, *before.instruments, *after.instruments}
    for place in places:
        old, new = _in_force(figure, before, place), _in_force(figure, after, place)
        if old != new and not is_tighter(figure, new, old):
            return True
    return False


def _in_force(figure: str, limits: Limits, instrument: InstrumentId | None) -> Any:
    """The figure as the Gate takes it, for any instrument without limits of its own where None."""
    value = getattr(limits.instruments.get(instrument), figure, None) if instrument else None
    if value is None:
        value = getattr(limits, figure)
    if value is None:
        value = DEFAULTS.get(figure)
    if value is not None:
        return value
    match figure:
        case "max_order_notional":
            return Decimal(0)  # none at all is none allowed
        case "max_position_notional":
            return (_in_force("max_order_notional", limits, instrument) or Decimal(0)) * DEFAULT_POSITION_ORDERS
        case "price_away_bps":
            return _in_force("price_collar_bps", limits, instrument)
    return None
