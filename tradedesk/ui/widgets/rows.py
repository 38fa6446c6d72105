"""How a table's rows stand: which columns fit, in what order the rows come. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct

GAP = 1  # cells between columns
GUTTER = 2  # cells before the first column: cursor and mark


class Column(Struct, frozen=True, kw_only=True):
    """One column of a table. `drop` is the order in which columns leave a narrow pane, the highest first; 0 stays."""

    key: str
    title: str
    width: int
    is_right: bool = False
    drop: int = 0
    grows: bool = False  # takes what is left over


def laid_out(columns: Sequence[Column], width: int) -> list[tuple[int, Column, int]]:
    """The columns that fit into `width` cells as (index, column, cells), with what is left given to the one that grows."""
    kept = list(enumerate(columns))

    def needed() -> int:
        return GUTTER + sum(column.width for _, column in kept) + GAP * (len(kept) - 1)

    while needed() > width:
        droppable = [pair for pair in kept if pair[1].drop]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda pair: pair[1].drop))
    spare = max(0, width - needed())
    growing = next((index for index, column in kept if column.grows), None)
    return [(index, column, column.width + (spare if index == growing else 0)) for index, column in kept]


def arranged(
    keys: Iterable[str],
    value: Callable[[str], Any],
    group: Callable[[str], int],
    *,
    is_reversed: bool,
) -> list[str]:
    """The keys by group, within it by value; equal values keep their order, and those without one come last."""
    known: list[str] = []
    unknown: list[str] = []
    for key in keys:
        (unknown if value(key) is None else known).append(key)
    known.sort(key=value, reverse=is_reversed)
    return sorted([*known, *unknown], key=group)
