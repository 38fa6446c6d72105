"""Exits that are proxies: every connection is a tunnel through one, plain and encrypted venues, REST and streams alike.

aiohttp-socks connects by an overridden `_wrap_create_connection`, which never calls aiohttp's own; that it really was
called is looked at on each connection. Names go to the proxy as they are. The SOCKS handshake is python-socks's. CONNECT
is spoken here: python-socks takes one chunk for the whole answer and looks at its first line only, so that a login page
with status 200 passes for a tunnel.
"""

import asyncio
import base64
import os
import ssl
from collections.abc import Iterable

import python_socks
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp_socks import ProxyConnector
from python_socks.async_.asyncio.v2 import Proxy

from tradedesk.access.exit_guard import GuardedConnector, Host, NotSent, tls_context
from tradedesk.domain.exits import Exit
from tradedesk.domain.text import clean

TUNNEL_TIMEOUT_S = 8.0  # for a tunnel with TLS in it; below the time-out of a request, so that the exit is named
MAX_HEAD_BYTES = 16 * 1024  # of a proxy's answer to CONNECT
_PAGE_HEADERS = (b"content-type:", b"transfer-encoding:", b"content-length:")  # of an answer that is no tunnel
_NO_PROXY = "what answers there is no proxy of this kind"
_STATUS = {
    401: "its user or password is refused",
    407: "its user or password is refused",
    403: "it does not let this host be reached",
    502: "it cannot reach the host",
    503: "it is out of service",
    504: "the host does not answer it",
}


class _Tunnel(ResponseHandler):
    """The protocol of a connection made here, and of no other. Holds the writer: its end would close the transport."""

    def __init__(self, loop: asyncio.AbstractEventLoop, writer: asyncio.StreamWriter) -> None:
        super().__init__(loop)
        self._writer = writer


class TunnelConnector(GuardedConnector, ProxyConnector):
    """Reaches the venue's hosts through one proxy, or not at all."""

    def __init__(self, exit_: Exit, password: str | None, hosts: frozenset[Host]) -> None:
        super().__init__(host=exit_.host, port=exit_.port, rdns=True, ssl=tls_context(), happy_eyeballs_delay=None)
        self._exit = exit_
        self._exit_name = str(exit_)
        self._hosts = hosts
        self._password = password

    def _why_not(self, error: OSError) -> str:
        return self._failed("no connection could be made")

    def _stray(self, connection: Connection) -> str | None:
        return None if isinstance(connection.protocol, _Tunnel) else "it is no tunnel"

    async def _connect_via_proxy(
        self,
        host: str,
        port: int,
        ssl: ssl.SSLContext | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  (aiohttp-socks's own signature)
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        tunnel = await self._tunnel(host, port, ssl)
        if isinstance(tunnel, str):
            raise NotSent(self._failed(tunnel))
        protocol = _Tunnel(self._loop, tunnel)
        tunnel.transport.set_protocol(protocol)
        protocol.connection_made(tunnel.transport)
        return tunnel.transport, protocol  # type: ignore[return-value]  # a StreamWriter's transport is one

    async def _tunnel(self, host: str, port: int, tls: ssl.SSLContext | None) -> asyncio.StreamWriter | str:
        """A writer at whose other end the venue is, or why there is none."""
        dig = self._by_socks if self._exit.scheme == "socks5" else self._by_connect
        try:
            async with asyncio.timeout(TUNNEL_TIMEOUT_S):
                writer = await dig(host, port)
                try:
                    if tls is not None:
                        await writer.start_tls(tls, server_hostname=host)
                except (ssl.SSLError, ConnectionError):
                    writer.transport.abort()
                    return f"what answers through it as {host} is not {host}"
                except BaseException:
                    writer.transport.abort()
                    raise
                return writer
        except (TimeoutError, python_socks.ProxyTimeoutError):
            return f"no answer within {TUNNEL_TIMEOUT_S:.0f} s"
        except ssl.SSLError:
            return "its own certificate does not verify"
        except (OSError, python_socks.ProxyConnectionError) as error:
            return f"it cannot be reached ({_os_words(error)})"
        except python_socks.ProxyError as error:
            return f"it refuses ({clean(str(error), 80)})"  # words of python-socks and numbers, not the proxy's text
        except _Refused as error:
            return str(error)
        except EOFError:
            return "it closes the connection"
        except (AssertionError, ValueError):  # python-socks's way to say that what it read is junk
            return _NO_PROXY

    async def _by_socks(self, host: str, port: int) -> asyncio.StreamWriter:
        proxy = Proxy(
            proxy_type=python_socks.ProxyType.SOCKS5,
            host=self._exit.host,
            port=self._exit.port,
            username=self._exit.user or None,
            password=self._password,
            rdns=True,
        )
        return (await proxy.connect(dest_host=host, dest_port=port, timeout=TUNNEL_TIMEOUT_S)).writer

    async def _by_connect(self, host: str, port: int) -> asyncio.StreamWriter:
        is_secure = self._exit.scheme == "https"
        reader, writer = await asyncio.open_connection(
            self._exit.host,
            self._exit.port,
            ssl=tls_context() if is_secure else None,
            server_hostname=self._exit.host if is_secure else None,
            limit=MAX_HEAD_BYTES,
        )
        try:
            writer.write(self._request(host, port))
            head = await reader.readuntil(b"\r\n\r\n")
            surplus = bool(getattr(reader, "_buffer", b""))  # StreamReader has no public way to ask; a tunnel is silent
            _check_head(head, surplus)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
            raise _Refused(_NO_PROXY) from None
        except BaseException:
            writer.transport.abort()
            raise
        return writer

    def _request(self, host: str, port: int) -> bytes:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
        if self._exit.user:
            pair = f"{self._exit.user}:{self._password or ''}".encode()
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair).decode()}")
        return "\r\n".join([*lines, "", ""]).encode()

    def _failed(self, why: str) -> str:
        return f"exit {self._exit_name}: {why}; nothing was sent"


class _Refused(Exception):
    """The proxy answered, and not with a tunnel. The text is ours."""


def _check_head(head: bytes, has_surplus: bool) -> None:
    """Raises _Refused unless the head is that of a tunnel: status 200, and nothing of a page."""
    first, *headers = head.split(b"\r\n")
    version, _, rest = first.partition(b" ")
    code = rest[:3]
    if not version.startswith(b"HTTP/1.") or not code.isdigit():
        raise _Refused(_NO_PROXY)
    status = int(code)
    if status != 200:
        raise _Refused(_STATUS.get(status, "it opens no tunnel") + f" (status {status})")
    if has_surplus or _is_page(headers):
        raise _Refused("it answers with a page of its own in place of a tunnel")


def _is_page(headers: Iterable[bytes]) -> bool:
    """Whether an answer brings a body; "Content-Length: 0" does not, and some proxies say it."""
    lower = [header.lower().replace(b" ", b"") for header in headers]
    return any(header.startswith(_PAGE_HEADERS) and header != b"content-length:0" for header in lower)


def _os_words(error: Exception) -> str:
    code = getattr(error, "errno", None)
    return os.strerror(code) if isinstance(code, int) and code > 0 else "its name is not known"
