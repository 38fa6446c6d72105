"""The messenger: alerts to webhooks, on a thread of its own, so that a receiver that hangs holds up nobody else.

What is sent leaves by the machine's default way, never by a client's exit: it concerns the desk, not a venue.
"""

import asyncio
import contextlib
import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from random import Random

import httpx
import msgspec
from msgspec import Struct

from tradedesk.access.exit_guard import tls_context
from tradedesk.clock import Clock
from tradedesk.config.questions import Hidden
from tradedesk.domain import events as ev
from tradedesk.domain.alerts import LATE_MS, RANK, Alert, Severity
from tradedesk.domain.webhooks import Receiver, message
from tradedesk.log import Log
from tradedesk.redaction import SCRUBBER
from tradedesk.venues.backoff import MOST_S, back_off_s
from tradedesk.views.alert_latency import Latency
from tradedesk.views.alert_rows import AlertEvent, AlertRow, fold
from tradedesk.views.feed import Feed, Numbered, Update
from tradedesk.views.replica import Snapshot

RULE = "webhook"
SOURCE = "desk"
LOOK_EVERY_S = 0.25
TRY_S = 5.0  # for one try, from the connection to the status
TRIES = 5
WAITING = 100  # alerts for one receiver; of a storm the oldest are only counted
TOLD = 10_000  # causes that are remembered as told
GRACE_S = 2.0  # at the end, for what is on its way
_TRY_AGAIN = (408, 425, 429)  # refusals that may pass, besides the 5xx
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,}", re.ASCII)  # what is secret in a webhook's URL


class Outcome(Struct, frozen=True, kw_only=True):
    """Of one try. No problem: it was delivered."""

    problem: str | None = None  # never quotes the URL
    may_pass: bool = True  # whether trying again is of use
    wait_s: float = 0.0  # what the receiver asked for


def learn(url: str) -> Hidden:
    """The URL, kept from showing anywhere."""
    SCRUBBER.learn(*_TOKEN.findall(url))
    return Hidden(url)


async def send(url: Hidden, body: Mapping[str, object]) -> Outcome:
    """One try to deliver: no redirect is followed, no proxy of the environment used, no answer read."""
    for name in ("httpx", "httpcore"):  # both log URLs
        logging.getLogger(name).setLevel(logging.WARNING)
    transport = httpx.AsyncHTTPTransport(verify=tls_context(), trust_env=False)
    try:
        async with (
            asyncio.timeout(TRY_S),
            httpx.AsyncClient(transport=transport, trust_env=False, follow_redirects=False, timeout=TRY_S) as client,
            client.stream("POST", url.text, json=body) as answer,
        ):
            return judged(answer.status_code, answer.headers.get("retry-after"))
    except (TimeoutError, httpx.TimeoutException):
        return Outcome(problem="it does not answer in time")
    except Exception as error:  # each layer below has errors of its own; their texts may quote the URL
        return Outcome(problem=f"it is not reached ({type(error).__name__})")


def judged(status: int, retry_after: str | None) -> Outcome:
    if 200 <= status < 300:
        return Outcome()
    asked = float(retry_after) if retry_after is not None and re.fullmatch(r"[0-9]{1,6}", retry_after) else 0.0
    return Outcome(
        problem=f"it answers with status {status}",
        may_pass=status >= 500 or status in _TRY_AGAIN,
        wait_s=min(asked, MOST_S),
    )


def a_trial(receiver: Receiver, url: str, desk: str, now: int) -> Outcome:
    """Send one message that says it is a trial. Blocks."""
    alert = Alert(
        key="trial", rule="trial", severity=Severity.Info, account=None, text="a trial: alerts are sent here", at=now
    )
    return asyncio.run(send(learn(url), message(receiver, alert, desk)))


class Told(Struct, kw_only=True):
    """What was sent of one cause."""

    severity: Severity  # the worst
    key: str = ""  # of the alert that was sent
    escalated: int = 0


