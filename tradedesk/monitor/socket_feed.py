"""The stream of a desk over its read socket: read on a thread of its own, taken by the screen, back by itself after a loss."""

import contextlib
import json
import random
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from tradedesk.bus import Inbox
from tradedesk.clock import Clock
from tradedesk.views.feed import Lost, Numbered, Update, update_decoder
from tradedesk.views.replica import Snapshot

HANDSHAKE = json.dumps({"hello": "monitor.v1"}).encode() + b"\n"
BOUND = (
    20_000  # updates waiting for the screen: minutes of a busy desk; past that the reader starts anew from a snapshot
)
MAX_LINE = 64 * 1024 * 1024  # bytes; the snapshot of fifty accounts with full histories is a tenth of this
SILENCE_S = 5.0  # the desk says something every second; this long without a word, it is gone or frozen
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 5.0  # a desk that is started again is on the screen within this


class SocketFeed:
    """A Feed over a desk's read socket, or over its control socket for an operator who is let in there.

    Owns one thread, which does all connecting and reading. `take` and `close` may be called from outside; neither waits
    for the desk. `wake` is called on the reader's thread when something is there to be taken.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        chance: random.Random,
        wake: Callable[[], None] | None = None,
        handshake: Callable[[], bytes | str] = lambda: HANDSHAKE,
        bound: int = BOUND,
        silence_s: float = SILENCE_S,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        """`handshake` makes the line that begins the stream, or says why there can be none now; it may wait."""
        self._path = path
        self._handshake = handshake
        self._clock = clock
        self._chance = chance
        self._inbox: Inbox[Update] = Inbox(bound, wake)
        self._silence_s = silence_s
        self._first_wait_s = first_wait_s
        self._is_closed = threading.Event()
        self._is_drained = threading.Event()
        self._last_heard = clock.now()  # ns: how old what is shown is, once the desk is gone
        self._told: tuple[int, str] | None = None  # the loss the screen already knows of
        self._socket: socket.socket | None = None
        self._socket_lock = threading.Lock()  # so that close() interrupts the read, and never a later socket's
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self._thread.start()

    def take(self) -> list[Update]:
        """What has arrived since the last call, oldest first. Never waits."""
        updates = self._inbox.take()
        if self._inbox.is_cut:
            self._is_drained.set()
        return updates

    def close(self) -> None:
        """End the reader. The screen may go on showing what it has."""
        self._is_closed.set()
        self._is_drained.set()
        with self._socket_lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):  # not connected yet, or not any more: there is nothing to interrupt
                    self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=2.0)

    # -- on the reader's thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        wait_s = self._first_wait_s
        while not self._is_closed.is_set():
            heard_before = self._last_heard
            reason = self._follow()
            if self._is_closed.is_set():
                return
            if self._inbox.is_cut:
                self._is_drained.wait()  # the screen is behind: no use in fetching more before it has come
                self._inbox.reopen()
                self._is_drained.clear()
            else:
                self._tell_lost(reason)
            wait_s = self._first_wait_s if self._last_heard != heard_before else min(wait_s * 2, LONGEST_WAIT_S)
            self._is_closed.wait(wait_s * self._chance.uniform(0.5, 1.0))  # many monitors must not come back in step

    def _follow(self) -> str:
        """Connect, greet and read until that ends; returns why it ended, as the operator reads it."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                with self._socket_lock:
                    self._socket = connection
                try:
                    hello = self._handshake()
                    if isinstance(hello, str):
                        return hello
                    connection.settimeout(self._silence_s)
                    connection.connect(str(self._path))
                    connection.sendall(hello)
                    return self._read(connection)
                finally:
                    with self._socket_lock:
                        self._socket = None
        except TimeoutError:
            return f"the desk has said nothing for {self._silence_s:g} s"
        except FileNotFoundError:
            return f"no desk runs here: {self._path} is not there"
        except ConnectionRefusedError:
            return "no desk listens on its socket any more"
        except PermissionError:
            return f"{self._path}: not allowed; ask to be put in the socket's group"
        except OSError as error:
            return f"the connection to the desk failed: {error.strerror or type(error).__name__}"

    def _read(self, connection: socket.socket) -> str:
        number: int | None = None  # of the newest update; None before the snapshot
        waiting = bytearray()
        while chunk := connection.recv(1 << 18):
            start = len(waiting)
            waiting += chunk
            if waiting.find(b"\n", start) < 0:
                if len(waiting) > MAX_LINE:
                    return "the desk sent a line longer than any snapshot; are both the same version?"
                continue
            *lines, rest = bytes(waiting).split(b"\n")
            waiting = bytearray(rest)
            for line in lines:
                try:
                    update = update_decoder.decode(line)
                except (msgspec.DecodeError, ValueError):  # ValueError: a value that its own type refuses
                    return "the desk sent something this monitor cannot read; are both the same version?"
                if isinstance(update, Numbered) and (number is None or update.number != number + 1):
                    return "the stream has a hole; starting anew from a snapshot"
                if isinstance(update, Snapshot | Numbered):
                    number = update.number
                    self._told = None
                self._last_heard = self._clock.now()
                if not self._inbox.offer(update):
                    return "the screen fell behind"
        return "the desk closed the connection"

    def _tell_lost(self, reason: str) -> None:
        """Say since when we are blind, and again only if the reason is another one."""
        since = self._last_heard if self._told is None else self._told[0]
        if self._told != (since, reason):
            self._told = (since, reason)
            self._inbox.offer(Lost(since=since, reason=f"{reason}; trying again"))
