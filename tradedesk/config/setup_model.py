"""The setup of a desk as a value: answers in; the next question, test or mistake out. Pure; every face of it uses this.

The plan says what is asked and checked, in which order. A check stands for as long as the answers it looked at: correct one
of them and only that one is asked again, and the check is run again. Nothing is written before all of it stands.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec
from msgspec import Struct

from tradedesk.config.questions import Hidden, Question
from tradedesk.config.reading import parse
from tradedesk.config.settings import ConfigError, Settings
from tradedesk.config.writing import render
from tradedesk.domain.findings import Finding, Level, fail


class SetupFailed(Exception):
    """The desk could not be written. The text is a sentence for a person; nothing of the desk was changed."""


class Machine(Struct, frozen=True, kw_only=True):
    """What this machine has, as far as the questions depend on it."""

    user: str
    uid: int
    sources: tuple[str, ...]  # addresses of this machine that can be an exit, loopback apart
    loopback: tuple[str, ...]  # those of its own that reach no further than itself
    keyring: str | None  # the system's keyring, as it is called; None if there is none that can be trusted
    has_vault_file: bool
    has_passphrase_file: bool
    exchanges: tuple[str, ...]  # ccxt ids that this version has an adapter for
    folder: str  # where desk.toml will be


class Check(Struct, frozen=True, kw_only=True):
    """Something to try out. `needs` are the answers it looks at, and so the ones that may have to be corrected."""

    key: str  # venue:binance, exit:acme, key:acme
    says: str  # what it does, for whoever waits
    needs: tuple[str, ...]


class Checked(Struct, frozen=True, kw_only=True):
    """What came of a test."""

    findings: tuple[Finding, ...]
    told: dict[str, str] = msgspec.field(default_factory=dict)  # what was learned and the desk is to know, e.g. uid

    @property
    def has_failed(self) -> bool:
        return any(finding.level is Level.Fail for finding in self.findings)


class State(Struct, frozen=True, kw_only=True):
    """All answers so far, in the order given, and what the tests found. Shows no secret of itself."""

    answers: dict[str, str | Hidden] = msgspec.field(default_factory=dict)
    checked: dict[str, Checked] = msgspec.field(default_factory=dict)

    def has(self, key: str) -> bool:
        return key in self.answers

    def text(self, key: str) -> str:
        """The answer to an open question; nothing if it was not asked."""
        found = self.answers.get(key, "")
        return "" if isinstance(found, Hidden) else found

    def secret(self, key: str) -> Hidden | None:
        """The answer to a hidden one; None if there is none, or it was left empty."""
        found = self.answers.get(key)
        return found if isinstance(found, Hidden) and found.text else None

    def told(self, check: str, what: str) -> str:
        found = self.checked.get(check)
        return "" if found is None else found.told.get(what, "")


class Fix(Struct, frozen=True, kw_only=True):
    """A test failed: one of these answers must be another, or the world must change and the test be run again."""

    check: Check
    findings: tuple[Finding, ...]
    questions: tuple[Question, ...]


class Finished(Struct, frozen=True, kw_only=True):
    """All of it stands: what desk.toml is to say."""

    settings: Settings
    findings: tuple[Finding, ...]  # what the tests warned about


Step = Question | Check | Fix | Finished
Plan = Callable[[State], Iterator[Question | Check]]
Compose = Callable[[State], Settings]


class Checker(Protocol):
    """Tries answers out, on whatever thread may wait. Never raises for what the world may do."""

    def run(self, check: Check, state: State) -> Checked: ...


_ALL = Check(key="settings", says="the settings as a whole", needs=())


def next_step(plan: Plan, compose: Compose, state: State) -> Step:
    """What comes next: the first question without an answer, test not run or failed; Finished if there is none."""
    asked: dict[str, Question] = {}
    warned: list[Finding] = []
    for item in plan(state):
        if isinstance(item, Question):
            if not state.has(item.key):
                return item
            asked[item.key] = item
            continue
        checked = state.checked.get(item.key)
        if checked is None:
            return item
        if checked.has_failed:
            return Fix(
                check=item, findings=checked.findings, questions=tuple(asked[key] for key in item.needs if key in asked)
            )
        warned += [finding for finding in checked.findings if finding.level is Level.Warn]
    try:
        settings = parse(render(compose(state)))
    except ConfigError as error:
        mistakes = tuple(fail("settings", mistake, "correct the answer it names") for mistake in error.mistakes)
        return Fix(check=_ALL, findings=mistakes, questions=tuple(asked.values()))
    return Finished(settings=settings, findings=tuple(warned))


def answered(plan: Plan, state: State, question: Question, typed: str) -> State | str:
    """The state with this answer in it, or the sentence of what is wrong with the answer."""
    try:
        answer = question.read(typed)
    except ValueError as error:
        return str(error)
    known = {key: value for key, value in state.answers.items() if key != question.key}
    known[question.key] = Hidden(answer) if question.is_hidden else answer
    return msgspec.structs.replace(state, answers=known, checked=_standing(plan, state, question.key))


def withdrawn(plan: Plan, state: State, key: str) -> State:
    """The state without this answer: it is asked again, and what was tested with it will be tested again."""
    left = {name: value for name, value in state.answers.items() if name != key}
    return msgspec.structs.replace(state, answers=left, checked=_standing(plan, state, key))


def one_back(plan: Plan, state: State) -> State:
    """The state without the answer given last; the same state where none was."""
    last = next(reversed(state.answers), None)
    return state if last is None else withdrawn(plan, state, last)


def with_checked(state: State, check: Check, checked: Checked) -> State:
    return msgspec.structs.replace(state, checked={**state.checked, check.key: checked})


def retried(state: State, check: Check) -> State:
    """The state in which this test has yet to be run."""
    return msgspec.structs.replace(
        state, checked={key: checked for key, checked in state.checked.items() if key != check.key}
    )


def _standing(plan: Plan, state: State, key: str) -> dict[str, Checked]:
    """The tests that did not look at the answer `key`."""
    touched = {item.key for item in plan(state) if isinstance(item, Check) and key in item.needs}
    return {name: checked for name, checked in state.checked.items() if name not in touched}
