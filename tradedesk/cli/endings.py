"""How a subcommand ends: the exit codes, and one plain sentence when it fails."""

import sys
from typing import NoReturn

import typer

FAILED = 1
USAGE = 2
REFUSED = 3  # by the Gate
INTERRUPTED = 130


def end(sentence: str, status: int = FAILED) -> NoReturn:
    """Say what happened and what to do, on stderr, and leave with `status`."""
    print(sentence, file=sys.stderr)
    raise typer.Exit(status)
