"""Changing limits while the desk runs: the record first, then the book, then the workers of the accounts concerned."""

from collections.abc import Callable, Mapping

from tradedesk.accounts.mail import NewLimits
from tradedesk.accounts.supervisor import Supervisor
from tradedesk.clock import Clock
from tradedesk.desk.approvals import Question
from tradedesk.desk.limit_book import LimitBook, scope_name
from tradedesk.desk.limit_values import EXAMPLES, TOTALS, Unfit, value_of
from tradedesk.domain import events as ev
from tradedesk.domain.commands import SetLimits, Submitted
from tradedesk.domain.limits import Totals
from tradedesk.domain.text import clean, iso_time
from tradedesk.domain.words import AccountId
from tradedesk.log import Log
from tradedesk.risk.reservations import Reservations

MAX_REASON = 256  # characters
LONGEST_NS = 7 * 24 * 3_600 * 10**9  # of an exception


class LimitSetting:
    """`wrong`, `question` and `change` may be called from any thread; the book is changed on the desk thread, by `soon`."""

    def __init__(
        self,
        *,
        book: LimitBook,
        shared: Reservations,
        workers: Mapping[AccountId, Supervisor],
        emit: Callable[[ev.Event], None],
        soon: Callable[[Callable[[], None]], None],
        clock: Clock,
        log: Log,
    ) -> None:
        self.book = book
        self._shared = shared
        self._workers = workers
        self._emit = emit
        self._soon = soon
        self._clock = clock
        self._log = log

    def totals(self) -> dict[str, tuple[Totals, str]]:
        """What groups and the desk may hold in sum now, with who set it. From any thread."""
        return self.book.totals()

    def wrong(self, command: SetLimits) -> str | None:
        """Why nothing can be set by it, or None."""
        if not command.reason.strip():
            return "setting a limit needs a reason; it is kept in the audit trail"
        if command.account is not None and command.group is not None:
            return "a limit is an account's, a group's or the desk's; name one of them"
        groups = {name for account in self.book.file.accounts.values() for name in account.groups}
        if command.group is not None and command.group not in groups:
            return (
                f"no account is in a group {clean(command.group, 40)!r}; groups: {', '.join(sorted(groups)) or 'none'}"
            )
        if command.account is not None and command.figure in TOTALS:
            return "totals are a group's or the desk's; an account has figures of its own"
        traded = {instrument for at_venues in self.book.symbols.values() for instrument in at_venues}
        if command.instrument is not None and command.instrument not in traded:
            return f"{clean(command.instrument, 64)!r} is not traded by this desk"
        value = EXAMPLES.get(command.figure, "") if command.value is None else command.value
        try:
            value_of(command.figure, command.instrument, value, self.book.symbols)
        except Unfit as unfit:
            return clean(str(unfit), 2 * MAX_REASON)
        if command.until is not None:
            if command.value is None:
                return "an exception needs a value; what desk.toml says needs no end"
            if not self._clock.now() < command.until <= self._clock.now() + LONGEST_NS:
                return "an exception ends within seven days, and not before it began"
        key = (command.account, command.group, command.instrument, command.figure)
        if command.value is not None and self.book.is_full and key not in self.book.live:
            return "too many limits were set live; write some of them into desk.toml, and give them back with no value"
        return None

    def question(self, command: SetLimits) -> Question | None:
        """What a second person is asked where it would let more pass than is let now."""
        event = self._event(command)
        if not self.book.raised_by(event):
            return None
        where = " ".join(
            part for part in (scope_name(event.account, event.group), event.instrument, event.figure) if part
        )
        change = f"from {event.before or 'nothing'} to {event.value or 'what desk.toml says'}"
        if event.until is not None:
            change += f" until {iso_time(event.until)}"
        return Question(
            kind="raise-limits",
            account=command.account,
            what=f"raise {where} {change}: {command.reason}",
            about=f"{where} {change}",
        )

    def change(self, command: SetLimits, *, may_raise: bool) -> Submitted:
        self._soon(lambda: self._change(command, may_raise))
        return Submitted()

    def _event(self, command: SetLimits) -> ev.LimitsSet:
        return ev.LimitsSet(
            at=self._clock.now(),
            source="desk",
            account=command.account,
            group=command.group,
            instrument=command.instrument,
            figure=command.figure,
            value=command.value,
            before=self.book.said(command.account, command.group, command.instrument, command.figure),
            until=command.until,
            by=command.operator,
            reason=clean(command.reason, MAX_REASON),
        )

    def _change(self, command: SetLimits, may_raise: bool) -> None:
        event = self._event(command)
        if not may_raise and self.book.raised_by(event):  # another change came between
            why = f"{event.figure} was made tighter meanwhile, so this would raise it; ask again"
            refused = ev.SubmissionRefused(
                at=event.at, source="desk", operator=command.operator, what="SetLimits", reason=why
            )
            self._emit(refused)
            return
        self._emit(event)
        self.book = self.book.changed(event)
        self._tell(event)
        self._log.warning(
            "limits_set", account=event.account or event.group or "desk", figure=event.figure,
            value=event.value or "as desk.toml says", by=event.by,
        )  # fmt: skip

    def expire(self) -> None:
        """End the exceptions whose time is over. For the desk thread."""
        for event in self.book.over(self._clock.now()):
            self._emit(
                ev.LimitExceptionEnded(
                    at=self._clock.now(), source="desk", account=event.account, group=event.group,
                    instrument=event.instrument, figure=event.figure, value=event.value, by=event.by,
                )
            )  # fmt: skip
            self.book = self.book.without([event])
            self._tell(event)
            self._log.warning(
                "limit_exception_ended", account=event.account or event.group or "desk", figure=event.figure
            )

    def _tell(self, event: ev.LimitsSet) -> None:
        """The workers of the accounts concerned; of what they hold in sum, all of them by the one book they share."""
        if event.figure in TOTALS:
            with self._shared.lock:
                self._shared.set_totals(*self.book.totals_of(event.group))
            return
        for account in self.book.concerned(event):
            worker = self._workers.get(account.id)
            if worker is not None and not worker.post(NewLimits(limits=self.book.of(account))):
                self._log.error("limits_not_told", account=account.id, figure=event.figure)
