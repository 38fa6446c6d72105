"""How full the bounded things of one worker are: what grows is told early, and what grows beyond its bound is a leak (F71)."""

from collections.abc import Iterable

from msgspec import Struct

EARLY_PERCENT = 50  # of its bound: then an operator is told
TASKS = 4_000  # on an account's loop: every command and cancel that may wait has one, and then some
TASKS_PER_ORDER = 2  # and a live order may have a cancel and a question under way


class Fill(Struct, frozen=True, kw_only=True):
    """One bounded thing."""

    what: str  # in words: "commands waiting"
    held: int
    most: int
    is_leak: bool = False  # whether it can only pass its bound by a fault of the program

    @property
    def is_early(self) -> bool:
        return self.held * 100 >= self.most * EARLY_PERCENT

    def __str__(self) -> str:
        return f"{self.held:,} of at most {self.most:,} {self.what}"


def tasks_fill(tasks: int, live_orders: int) -> Fill:
    return Fill(what="tasks under way", held=tasks, most=TASKS + TASKS_PER_ORDER * live_orders, is_leak=True)


def leak(load: Iterable[Fill]) -> Fill | None:
    """What is beyond the bound that it cannot pass in any honest way; None if nothing is."""
    return next((fill for fill in load if fill.is_leak and fill.held > fill.most), None)


def strain(load: Iterable[Fill]) -> str | None:
    """What fills up, in words that only change with what it is; None while nothing does."""
    full = [fill.what for fill in load if fill.is_early]
    return None if not full else f"its worker falls behind: more than half full of {', '.join(full)}"
