"""An account's way out: one aiohttp session bound to its source address, to its venue's hosts only (5.7).

REST and WebSocket both use the session, so neither can leave another way. It fails closed: an address that is gone, a
host off the list, a redirect, a proxy or a certificate that does not verify ends the request, and nothing is tried
in its place.
"""

import errno
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp
import certifi
from aiohttp.client_reqrep import ClientRequest, ClientResponse
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from msgspec import Struct

MAX_ANSWER_BYTES = 16 * 1024 * 1024  # decompressed; the largest honest answer (exchangeInfo of every symbol) is a third
_CONNECT_TIMEOUT_S = 10.0
_TOTAL_TIMEOUT_S = 30.0

Host = tuple[str, int]  # lower-case name or address, port


class EgressError(Exception):
    """The exit refused. Neither an OSError nor an aiohttp error, so that no library takes it for something to retry."""


class NotSent(EgressError):
    """Refused before any byte of the request was written."""


class AnswerRefused(EgressError):
    """The request may have left; its answer is not one to follow or to keep, and proves nothing (5.2)."""


last_check: ContextVar[Callable[[], None] | None] = ContextVar("last_check", default=None)
"""Set around a request by whoever sends it: runs once connected, right before the request is written.

What it raises is what the caller gets, and no byte has left. It runs in the caller's task and must not block.
"""


class Egress(Struct, frozen=True):
    """One exit: a source address of this machine."""

    source: str  # as `ipaddress` writes it

    def __str__(self) -> str:
        return self.source


def parse_egress(text: str) -> Egress | str:
    """The exit that `text` describes, or the sentence saying why it describes none. Does not look at the machine."""
    if "://" in text:
        scheme = text.split("://", 1)[0].lower()
        if scheme in ("http", "https", "socks5", "socks5h", "socks4"):
            return f"a {scheme} proxy as exit comes later; give a source address of this machine, e.g. 127.0.0.1"
        return "an exit is a source address of this machine, e.g. 127.0.0.1, not a URL"
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        shown = text if len(text) <= 60 else text[:60] + "..."
        return f"{shown!r} is not an IP address; give a source address of this machine, e.g. 127.0.0.1"
    if address.is_unspecified or address.is_multicast:
        return f"{address} names no exit of its own; give one source address of this machine"
    return Egress(str(address))


def usable_source(address: str) -> bool:
    """Whether a socket of this machine can be bound to `address` (an IP address) now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def known_sources() -> list[str]:
    """Addresses of this machine that can be an exit, as far as it tells without special rights; IPv4 only."""
    found: set[str] = set()
    table = Path("/proc/net/fib_trie")  # Linux: every local address is a "/32 host LOCAL" below its own line
    if table.is_file():
        lines = table.read_text(encoding="ascii", errors="replace").splitlines()
        found |= {
            line.rsplit("|--", 1)[1].strip()
            for line, below in pairwise(lines)
            if "|--" in line and "/32 host LOCAL" in below
        }
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; asks which address the default route would use
            found.add(probe.getsockname()[0])
        except OSError:
            pass  # no route: there is no such address
    return sorted((a for a in found if usable_source(a)), key=ipaddress.IPv4Address)


def loopback_addresses(count: int) -> list[str]:
    """Up to `count` loopback addresses from 127.0.0.2 on that can be bound; none where only 127.0.0.1 exists (macOS)."""
    return [a for a in (f"127.0.0.{last}" for last in range(2, 2 + min(count, 250))) if usable_source(a)]


def host_of(url: str) -> Host:
    """Host and port that a request to `url` connects to. Raises ValueError if it names none."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "ws": 80, "https": 443, "wss": 443}.get(parts.scheme)
    if not parts.hostname or port is None:
        raise ValueError("a venue's URL must start with http://, https://, ws:// or wss:// and name a host")
    return parts.hostname.lower(), port


