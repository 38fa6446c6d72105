"""The day's P&L of every account, group and the desk: what the Gate holds a daily loss and a drawdown against."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account
from tradedesk.domain.day import Day, Gain, Today, looked, remembered, shifted, summed
from tradedesk.domain.words import AccountId

DESK = "the desk"
PEAK_NS = 10 * 10**9  # a higher peak is recorded no more often than this, which is what a crash can lose of it
NET_NS = 300 * 10**9  # likewise a day's newest figure: after a restart it stands for an account that is not open yet


def scopes_of(account: Account) -> tuple[str, ...]:
    """Whatever has sums that the account counts in, itself first."""
    return (f"account {account.id}", *(f"group {group}" for group in account.groups), DESK)


def scope_of(mark: ev.DayMarked) -> str:
    if mark.account is not None:
        return f"account {mark.account}"
    return DESK if mark.group is None else f"group {mark.group}"


def day_of(mark: ev.DayMarked) -> Day:
    return Day(day=mark.day, start=mark.start, peak=mark.peak, net=mark.net)


class Days:
    """One thread's, or several with one lock held: each account's worker tells what it won so far."""

    def __init__(self, accounts: Iterable[Account] = ()) -> None:
        self._scopes: dict[AccountId, tuple[str, ...]] = {}
        self._days: dict[str, Day] = {}
        self._unpriced: defaultdict[str, dict[AccountId, tuple[str, ...]]] = defaultdict(dict)
        self._recorded: dict[str, tuple[Day, int]] = {}  # with the monotonic time of it, ns
        for account in accounts:
            self.know(account)

    def know(self, account: Account) -> None:
        self._scopes[account.id] = scopes_of(account)

    def recall(self, marks: Iterable[ev.DayMarked]) -> None:
        """What the journal knows. What was seen since in this life of the desk stays, with the older begin and any higher peak."""
        sums = []
        for mark in marks:
            if mark.account is None:
                sums.append(mark)
            elif mark.account in self._scopes:
                own = scope_of(mark)
                self._put(mark.account, remembered(self._days.get(own), day_of(mark)))
        for mark in sums:  # their newest figures are what the accounts make; the peaks are known from here
            scope = scope_of(mark)
            known, told = self._days.get(scope), day_of(mark)
            if known is None or told.day > known.day:  # nothing of their accounts is known on that day
                self._days[scope] = msgspec.structs.replace(told, net=told.start)
            elif told.day == known.day:
                self._days[scope] = remembered(known, told)

    def tell(self, account: AccountId, gain: Gain, now: int, *, has_moved: bool = False) -> None:
        """What the account has won by now, and with it its groups and the desk.

        `has_moved`: capital came or went since it was told last. Assets go at their average cost and come at it, so the
        change since, of a moment, is taken for theirs and counts as neither gain nor loss.
        """
        own, *_ = scopes = self._scopes[account]
        for scope in scopes:
            if gain.unpriced:
                self._unpriced[scope][account] = gain.unpriced
            else:
                self._unpriced[scope].pop(account, None)
        if gain.net is not None:
            day = self._days.get(own)
            if day is not None and has_moved:
                day = shifted(day, gain.net)
                self._put(account, day)
            self._put(account, looked(day, gain.net, now))

    def day(self, scope: str) -> Day | None:
        return self._days.get(scope)

    def today(self, scope: str) -> Today:
        """Not known while one of its accounts holds what has no price now, or before a first look."""
        unpriced = tuple(dict.fromkeys(what for found in self._unpriced[scope].values() for what in found))
        day = self._days.get(scope)
        if unpriced or day is None:
            return Today(unpriced=unpriced)
        return Today(loss=day.loss, drawdown=day.drawdown)

    def due(self, account: AccountId, now: int, elapsed: int) -> list[ev.DayMarked]:
        """What must be recorded of the account, its groups and the desk, so that a restart knows the day."""
        found = []
        for scope in self._scopes[account]:
            day = self._days.get(scope)
            kept, at = self._recorded.get(scope, (None, 0))
            if day is None or (kept is not None and not _is_news(kept, day, elapsed - at)):
                continue
            self._recorded[scope] = (day, elapsed)
            kind, _, name = scope.partition(" ")
            found.append(
                ev.DayMarked(
                    at=now,
                    source=f"worker:{account}",
                    account=account if kind == "account" else None,
                    group=name if kind == "group" else None,
                    day=day.day,
                    start=day.start,
                    peak=day.peak,
                    net=day.net,
                )
            )
        return found

    def _put(self, account: AccountId, day: Day) -> None:
        own, *wider = self._scopes[account]
        before = self._days.get(own)
        self._days[own] = day
        for scope in wider:
            self._days[scope] = summed(self._days.get(scope), before, day)


def _is_news(kept: Day, day: Day, since_ns: int) -> bool:
    if day.day != kept.day:
        return True
    return (day.peak > kept.peak and since_ns >= PEAK_NS) or (day.net != kept.net and since_ns >= NET_NS)
