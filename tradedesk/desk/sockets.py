"""The desk's two Unix sockets, served on the desk thread: one to read the stream, one to give commands."""

import asyncio
import contextlib
import os
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec

from tradedesk.access.operators import Operator, Verb, may
from tradedesk.clock import Clock
from tradedesk.desk import wire
from tradedesk.desk.hub import Hub
from tradedesk.desk.office import Office, refused_preview
from tradedesk.domain.commands import NotSubmitted
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.log import Log

HANDSHAKE_S = 5.0
MAX_HANDSHAKE = 4_096  # bytes
MAX_BEHIND = 32 * 1024 * 1024  # bytes a reader may be behind before it is cut off; it comes back from a snapshot (5.13)
MAX_READERS = 64


async def serve_readers(path: Path, hub: Hub, log: Log) -> asyncio.Server:
    """The read socket: a handshake in, then a snapshot and every event after it out. Nothing else is ever read (5.12)."""
    readers: set[asyncio.Transport] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transport = cast(asyncio.Transport, writer.transport)
        try:
            await asyncio.wait_for(reader.readline(), HANDSHAKE_S)
        except (TimeoutError, ValueError, OSError):
            transport.abort()
            return
        if len(readers) >= MAX_READERS:
            transport.abort()
            return
        with contextlib.suppress(RuntimeError):  # already paused or closing
            transport.pause_reading()

        def send(line: bytes) -> None:
            if transport.is_closing() or transport.get_write_buffer_size() > MAX_BEHIND:
                hub.remove_writer(send)
                readers.discard(transport)
                if not transport.is_closing():
                    log.warning("reader_cut_off", behind_bytes=transport.get_write_buffer_size())
                transport.abort()
                return
            transport.write(line)

        readers.add(transport)
        transport.write(hub.snapshot_line())
        hub.add_writer(send)

    server = await asyncio.start_unix_server(serve, path=str(path), limit=MAX_HANDSHAKE)
    os.chmod(path, 0o600)
    return server


async def serve_control(
    path: Path,
    *,
    office: Office,
    hub: Hub,
    who: Callable[[OperatorId | None, int], Operator | str],
    desk_name: str,
    clock: Clock,
    log: Log,
) -> asyncio.Server:
    """The control socket: commands of operators, each connection under one name."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = peer_uid(writer.get_extra_info("socket"))
        operator: Operator | None = None
        try:
            while line := await reader.readline():
                reply, operator = answer(line, operator, uid)
                writer.write(wire.encoder.encode(reply) + b"\n")
                await writer.drain()
        except ValueError:  # where the next request begins cannot be told any more
            log.warning("control_dropped", uid=uid, why="a request beyond the bound")
            too_long = wire.Failed(reason=f"a request has at most {wire.MAX_LINE} bytes, on one line; connect anew")
            writer.write(wire.encoder.encode(too_long) + b"\n")
        except OSError:  # the caller has gone
            log.info("control_dropped", uid=uid, why="the caller has gone")
        except asyncio.CancelledError:  # the desk stops; asyncio of 3.11 reports a cancelled handler as an error
            pass
        finally:
            writer.close()

    def answer(line: bytes, operator: Operator | None, uid: int) -> tuple[wire.Reply, Operator | None]:
        try:
            ask = wire.ask_decoder.decode(line)
        except msgspec.MsgspecError as error:
            return wire.Failed(reason=f"not a request of {wire.SCHEMA}: {str(error)[:200]}"), operator
        match ask:
            case wire.Hello():
                found = who(ask.operator, uid)
                if isinstance(found, str):
                    return wire.Failed(reason=found), operator
                return welcome(found), found
            case _ if operator is None:
                return wire.Failed(reason="say hello first: under which name do you act?"), operator
            case wire.Submit():
                return office.submit(operator, ask.command), operator
            case wire.AskPreview():
                refused = office.preview(operator, ask.command, ask.request_id)
                if isinstance(refused, NotSubmitted):
                    hub.publish(refused_preview(ask.command, ask.request_id, refused.reason, clock.now()))
                return wire.Noted(), operator

    def welcome(operator: Operator) -> wire.Welcome:
        accounts = tuple(account for account in hub.replica.accounts if operator.has(AccountId(account)))
        return wire.Welcome(
            desk=desk_name,
            pid=os.getpid(),
            operator=operator.name,
            roles=tuple(sorted(operator.roles)),
            accounts=accounts,
            can_trade=any(may(operator, Verb.Place, account) is None for account in accounts),
        )

    server = await asyncio.start_unix_server(serve, path=str(path), limit=wire.MAX_LINE)
    os.chmod(path, 0o600)
    return server


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end. Where the system does not tell, ours: the socket's mode lets nobody else in."""
    if sys.platform == "linux":
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, uid, _ = struct.unpack("3i", raw)
        return int(uid)
    return os.getuid()
