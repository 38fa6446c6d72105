"""`tradedesk doctor`: the state of all that a desk rests on, each thing with what to do about it. Changes nothing."""

import os
import sys
from typing import TYPE_CHECKING, Any

import typer
from msgspec import Struct

from tradedesk.cli.endings import FAILED
from tradedesk.cli.lines import fitted
from tradedesk.cli.reach import ConfigOption, JsonOption, home_of, show
from tradedesk.cli.run import PassphraseOption
from tradedesk.domain.findings import Finding, Level
from tradedesk.domain.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLOURS = {Level.Ok: "green", Level.Warn: "yellow", Level.Fail: "red"}


class Area(Struct, frozen=True):
    """What was looked at under one heading."""

    name: str
    findings: tuple[Finding, ...]


def doctor(
    *, passphrase_file: PassphraseOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Look at terminal, program, files, keys, operators, venues, accounts, journal and disk. Exit 1 if anything fails.

    Example: tradedesk doctor --json
    """
    from tradedesk.cli.doctor_desk import desk_areas
    from tradedesk.cli.doctor_machine import machine_areas
    from tradedesk.log import safe_text
    from tradedesk.redaction import SCRUBBER

    home = home_of(config)
    areas = [
        Area(name, tuple(_cleaned(finding, lambda text: safe_text(text, SCRUBBER)) for finding in findings))
        for name, findings in (*machine_areas(home, os.environ), *desk_areas(home, passphrase_file))
        if findings
    ]
    if as_json:
        show(document_of(areas))
    else:
        _print(areas)
    if worst_of(areas) is Level.Fail:
        raise typer.Exit(FAILED)


def document_of(areas: "Sequence[Area]") -> dict[str, Any]:
    """The doctor.v1 object."""
    return {
        "schema": "doctor.v1",
        "level": worst_of(areas).value,
        "checks": [
            {
                "area": area.name,
                "what": finding.what,
                "level": finding.level.value,
                "text": finding.text,
                "remedy": finding.remedy or None,
            }
            for area in areas
            for finding in area.findings
        ],
    }


def worst_of(areas: "Sequence[Area]") -> Level:
    found = {finding.level for area in areas for finding in area.findings}
    return next((level for level in (Level.Fail, Level.Warn) if level in found), Level.Ok)


def _cleaned(finding: Finding, scrub: Any) -> Finding:
    """Nothing that steers a terminal, nothing that is known to be a secret, whatever a file or a venue said."""
    return Finding(
        what=clean(finding.what, 60),
        level=finding.level,
        text=clean(scrub(finding.text)),
        remedy=clean(scrub(finding.remedy)),
    )


def _print(areas: "Sequence[Area]") -> None:
    """A heading a line, a finding a line, what to do below it; no colour when piped."""
    is_coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for area in areas:
        typer.secho(area.name, bold=is_coloured or None)
        for finding in area.findings:
            said = fitted(f"  {finding.level.value:<4} {finding.what}: {finding.text}", sys.stdout, hang=5)
            level = typer.style(said[:6], fg=_COLOURS[finding.level]) if is_coloured else said[:6]
            print(f"{level}{said[6:]}")
            if finding.remedy:
                print(fitted(f"       do: {finding.remedy}", sys.stdout, hang=4))
    counted = {level: sum(finding.level is level for area in areas for finding in area.findings) for level in Level}
    print(f"{counted[Level.Ok]} ok, {counted[Level.Warn]} to know, {counted[Level.Fail]} failed")
