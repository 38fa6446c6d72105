"""How the account is set at its venue, compared with what it must be at every look: a difference lets only reductions go.

The settings come with the look that a reconciliation takes, so they are compared at the start, after each gap of the
stream, and every minute; nothing new is sent before the first comparison. On Binance spot that costs no request.
"""

from tradedesk.accounts.core import Core
from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.profile import Profile, SeenProfile, differences
from tradedesk.log import Log

NOTHING_TOLD = SeenProfile()


class ProfileWatch:
    """Of one start of a worker, on its loop."""

    def __init__(self, core: Core, clock: Clock, log: Log) -> None:
        self._core = core
        self._clock = clock
        self._log = log
        self._is_new = True  # whether the next look is recorded whatever it finds: a start, or another connection

    def renew(self) -> None:
        """The connection is a new one."""
        self._is_new = True

    def compare(self, told: SeenProfile | None) -> None:
        """With what the venue tells now; None: its adapter reads no settings."""
        account, now = self._core.account, self._clock.now()
        seen = NOTHING_TOLD if told is None else told
        found = differences(account.profile or Profile(), seen)
        last = self._core.manager.books.accounts[account.id].profile
        is_known = last is not None and (last.seen, last.differences) == (seen, found)
        self._core.use_profile("; ".join(found))
        if is_known and not self._is_new:
            return
        self._is_new = False
        if found:
            self._log.warning("profile_differs", account=account.id, what="; ".join(found))
        self._core.note(
            ev.ProfileChecked(at=now, source=f"worker:{account.id}", account=account.id, seen=seen, differences=found)
        )