class Line:
    """What waits for one receiver, and whether it takes it. On the messenger's thread."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.key = f"{RULE}:{receiver.name}"
        self.waiting: deque[Alert] = deque()
        self.missed = 0  # not told; the next message counts them
        self.is_down = False  # an alert says so
        self.latency = Latency(receiver.name, SOURCE)
        self.has_news = asyncio.Event()
        self.is_idle = asyncio.Event()  # nothing waits, and nothing is on its way
        self.is_idle.set()

    def takes(self, alert: Alert) -> bool:
        return RANK[alert.severity] >= RANK[self.receiver.least] and alert.key != self.key

    def put(self, alert: Alert, *, is_for_all: bool = False) -> None:
        """`is_for_all`: whatever the receiver asks for. That one fails is told to the others all the same."""
        if not self.takes(alert) and (not is_for_all or alert.key == self.key):
            return
        if len(self.waiting) == WAITING:
            self.waiting.popleft()
            self.missed += 1
        self.waiting.append(alert)
        self.is_idle.clear()
        self.has_news.set()

    async def next(self) -> Alert:
        while not self.waiting:
            self.is_idle.set()
            self.has_news.clear()
            await self.has_news.wait()
        return self.waiting.popleft()


class Messenger:
    """Owns one thread from `start` to `stop`. Everything else is called on that thread."""

    def __init__(
        self,
        feed: Feed,
        receivers: Iterable[Receiver],
        urls: Mapping[str, Hidden],
        *,
        desk: str,
        emit: Callable[[ev.Event], None],
        clock: Clock,
        random: Random,
        log: Log,
    ) -> None:
        """`urls` by the receivers' names; who has none gets nothing, and an alert says so."""
        self._feed = feed
        self._urls = urls
        self._desk = desk
        self._emit = emit
        self._clock = clock
        self._random = random
        self._log = log
        self._lines = [Line(receiver) for receiver in receivers]
        self._rows: dict[str, AlertRow] = {}
        self._told: dict[str, Told] = {}  # of each cause that stands
        self._since = clock.now()  # what is older, a desk before this one told
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="messenger", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Waits a moment for what is on its way; the rest stands in the journal."""
        self._stopping.set()
        self._thread.join(timeout=GRACE_S + TRY_S)
        self._feed.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:
            self._log.error("messenger_failed", cause=type(error).__name__)
            self._fails(RULE, "an error of the desk's own: no alert is sent to a webhook until the desk starts again")

    async def _main(self) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = []
            for line in self._lines:
                url = self._urls.get(line.receiver.name)
                if url is not None:
                    tasks.append(group.create_task(self._deliver(line, url)))
                    continue
                name = line.receiver.name
                self._fails(
                    line.key, f"alerts.{name}: its URL is not in the vault; run `tradedesk alerts-to add {name}`"
                )
            self._lines = [line for line in self._lines if line.receiver.name in self._urls]
            while not self._stopping.is_set():
                self._take(self._feed.take())
                await asyncio.sleep(LOOK_EVERY_S)
            self._take(self._feed.take())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE_S):
                    for line in self._lines:
                        await line.is_idle.wait()
            for task in tasks:
                task.cancel()
        unsent = sum(len(line.waiting) + (not line.is_idle.is_set()) for line in self._lines)
        if unsent:
            self._log.warning("alerts_not_delivered", count=unsent, why="the desk stops")

    def _take(self, updates: Iterable[Update]) -> None:
        for update in updates:
            match update:
                case Snapshot():
                    self._rows = {row.alert.key: row for row in update.alerts}
                    self._forget()
                    for row in update.alerts:
                        if row.is_active and row.alert.at >= self._since:
                            self._hear(row)
                case Numbered(
                    event=ev.AlertRaised() | ev.AlertEnded() | ev.AlertAcknowledged() | ev.AlertSnoozed()
                    | ev.AlertSnoozeEnded() | ev.AlertEscalated() as event
                ):  # fmt: skip
                    fold(self._rows, event)
                    self._tell(event)

    def _tell(self, event: AlertEvent) -> None:
        row = self._rows.get(event.alert.key if isinstance(event, ev.AlertRaised) else event.key)
        if row is None:
            return
        match event:
            case ev.AlertRaised():
                self._hear(msgspec.structs.replace(row, alert=event.alert))
            case ev.AlertEnded() | ev.AlertAcknowledged():
                if not any(other.is_active and other.is_waiting for other in self._alike(row)):
                    self._told.pop(row.alert.group, None)  # from now on it would be a new one
            case ev.AlertSnoozeEnded() if row.is_active:
                self._told.pop(row.alert.group, None)
                self._hear(_now(row, event.at, "back after it was put off"))
            case ev.AlertEscalated():
                told = self._told.setdefault(row.alert.group, Told(severity=row.alert.severity))
                if event.times > told.escalated:  # of one cause, once
                    told.escalated = event.times
                    said = f"NOT ACKNOWLEDGED for {event.waited_ms // 60_000} min"
                    for line in self._lines:
                        line.put(_now(row, event.at, said).alert, is_for_all=True)

    def _hear(self, row: AlertRow) -> None:
        """A cause is told once, and again when it worsens, or comes back after it ended or a person took note of it.

        Of several alerts of one cause the first is sent; the next message says how many more there were.
        """
        alert = row.alert
        if row.snoozed_until:
            return
        told = self._told.get(alert.group)
        if told is not None and RANK[alert.severity] <= RANK[told.severity]:
            if row.count == 1 and alert.key != told.key:
                for line in self._lines:
                    line.missed += line.takes(alert)
            return
        self._told[alert.group] = Told(severity=alert.severity, key=alert.key)
        if len(self._told) > TOLD:
            del self._told[next(iter(self._told))]
        for line in self._lines:
            line.put(alert)

    def _alike(self, row: AlertRow) -> Iterable[AlertRow]:
        return (other for other in self._rows.values() if other.alert.group == row.alert.group)

    def _forget(self) -> None:
        standing = {row.alert.group for row in self._rows.values() if row.is_active}
        self._told = {group: told for group, told in self._told.items() if group in standing}

    async def _deliver(self, line: Line, url: Hidden) -> None:
        while True:
            alert = await line.next()
            more, line.missed = line.missed, 0
            body = message(line.receiver, alert, self._desk, more)
            tries, outcome = 1, await send(url, body)
            while outcome.problem is not None and outcome.may_pass and tries < TRIES:
                await asyncio.sleep(max(back_off_s(tries, self._random), outcome.wait_s))
                tries, outcome = tries + 1, await send(url, body)
            self._note(line, alert, more, tries, outcome)

    def _note(self, line: Line, alert: Alert, more: int, tries: int, outcome: Outcome) -> None:
        name = line.receiver.name
        if outcome.problem is not None:
            line.missed += more + 1
            self._log.warning("alert_not_delivered", to=name, alert=alert.key, tries=tries, why=outcome.problem)
            if not line.is_down:
                line.is_down = True
                self._fails(line.key, f"alerts do not reach {name}: {outcome.problem}; try `tradedesk alerts-to test`")
            return
        late_ms, news = line.latency.measured(alert, self._clock.now())
        for event in news:
            self._emit(event)
        tell = self._log.info if late_ms <= LATE_MS else self._log.warning
        tell("alert_delivered", to=name, alert=alert.key, tries=tries, more=more, late_ms=late_ms)
        if line.is_down:
            line.is_down = False
            self._emit(ev.AlertEnded(at=self._clock.now(), source=SOURCE, key=line.key))

    def _fails(self, key: str, text: str) -> None:
        alert = Alert(key=key, rule=RULE, severity=Severity.Warning, account=None, text=text, at=self._clock.now())
        self._emit(ev.AlertRaised(at=alert.at, source=SOURCE, alert=alert))


def _now(row: AlertRow, at: int, said: str) -> AlertRow:
    """The row as what there is to tell at this moment, with `said` before its text."""
    alert = msgspec.structs.replace(row.alert, at=at, seen_at=at, text=f"{said}: {row.alert.text}")
    return msgspec.structs.replace(row, alert=alert)