def open_session(
    egress: Egress, hosts: Iterable[Host], max_answer_bytes: int = MAX_ANSWER_BYTES
) -> aiohttp.ClientSession:
    """A session that leaves by `egress` and reaches `hosts` only. Call it on the loop that will use it, and close it there.

    Raises NotSent if the address is not one of this machine's. Hand it to ccxt in its *config*, with every proxy
    option of ccxt unset.
    """
    if not usable_source(egress.source):
        raise NotSent(_absent(egress))
    redirects = aiohttp.TraceConfig()
    redirects.on_request_redirect.append(_refuse_redirect)
    session = aiohttp.ClientSession(
        connector=_GuardedConnector(egress, frozenset(hosts)),
        trust_env=False,  # a proxy or a netrc of the environment is not this account's exit
        cookie_jar=aiohttp.DummyCookieJar(),
        response_class=_capped(max_answer_bytes),
        timeout=aiohttp.ClientTimeout(total=_TOTAL_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S),
        trace_configs=[redirects],
    )
    session._retry_connection = False  # aiohttp sends a DELETE twice when its warm connection is cut (F07)
    return session


def _absent(egress: Egress) -> str:
    known = known_sources()
    remedy = f"use one of {', '.join(known)}" if known else "give one that it has"
    return f"{egress.source} is not an address of this machine; {remedy}"


class _GuardedConnector(aiohttp.TCPConnector):
    """Connects from one address to the hosts of one venue, with TLS settings of its own."""

    def __init__(self, egress: Egress, hosts: frozenset[Host]) -> None:
        super().__init__(
            local_addr=(egress.source, 0),
            family=socket.AF_INET6 if ":" in egress.source else socket.AF_INET,
            happy_eyeballs_delay=None,
            ssl=_tls_context(),
        )
        self._egress = egress
        self._hosts = hosts

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  (aiohttp's own signature)
    ) -> Connection:
        host, port = (req.url.raw_host or "").lower(), req.port or 0
        if (host, port) not in self._hosts:
            raise NotSent(f"{host}:{port} is not a host of this account's venue; nothing was sent to it")
        if req.proxy is not None:
            raise NotSent(f"a proxy was asked for, but this account leaves by {self._egress} only")
        if req.ssl is not True:
            raise NotSent(f"a request to {host} asked for TLS settings of its own; they are not its to choose")
        try:
            connection = await super().connect(req, traces, timeout)
        except aiohttp.ClientConnectorError as error:
            is_absent = error.os_error.errno == errno.EADDRNOTAVAIL and not usable_source(self._egress.source)
            if not is_absent:
                raise
        else:
            self._check_last(connection)
            return connection
        raise NotSent(_absent(self._egress))  # outside the except block: its context would carry the request's URL

    @staticmethod
    def _check_last(connection: Connection) -> None:
        check = last_check.get()
        if check is None:
            return
        try:
            check()
        except BaseException:
            connection.release()  # untouched: the next request may have it
            raise


@lru_cache(maxsize=1)
def _tls_context() -> ssl.SSLContext:
    """Certificate and name are checked; no key log and no extra authorities from the environment.

    One for the process: reading the authorities costs some 40 ms and 1 MiB, and they are the same for every account.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(certifi.where())
    return context


async def _refuse_redirect(
    session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestRedirectParams
) -> None:
    raise AnswerRefused(
        f"{params.url.raw_host} answered with a redirect (status {params.response.status}); it was not followed"
    )


def _capped(limit: int) -> type[ClientResponse]:
    class CappedResponse(ClientResponse):
        """Keeps at most `limit` bytes of a decompressed body; beyond that the connection is closed (F85)."""

        async def read(self) -> bytes:
            if self._body is None:
                parts: list[bytes] = []
                size = 0
                try:
                    async for part in self.content.iter_any():
                        size += len(part)
                        if size > limit:
                            raise AnswerRefused(f"{self.url.raw_host} answered with more than {limit} bytes; not read")
                        parts.append(part)
                except BaseException:
                    self.close()  # half an answer is left on the connection: nobody may use it again
                    raise
                self._body = b"".join(parts)
            return await super().read()

    return CappedResponse
