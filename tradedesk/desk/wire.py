"""The words of the control socket: one JSON object a line, a request and its reply. Documented in the README."""

import msgspec
from msgspec import Struct

from tradedesk.domain.commands import Command, NotSubmitted, PlaceOrder, Submitted
from tradedesk.domain.words import AccountId, OperatorId, RequestId

SCHEMA = "control.v1"
MAX_LINE = 64 * 1024  # bytes of one request


class Hello(Struct, frozen=True, kw_only=True, tag="hello"):
    """First on every connection: under which name the caller acts; None lets the desk tell by the caller's user."""

    operator: OperatorId | None = None
    passphrase: str | None = None

    def __repr__(self) -> str:
        return f"Hello(operator={self.operator!r})"


class Welcome(Struct, frozen=True, kw_only=True, tag="welcome"):
    schema: str = SCHEMA
    desk: str
    pid: int
    operator: OperatorId
    roles: tuple[str, ...]
    accounts: tuple[AccountId, ...]
    can_trade: bool
    has_passphrase: bool = False  # without one, a screen cannot lock
    idle_lock_minutes: int = 0


class Submit(Struct, frozen=True, kw_only=True, tag="submit"):
    command: Command


class AskPreview(Struct, frozen=True, kw_only=True, tag="preview"):
    command: PlaceOrder
    request_id: RequestId


class Lock(Struct, frozen=True, kw_only=True, tag="lock"):
    """From now on this connection may only halt."""


class Unlock(Struct, frozen=True, kw_only=True, tag="unlock"):
    passphrase: str

    def __repr__(self) -> str:
        return "Unlock()"


class OpenVault(Struct, frozen=True, kw_only=True, tag="open-vault"):
    """The passphrase of the desk's vault, which was locked."""

    passphrase: str

    def __repr__(self) -> str:
        return "OpenVault()"


class AskStream(Struct, frozen=True, kw_only=True, tag="ask-stream"):
    """A ticket for one more connection, which is then sent what this operator may see."""


class Ticket(Struct, frozen=True, kw_only=True, tag="ticket"):
    ticket: str


class Follow(Struct, frozen=True, kw_only=True, tag="follow"):
    """First and last on a connection of its own: from here on it gets the stream, and nothing is read from it."""

    ticket: str


class Noted(Struct, frozen=True, kw_only=True, tag="noted"):
    """It was taken. The answer to a preview is an event."""


class Failed(Struct, frozen=True, kw_only=True, tag="failed", omit_defaults=True):
    """The request was not understood, or its sender may not act here."""

    reason: str
    wants_passphrase: bool = False  # say hello again, with one


Ask = Hello | Submit | AskPreview | Lock | Unlock | OpenVault | AskStream | Follow
Reply = Welcome | Submitted | NotSubmitted | Noted | Ticket | Failed

encoder = msgspec.json.Encoder()
ask_decoder: msgspec.json.Decoder[Ask] = msgspec.json.Decoder(Ask)
reply_decoder: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)
