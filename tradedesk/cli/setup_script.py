"""The setup from a file of answers, for a machine that is set up by a machine: the same questions, nobody to ask."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from tradedesk.cli.endings import FAILED, USAGE, end
from tradedesk.cli.reach import show
from tradedesk.cli.setup_prompts import tell
from tradedesk.config.questions import Question
from tradedesk.config.setup_model import (
    Check,
    Finished,
    Fix,
    SetupFailed,
    State,
    answered,
    next_step,
    with_checked,
)

if TYPE_CHECKING:
    from tradedesk.cli.setup import Setup


def from_file(setup: "Setup", answers: Mapping[str, str], *, as_json: bool) -> None:
    """Answer from `answers`, test, write. Ends the program with what is missing, wrong or failed; nothing is saved then."""
    plan = setup.plan
    missing, wrong = _looked_through(setup, answers)
    if missing or wrong:
        end("\n".join([*wrong, *(["--answers: not answered:", *missing] if missing else [])]), USAGE)
    state = State()
    while True:
        match next_step(plan, plan.compose, state):
            case Question() as question:
                found = answered(plan, state, question, answers[question.key])
                if isinstance(found, str):
                    end(f"--answers: {question.key}: {found}", USAGE)
                state = found
            case Check() as check:
                checked = setup.checker.run(check, state)
                tell(checked.findings)
                state = with_checked(state, check, checked)
            case Fix() as fix:
                if not fix.check.needs:
                    tell(fix.findings)
                end(f"{fix.check.says}: see above; nothing was saved", FAILED)
            case Finished() as finished:
                try:
                    kept = setup.writer.write(state, finished.settings)
                except SetupFailed as error:
                    end(str(error))
                if as_json:
                    show({"schema": "setup.v1", "is_saved": True, "config": str(setup.home.config)})
                for line in kept:
                    typer.echo(f"saved {line}", err=True)
                return


def _looked_through(setup: "Setup", answers: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """A line of TOML for each question without an answer, with what is proposed; and a sentence for each wrong answer.

    Before any check is run: what depends on a check is looked at when its turn comes.
    """
    plan, state = setup.plan, State()
    missing: list[str] = []
    wrong: list[str] = []
    while True:
        question = next((item for item in plan(state) if isinstance(item, Question) and not state.has(item.key)), None)
        if question is None:
            return missing, wrong
        found = answered(plan, state, question, answers.get(question.key, ""))
        if question.key not in answers:
            where = "  # on stdin, with --secret-stdin" if question.is_hidden else ""
            missing.append(f"{question.key} = {json.dumps(question.proposal)}{where}")
        elif isinstance(found, str):
            wrong.append(f"--answers: {question.key}: {found}")
        state = _with(state, question.key, question.proposal) if isinstance(found, str) else found


def _with(state: State, key: str, answer: str) -> State:
    """Something stands in for an answer, so that the rest can be looked through."""
    return State(answers={**state.answers, key: answer}, checked=state.checked)
