"""Commands that wait for a second person: asked durably, carried out when one approves, dead when their time is over."""

import secrets
import threading
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.commands import Command
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, OperatorId

WAITS_NS = 60 * 60 * 10**9
MAX_OPEN = 100  # of all operators
MAX_OPEN_EACH = 10
MAX_WHAT = 400  # characters
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none that is read as another

_commands: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


class Question(Struct, frozen=True, kw_only=True):
    """What a second person is asked about a command."""

    kind: str  # as in desk.toml's approvals
    account: AccountId | None
    what: str  # in words
    about: str  # what must still be so when it is approved
    is_about_a_breach: bool = False


class Approvals:
    """The open ones. May be called from any thread; each is taken once."""

    def __init__(self, known: Iterable[ev.ApprovalAsked], emit: Callable[[ev.Event], None], clock: Clock) -> None:
        """`known` are those that were open when the desk last ran."""
        self._open = {asked.id: asked for asked in known}
        self._lock = threading.Lock()
        self._emit = emit
        self._clock = clock

    def find(self, id: str) -> ev.ApprovalAsked | None:
        with self._lock:
            asked = self._open.get(id)
        return asked if asked is not None and asked.expires_at > self._clock.now() else None

    def ask(self, operator: OperatorId, command: Command, question: Question) -> ev.ApprovalAsked | str:
        """Put the question to whoever may approve; the same one again is the one that waits. Or why it cannot be put."""
        now = self._clock.now()
        with self._lock:
            for asked in self._open.values():
                same = (asked.by, asked.kind, asked.account, asked.about)
                if same == (operator, question.kind, question.account, question.about):
                    return asked
            own = sum(asked.by == operator for asked in self._open.values())
            if own >= MAX_OPEN_EACH or len(self._open) >= MAX_OPEN:
                return "too many requests wait for approval; have some approved, or wait until they end"
            asked = ev.ApprovalAsked(
                at=now,
                source="desk",
                id=self._new_id(),
                kind=question.kind,
                account=question.account,
                by=operator,
                what=clean(question.what, MAX_WHAT),
                command=msgspec.json.encode(command).decode(),
                about=question.about,
                expires_at=now + WAITS_NS,
            )
            self._open[asked.id] = asked
        self._emit(asked)
        text = f"{operator} asks for approval {asked.id}: {asked.what}; `:approve {asked.id}` within the hour"
        alert = Alert(
            key=_alert_of(asked.id), rule="approval", severity=Severity.Warning, account=asked.account,
            text=clean(text, MAX_WHAT + 100), at=now,
        )  # fmt: skip
        self._emit(ev.AlertRaised(at=now, source="desk", alert=alert))
        return asked

    def give(self, asked: ev.ApprovalAsked, by: OperatorId, note: str) -> bool:
        """Take it and say who approved; False if somebody else was faster or its time is over."""
        now = self._clock.now()
        with self._lock:
            if asked.expires_at <= now or self._open.pop(asked.id, None) is None:
                return False
        given = ev.ApprovalGiven(
            at=now, source="desk", id=asked.id, kind=asked.kind, account=asked.account, asked_by=asked.by, by=by,
            note=clean(note, MAX_WHAT),
        )  # fmt: skip
        self._emit(given)
        self._emit(ev.AlertEnded(at=now, source="desk", key=_alert_of(asked.id)))
        return True

    def end(self, asked: ev.ApprovalAsked, why: str) -> None:
        now = self._clock.now()
        with self._lock:
            if self._open.pop(asked.id, None) is None:
                return
        self._emit(ev.ApprovalEnded(at=now, source="desk", id=asked.id, account=asked.account, why=why))
        self._emit(ev.AlertEnded(at=now, source="desk", key=_alert_of(asked.id)))

    def expire(self) -> None:
        """End those whose time is over."""
        now = self._clock.now()
        with self._lock:
            over = [asked for asked in self._open.values() if asked.expires_at <= now]
        for asked in over:
            self.end(asked, "nobody approved it in time")

    def _new_id(self) -> str:
        while True:
            id = "".join(secrets.choice(_LETTERS) for _ in range(5))
            if id not in self._open:
                return id


def command_of(asked: ev.ApprovalAsked) -> Command | None:
    """The command that waits; None where an older program wrote one that this one does not know."""
    try:
        return _commands.decode(asked.command)
    except msgspec.DecodeError:
        return None


def _alert_of(id: str) -> str:
    return f"approval:{id}"
