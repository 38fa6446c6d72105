"""What a check found: fine, worth knowing, or in the way; and what to do about it."""

from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    Ok = "ok"
    Warn = "warn"  # it works, and somebody should know
    Fail = "fail"


class Finding(Struct, frozen=True, kw_only=True):
    """One sentence about one thing, fit to show: no secret, no control characters."""

    what: str  # the thing, in a word or two: clock, key, exit
    level: Level
    text: str
    remedy: str = ""  # what to do; never empty where something fails


def ok(what: str, text: str) -> Finding:
    return Finding(what=what, level=Level.Ok, text=text)


def warn(what: str, text: str, remedy: str) -> Finding:
    return Finding(what=what, level=Level.Warn, text=text, remedy=remedy)


def fail(what: str, text: str, remedy: str) -> Finding:
    return Finding(what=what, level=Level.Fail, text=text, remedy=remedy)
