"""What leaves for a spreadsheet or a table of the command line does nothing there."""

import pytest

from tradedesk.cli.export import _no_formula
from tradedesk.cli.tables import print_table


@pytest.mark.parametrize("text", ["=1+1", "+1", "@SUM(A1)", "-1+1", "-cmd", "\t=1", "\r=1", "=HYPERLINK(0)", "-"])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert _no_formula(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-1", "-0.5", "0.5", "acme", "", None, 5, "a=b"])
def test_numbers_and_other_words_stay(value: object) -> None:
    assert _no_formula(value) == value


def test_F80_a_table_writes_nothing_that_steers(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\x1b]52;c;eA==\x07[bold]x[/]\n2026 error FORGED\u202e"
    print_table({"schema": "alerts.v1", "alerts": [{"severity": "critical", "text": text}]}, "alerts")
    written = capsys.readouterr().out
    assert "[bold]x[/]" in written
    assert all(letter.isprintable() for line in written.splitlines() for letter in line)
