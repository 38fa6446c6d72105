"""The setup on a screen: one question at a time, what was tested below it, keys only. The model decides what comes next.

What tries answers out and what writes the desk is handed in. Tests run on a thread of their own, and the screen waits.
"""

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static
from textual.worker import Worker, WorkerState

from tradedesk.config.questions import Question
from tradedesk.config.settings import Settings
from tradedesk.config.setup_model import (
    Check,
    Checked,
    Checker,
    Finished,
    Fix,
    SetupFailed,
    State,
    Step,
    answered,
    next_step,
    one_back,
    retried,
    with_checked,
    withdrawn,
)
from tradedesk.config.setup_plan import SetupPlan
from tradedesk.config.setup_words import finding_lines, offer_lines, summary
from tradedesk.domain.findings import Finding, Level
from tradedesk.domain.text import clean
from tradedesk.ui.screens.alone import AloneApp

Write = Callable[[State, Settings], tuple[str, ...]]
HINT = "Enter answer   Up Down choose   F3 one back   Esc leave"
_TONES = {Level.Ok: "$foreground", Level.Warn: "$td-warn", Level.Fail: "$td-crit bold"}


class Entry(Input):
    """Where answers are typed. A hidden one shows nothing at all, not even how long it is."""

    @property
    def _value(self) -> Text:
        return Text("", no_wrap=True, overflow="ignore", end="") if self.password else super()._value


