"""Admission: nothing of an account trades before its key was looked at and found fit, and again after each reconnect.

Until then the account is barred: the Gate and the last check refuse new orders with the reasons, cancels pass.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable

from tradedesk.accounts.core import Core
from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.commands import AcceptKeyRisk
from tradedesk.domain.findings import Finding
from tradedesk.domain.keys import DAY_NS, AcceptedRisk, KeyReport
from tradedesk.domain.words import AccountId
from tradedesk.log import Log
from tradedesk.venues.adapter import Adapter, VenueFailed
from tradedesk.venues.backoff import back_off_s
from tradedesk.venues.hygiene import judge, refusals

KEY = "key"  # what its bar is called
LOOK_AGAIN_NS = DAY_NS  # a right that was added at the venue is noticed within a day; a reconnect looks as well
REFUSED_AGAIN_NS = 5 * 60 * 10**9  # of a key that is refused: somebody is putting it right
NOT_YET = "its key was not looked at yet"


class VenueAccounts:
    """Which account of the desk is which at its venue: where two are one, neither trades. For any thread."""

    def __init__(self, doubt: Callable[[AccountId], None]) -> None:
        """`doubt` is told of an account that another one turns out to be too: it has to be looked at again."""
        self._doubt = doubt
        self._claims: dict[AccountId, tuple[str, str]] = {}  # -> (where the venue is reached, its uid there)
        self._lock = threading.Lock()

    def claim(self, place: str, uid: str, account: AccountId) -> AccountId | None:
        """Note which one it is now; another account that is the same one."""
        mine = (place, uid)
        with self._lock:
            is_new = self._claims.get(account) != mine
            self._claims[account] = mine
            twins = [other for other, its in self._claims.items() if other != account and its == mine]
        for twin in twins if is_new else ():
            self._doubt(twin)
        return twins[0] if twins else None


class Admission:
    """Of one start of a worker, on its loop. `renew` and `accept` are called there too."""

    def __init__(
        self,
        core: Core,
        adapter: Adapter,
        *,
        claim: Callable[[str], AccountId | None],
        refused: Callable[[VenueFailed], None],
        clock: Clock,
        chance: random.Random,
        log: Log,
    ) -> None:
        """`claim` names the other account of this desk that a venue's uid belongs to. `refused` is told of a key that is none."""
        self._core = core
        self._adapter = adapter
        self._claim = claim
        self._refused = refused
        self._clock = clock
        self._chance = chance
        self._log = log
        self._report: KeyReport | None = None  # of the newest look
        self._is_admitted = False
        self._wanted = asyncio.Event()
        core.bar(KEY, AccountState.Reconciling, NOT_YET, clock.now())

    def renew(self) -> None:
        """The connection is a new one: what was proved on the old one is proved again before anything trades."""
        if self._is_admitted:
            self._is_admitted = False
            self._core.bar(KEY, AccountState.Reconciling, NOT_YET, self._clock.now())
        self._wanted.set()

    def exit_seen(self) -> None:
        """Where the exit is seen is known now: a key that is bound to addresses is compared with it."""
        report = self._report
        if report is not None and report.rights is not None and report.rights.addresses is not None:
            self._judge(report)

    def look(self) -> None:
        """Somebody wants to know how the key is now."""
        self._wanted.set()

    def accept(self, command: AcceptKeyRisk) -> str | None:
        """Record an operator's yes to the key as it is, and judge it anew; why that cannot be, if it cannot."""
        report = self._report
        if report is None:
            return f"account {self._core.account.id}: {NOT_YET}; try again once it was"
        if command.fingerprint != report.fingerprint:
            return f"the key of account {self._core.account.id} is {report.fingerprint} now, not {command.fingerprint}"
        now = self._clock.now()
        risk = AcceptedRisk(fingerprint=report.fingerprint, by=command.operator, reason=command.reason, at=now)
        self._core.note(ev.KeyRiskAccepted(at=now, source=self._source, account=self._core.account.id, risk=risk))
        self._log.warning("key_risk_accepted", account=self._core.account.id, by=command.operator)
        self._judge(report)
        return None

    async def run(self) -> None:
        """Look when the connection is new, once a day, and when the key's time is up; a venue that does not answer is asked again."""
        failures = 0
        while True:
            pause = self._until_next_ns() / 10**9 if failures == 0 else back_off_s(failures, self._chance)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wanted.wait()
            self._wanted.clear()
            try:
                report = await self._adapter.key_report()
            except VenueFailed as error:
                if error.is_auth:
                    self._refused(error)
                    return  # asking again with a refused key is no use (F28)
                failures += 1
                self._log.warning("key_not_looked_at", account=self._core.account.id, cause=error.cause)
                if not self._is_admitted:
                    reason = f"its key could not be looked at ({error.cause}); trying again"
                    self._core.bar(KEY, AccountState.Offline, reason, self._clock.now())
                continue
            failures = 0
            if not self._wanted.is_set():  # else this look was of a connection that is gone
                self._judge(report)

    def against(self, report: KeyReport) -> str:
        """Why the account may not go on with the key of this report instead of the one it has; empty if it may."""
        known = None if self._report is None else self._report.uid
        if known is not None and report.uid is not None and report.uid != known:
            return f"it belongs to venue account {report.uid}, and this account is {known}"
        return refusals(self._findings(report, twin=None))

    def take(self, report: KeyReport) -> None:
        """The account goes on with the key of this report."""
        self._judge(report)

    def _findings(self, report: KeyReport, twin: AccountId | None) -> tuple[Finding, ...]:
        account, books = self._core.account, self._core.manager.books
        return judge(
            report,
            account,
            twin=twin,
            exit_seen=books.exit_of(account)[1].seen,
            accepted=books.accounts[account.id].accepted,
            now=self._clock.now(),
        )

    def _judge(self, report: KeyReport) -> None:
        self._report = report
        now, account = self._clock.now(), self._core.account
        findings = self._findings(report, None if report.uid is None else self._claim(report.uid))
        self._core.note(
            ev.KeyChecked(at=now, source=self._source, account=account.id, report=report, findings=findings)
        )
        refusal = refusals(findings)
        self._is_admitted = not refusal
        if refusal:
            self._log.warning("key_refused", account=account.id, why=refusal)
            self._core.bar(KEY, AccountState.Blocked, refusal, now)
        else:
            self._core.admit(KEY, now)

    def _until_next_ns(self) -> int:
        if self._report is not None and not self._is_admitted:
            return REFUSED_AGAIN_NS
        if self._report is None or self._report.rights is None or self._report.rights.expires_at is None:
            return LOOK_AGAIN_NS
        left = self._report.rights.expires_at - self._clock.now()
        return max(0, min(left, LOOK_AGAIN_NS))  # a timer may be early: then the look that counts comes right after

    @property
    def _source(self) -> str:
        return f"worker:{self._core.account.id}"
