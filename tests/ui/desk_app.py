"""The whole app on a view made in the test: a control that records commands, a clock that moves when told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from desk_builders import ANN, NOW, a_view, feed_of
from textual import events
from textual.app import App
from textual.keys import _character_to_key
from textual.pilot import Pilot

from tradedesk.clock import ManualClock
from tradedesk.domain.commands import Command, NotSubmitted, PlaceOrder, Submitted, Verdict
from tradedesk.domain.events import Event, PreviewMade
from tradedesk.domain.gate import Answer
from tradedesk.domain.words import AccountId, ClientOrderId, RequestId
from tradedesk.ui.app import TradedeskApp
from tradedesk.ui.command_line import CommandInput
from tradedesk.ui.dialogs.dialog import Dialog
from tradedesk.ui.screens.lock import ScreenLock
from tradedesk.ui.screens.trade import TradeScreen
from tradedesk.views.feed import DeskView

MS = 1_000_000


CHARACTERS = {
    "colon": ":", "slash": "/", "question_mark": "?", "left_square_bracket": "[", "right_square_bracket": "]",
    "plus": "+", "minus": "-",
}  # fmt: skip


async def settled(app: App[None]) -> None:
    """Wait until every widget has done what it was told and nothing new comes of drawing it.

    It looks at queues and not at a clock: neither slow on a fast machine nor early on a slow one.
    """
    for _ in range(20):
        was_busy, quiet = False, 0
        while quiet < 20:  # rounds of the loop in which nothing waits in any queue
            await asyncio.sleep(0)
            pumps = [app, *(node for screen in app.screen_stack for node in screen.walk_children(with_self=True))]
            is_busy = any(not pump._message_queue.empty() or pump._next_callbacks for pump in pumps)
            was_busy, quiet = was_busy or is_busy, 0 if is_busy else quiet + 1
        was_busy = was_busy or app.screen._layout_required or bool(app.screen._dirty_widgets or app.screen._callbacks)
        app.screen._on_timer_update()
        if not was_busy:
            return


async def press(app: TradedeskApp, *keys: str) -> None:
    """Press keys as a terminal would report them, each when the one before has been dealt with."""
    for key in keys:
        send(app, key)
        await settled(app)


async def press_at_once(app: TradedeskApp, *keys: str) -> None:
    """Press keys faster than the app deals with them: a key that repeats, a hurried hand."""
    for key in keys:
        send(app, key)
    await settled(app)


def send(app: TradedeskApp, key: str) -> None:
    name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
    character = {"space": " "}.get(name, CHARACTERS.get(name, key if len(key) == 1 else None))
    event = events.Key(name, character)
    event.set_sender(app)
    assert app._driver is not None
    app._driver.send_message(event)


class RecordingControl:
    """A DeskControl that keeps what it is given and answers what it is told to."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.previews: list[tuple[PlaceOrder, RequestId]] = []
        self.refuses: dict[AccountId, str] = {}

    def submit(self, command: Command) -> Submitted | NotSubmitted:
        self.commands.append(command)
        account = getattr(command, "account", None)
        if account in self.refuses:
            return NotSubmitted(reason=self.refuses[account])
        return Submitted(client_order_id=getattr(command, "client_order_id", None))

    def preview(self, command: PlaceOrder, request_id: RequestId) -> None:
        self.previews.append((command, request_id))


class Bench:
    """One running app with its hands: press keys, let time go by, publish events, look."""

    def __init__(self, app: TradedeskApp, pilot: Pilot[None], clock: ManualClock, control: RecordingControl) -> None:
        self.app, self.pilot, self.clock, self.control = app, pilot, clock, control

    @property
    def desk(self) -> TradeScreen:
        assert isinstance(self.app.desk, TradeScreen)
        return self.app.desk

    @property
    def commands(self) -> list[Command]:
        return self.control.commands

    async def press(self, *keys: str) -> None:
        await press(self.app, *keys)

    async def type(self, text: str) -> None:
        await self.press(*("space" if letter == " " else letter for letter in text))

    async def wait(self, ms: int = 400) -> None:
        """Let time go by: more than a dialog's deafness unless said otherwise."""
        self.clock.advance(ms * MS)
        self.app.desk.frame()
        await settled(self.app)

    async def publish(self, *news: Event) -> None:
        feed_of(self.app.view).push(*news)
        self.app.desk.frame()
        await settled(self.app)

    async def command(self, line: str) -> None:
        """Enter a command, pasted and not typed: a test is not slower than it must be."""
        await self.press("colon")
        self.app.desk.query_one(CommandInput).value = line
        await self.press("enter")

    async def ticket(self, accounts: str = "acme", qty: str = "0.1", price: str = "63999.5") -> None:
        """A ticket filled by the command line, for it is the shortest way."""
        await self.command(f"{accounts} BTC/USDT buy {qty} @{price}")

    async def review(self, **of_ticket: str) -> None:
        await self.ticket(**of_ticket)
        await self.press("enter")
        await self.wait()

    async def verdicts(self, *, denied: str = "", why: str = "", is_soft: bool = False) -> None:
        """The Gate answers every preview that was asked: no to the account `denied`, which a reason may pass if soft."""
        against = (Answer(rule="repeat" if is_soft else "max_order_qty", passes=False, text=why, is_soft=is_soft),)
        await self.publish(
            *(
                PreviewMade(
                    at=self.clock.now(),
                    source="worker",
                    request_id=request_id,
                    verdict=Verdict(
                        account=command.account,
                        instrument=command.instrument,
                        order_qty=command.order_qty,
                        remainder=Decimal(0),
                        price=command.price,
                        notional=None if command.price is None else command.price * command.order_qty,
                        denials=(why,) if command.account == denied else (),
                        answers=against if command.account == denied else (),
                    ),
                )
                for command, request_id in self.control.previews
            )
        )

    def dialog(self) -> Dialog[object] | None:
        """The dialog on top, if there is one."""
        return self.app.screen if isinstance(self.app.screen, Dialog) else None

    def shown(self) -> str:
        """The whole screen as text."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    def notices(self) -> list[str]:
        return [notice.text for notice in self.app.desk.notices]


def an_app(
    view: DeskView,
    control: RecordingControl | None,
    *,
    clock: ManualClock | None = None,
    state_dir: Path | None = None,
    theme: str | None = None,
    keymap: dict[str, str] | None = None,
    ascii: bool = False,
    lock: ScreenLock | None = None,
) -> TradedeskApp:
    numbers = iter(range(1, 1_000))
    return TradedeskApp(
        view,
        control,
        operator=ANN,
        clock=clock or ManualClock(NOW),
        ids=lambda account: ClientOrderId(f"td-{account}-{next(numbers)}"),
        state_dir=state_dir,
        theme=theme,
        keymap=keymap,
        ascii=ascii,
        frame_hz=1 / 3600,  # frames are drawn when a test says so
        lock=lock,
    )


@asynccontextmanager
async def a_desk(
    *,
    size: tuple[int, int] = (120, 36),
    watch_only: bool = False,
    state_dir: Path | None = None,
    theme: str | None = None,
    keymap: dict[str, str] | None = None,
    **of_view: object,
) -> AsyncIterator[Bench]:
    """The app running without a terminal, over `a_view(**of_view)`."""
    control, clock = RecordingControl(), ManualClock(NOW)
    app = an_app(
        a_view(**of_view),  # type: ignore[arg-type]
        None if watch_only else control,
        clock=clock,
        state_dir=state_dir,
        theme=theme,
        keymap=keymap,
    )
    async with app.run_test(size=size) as pilot:
        await settled(app)
        yield Bench(app, pilot, clock, control)