class SetupApp(AloneApp[tuple[str, ...]]):
    """Returns where the desk was saved, None if it was not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f3", "one_back", "one back", show=False, priority=True),
        Binding("down", "offer(1)", "next choice", show=False, priority=True),
        Binding("up", "offer(-1)", "previous choice", show=False, priority=True),
        Binding("pagedown", "scroll(8)", "scroll", show=False, priority=True),
        Binding("pageup", "scroll(-8)", "scroll", show=False, priority=True),
        Binding("escape,ctrl+c", "ask_leave", "leave", show=False, priority=True),
        Binding("ctrl+q", "leave", "leave", show=False, priority=True),
    ]
    CSS = """
    Screen { background: $background; }
    #frame { border: round $primary; border-title-color: $primary; border-title-style: bold; height: 1fr; padding: 0 1; }
    #frame.-ascii { border: ascii $primary; }
    #where { width: 22; height: 1fr; color: $text-muted; padding-right: 1; }
    #step { width: 1fr; height: 1fr; }
    #question { height: auto; text-style: bold; }
    #hint { height: auto; color: $text-muted; }
    #choices { height: auto; max-height: 9; }
    #offers { height: auto; }
    #line { height: 1; margin-top: 1; }
    #prompt { width: auto; color: $td-own; text-style: bold; }
    #entry, #entry:focus { width: 1fr; height: 1; border: none; padding: 0; background: $boost; color: $foreground; }
    #wrong { height: auto; color: $td-crit; margin-bottom: 1; }
    #found { height: 1fr; border-top: solid $primary-darken-2; }
    #found.-ascii { border-top: ascii $primary-darken-2; }
    #findings { height: auto; }
    #keys { dock: bottom; height: 1; color: $text-muted; padding: 0 2; }
    """

    def __init__(
        self, plan: SetupPlan, checker: Checker, write: Write, *, theme: str | None = None, ascii: bool = False
    ) -> None:
        super().__init__(theme=theme, ascii=ascii)
        self._plan = plan
        self._checker = checker
        self._write = write
        self._state = State()
        self._step: Step | None = None
        self._first: str | None = None  # of an answer that is typed twice
        self._is_leaving = False
        self._saved: tuple[str, ...] | None = None

    def compose(self) -> ComposeResult:
        with Horizontal(id="frame", classes="-ascii" if self.is_ascii else "") as frame:
            frame.border_title = Content("setup")
            yield Static(id="where", markup=False)
            with Vertical(id="step"):
                yield Static(id="question", markup=False)
                yield Static(id="hint", markup=False)
                with VerticalScroll(id="choices", can_focus=False):
                    yield Static(id="offers", markup=False)
                with Horizontal(id="line"):
                    yield Static(id="prompt", markup=False)
                    entry = Entry(id="entry", compact=True, select_on_focus=False)
                    entry.cursor_blink = False
                    yield entry
                yield Static(id="wrong", markup=False)
                with VerticalScroll(id="found", can_focus=False, classes="-ascii" if self.is_ascii else ""):
                    yield Static(id="findings", markup=False)
        yield Static(Content(HINT), id="keys", markup=False)

    def on_mount(self) -> None:
        self._go_on()

    # -- what is shown ----------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Look at what comes next, and show it."""
        self._step = step = next_step(self._plan, self._plan.compose, self._state)
        self._first = None
        match step:
            case Question():
                self._show(step.about, step.text, step.hint, offer_lines(step), _prompt(step), is_hidden=step.is_hidden)
            case Check():
                self._show("a test", f"Testing {step.says}...", "", [], "", is_open=False)
                self.run_worker(lambda: self._checker.run(step, self._state), thread=True, exit_on_error=True)
            case Fix():
                if not step.check.needs:
                    self._tell(step.check.key, step.findings)
                choices = [f"{number}  {_was(self._state, one)}" for number, one in enumerate(step.questions, 1)]
                offers = [*choices, "r  nothing here: test again"]
                self._show("to be corrected", "What is to be corrected?", "The answer of that number.", offers, "> ")
            case Finished():
                self._show("save", "Save this desk? Type yes.", "What will be saved stands below.", [], "> ")
                warned = [
                    Content.styled(line, _TONES[one.level]) for one in step.findings for line in finding_lines(one)
                ]
                self._report([*(Content(clean(line)) for line in summary(step.settings)), Content(), *warned])

    def _show(
        self, about: str, question: str, hint: str, offers: list[str], prompt: str, *, is_hidden: bool = False,
        is_open: bool = True,
    ) -> None:  # fmt: skip
        self._is_leaving = False
        for id_, text in (("question", question), ("hint", hint), ("offers", "\n".join(offers)), ("prompt", prompt)):
            self._put(id_, text)
        self._put("wrong", "")
        self._put("where", "\n".join(self._places(about)))
        entry = self.query_one("#entry", Entry)
        entry.password, entry.value, entry.disabled = is_hidden, "", not is_open
        if is_open:
            entry.focus()

    def _put(self, id_: str, text: str) -> None:
        shown = self.query_one(f"#{id_}", Static)
        shown.update(Content("\n".join(clean(line) for line in text.split("\n"))))
        shown.display = bool(text)

    def _places(self, about: str) -> list[str]:
        """What the questions were about so far, and what this one is about."""
        past = [
            item.about for item in self._plan(self._state) if isinstance(item, Question) and self._state.has(item.key)
        ]
        lines = [f"  {place}" for place in dict.fromkeys(past) if place != about]
        return [*lines[-14:], f"{'>' if self.is_ascii else '▸'} {about}"]

    def _tell(self, test: str, findings: tuple[Finding, ...]) -> None:
        """Show what the newest test found, below it what the others did as far as it still stands."""
        lines = [Content.styled(line, _TONES[one.level]) for one in findings for line in finding_lines(one)]
        before = [checked for key, checked in reversed(self._state.checked.items()) if key != test]
        earlier = [line for checked in before for one in checked.findings for line in finding_lines(one)[:1]]
        if earlier:
            lines += [Content(), *(Content.styled(line, "dim") for line in earlier)]
        self._report(lines)

    def _report(self, lines: list[Content]) -> None:
        """Fill the lower part, which can be scrolled."""
        self.query_one("#findings", Static).update(Content("\n").join(lines))
        self.query_one("#found", VerticalScroll).scroll_home(animate=False)

    def _wrong(self, text: str) -> None:
        self._put("wrong", text)

    # -- what is done -----------------------------------------------------------------------------------------------------

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        typed, event.input.value = event.value, ""
        self._is_leaving = False
        if self._saved is not None:
            self.exit(self._saved)
            return
        match self._step:
            case Question() as question:
                self._answer(question, typed)
            case Fix() as fix:
                self._correct(fix, typed.strip().lower())
            case Finished() as finished if typed.strip().lower() == "yes":
                self._save(finished)
            case Finished():
                self._wrong("Type yes to save it, F3 to go back to the last answer, Esc to leave without saving.")

    def _answer(self, question: Question, typed: str) -> None:
        if self._first is not None:
            is_same, typed = typed == self._first, self._first
            self._first = None
            if not is_same:
                self._put("prompt", _prompt(question))
                self._wrong("The two are not the same; once more.")
                return
        elif question.is_typed_twice and typed:
            refused = answered(self._plan, self._state, question, typed)
            if isinstance(refused, str):
                self._wrong(refused)
            else:
                self._first = typed
                self._wrong("")
                self._put("prompt", "again > ")
            return
        found = answered(self._plan, self._state, question, typed)
        if isinstance(found, str):
            self._wrong(found)
            return
        self._state = found
        self._go_on()

    def _correct(self, fix: Fix, typed: str) -> None:
        if typed == "r":
            self._state = retried(self._state, fix.check)
        elif typed.isascii() and typed.isdigit() and 0 < int(typed[:4]) <= len(fix.questions):
            self._state = withdrawn(self._plan, self._state, fix.questions[int(typed) - 1].key)
        else:
            self._wrong("Type the number of an answer, or r to test again.")
            return
        self._go_on()

    def _save(self, finished: Finished) -> None:
        try:
            self._saved = self._write(self._state, finished.settings)
        except SetupFailed as error:
            self._wrong(str(error))
            return
        self._state = State()  # no secret is needed any more
        self._report([])
        self._show("saved", "The desk is saved.", "", list(self._saved), "Enter opens it > ")

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A test came to its end."""
        step, checked = self._step, event.worker.result
        if event.state is WorkerState.SUCCESS and isinstance(step, Check) and isinstance(checked, Checked):
            self._state = with_checked(self._state, step, checked)
            self._tell(step.key, checked.findings)
            self._go_on()

    # -- keys -------------------------------------------------------------------------------------------------------------

    def action_one_back(self) -> None:
        if self._saved is None and not isinstance(self._step, Check):
            self._state = one_back(self._plan, self._state)
            self._go_on()

    def action_offer(self, step: int) -> None:
        """Put the next of the choices into the entry, and bring it into view."""
        proposal = ""
        match self._step:
            case Question() as question:
                values, proposal = [offer.value for offer in question.offers], question.proposal
            case Fix() as fix:
                values = [*(str(number) for number in range(1, len(fix.questions) + 1)), "r"]
            case _:
                values = []
        if not values:
            return
        entry = self.query_one("#entry", Entry)
        known = entry.value or proposal
        at = (values.index(known) + step if known in values else 0 if step > 0 else -1) % len(values)
        entry.value = values[at]
        entry.cursor_position = len(entry.value)
        self.query_one("#choices", VerticalScroll).scroll_to(y=at - 4, animate=False)

    def action_scroll(self, by: int) -> None:
        self.query_one("#found", VerticalScroll).scroll_relative(y=by, animate=False)

    def action_ask_leave(self) -> None:
        """Esc leaves at once where nothing is lost, else when pressed again."""
        if self._is_leaving or not self._state.answers:
            self.exit(self._saved)
            return
        self._is_leaving = True
        self._wrong("Nothing is saved yet. Esc again leaves, anything else goes on.")


def _prompt(question: Question) -> str:
    if question.proposal:
        return f"[{question.proposal}] > "
    return "[nothing] > " if question.is_optional else "> "


def _was(state: State, question: Question) -> str:
    was = state.text(question.key)
    return f"{question.text}  (was {was})" if was else question.text
