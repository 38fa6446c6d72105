"""Proxies played by a script: honest ones, and every way in which one can be another thing than it was."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

PAGE = b"<html><form action=/login>Please sign in</form></html>"
TLS_ALERT = b"\x15"


class Proxy:
    """One listener. `play` is what it does with a connection; it may be changed while connections stand."""

    def __init__(self, names: dict[str, tuple[str, int]] | None = None) -> None:
        self.names = names or {}  # what the proxy resolves, as only it can
        self.asked: list[str] = []  # host:port of each tunnel, or the first line of what was no such question
        self.auth: list[str] = []
        self.after: list[bytes] = []  # the first bytes that came once it had refused, or played a page
        self.play: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] = self.connect
        self.port = 0
        self._pipes: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await self.play(reader, writer)
        writer.close()

    def cut(self) -> None:
        """Reset every connection that stands."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """An honest HTTP proxy."""
        head = await reader.readuntil(b"\r\n\r\n")
        place = self._note(head)
        target = await self._reach(*place.rsplit(":", 1))
        writer.write(b"HTTP/1.1 200 Connection established\r\nProxy-Agent: script\r\n\r\n")
        await self._pipe(reader, writer, *target)

    async def socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """An honest SOCKS5 proxy; `auth` gets user:password where one was offered."""
        methods = (await reader.readexactly(2))[1]
        offered = await reader.readexactly(methods)
        writer.write(b"\x05\x02" if 2 in offered else b"\x05\x00")
        if 2 in offered:
            user = await reader.readexactly((await reader.readexactly(2))[1])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            self.auth.append(f"{user.decode()}:{password.decode()}")
            writer.write(b"\x01\x00")
        kind = (await reader.readexactly(4))[3]
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append(f"{host}:{port}")
        target = await self._reach(host, str(port))
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await self._pipe(reader, writer, *target)

    def says(self, answer: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        """Answers the first bytes with `answer`, and notes what comes after it until the other side closes."""

        async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            first = await reader.read(4096)
            self.asked.append(first.split(b"\r\n")[0].decode(errors="replace"))
            writer.write(answer)
            await writer.drain()
            self.after.append(await reader.read(4096))

        return play

    async def hang(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes everything and says nothing."""
        while await reader.read(4096):
            pass

    async def drop(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    def _note(self, head: bytes) -> str:
        first, *headers = head.decode().split("\r\n")
        self.auth += [line.split(": ", 1)[1] for line in headers if line.lower().startswith("proxy-authorization")]
        method, place, _ = first.split(" ")
        assert method == "CONNECT", f"asked {first!r} of a proxy"
        self.asked.append(place)
        return place

    async def _reach(self, host: str, port: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.names.get(host, (host.strip("[]"), int(port))))

    async def _pipe(self, reader, writer, from_target, to_target) -> None:  # type: ignore[no-untyped-def]
        self._writers.add(to_target)

        async def pass_on(one: asyncio.StreamReader, other: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while part := await one.read(65536):
                    other.write(part)
            other.close()

        await asyncio.gather(pass_on(reader, to_target), pass_on(from_target, writer))


@contextlib.asynccontextmanager
async def proxy(
    names: dict[str, tuple[str, int]] | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Proxy]:
    made = Proxy(names)
    server = await asyncio.start_server(made._serve, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()


@contextlib.asynccontextmanager
async def counter() -> AsyncIterator[tuple[int, list[object]]]:
    """A listener that nobody may come to: its port, and who came."""
    came: list[object] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], came
    finally:
        server.close()


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context for `name` (a host or an address), and the file by which it can be verified."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    try:
        known_as: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        known_as = x509.DNSName(name)
    made = (
        x509.CertificateBuilder(
            subject, subject, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1)
        )
        .add_extension(x509.SubjectAlternativeName([known_as]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(Encoding.PEM)
    whole, public = folder / f"{name}.key", folder / f"{name}.pem"
    whole.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem)
    public.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(whole)
    return context, public
