"""The desk's two Unix sockets, served on the desk thread: one to read the stream, one to give commands."""

import asyncio
import contextlib
import os
import secrets
import select
import shutil
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import msgspec

from tradedesk.access.operators import Operator, Verb, may
from tradedesk.clock import Clock
from tradedesk.desk import wire
from tradedesk.desk.door import Door, Shut
from tradedesk.desk.hub import Hub
from tradedesk.desk.office import Control, Office
from tradedesk.desk.trail import Trail
from tradedesk.domain.words import AccountId
from tradedesk.log import Log
from tradedesk.views.lens import EVERYTHING, Lens

HANDSHAKE_S = 5.0
REQUEST_S = 10.0  # from the first byte of a request to its last, and for a reply to be taken
MAX_HANDSHAKE = 4_096  # bytes
MAX_BEHIND = 32 * 1024 * 1024  # bytes a reader may be behind before it is cut off; it comes back from a snapshot (5.13)
MAX_READERS = 64
MAX_CALLERS = 64
MAX_EACH = 48  # connections of one of the machine's users, of either socket: nobody takes all of them
MAX_TICKETS = 4  # of one connection, not used yet

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Places:
    """The connections of one socket, bounded in all and for each of the machine's users. For the desk thread."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._taken: dict[asyncio.Transport, int] = {}  # the user at the other end

    def take(self, transport: asyncio.Transport, uid: int) -> bool:
        """Whether there is room; then it is taken until `give`."""
        if not self._has_room(uid):
            for other in [other for other in self._taken if _has_hung_up(other)]:
                del self._taken[other]  # one that is only written to learns of it with the next word
                other.abort()
        if not self._has_room(uid):
            return False
        self._taken[transport] = uid
        return True

    def give(self, transport: asyncio.Transport) -> None:
        self._taken.pop(transport, None)

    def _has_room(self, uid: int) -> bool:
        return len(self._taken) < self._most() and sum(other == uid for other in self._taken.values()) < MAX_EACH


class Followers:
    """Connections that are sent a stream and read no more: of the read socket, and of attached screens."""

    def __init__(self, hub: Hub, log: Log) -> None:
        self._hub = hub
        self._log = log

    def follow(self, transport: asyncio.Transport, lens: Lens) -> None:
        """Write the stream through the lens until the other end goes, or falls behind and is cut off."""
        with contextlib.suppress(RuntimeError):  # already paused or closing
            transport.pause_reading()

        def send(line: bytes) -> None:
            if transport.is_closing() or transport.get_write_buffer_size() > MAX_BEHIND:
                self._hub.remove_writer(send)
                if not transport.is_closing():
                    self._log.warning("reader_cut_off", behind_bytes=transport.get_write_buffer_size())
                transport.abort()
                return
            transport.write(line)

        self._hub.add_writer(send, lens)


async def serve_readers(path: Path, hub: Hub, log: Log, *, group: str | None = None) -> asyncio.Server:
    """The read socket: a handshake in, then a snapshot and every event after it out. Nothing else is ever read (5.12).

    `group` names the machine's group that may open it besides the desk's own user. Raises OSError or LookupError.
    """
    followers, places = Followers(hub, log), Places(lambda: MAX_READERS)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transport = cast(asyncio.Transport, writer.transport)
        uid = peer_uid(writer.get_extra_info("socket"))
        if (group is None and uid != os.getuid()) or not places.take(transport, uid):
            transport.abort()
            return
        try:
            await asyncio.wait_for(reader.readline(), HANDSHAKE_S)
            followers.follow(transport, EVERYTHING)
            await writer.wait_closed()
        except (TimeoutError, ValueError, OSError):
            transport.abort()
        except asyncio.CancelledError:  # the desk stops; asyncio of 3.11 reports a cancelled handler as an error
            transport.abort()
        finally:
            places.give(transport)

    return await _listening(path, serve, MAX_HANDSHAKE, mode=0o600 if group is None else 0o660, group=group)


async def serve_control(
    path: Path,
    *,
    office: Office,
    hub: Hub,
    door: Door,
    trail: Trail,
    desk_name: str,
    idle_lock_minutes: int,
    clock: Clock,
    log: Log,
) -> asyncio.Server:
    """The control socket: commands of operators, each connection under one name, and the streams of their screens."""
    followers, places = Followers(hub, log), Places(lambda: MAX_CALLERS)
    tickets: dict[str, Caller] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transport = cast(asyncio.Transport, writer.transport)
        uid = peer_uid(writer.get_extra_info("socket"))
        if uid not in door.peers:
            log.warning("control_refused", uid=uid)
            trail.login_refused("", uid, "no operator in desk.toml has this user id")
            writer.write(_line(wire.Failed(reason=f"no operator of this desk has user id {uid}; ask who runs it")))
            writer.close()
            return
        if not places.take(transport, uid):
            log.warning("control_refused", uid=uid, why="too many connections")
            writer.write(_line(wire.Failed(reason="too many connections to this desk; close some and try again")))
            writer.close()
            return
        caller = Caller(uid, office=office, hub=hub, door=door, trail=trail, clock=clock, tickets=tickets)
        caller.desk_name, caller.idle_lock_minutes = desk_name, idle_lock_minutes
        try:
            while line := await _request(reader, HANDSHAKE_S if caller.control is None else None):
                reply = await caller.answer(line)
                if isinstance(reply, Lens):
                    followers.follow(transport, reply)
                    caller.watched.streams.add(writer)
                    await writer.wait_closed()
                    return
                writer.write(_line(reply))
                await asyncio.wait_for(writer.drain(), REQUEST_S)
        except ValueError:  # where the next request begins cannot be told any more
            log.warning("control_dropped", uid=uid, why="a request beyond the bound")
            too_long = wire.Failed(reason=f"a request has at most {wire.MAX_LINE} bytes, on one line; connect anew")
            writer.write(_line(too_long))
        except TimeoutError:
            log.warning("control_dropped", uid=uid, why="it took too long")
        except (OSError, asyncio.IncompleteReadError):  # the caller has gone
            log.info("control_dropped", uid=uid, why="the caller has gone")
        except asyncio.CancelledError:  # the desk stops; asyncio of 3.11 reports a cancelled handler as an error
            pass
        finally:
            caller.leave()
            caller.watched.streams.discard(writer)
            writer.close()
            places.give(transport)

    is_shared = len(door.peers) > 1
    return await _listening(path, serve, wire.MAX_LINE, mode=0o666 if is_shared else 0o600)


class Caller:
    """One connection to the control socket. Its operator is who came in last; it ends with its streams."""

    desk_name = ""
    idle_lock_minutes = 0

    def __init__(
        self,
        uid: int,
        *,
        office: Office,
        hub: Hub,
        door: Door,
        trail: Trail,
        clock: Clock,
        tickets: "dict[str, Caller]",
    ) -> None:
        self.control: Control | None = None
        self.streams: set[asyncio.StreamWriter] = set()  # that end with it
        self.watched = self  # whose stream this connection is sent
        self._uid = uid
        self._office = office
        self._hub = hub
        self._door = door
        self._trail = trail
        self._clock = clock
        self._tickets = tickets  # of all callers
        self._is_recorded = False

    async def answer(self, line: bytes) -> wire.Reply | Lens:
        """What to reply; a lens where the stream is to follow instead."""
        try:
            ask = wire.ask_decoder.decode(line)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            return wire.Failed(reason=f"not a request of {wire.SCHEMA}: {str(error)[:200]}")
        match ask:
            case wire.Hello():
                return await self._hello(ask)
            case wire.Follow():
                return self._follow(ask)
            case _ if self.control is None:
                return wire.Failed(reason="say hello first: under which name do you act?")
            case wire.Submit():
                return self.control.submit(ask.command)
            case wire.AskPreview():
                self.control.preview(ask.command, ask.request_id)
                return wire.Noted()
            case wire.Lock():
                self.control.lock()
                return wire.Noted()
            case wire.Unlock():
                return await self._unlock(self.control, ask.passphrase)
            case wire.OpenVault():
                return await self._open_vault(self.control, ask.passphrase)
            case wire.AskStream():
                return self._ticket()

    def leave(self) -> None:
        """The operator goes, the tickets and streams of the connection with them."""
        for ticket in self._own_tickets():
            del self._tickets[ticket]
        for stream in self.streams:
            stream.transport.abort()
        if self.control is not None and self._is_recorded:
            self._trail.left(self.control.operator.name, self._uid)
        self.control, self._is_recorded = None, False

    async def _hello(self, hello: wire.Hello) -> wire.Reply:
        found = await self._door.admit(hello.operator, hello.passphrase, self._uid)
        if isinstance(found, Shut):
            return wire.Failed(reason=found.reason, wants_passphrase=found.wants_passphrase)
        self.leave()
        self.control = Control(self._office, found, self._hub.publish, self._clock)
        self._is_recorded = self._trail.attached(found.name, self._uid)
        accounts = tuple(account for account in self._hub.replica.accounts if found.has(AccountId(account)))
        return wire.Welcome(
            desk=self.desk_name,
            pid=os.getpid(),
            operator=found.name,
            roles=tuple(sorted(found.roles)),
            accounts=accounts,
            can_trade=any(may(found, Verb.Place, account) is None for account in accounts),
            has_passphrase=await self._door.has_passphrase(found) is True,
            idle_lock_minutes=self.idle_lock_minutes,
        )

    async def _unlock(self, control: Control, passphrase: str) -> wire.Reply:
        found = await self._door.admit(control.operator.name, passphrase, self._uid)
        if isinstance(found, Shut):
            return wire.Failed(reason=found.reason)
        control.is_locked = False
        return wire.Noted()

    async def _open_vault(self, control: Control, passphrase: str) -> wire.Reply:
        if control.is_locked:
            return wire.Failed(reason=f"the screen of {control.operator.name} is locked; unlock it first")
        if self._office.vault is None:
            return wire.Failed(reason="this desk has no vault")
        refusal = await self._office.vault.open(control.operator, passphrase)
        return wire.Noted() if refusal is None else wire.Failed(reason=refusal)

    def _ticket(self) -> wire.Reply:
        if len(self._own_tickets()) >= MAX_TICKETS:
            return wire.Failed(reason="too many tickets that were not used; use one")
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = self
        return wire.Ticket(ticket=ticket)

    def _follow(self, follow: wire.Follow) -> wire.Reply | Lens:
        issuer = self._tickets.pop(follow.ticket, None)
        if issuer is None or issuer.control is None or issuer._uid != self._uid:
            return wire.Failed(reason="this ticket is not one that waits; ask for another")
        self.watched = issuer
        return lens_of(issuer.control.operator)

    def _own_tickets(self) -> list[str]:
        return [ticket for ticket, caller in self._tickets.items() if caller is self]


def lens_of(operator: Operator) -> Lens:
    return Lens(operator=operator.name, seen=operator.seen)


async def _request(reader: asyncio.StreamReader, first_within_s: float | None) -> bytes:
    """The next line; empty at the end. Who has begun one must finish it: drops of a byte each hold no connection.

    Raises TimeoutError, or ValueError for a line beyond the bound.
    """
    first = await asyncio.wait_for(reader.read(1), first_within_s)
    if first in (b"", b"\n"):
        return first
    return first + await asyncio.wait_for(reader.readline(), REQUEST_S)


async def _listening(path: Path, serve: Serve, limit: int, *, mode: int, group: str | None = None) -> asyncio.Server:
    """A server whose socket nobody can open before its mode is set."""
    before = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(serve, path=str(path), limit=limit)
    finally:
        os.umask(before)
    if group is not None:
        shutil.chown(path, group=group)
    os.chmod(path, mode)
    return server


def _has_hung_up(transport: asyncio.Transport) -> bool:
    """Whether the other end is gone, which is seen without reading a byte."""
    if transport.is_closing():
        return True
    look = select.poll()
    look.register(transport.get_extra_info("socket").fileno(), 0)  # hanging up is told unasked
    return any(found & (select.POLLHUP | select.POLLERR) for _, found in look.poll(0))


def _line(reply: wire.Reply) -> bytes:
    return wire.encoder.encode(reply) + b"\n"


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end. Where the system does not tell, ours: the socket's mode lets nobody else in."""
    if sys.platform == "linux":
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, uid, _ = struct.unpack("3i", raw)
        return int(uid)
    return os.getuid()
