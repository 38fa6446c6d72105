"""An account's way out: one aiohttp session bound to its exit, to its venue's hosts only (5.7).

REST and WebSocket both use the session, so neither can leave another way. It fails closed: an address that is gone, a
proxy that dies, hangs or turns into something else, a host off the list, a redirect or a certificate that does not verify
ends the request, and nothing is tried in its place.
"""

import errno
import ipaddress
import socket
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp
from aiohttp.client_reqrep import ClientResponse
from aiohttp.connector import Connection
from msgspec import Struct

from tradedesk.access.exit_guard import (
    AnswerRefused,
    EgressError,
    GuardedConnector,
    Host,
    NotSent,
    last_check,
    tls_context,
)
from tradedesk.access.exit_tunnel import TunnelConnector
from tradedesk.domain.exits import Exit, parse_exit

__all__ = [
    "EXIT_SCOPE",
    "MAX_ANSWER_BYTES",
    "MAX_PASSWORD",
    "AnswerRefused",
    "Egress",
    "EgressError",
    "Host",
    "NotSent",
    "host_of",
    "is_password",
    "known_sources",
    "last_check",
    "loopback_addresses",
    "open_session",
    "parse_egress",
    "usable_source",
]

EXIT_SCOPE = "exit"  # of the vault: the passwords of proxies, each under its exit as in desk.toml
MAX_PASSWORD = 255
MAX_ANSWER_BYTES = 16 * 1024 * 1024  # decompressed; the largest honest answer (exchangeInfo of every symbol) is a third
_CONNECT_TIMEOUT_S = 10.0
_TOTAL_TIMEOUT_S = 30.0


class Egress(Struct, frozen=True):
    """One exit as a session uses it: a source address of this machine, or a proxy with its password."""

    source: str  # as `ipaddress` writes it; "" where the exit is a proxy
    proxy: Exit | None = None
    password: str | None = None  # of the proxy's user; shown by nothing

    def __str__(self) -> str:
        return self.source if self.proxy is None else str(self.proxy)

    def __repr__(self) -> str:
        return f"Egress({str(self)!r})"

    def seen_as(self, local_address: str | None) -> str | None:
        """What a connection left by, its socket being bound to `local_address`; a guarded one has no way past its proxy."""
        return local_address if self.proxy is None or local_address is None else str(self)


def parse_egress(text: str, password: str | None = None) -> Egress | str:
    """The exit that `text` describes, or the sentence saying why it describes none. Does not look at the machine.

    `password` is that of a proxy's user, from the vault.
    """
    found = parse_exit(text)
    if isinstance(found, str):
        return found
    return Egress("", found, password) if found.is_proxy else Egress(found.host)


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

    Raises NotSent if the address is not one of this machine's, or the password of a proxy is missing. Hand it to ccxt in its *config*, with every proxy
    option of ccxt unset.
    """
    connector = _connector(egress, frozenset(hosts))
    redirects = aiohttp.TraceConfig()
    redirects.on_request_redirect.append(_refuse_redirect)
    session = aiohttp.ClientSession(
        connector=connector,
        trust_env=False,  # a proxy or a netrc of the environment is not this account's exit
        cookie_jar=aiohttp.DummyCookieJar(),
        response_class=_capped(max_answer_bytes),
        timeout=aiohttp.ClientTimeout(total=_TOTAL_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S),
        trace_configs=[redirects],
    )
    session._retry_connection = False  # aiohttp sends a DELETE twice when its warm connection is cut (F07)
    return session


def _connector(egress: Egress, hosts: frozenset[Host]) -> GuardedConnector:
    if egress.proxy is None:
        if not usable_source(egress.source):
            raise NotSent(_absent(egress.source))
        return _SourceConnector(egress.source, hosts)
    if egress.proxy.user and egress.password is None:
        raise NotSent(
            f"exit {egress}: the vault has no password for its user; put it there with `tradedesk accounts exit-password`"
        )
    if egress.password is not None and not is_password(egress.password):
        raise NotSent(f"exit {egress}: the password of its user is none that a proxy could take; put it in anew")
    return TunnelConnector(egress.proxy, egress.password, hosts)


def is_password(text: str) -> bool:
    """Whether any proxy takes it: SOCKS5 allows 255 bytes (RFC 1929), and beyond ASCII no two proxies agree."""
    return 0 < len(text) <= MAX_PASSWORD and text.isascii() and text.isprintable()


def _absent(source: str) -> str:
    known = known_sources()
    remedy = f"use one of {', '.join(known)}" if known else "give one that it has"
    return f"{source} is not an address of this machine; {remedy}"


class _SourceConnector(GuardedConnector):
    """Connects from one address of this machine."""

    def __init__(self, source: str, hosts: frozenset[Host]) -> None:
        super().__init__(
            local_addr=(source, 0),
            family=socket.AF_INET6 if ":" in source else socket.AF_INET,
            happy_eyeballs_delay=None,
            ssl=tls_context(),
        )
        self._source = self._exit_name = source
        self._hosts = hosts

    def _why_not(self, error: OSError) -> str:
        code = error.os_error.errno if isinstance(error, aiohttp.ClientConnectorError) else error.errno
        is_gone = code == errno.EADDRNOTAVAIL and not usable_source(self._source)
        return _absent(self._source) if is_gone else ""

    def _stray(self, connection: Connection) -> str | None:
        bound = connection.transport.get_extra_info("sockname") if connection.transport is not None else None
        if bound and ipaddress.ip_address(bound[0]) == ipaddress.ip_address(self._source):
            return None
        return f"it leaves by {bound[0]}" if bound else "its address is not known"


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

        def get_encoding(self) -> str:
            """Never the one that the venue names: some of Python's take minutes for what fits in the bound."""
            return "utf-8"

    return CappedResponse
