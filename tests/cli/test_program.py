"""The program itself: its help, its version, what it does not load, and its tables."""

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
import typer
from demo_desk import PROGRAM
from typer.testing import CliRunner

from tradedesk import __version__, cli
from tradedesk.cli import app
from tradedesk.cli.tables import print_table


def commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command of the program, as the words that call it."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words
    else:
        for name, found in inner.items():
            yield from commands(found, (*words, name))


COMMANDS = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(words: tuple[str, ...]) -> None:
    ran = CliRunner().invoke(app, [*words, "--help"])
    assert ran.exit_code == 0
    assert "Example:" in ran.output


def test_the_program_knows_its_version_and_its_help() -> None:
    version = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True, check=True, timeout=30)
    assert version.stdout == f"tradedesk {__version__}\n"
    ran = CliRunner().invoke(app, ["--help"])
    assert ran.exit_code == 0
    assert all(words[0] in ran.output for words in COMMANDS)


HEAVY = "ccxt", "textual", "aiohttp", "keyring", "cryptography", "uvloop", "sqlite3"


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\nfrom tradedesk.cli import app\nsys.argv = ['tradedesk', '--help']\n"
        "try:\n    app()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert ran.stderr.strip() == "[]"


# ---- tables ------------------------------------------------------------------------------------------------------------

ID = "td-hogxdic90w-3brn5uw1"


def shown(capsys: pytest.CaptureFixture[str], schema: str, rows: str, *documents: dict[str, object]) -> list[str]:
    print_table({"schema": schema, rows: list(documents)}, rows)
    return capsys.readouterr().out.splitlines()


def test_a_pipe_gets_one_row_a_line_however_long_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "the position could reach 0.9 BTC, at most 0.75 " * 5
    lines = shown(
        capsys, "orders.v1", "orders", {"account": "acme", "client_order_id": ID, "reasons": [reason.strip()]}
    )
    assert len(lines) == 2
    assert ID in lines[1]
    assert lines[1].endswith(reason.strip())


def test_a_narrow_terminal_keeps_ids_whole_and_folds_only_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    lines = shown(
        capsys,
        "orders.v1",
        "orders",
        {
            "account": "acme",
            "client_order_id": ID,
            "instrument": "BTC/USDT",
            "reasons": ["the position could reach 0.9 BTC, at most 0.75"],
        },
    )
    assert len(lines) == 3
    assert ID in lines[1]
    assert "BTC/USDT" in lines[1]
    assert lines[1].rstrip().endswith("the position could reach")
    assert lines[2].strip() == "0.9 BTC, at most 0.75"


def test_figures_that_were_reckoned_are_rounded_and_those_of_the_venue_are_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    position = {
        "account": "acme", "instrument": "BTC/USDT", "qty": "2.00999", "avg_px": "61836.2369135169826715555798",
        "mark": "61835.375", "unrealized": "-1.73243755", "realized": "-0.001", "fees": "0.6183662", "net": "-2.35",
    }  # fmt: skip
    [_, line] = shown(capsys, "positions.v1", "positions", position)
    assert line.split() == [
        "acme",
        "BTC/USDT",
        "2.00999",
        "61836.23691352",
        "61835.375",
        "-1.73",
        "0.00",
        "0.62",
        "-2.35",
    ]


def test_a_fee_stands_with_its_currency_and_an_unknown_one_as_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    fills = ({"fee": {"amount": "0.0001", "currency": "BTC"}, "last_qty": "0.1"}, {"fee": None, "last_qty": "0.1"})
    lines = shown(capsys, "fills.v1", "fills", *fills)
    assert "0.0001 BTC" in lines[1]
    assert "0.1  " in lines[2]
    assert "None" not in lines[2]


def test_the_status_of_an_account_shows_its_halt_its_orders_and_its_result(capsys: pytest.CaptureFixture[str]) -> None:
    account = {
        "account": "acme", "state": "Halted", "reason": "fire", "halt": {"level": "cancel-all"}, "mode": "paper",
        "pnl": {"open_orders": 3, "net": "22.68004535"},
    }  # fmt: skip
    [_, halted, without] = shown(capsys, "status.v1", "accounts", account, {"account": "birch", "pnl": None})
    assert halted.split() == ["acme", "Halted", "cancel-all", "-", "paper", "-", "-", "3", "22.68", "fire"]
    assert without.split() == ["birch", *["-"] * 9]


def test_nothing_to_show_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "orders.v1", "orders") == ["No orders."]


# ---- how it ends -------------------------------------------------------------------------------------------------------


def leave_this_process_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the effects on a process that its start has: they would outlive the test."""
    monkeypatch.setattr(cli, "harden", tuple)
    monkeypatch.setattr(cli, "catch_strays", tuple)


def test_an_error_of_our_own_is_one_sentence_without_what_it_carried(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """5.6: an exception's text may hold a signed URL"""

    def broken() -> None:
        raise ValueError("https://venue/?signature=abc")

    monkeypatch.setattr(cli, "app", broken)
    leave_this_process_as_it_is(monkeypatch)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("tradedesk: an error of its own (ValueError at test_program.py:")
    assert "signature" not in said.err


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    leave_this_process_as_it_is(monkeypatch)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130


def test_a_pipe_that_nobody_reads_is_no_error_of_ours() -> None:
    ran = subprocess.run(
        f"{sys.executable} -m tradedesk --help | true",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert ran.stderr == ""


SIGNAL_AT_EVERY_LINE = """
import os, signal, sys, threading
from tradedesk.cli.reach import told_to_stop, until_told

told = told_to_stop()

def at(line):
    left = [line]
    def trace(frame, event, arg):
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGTERM)
        return trace
    return trace

for line in range(1, 40):
    late = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGTERM))  # once it really waits
    late.start()
    sys.settrace(at(line))
    until_told(told, lambda: False)
    sys.settrace(None)
    late.join()
print("through")
"""


def test_a_signal_ends_the_wait_for_it_wherever_it_strikes() -> None:
    """A demo under `timeout 120` never ended: the signal struck as the wait of a second began, and waited for its lock."""
    ran = subprocess.run(
        [sys.executable, "-c", SIGNAL_AT_EVERY_LINE],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert ran.stdout == "through\n"
