"""`tradedesk setup`: a desk of one's own, asked question by question, tested as the answers come, written at the end."""

import getpass
import os
import sys
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradedesk.cli.endings import INTERRUPTED, USAGE, end
from tradedesk.cli.reach import ConfigOption, JsonOption, home_of, show

if TYPE_CHECKING:
    from tradedesk.config import Home
    from tradedesk.config.setup_model import Machine

MOST_ANSWERS = 1_000_000  # bytes
LOOPBACK = 6  # addresses of it that are offered as exits to a paper exchange on this machine


class Setup:
    """One setup of one home: its plan, its checker, its writer. Ends the program with a sentence if desk.toml is wrong."""

    def __init__(self, home: "Home") -> None:
        from tradedesk.cli.setup_checker import SetupChecker
        from tradedesk.cli.setup_writing import SetupWriter, text_of
        from tradedesk.clock import SystemClock
        from tradedesk.config import ConfigError, load
        from tradedesk.config.setup_plan import SetupPlan

        try:
            before = text_of(home.config)
            settings = load(home.config) if before is not None else None
        except ConfigError as error:
            end(f"{error}\nmend that first: the setup adds to what is there")
        except (OSError, UnicodeDecodeError):
            end(f"{home.config}: cannot be read; give it back to this user, or name another with --config FILE")
        self.home = home
        self.plan = SetupPlan(settings, machine_of(home))
        self.checker = SetupChecker(self.plan, home, SystemClock())
        self.writer = SetupWriter(self.plan, home, before)


def setup(
    *,
    answers: Annotated[
        Path | None, typer.Option(help="Answers from this TOML file instead of a person; none may be missing.")
    ] = None,
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="With --answers: the hidden ones, as TOML on stdin.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set up a desk, or add clients, instruments and operators to one. Nothing is saved until all of it was tested.

    Example: tradedesk setup
    """
    found = Setup(home_of(config))
    if answers is not None:
        from tradedesk.cli.setup_script import from_file

        from_file(found, _read_answers(answers, secret_stdin), as_json=as_json)
        return
    if not sys.stdin.isatty() or secret_stdin:
        end(
            "tradedesk setup asks at a terminal; for a script give --answers FILE, and --secret-stdin for the keys",
            USAGE,
        )
    from tradedesk.cli.setup_prompts import ask_all

    try:
        kept = ask_all(found)
    except (KeyboardInterrupt, EOFError, typer.Abort):
        typer.echo("\nleft; nothing was saved", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        show({"schema": "setup.v1", "is_saved": kept is not None, "config": str(found.home.config)})


def machine_of(home: "Home") -> "Machine":
    from tradedesk.access.egress import known_sources, loopback_addresses
    from tradedesk.access.vault import VaultError, open_vault
    from tradedesk.cli.unlocking import passphrase_file
    from tradedesk.config.setup_model import Machine
    from tradedesk.desk.build import SUPPORTED

    keyring = None
    if not home.vault.exists():
        with suppress(VaultError):
            keyring = open_vault(home.vault, None).where
    return Machine(
        user=getpass.getuser(),
        uid=os.getuid(),
        sources=tuple(source for source in known_sources() if not source.startswith("127.")),
        loopback=("127.0.0.1", *loopback_addresses(LOOPBACK)),
        keyring=keyring,
        has_vault_file=home.vault.exists(),
        has_passphrase_file=passphrase_file(home, None) is not None,
        exchanges=SUPPORTED,
        folder=str(home.config.parent),
    )


def _read_answers(file: Path, secret_stdin: bool) -> dict[str, str]:
    """All answers by their key, hidden ones from stdin. Ends the program with a sentence."""
    try:
        with file.open("rb") as opened:
            open_ones = flat(tomllib.loads(opened.read(MOST_ANSWERS).decode("utf-8")))
        hidden = flat(tomllib.loads(sys.stdin.read(MOST_ANSWERS))) if secret_stdin else {}
    except OSError as error:
        end(f"--answers: {file}: cannot be read ({error.strerror})", USAGE)
    except (ValueError, RecursionError):
        end('--answers: that is no TOML; write e.g. accounts.acme.egress = "10.0.0.4"', USAGE)  # never quoted: a secret
    return {**open_ones, **hidden}


def flat(table: Mapping[str, Any], at: str = "") -> dict[str, str]:
    """Nested tables as `a.b.c`, lists as `x, y`, the rest as text."""
    found: dict[str, str] = {}
    for key, value in table.items():
        match value:
            case dict():
                found |= flat(value, f"{at}{key}.")
            case list():
                found[f"{at}{key}"] = ", ".join(str(item) for item in value)
            case bool():
                found[f"{at}{key}"] = "yes" if value else "no"
            case _:
                found[f"{at}{key}"] = str(value)
    return found
