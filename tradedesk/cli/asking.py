"""Asking at the keyboard for what must not be seen."""

import getpass
import sys

import typer


def asked(what: str, *, twice: bool = False) -> str:
    """What is typed, without echo; asked again if it is empty, or if a second time it is another.

    The terminal ceases to echo before the question is there, so that a fast paste shows nothing.
    """
    while True:
        words = typed(f"{what}: ")
        if twice and words and typed("once more: ") != words:
            typer.echo("these two differ; type it again", err=True)
        elif words:
            return words


def typed(prompt: str) -> str:
    """One line without echo, as it is."""
    try:
        return getpass.getpass(prompt, sys.stderr)
    except EOFError:
        raise typer.Abort from None
