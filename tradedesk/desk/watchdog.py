"""When a desk is taken for dead, and for which accounts something is to be done about it. Pure: looks and times come in."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from tradedesk.desk.outside import Beat, Life
from tradedesk.domain.accounts import Account, DeadMan
from tradedesk.domain.receipts import KillReceipt, Outcome
from tradedesk.domain.words import AccountId, OperatorId

WATCHDOG = OperatorId("process:watchdog")  # no person's name: those have no colon. A person with the risk role re-arms
SLEPT_NS = 3 * 10**9  # between two looks: then we stood still as well, and the desk gets its time anew (F59)
AGAIN_S = (60, 120, 300, 600)  # between two tries for accounts that could not be cleared


class State(StrEnum):
    """How the desk stands, seen from outside."""

    Absent = "absent"  # there never was one here
    Alive = "alive"
    Silent = "silent"  # for too long
    Resting = "resting"  # stopped in order, or about to be


class Watch:
    """The looks at one desk. Whoever looks says when, by the monotonic clock (ns)."""

    def __init__(self, silent_ns: int) -> None:
        self._silent_ns = silent_ns
        self._since = 0  # when its sign of life was last seen to change
        self._looked_at: int | None = None
        self.beat: Beat | None = None  # the last one that could be read

    def looked(self, beat: Beat | None, now: int) -> State:
        """`beat` None: there is none, or it cannot be read, which is no sign of life either."""
        has_slept = self._looked_at is None or now - self._looked_at > SLEPT_NS
        self._looked_at = now
        if has_slept:
            self._since = now
        if beat is not None and beat != self.beat:
            self.beat, self._since = beat, now
        if self.beat is None:
            return State.Absent
        if self.beat.life in (Life.Stopping, Life.Stopped):
            return State.Resting
        return State.Silent if now - self._since >= self._silent_ns else State.Alive

    def silent_s(self, now: int) -> int:
        return (now - self._since) // 10**9


def chose_it(accounts: Mapping[AccountId, Account]) -> tuple[AccountId, ...]:
    """The accounts for which a watchdog acts; for no other, ever."""
    return tuple(name for name, account in accounts.items() if account.dead_man is DeadMan.Watchdog)


def left_to_do(wanted: Iterable[AccountId], beat: Beat, receipts: Iterable[KillReceipt]) -> tuple[AccountId, ...]:
    """Of the accounts those that no watchdog has cleared since this last sign of life: each is killed once."""
    cleared = {
        row.account
        for receipt in receipts
        if receipt.by == WATCHDOG and receipt.beat == beat.name
        for row in receipt.accounts
        if row.outcome is Outcome.Clear and row.is_blocked
    }
    return tuple(name for name in wanted if name not in cleared)
