"""The command line and the filter line: an input, a prompt that carries the mode, history, completion, a pointing error."""

from collections.abc import Callable, Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Offset
from textual.message import Message
from textual.widgets import Input, Static
from textual_autocomplete import AutoComplete, DropdownItem, TargetState

from tradedesk.domain.text import clean
from tradedesk.ui.verbs import Mistake, current_start

HISTORY = 200


class CommandInput(Input):
    """The typed line; up and down walk through what was typed before."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id, compact=True, select_on_focus=False)
        self.cursor_blink = False
        self._history: list[str] = []
        self._at = 0
        self._unsent = ""

    def remember(self, line: str) -> None:
        if line and (not self._history or self._history[-1] != line):
            self._history = [*self._history, line][-HISTORY:]
        self._at, self._unsent = len(self._history), ""

    def on_key(self, event: events.Key) -> None:
        if event.key not in ("up", "down"):
            return
        event.stop()
        event.prevent_default()
        step = -1 if event.key == "up" else 1
        at = min(max(0, self._at + step), len(self._history))
        if at == self._at:
            return
        if self._at == len(self._history):
            self._unsent = self.value
        self._at = at
        self.value = self._unsent if at == len(self._history) else self._history[at]
        self.cursor_position = len(self.value)


class Completion(AutoComplete):
    """Completes the word under the cursor with Tab. Enter always takes the line as it was typed."""

    def _listen_to_messages(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            if event.key == "enter":
                self.action_hide()
                return
            if event.key in ("up", "down") and not self.display:
                return  # history
            if event.key == "tab" and not self.display:
                event.prevent_default()
                event.stop()
                return  # the focus stays in the line
        super()._listen_to_messages(event)

    def _align_to_target(self) -> None:
        """Above the line: it stands at the foot of the screen, and below it there is nothing."""
        x, y = self.target.cursor_screen_offset
        word = len(self.get_search_string(self._get_target_state()))
        self.absolute_offset = Offset(max(0, x - word), max(0, y - self.option_list.outer_size.height))

    def get_search_string(self, target_state: TargetState) -> str:
        head = target_state.text[: target_state.cursor_position]
        return head[current_start(head, len(head)) :]

    def apply_completion(self, value: str, state: TargetState) -> None:
        start = current_start(state.text, state.cursor_position)
        rest = state.text[state.cursor_position :].lstrip()
        self.target.value = f"{state.text[:start]}{value} {rest}"
        self.target.cursor_position = start + len(value) + 1


class CommandLine(Vertical):
    """Hidden until `:`. Posts what was entered; the screen says what is wrong with it, or closes it."""

    class Entered(Message):
        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    class Left(Message):
        """Esc: nothing is to be done."""

    def __init__(self, candidates: Callable[[str, int], Sequence[str]], *, id: str) -> None:
        super().__init__(id=id)
        self._candidates = candidates
        self._prompt = ""
        self._line = CommandInput("command-input")
        self.completion = Completion(self._line, candidates=self._items)  # composed by the screen, so that it has room

    def compose(self) -> ComposeResult:
        yield Static(id="command-error", markup=False)
        with Horizontal():
            yield Static(id="command-prompt", markup=False)
            yield self._line

    def _items(self, state: TargetState) -> list[DropdownItem]:
        return [DropdownItem(main=Content(clean(word))) for word in self._candidates(state.text, state.cursor_position)]

    def open(self, prompt: str, line: str = "") -> None:
        """Show the line with its prompt and give it the focus."""
        self.display = True
        self._prompt = f"{prompt} "
        self.query_one("#command-prompt", Static).update(Content(clean(self._prompt)))
        self.say(None)
        self._line.value, self._line.cursor_position = line, len(line)
        self._line.focus()

    def close(self) -> None:
        self.display = False

    def say(self, mistake: Mistake | None) -> None:
        """Point at the wrong word with what to type instead; what was typed stays."""
        error = self.query_one("#command-error", Static)
        error.display = mistake is not None
        if mistake is not None:
            at = len(self._prompt) + mistake.start
            marks = "^" * max(1, mistake.end - mistake.start)
            text = clean(mistake.text)
            after = f"{' ' * at}{marks} {text}"
            before = f"{text} {marks}"  # too near the right edge: the words stand to the left of the mark
            fits_before = len(after) > self.size.width and len(before) <= at + len(marks)
            error.update(Content(clean(before.rjust(at + len(marks)) if fits_before else after)))
            self._line.cursor_position = mistake.end

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        line = event.value.strip()
        if not line:
            self.post_message(self.Left())
            return
        self._line.remember(line)
        self.post_message(self.Entered(event.value))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.say(None)

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            event.stop()
            self.post_message(self.Left())


class FilterLine(Horizontal):
    """`/`: filters as one types. Enter keeps the filter, Esc clears it."""

    class Changed(Message):
        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """Done; `is_kept` is False where the filter is to be cleared."""

        def __init__(self, is_kept: bool) -> None:
            super().__init__()
            self.is_kept = is_kept

    def compose(self) -> ComposeResult:
        yield Static("/", id="filter-prompt", markup=False)
        line = Input(id="filter-input", compact=True)
        line.cursor_blink = False
        yield line

    def open(self, text: str) -> None:
        self.display = True
        entry = self.query_one(Input)
        entry.value = text
        entry.focus()

    def close(self) -> None:
        self.display = False

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Left(is_kept=True))

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            event.stop()
            self.post_message(self.Left(is_kept=False))
