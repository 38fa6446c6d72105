"""One listening port: it can refuse those who come, go away for a while, and come back under the same number."""

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web

from tradedesk.paper.server.fault_rest import reset

_BACKLOG = 1_024  # a crowd that comes back at once after a drop is let in
_LONGEST_LINE = 64 * 1024  # bytes of the first line of a request: as many streams as a socket takes can be named in it
_STOP_WITHIN_S = 1.0


class Port:
    """An application on a port of `host`. Belongs to the server's loop."""

    def __init__(
        self, app: web.Application, host: str, port: int, refuses: Callable[[], bool], log: logging.Logger
    ) -> None:
        self.number = port  # the real one once it is open
        self._host = host
        self._refuses = refuses
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=log,
            handle_signals=False,
            shutdown_timeout=_STOP_WITHIN_S,
            max_line_size=_LONGEST_LINE,
        )
        self._listening: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen. Raises OSError if it cannot."""
        if self._runner.server is None:
            await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(self._arrived, self._host, self.number, backlog=_BACKLOG)
        self.number = self._listening.sockets[0].getsockname()[1]

    def _arrived(self) -> asyncio.Protocol:
        server = self._runner.server
        if server is None or self._refuses():
            return _Refused()
        return server()

    def shut(self) -> None:
        """Listen no longer, and break every connection there is."""
        self._stop_listening()
        if self._runner.server is not None:
            for connection in self._runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()

    def _stop_listening(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    async def end(self) -> None:
        """For good; requests under way have a second."""
        self._stop_listening()
        await self._runner.cleanup()


class _Refused(asyncio.Protocol):
    """A connection that is reset as soon as it is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        reset(transport)
