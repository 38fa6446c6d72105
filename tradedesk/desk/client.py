"""The other end of the control socket: DeskControl for a screen or a script in another process."""

import contextlib
import socket
import threading
from pathlib import Path

from tradedesk.desk import wire
from tradedesk.domain.commands import Command, NotSubmitted, PlaceOrder, Submitted
from tradedesk.domain.words import OperatorId, RequestId

TIMEOUT_S = 5.0


class DeskAway(Exception):
    """There is no desk to talk to, or it will not talk to us. The text is a sentence for the operator."""


class NeedsPassphrase(DeskAway):
    """The desk is there and would let this operator in with the right passphrase."""


class RemoteControl:
    """Commands to a running desk. One exchange at a time; a desk answers at once, since it waits for no venue itself.

    The passphrase is kept for as long as the program runs, so that a desk that was started again is found again.
    """

    def __init__(self, path: Path, operator: OperatorId | None, passphrase: str | None = None) -> None:
        """Connects. Raises DeskAway."""
        self._path = path
        self._operator = operator
        self._passphrase = passphrase
        self._is_locked = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._pending = b""
        self.welcome = self._connect()

    def submit(self, command: Command) -> Submitted | NotSubmitted:
        try:
            reply = self._exchange(wire.Submit(command=command))
        except DeskAway as away:
            return NotSubmitted(reason=str(away))
        if isinstance(reply, Submitted | NotSubmitted):
            return reply
        return NotSubmitted(reason=reply.reason if isinstance(reply, wire.Failed) else "the desk gave no usable answer")

    def preview(self, command: PlaceOrder, request_id: RequestId) -> None:
        with contextlib.suppress(DeskAway):  # the view says that the desk is away
            self._exchange(wire.AskPreview(command=command, request_id=request_id))

    def lock(self) -> None:
        """Have the desk take halts only, until `unlock`, over a restart of the desk too."""
        self._is_locked = True
        with contextlib.suppress(DeskAway):  # told when it is there again
            self._exchange(wire.Lock())

    def unlock(self, passphrase: str) -> str | None:
        """None if everything goes again, else why not. Takes as long as proving a passphrase does."""
        try:
            reply = self._exchange(wire.Unlock(passphrase=passphrase))
        except DeskAway as away:
            return str(away)
        if not isinstance(reply, wire.Noted):
            return reply.reason if isinstance(reply, wire.Failed) else "the desk gave no usable answer"
        self._is_locked = False
        return None

    def unlock_vault(self, passphrase: str) -> str | None:
        """None if the desk's vault is open now, else why not. Takes as long as proving a passphrase does."""
        try:
            reply = self._exchange(wire.OpenVault(passphrase=passphrase))
        except DeskAway as away:
            return str(away)
        if isinstance(reply, wire.Noted):
            return None
        return reply.reason if isinstance(reply, wire.Failed) else "the desk gave no usable answer"

    def follow(self) -> bytes | str:
        """The line that begins a stream of this operator's on a connection of its own, or why there is none now."""
        try:
            reply = self._exchange(wire.AskStream())
        except DeskAway as away:
            return str(away)
        if not isinstance(reply, wire.Ticket):
            return reply.reason if isinstance(reply, wire.Failed) else "the desk gave no usable answer"
        return wire.encoder.encode(wire.Follow(ticket=reply.ticket)) + b"\n"

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _connect(self) -> wire.Welcome:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(TIMEOUT_S)
        try:
            connection.connect(str(self._path))
        except PermissionError:
            connection.close()
            raise DeskAway(
                f"{self._path}: not allowed; have your user id put into desk.toml, operators.NAME.uid"
            ) from None
        except OSError:
            connection.close()
            raise DeskAway(
                f"no desk answers at {self._path}; start one with `tradedesk run`, or set TRADEDESK_HOME to its folder"
            ) from None
        self._socket, self._pending = connection, b""
        try:
            reply = self._talk(wire.Hello(operator=self._operator, passphrase=self._passphrase))
        except DeskAway:
            raise DeskAway(
                f"a desk listens at {self._path} and does not answer; if its process hangs, "
                "end it and start it again with `tradedesk run`: it knows its orders and its halts"
            ) from None
        if isinstance(reply, wire.Welcome):
            if self._is_locked:
                self._talk(wire.Lock())
            return reply
        self._drop()
        if isinstance(reply, wire.Failed) and reply.wants_passphrase:
            raise NeedsPassphrase(reply.reason)
        raise DeskAway(reply.reason if isinstance(reply, wire.Failed) else "the desk gave no usable answer")

    def _exchange(self, ask: wire.Ask) -> wire.Reply:
        with self._lock:
            if self._socket is None:
                self._connect()  # the desk was restarted; a command is sent only on a connection that is known to stand
            return self._talk(ask)

    def _talk(self, ask: wire.Ask) -> wire.Reply:
        """One request and its reply. Sent once: after a break nobody knows whether it arrived, and the caller is told so."""
        if self._socket is None:
            raise DeskAway("the desk is away")
        try:
            with contextlib.suppress(BrokenPipeError):  # turned away before it was heard: why stands to be read
                self._socket.sendall(wire.encoder.encode(ask) + b"\n")
            while b"\n" not in self._pending:
                chunk = self._socket.recv(65536)
                if not chunk:
                    raise ConnectionError
                self._pending += chunk
            line, self._pending = self._pending.split(b"\n", 1)
            return wire.reply_decoder.decode(line)
        except (OSError, ValueError):
            self._drop()
        raise DeskAway("the desk broke off before it answered; look at the orders before you send again")

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
