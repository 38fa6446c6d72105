"""Who stands in for an account when its desk dies: what it chose, and whether that is there. Pure."""

from collections.abc import Iterable

from msgspec import Struct

from tradedesk.domain.accounts import Account, DeadMan

SECOND = 10**9
LOOKED_NS = 15 * SECOND  # a watchdog that has not looked for longer is taken for gone; it looks twice a second


class DeadManRow(Struct, frozen=True, kw_only=True):
    """One account's dead man."""

    chosen: str  # "watchdog", or "none"
    is_armed: bool  # one was seen to look a moment ago; unconfirmed is not armed
    text: str

    @property
    def word(self) -> str:
        """For a column: none, watchdog, NO WATCHDOG."""
        return self.chosen if self.is_armed or self.chosen == "none" else "NO WATCHDOG"


def dead_man(account: Account, watchdog_at: int | None, now: int) -> DeadManRow:
    """`watchdog_at` (ns): when the desk last saw a watchdog look. Binance spot, the one kind of venue there is, has no countdown."""
    venue = f"{account.venue} has no countdown of its own"
    if account.dead_man is not DeadMan.Watchdog:
        return DeadManRow(
            chosen="none", is_armed=False, text=f"{venue} and no watchdog was chosen: orders stay if the desk dies"
        )
    if watchdog_at is None or now - watchdog_at > LOOKED_NS:
        since = "" if watchdog_at is None else f" since {(now - watchdog_at) // SECOND} s"
        return DeadManRow(
            chosen="watchdog",
            is_armed=False,
            text=f"{venue}, and no watchdog looks{since}: orders stay if the desk dies; start `tradedesk watchdog`",
        )
    seen = max(0, now - watchdog_at) // SECOND
    return DeadManRow(
        chosen="watchdog", is_armed=True, text=f"{venue}; our watchdog stands in, its last look was {seen} s ago"
    )


def watchdog_words(accounts: Iterable[Account], watchdog_at: int | None, now: int) -> str:
    """For a line about the whole desk; empty where nobody chose one."""
    chose = [account for account in accounts if account.dead_man is DeadMan.Watchdog]
    if not chose:
        return ""
    if dead_man(chose[0], watchdog_at, now).is_armed:
        return f"watchdog {max(0, now - (watchdog_at or now)) // SECOND}s"
    return "NO WATCHDOG"
