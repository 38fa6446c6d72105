"""The setup at a plain terminal: questions and findings as lines, answers typed; works over the slowest link."""

import os
import sys
from typing import TYPE_CHECKING

import typer

from tradedesk.cli.asking import typed
from tradedesk.cli.lines import fitted
from tradedesk.config.questions import Question
from tradedesk.config.setup_model import (
    Check,
    Finished,
    Fix,
    SetupFailed,
    State,
    answered,
    next_step,
    one_back,
    retried,
    with_checked,
    withdrawn,
)
from tradedesk.config.setup_words import BACK, finding_lines, offer_lines, proposed, summary
from tradedesk.domain.findings import Finding, Level
from tradedesk.domain.text import clean

if TYPE_CHECKING:
    from tradedesk.cli.setup import Setup

_COLOURS = {Level.Ok: "green", Level.Warn: "yellow", Level.Fail: "red"}
_INTRODUCTION = (
    "Setting up a desk in {folder}.",
    "Each answer is tested as it comes, and nothing is saved before the end.",
    f"Enter takes what is proposed, {BACK} goes one back, Ctrl+C leaves.",
)


def ask_all(setup: "Setup") -> tuple[str, ...] | None:
    """Ask until all of it stands, then write it; returns where it was written, None if the person would not have it."""
    for line in _INTRODUCTION:
        say(line.format(folder=setup.home.config.parent))
    plan, state, about = setup.plan, State(), ""
    while True:
        match next_step(plan, plan.compose, state):
            case Question() as question:
                if question.about != about:
                    about = question.about
                    say("")
                    say(about, bold=True)
                state = _ask(setup, state, question)
            case Check() as check:
                say(f"  testing {check.says} ...")
                checked = setup.checker.run(check, state)
                tell(checked.findings)
                state = with_checked(state, check, checked)
            case Fix() as fix:
                state = _fix(setup, state, fix)
            case Finished() as finished:
                say("")
                for line in summary(finished.settings):
                    say(line)
                tell(finished.findings)
                match _choice("Save this desk? yes, no, or < to go one back", ("yes", "no", BACK)):
                    case "no":
                        say("left; nothing was saved")
                        return None
                    case "yes":
                        try:
                            kept = setup.writer.write(state, finished.settings)
                        except SetupFailed as error:
                            say(str(error))
                            continue
                        for line in kept:
                            say(f"saved {line}")
                        say("`tradedesk` opens the desk, `tradedesk doctor` looks at all of it.")
                        return kept
                    case _:
                        state = one_back(plan, state)


def _ask(setup: "Setup", state: State, question: Question) -> State:
    """Ask until there is an answer that can be one."""
    lines = [question.text, *([f"  {question.hint}"] if question.hint else [])]
    lines += [f"  {line}" for line in offer_lines(question)]
    prompt = first = f"{proposed(question)}> "
    if question.is_hidden:  # shown when the terminal does not echo any more, so that a fast paste shows nothing
        first = "\n".join([*(fitted(line, sys.stderr, hang=0) for line in lines), prompt])
    else:
        for line in lines:
            say(line)
    while True:
        words, first = _typed(question, first), prompt
        if words.strip() == BACK:
            return one_back(setup.plan, state)
        found = answered(setup.plan, state, question, words)
        if isinstance(found, str):
            say(f"  {clean(found)}")
        elif question.is_typed_twice and words and _typed(question, "again> ") != words:
            say("  the two are not the same; once more")
        else:
            return found


def _fix(setup: "Setup", state: State, fix: Fix) -> State:
    if not fix.check.needs:
        tell(fix.findings)  # a mistake in the settings as a whole; those of a test were told when it was run
    say("What is to be corrected?")
    keys = [question.key for question in fix.questions]
    for number, question in enumerate(fix.questions, 1):
        was = state.text(question.key)
        say(f"  {number}  {question.text}" + (f"  (was {was})" if was else ""))
    say("  r  nothing here: test again")
    answer = _choice("number, or r", (*(str(number) for number in range(1, len(keys) + 1)), "r", BACK))
    if answer == BACK:
        return one_back(setup.plan, state)
    return retried(state, fix.check) if answer == "r" else withdrawn(setup.plan, state, keys[int(answer) - 1])


def _choice(text: str, allowed: tuple[str, ...]) -> str:
    while True:
        answer = _line(f"{text}> ").strip().lower()
        if answer in allowed:
            return answer
        say(f"  say one of {', '.join(allowed)}")


def _typed(question: Question, prompt: str) -> str:
    if not question.is_hidden:
        return _line(prompt)
    return typed(prompt)


def _line(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\r\n")


def tell(findings: tuple[Finding, ...]) -> None:
    for finding in findings:
        for number, line in enumerate(finding_lines(finding)):
            say(f"  {line}", colour=_COLOURS[finding.level] if number == 0 else None, hang=5)


def say(text: str, *, bold: bool = False, colour: str | None = None, hang: int = 0) -> None:
    is_plain = bool(os.environ.get("NO_COLOR"))
    typer.secho(
        fitted(text, sys.stderr, hang=hang),
        err=True,
        bold=(bold and not is_plain) or None,
        fg=None if is_plain else colour,
    )
