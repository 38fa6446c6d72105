"""What one operator's screen remembers from one session to the next: theme, layout, sorting. Never the arm state."""

import contextlib
import os
import re
from pathlib import Path

import msgspec
from msgspec import Struct

from tradedesk.domain.words import OperatorId


class Sorting(Struct, frozen=True, kw_only=True):
    column: str
    is_reversed: bool


class Settings(Struct, frozen=True, kw_only=True):
    theme: str | None = None
    tab: str | None = None
    table: str | None = None
    sorting: dict[str, Sorting] = msgspec.field(default_factory=dict)  # by pane


def settings_file(state_dir: Path, operator: OperatorId) -> Path:
    """`ui-<operator>.json`; what could leave the folder or confuse a shell becomes an underscore."""
    return state_dir / f"ui-{re.sub(r'[^A-Za-z0-9_-]', '_', operator)}.json"


def read_settings(file: Path) -> tuple[Settings, str | None]:
    """The settings, and a sentence if there was a file that could not be read: a screen opens all the same."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Settings), None
    except FileNotFoundError:
        return Settings(), None
    except (OSError, msgspec.DecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not what a screen wrote"
        return Settings(), f"{file.name}: {why}; the layout starts afresh"


def write_settings(file: Path, settings: Settings) -> None:
    """Replace the file as a whole. A disk that refuses costs the layout, nothing else."""
    with contextlib.suppress(OSError):
        fresh = file.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(settings))
        os.replace(fresh, file)
