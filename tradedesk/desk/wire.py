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


class Welcome(Struct, frozen=True, kw_only=True, tag="welcome"):
    schema: str = SCHEMA
    desk: str
    pid: int
    operator: OperatorId
    roles: tuple[str, ...]
    accounts: tuple[AccountId, ...]
    can_trade: bool


class Submit(Struct, frozen=True, kw_only=True, tag="submit"):
    command: Command


class AskPreview(Struct, frozen=True, kw_only=True, tag="preview"):
    command: PlaceOrder
    request_id: RequestId


class Noted(Struct, frozen=True, kw_only=True, tag="noted"):
    """The question was taken; its answer is an event."""


class Failed(Struct, frozen=True, kw_only=True, tag="failed"):
    """The request was not understood, or its sender may not act here."""

    reason: str


Ask = Hello | Submit | AskPreview
Reply = Welcome | Submitted | NotSubmitted | Noted | Failed

encoder = msgspec.json.Encoder()
ask_decoder: msgspec.json.Decoder[Ask] = msgspec.json.Decoder(Ask)
reply_decoder: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)
