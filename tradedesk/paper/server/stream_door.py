"""The stream door: `/ws`, `/ws/<name>[/<name>...]`, `/stream?streams=a/b`, and the requests clients send on them.

On USD-M the same stands below `/public`, `/market` and `/private` too, and user data may be asked for by
`?listenKey=<key>&events=<event>/<event>`. Every stream is served below each of them: clients do not agree on which is where.
"""

import uuid
from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import unquote

import orjson
from aiohttp import web

from tradedesk.paper.rows import Refusal
from tradedesk.paper.server.front import Front
from tradedesk.paper.server.hub import MOST_STREAMS, StreamSocket
from tradedesk.paper.server.limits import TooMany
from tradedesk.paper.server.manners import STREAMS
from tradedesk.paper.server.outbox import Outbox
from tradedesk.paper.server.render import Json, error
from tradedesk.paper.server.rest import peer_of, unit_of
from tradedesk.paper.server.sockets import reader, serve

_METHODS = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"


class BadRequest(Exception):
    """A stream request that is not understood: the venue's own small codes, 0 property, 1 value, 2 request, 3 JSON."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


CATEGORIES = ("/public", "/market", "/private")


def path_names(path: str) -> list[str]:
    """The streams of `/ws/a/b`."""
    return [unquote(name) for name in path.removeprefix("/ws").split("/") if name]


class StreamDoor:
    """Opens market stream sockets. One instance per server."""

    def __init__(self, front: Front, open_sockets: set[Outbox], categories: Sequence[str] = ()) -> None:
        self._front = front
        self._open_sockets = open_sockets
        self._categories = categories

    def serves(self, path: str) -> bool:
        """Whether it is a path of streams."""
        path = self._bare(path)
        return path in ("/ws", "/stream") or path.startswith("/ws/")

    def _bare(self, path: str) -> str:
        """Without the category before it."""
        category = next((each for each in self._categories if path.startswith(each + "/")), "")
        return path.removeprefix(category)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """GET of any path that it serves."""
        path = self._bare(request.path)
        is_combined = path == "/stream"
        names = request.query.get("streams", "").split("/") if is_combined else path_names(path)
        names += [request.query.get("listenKey", "")] if self._categories else []
        events = frozenset(filter(None, request.query.get("events", "").split("/"))) or None
        try:
            unit = unit_of(request.query.get("timeUnit"))
            if len(names) > MOST_STREAMS:
                raise Refusal(-1101, f"Too many streams; a connection takes {MOST_STREAMS}.")
            self._front.limits.connect("streams", peer_of(request), self._front.commons.now())
        except Refusal as refusal:
            retry = {"Retry-After": str(refusal.retry_after_s)} if isinstance(refusal, TooMany) else {}
            return web.json_response(error(refusal), status=refusal.http, headers=retry)
        socket: StreamSocket | None = None

        def opened(outbox: Outbox) -> Callable[[str], None]:
            nonlocal socket
            socket = StreamSocket(outbox, unit, is_combined=is_combined, events=events)
            outbox.notice = socket.notice
            self._note(outbox.peer, "GET", request.path)
            for name in names:
                if name:
                    self._front.streams.hear(socket, name)
            front = self._front
            return reader(front.commons, outbox, front.market, "stream", partial(self._received, socket))

        try:
            return await serve(
                request,
                self._open_sockets,
                opened,
                {"x-mbx-uuid": str(uuid.uuid4())},
                manners=STREAMS[self._front.market],
                clock=self._front.commons.monotonic,
            )
        finally:
            if socket is not None:
                self._front.streams.leave(socket)

    def _note(self, peer: str, method: str, path: str) -> None:
        self._front.commons.note(
            peer=peer,
            key=None,
            method=method,
            path=path,
            client_order_id=None,
            status=101,
            code=None,
            market=self._front.market,
            transport="stream",
        )

    def _received(self, socket: StreamSocket, text: str) -> None:
        identifier: object = None
        answer: Json
        try:
            request = _request(text)
            identifier = request.get("id")
            if not _is_identifier(identifier):
                identifier = None
                raise BadRequest(2, "Invalid request: request ID must be an unsigned integer")
            answer = {"result": self._act(socket, request), "id": identifier}
        except BadRequest as bad:
            answer = {"error": {"code": bad.code, "msg": bad.message}, "id": identifier}
        socket.outbox.put(orjson.dumps(answer))

    def _act(self, socket: StreamSocket, request: Json) -> object:
        match request.get("method"):
            case "SUBSCRIBE":
                names = _names(request)
                if len(socket.names.keys() | set(names)) > MOST_STREAMS:
                    raise BadRequest(
                        2, f"Invalid request: too many parameters; a connection takes {MOST_STREAMS} streams"
                    )
                for name in names:
                    self._front.streams.hear(socket, name)
                return None
            case "UNSUBSCRIBE":
                for name in _names(request):
                    self._front.streams.unhear(socket, name)
                return None
            case "LIST_SUBSCRIPTIONS":
                return list(socket.names)
            case "SET_PROPERTY":
                match _property(request, most=2):
                    case [bool(value)]:
                        socket.is_combined = value
                        return None
                raise BadRequest(1, "Invalid value type: expected Boolean")
            case "GET_PROPERTY":
                _property(request, most=1)
                return socket.is_combined
            case None:
                raise BadRequest(2, "Invalid request: missing field `method`")
            case other:
                raise BadRequest(2, f"Invalid request: unknown variant `{str(other)[:40]}`, expected one of {_METHODS}")


def _request(text: str) -> Json:
    try:
        request = orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        raise BadRequest(3, f"Invalid JSON: expected value at line {wrong.lineno} column {wrong.colno}") from None
    if not isinstance(request, dict):
        raise BadRequest(2, "Invalid request: must be an object")
    return request


def _is_identifier(identifier: object) -> bool:
    """Null, a whole number of 64 bits, or a text of at most 36 characters."""
    if isinstance(identifier, str):
        return len(identifier) <= 36
    return identifier is None or (isinstance(identifier, int) and not isinstance(identifier, bool))


def _property(request: Json, most: int) -> list[object]:
    """What follows the name of the one property there is; with its name at most `most` parameters."""
    match request.get("params"):
        case [str(name), *rest]:
            if name != "combined":
                raise BadRequest(0, "Unknown property")
            if len(rest) >= most:
                raise BadRequest(2, "Invalid request: too many parameters")
            return rest
    raise BadRequest(2, "Invalid request: property name must be a string")


def _names(request: Json) -> list[str]:
    names = request.get("params")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadRequest(2, "Invalid request: params must be a list of stream names")
    return names
