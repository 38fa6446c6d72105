"""Themes: one TOML file each, the shipped ones first, then the operator's own; on the same name the operator's wins.

A file holds the fields of a Textual theme and `[variables]` with the colours of the desk. Its name is the theme's.
"""

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from msgspec import Struct
from textual.color import Color, ColorParseError
from textual.theme import Theme

DEFAULT_THEME = "desk-dark"

# What widgets name instead of colours, with the values in force where a theme says nothing (App.get_theme_variable_defaults).
DEFAULTS: dict[str, str] = {
    "td-buy": "#62b0ff",
    "td-sell": "#ffa24d",
    "td-own": "#e8d26a",
    "td-stale": "#98a3b0",
    "td-paper": "#67d4c3",
    "td-live": "#ff6f61",
    "td-halt": "#ff6b6b",
    "td-warn": "#f2bf4f",
    "td-crit": "#ff7070",
    "td-up": "#62b0ff",
    "td-down": "#ffa24d",
}

_COLOURS = (
    "primary", "secondary", "warning", "error", "success", "accent", "foreground", "background", "surface", "panel", "boost",
)  # fmt: skip
_NUMBERS = ("luminosity_spread", "text_alpha")


class Themes(Struct, frozen=True, kw_only=True):
    """What can be chosen, and a sentence for every file that could not be read."""

    by_name: dict[str, Theme]
    problems: tuple[str, ...]


def load_themes(user_folder: Path | None = None, before: Mapping[str, Theme] | None = None) -> Themes:
    """Every theme there is. A bad file becomes a problem; the theme it had in `before`, if any, stays as it was."""
    by_name: dict[str, Theme] = {}
    problems: list[str] = []
    folders: list[Traversable] = [shipped_folder()]
    if user_folder is not None and user_folder.is_dir():
        folders.append(user_folder)
    for folder in folders:
        for file in _theme_files(folder):
            name = file.name.removesuffix(".toml")
            try:
                by_name[name] = parse_theme(name, file.read_bytes(), str(file))
            except (ValueError, OSError) as error:
                problems.append(str(error) if isinstance(error, ValueError) else f"{file}: {error.strerror}")
                if before is not None and name in before:
                    by_name[name] = before[name]
    return Themes(by_name=by_name, problems=tuple(problems))


def shipped_folder() -> Traversable:
    """`tradedesk/themes` of an installed wheel, else `themes/` beside the package (a checkout, an editable install)."""
    installed = resources.files("tradedesk") / "themes"
    if installed.is_dir():
        return installed
    return Path(__file__).resolve().parents[2] / "themes"


def parse_theme(name: str, content: bytes, file: str) -> Theme:
    """The theme written in `content`. Raises ValueError naming file, key and remedy, all mistakes at once."""
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: not a TOML file: {error}") from error
    variables = table.pop("variables", {})
    if not isinstance(variables, dict):
        raise ValueError(f"{file}: variables: write a table, [variables]")
    mistakes = [*_table_mistakes(table), *_variable_mistakes(variables)]
    if mistakes:
        raise ValueError(f"{file}: " + "; ".join(mistakes))
    return Theme(name=name, variables={**DEFAULTS, **variables}, **table)


def _theme_files(folder: Traversable) -> list[Traversable]:
    return sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)


def _table_mistakes(table: Mapping[str, object]) -> Iterable[str]:
    if "primary" not in table:
        yield 'primary: missing; write primary = "#rrggbb"'
    for key, value in table.items():
        if key in _COLOURS:
            yield from _colour_mistakes(key, value)
        elif key in ("dark", "ansi"):
            if not isinstance(value, bool):
                yield f"{key}: {value!r} is not true or false"
        elif key in _NUMBERS:
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                yield f"{key}: {value!r} is not a number from 0 to 1"
        else:
            yield f"{key}: no such key; a theme has {', '.join((*_COLOURS, 'dark', *_NUMBERS))} and [variables]"


def _variable_mistakes(variables: Mapping[str, object]) -> Iterable[str]:
    for key, value in variables.items():
        if key in DEFAULTS:
            yield from _colour_mistakes(f"variables.{key}", value)
        elif key.startswith("td-"):
            yield f"variables.{key}: no such colour; the desk has {', '.join(DEFAULTS)}"
        elif not isinstance(value, str):
            yield f"variables.{key}: {value!r} is not text"


def _colour_mistakes(key: str, value: object) -> Iterable[str]:
    try:
        if not isinstance(value, str):
            raise ColorParseError(f"{value!r} is not text")
        Color.parse(value)
    except ColorParseError:
        yield f"{key}: {value!r} is not a colour; write #rrggbb"
