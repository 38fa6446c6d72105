"""The locked screen: nothing of the desk is seen, nothing can be done but halting, and a passphrase opens it again."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from msgspec import Struct
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from tradedesk.domain.words import OperatorId
from tradedesk.ui import drawing
from tradedesk.ui.dialogs.dialog import Dialog, Tools, text_line, wrapped
from tradedesk.ui.drawing import Glyphs, Line, Palette
from tradedesk.ui.header import open_alerts


class ScreenLock(Struct, frozen=True, kw_only=True):
    """How the screen of an operator with a passphrase is locked. `unlock` waits for the desk: not for the screen's thread."""

    idle_ns: int  # without a key, until it locks by itself; 0: never
    lock: Callable[[], None]
    unlock: Callable[[str], str | None]  # None where the passphrase is right, else why not


class LockDialog(Dialog[bool]):
    """Over everything, until the passphrase is given. Esc only clears what was typed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f12", "halt", "Halt", show=False, priority=True)]

    def __init__(
        self,
        tools: Tools,
        *,
        operator: OperatorId,
        why: str,
        unlock: Callable[[str], str | None],
        halt: Callable[[], None] | None,
    ) -> None:
        """`halt` asks what to halt; None where this screen may not."""
        super().__init__(tools, f"locked: {operator}", tone="-halt" if tools.view.replica.all_halts else "")
        self._why = why
        self._unlock = unlock
        self._halt = halt

    def fields(self) -> Iterable[Horizontal]:
        entry = Input(id="passphrase", compact=True, password=True)
        entry.cursor_blink = False
        yield Horizontal(Static("passphrase: ", classes="needs", markup=False), entry, classes="row")

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        view = self._tools.view
        replica, now = view.replica, self._tools.clock.now()
        name = "The desk" if replica.desk is None else f"The desk {replica.desk.desk}"
        but = "" if self._halt is None else " but a halt"
        says = f"{self._why} {name} goes on, and so do the orders at the venues. Nothing can be done here{but}."
        found = [text_line(row, width, colours.text, glyphs) for row in wrapped(says, width)]
        waiting = len(open_alerts(replica))
        if view.lost is not None:
            away = f"{glyphs.disconnected} the desk is away since {drawing.time_of_day(view.lost.since)}Z"
            found.append(text_line(away, width, colours.crit, glyphs))
        if replica.all_halts:
            halted = ", ".join(sorted(halt.of.called for halt in replica.all_halts))
            found.append(text_line(f"{glyphs.halt} HALT {halted}", width, colours.crit, glyphs))
        if waiting:
            found.append(text_line(f"{waiting} alerts wait for a person", width, colours.warn, glyphs))
        return [*found, text_line(f"{drawing.time_of_day(now)}Z", width, colours.muted, glyphs)]

    def hint(self) -> str:
        return "Enter unlocks   F12 halt" if self._halt is not None else "Enter unlocks"

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(Input).focus()

    def action_no(self) -> None:
        self.query_one(Input).value = ""

    def action_halt(self) -> None:
        if self._halt is not None:
            self._halt()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value:
            event.input.disabled = True
            self.say("looking at it")
            self.run_worker(self._try(event.value), exclusive=True)

    async def _try(self, passphrase: str) -> None:
        refused = await asyncio.to_thread(self._unlock, passphrase)
        entry = self.query_one(Input)
        entry.value, entry.disabled = "", False
        if refused is None:
            self.close(True)
            return
        entry.focus()
        self.say(refused, is_wrong=True)
