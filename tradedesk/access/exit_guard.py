"""What every connection of an account passes, whatever its exit: only its venue's hosts, its own TLS, a last look.

It fails closed. What refuses says so in a sentence that names the exit, never a URL of the request or a password.
"""

import ssl
from collections.abc import Callable
from contextvars import ContextVar
from functools import lru_cache

import aiohttp
import certifi
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

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


class GuardedConnector(aiohttp.TCPConnector):
    """Connects to the hosts of one venue only. How it gets there is its child's; that it did so is looked at afterwards."""

    _exit_name: str
    _hosts: frozenset[Host]

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
            raise NotSent(f"a proxy was asked for, but this account leaves by {self._exit_name} only")
        if req.ssl is not True:
            raise NotSent(f"a request to {host} asked for TLS settings of its own; they are not its to choose")
        reason = ""
        try:
            connection = await super().connect(req, traces, timeout)
        except (OSError, NotSent) as error:
            reason = str(error) if isinstance(error, NotSent) else self._why_not(error)
            if not reason:
                raise
        if reason:
            raise NotSent(reason)  # outside the except block: its context would carry the request's URL
        stray = self._stray(connection)
        if stray is not None:
            connection.close()
            raise NotSent(f"a connection to {host} went past exit {self._exit_name} ({stray}); nothing was sent on it")
        self._check_last(connection)
        return connection

    def _why_not(self, error: OSError) -> str:
        """What to say of a connection that failed; "" for what is no fault of the exit."""
        raise NotImplementedError

    def _stray(self, connection: Connection) -> str | None:
        """Why the connection is not by this exit: no version of a library may find another way unseen."""
        raise NotImplementedError

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
def tls_context() -> ssl.SSLContext:
    """Certificate and name are checked; no key log and no extra authorities from the environment.

    One for the process: reading the authorities costs some 40 ms and 1 MiB, and they are the same for every account.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(certifi.where())
    return context
