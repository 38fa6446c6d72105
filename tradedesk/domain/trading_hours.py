"""When trading is allowed: windows of the week in UTC, the one zone in which a desk counts its days."""

import re
from datetime import UTC, datetime

from msgspec import Struct

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NS = 1_000_000_000
_WINDOW = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))? )?(\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII)


class Hours(Struct, frozen=True, kw_only=True):
    """From `begin` to `end`, minutes of the day, on each of `days` (0 is Monday). An end before the begin is on the next day."""

    days: frozenset[int]
    begin: int
    end: int

    def includes(self, at: int) -> bool:
        moment = datetime.fromtimestamp(at // NS, UTC)
        minute, day = moment.hour * 60 + moment.minute, moment.weekday()
        if self.begin < self.end:
            return day in self.days and self.begin <= minute < self.end
        return (day in self.days and minute >= self.begin) or ((day - 1) % 7 in self.days and minute < self.end)


def hours_of(text: str) -> Hours | str:
    """The window that `text` describes, e.g. "mon-fri 08:00-17:30", or the sentence saying why it describes none."""
    found = _WINDOW.fullmatch(text.lower())
    if found is None:
        return f'{text[:40]!r} is no window of time; write it like "mon-fri 08:00-17:30" (UTC)'
    first, last, *times = found.groups()
    for day in (first, last):
        if day is not None and day not in DAYS:
            return f"{day} is no day of the week; use {', '.join(DAYS)}"
    begin_h, begin_m, end_h, end_m = (int(part) for part in times)
    if begin_h > 23 or begin_m > 59 or (end_h, end_m) > (24, 0) or end_m > 59:
        return f"{text[:40]!r} has a time that no clock shows; use 00:00 to 24:00"
    days = frozenset(range(7))
    if first is not None:
        start, stop = DAYS.index(first), DAYS.index(last or first)
        days = frozenset((start + step) % 7 for step in range((stop - start) % 7 + 1))
    begin, end = begin_h * 60 + begin_m, end_h * 60 + end_m
    if begin == end:
        return f"{text[:40]!r} ends when it begins; for a whole day write 00:00-24:00"
    return Hours(days=days, begin=begin, end=end)


def is_open(windows: tuple[str, ...], at: int) -> bool:
    """Whether one of the windows includes the moment (ns since the epoch)."""
    return any(isinstance(hours := hours_of(window), Hours) and hours.includes(at) for window in windows)
