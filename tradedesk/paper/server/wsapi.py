"""The WebSocket API door of one market: the same operations as REST, plus sessions and user data subscriptions."""

import json
import logging
import re
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from tradedesk.paper.accounts import Key
from tradedesk.paper.fault_forms import changed
from tradedesk.paper.fault_rules import Rule
from tradedesk.paper.rows import Refusal
from tradedesk.paper.server import fault_wsapi
from tradedesk.paper.server.front import Call, Front, HalfDone, Route
from tradedesk.paper.server.limits import TooMany
from tradedesk.paper.server.manners import API, TOO_MANY, shutdown_event
from tradedesk.paper.server.outbox import Outbox
from tradedesk.paper.server.parameters import Parameters, missing
from tradedesk.paper.server.render import Json, error
from tradedesk.paper.server.rest import client_order_id, peer_of, unit_of
from tradedesk.paper.server.signature import check_signature, check_time, key_of, socket_payload
from tradedesk.paper.server.sockets import reader, serve
from tradedesk.paper.server.users import Listener, terminated

log = logging.getLogger("tradedesk.paper")

MOST_SUBSCRIPTIONS = 1_000  # of one socket, as at the venue
_HANDSHAKE_WEIGHT = 2
_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_PLAIN_INTEGER = 10**18


class Number(str):
    """A JSON number as it was written: it is signed so, and 0.10 must not become 0.1."""

    __slots__ = ()


class Request(Struct, frozen=True):
    id: int | str | None
    method: str
    values: dict[str, str]


class BadFrame(Exception):
    """A frame that is no request. `id` is echoed where it could be read."""

    def __init__(self, identifier: int | str | None, refusal: Refusal) -> None:
        super().__init__(identifier, refusal)
        self.id = identifier
        self.refusal = refusal


def parse(text: str) -> Request:
    """One frame. Raises BadFrame."""
    return _parse_plain(text) or _parse_any(text)


def _parse_plain(text: str) -> Request | None:
    """The frame of nearly every client, quickly; None if there is anything about it that has to be looked at closely."""
    try:
        frame = orjson.loads(text)
        method, params = frame["method"], frame["params"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    if type(params) is not dict:
        return None
    names = len(frame) + len(params)
    if text.count('":') != names or "\\" in text:  # a name twice, or something that looks like one
        return None
    identifier = frame.get("id")
    if type(identifier) is int:
        if not -_PLAIN_INTEGER < identifier < _PLAIN_INTEGER:
            return None
    elif type(identifier) is not str or len(identifier) > 36:
        return None
    for name, value in params.items():
        if type(value) is str:
            continue
        if type(value) is int and 0 < value < _PLAIN_INTEGER:  # 0 may have been written as -0
            params[name] = str(value)
        elif type(value) is bool:
            params[name] = "true" if value else "false"
        else:
            return None
    return Request(identifier, method.removeprefix("v3/"), params) if type(method) is str else None


def _parse_any(text: str) -> Request:
    """Numbers are kept as they were written, since they are signed so."""
    malformed = BadFrame(None, Refusal(-1135, "Invalid JSON Request"))
    try:
        frame = json.loads(
            text, parse_int=Number, parse_float=Number, parse_constant=_no_constant, object_pairs_hook=_object
        )
        if "\\u" in text:
            json.dumps(frame, ensure_ascii=False).encode()  # half a surrogate pair is no text: none could be answered
    except (ValueError, RecursionError):
        raise malformed from None
    if not isinstance(frame, dict):
        raise malformed
    identifier = _identifier(frame.get("id"))
    method, params = frame.get("method"), frame.get("params", {})
    if not isinstance(method, str) or isinstance(method, Number):
        raise BadFrame(identifier, missing("method"))
    if not isinstance(params, dict):
        raise BadFrame(identifier, Refusal(-1135, "Invalid JSON Request"))
    try:
        values = {name: _as_text(value) for name, value in params.items() if value is not None}
    except RecursionError:
        raise malformed from None
    return Request(identifier, method.removeprefix("v3/"), values)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def _identifier(raw: object) -> int | str | None:
    """An integer, a text of at most 36 characters or null, in its own type."""
    if raw is None:
        return None
    if isinstance(raw, Number):
        if _INTEGER.fullmatch(raw):
            return int(raw)
    elif isinstance(raw, str) and len(raw) <= 36:
        return raw
    raise BadFrame(
        None, Refusal(-1100, "Illegal characters found in parameter 'id'; legal range is '^[a-zA-Z0-9-_]{1,36}$'.")
    )


def _as_text(value: object) -> str:
    """A parameter as it is signed and as the REST form would have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


class ApiSocket:
    """One connection: who logged on, and what it subscribed to."""

    def __init__(self, outbox: Outbox, unit: int, connected: int, *, shows_limits: bool) -> None:
        self.outbox = outbox
        self.unit = unit
        self.connected = connected  # ns
        self.shows_limits = shows_limits
        self.key: Key | None = None
        self.authorized = 0  # ns
        self.by_logon: int | None = None  # the subscription that ends with the logon
        self.listeners: dict[int, Listener] = {}
        self.next_subscription = 0


class Answered(Struct, frozen=True, kw_only=True):
    """What the exchange says to one request, and under which number it is in the log."""

    body: Json
    number: int

    def frame(self) -> bytes:
        return orjson.dumps(self.body)


class ApiDoor:
    """Opens WebSocket API sockets and answers their requests. One instance per server."""

    def __init__(self, front: Front, table: Mapping[str, Route], path: str, open_sockets: set[Outbox]) -> None:
        self.front = front
        self._table = table
        self._path = path
        self._open_sockets = open_sockets

    async def handle(self, request: web.Request) -> web.StreamResponse:
        front, peer = self.front, peer_of(request)
        now = front.settle()
        try:
            front.limits.charge(peer, _HANDSHAKE_WEIGHT, now)
            front.limits.connect("wsapi", peer, now)
            unit = unit_of(request.query.get("timeUnit"))
        except Refusal as refusal:
            retry = {"Retry-After": str(refusal.retry_after_s)} if isinstance(refusal, TooMany) else {}
            return web.json_response(error(refusal), status=refusal.http, headers=retry)
        socket: ApiSocket | None = None

        def opened(outbox: Outbox) -> Callable[[str], None]:
            nonlocal socket
            shows_limits = request.query.get("returnRateLimits", "true").lower() != "false"
            socket = ApiSocket(outbox, unit, front.settle(), shows_limits=shows_limits)
            outbox.notice = lambda now: orjson.dumps({"event": shutdown_event(now, unit)})
            front.commons.note(
                peer=peer,
                key=None,
                method="GET",
                path=self._path,
                client_order_id=None,
                status=101,
                code=None,
                market=front.market,
                transport="wsapi",
            )
            return reader(front.commons, outbox, front.market, "wsapi", partial(self._received, socket))

        try:
            return await serve(
                request,
                self._open_sockets,
                opened,
                {"x-mbx-uuid": str(uuid.uuid4())},
                manners=API[front.market],
                clock=front.commons.monotonic,
            )
        finally:
            if socket is not None:
                for listener in socket.listeners.values():
                    front.users.remove(listener)

    # -- one request --------------------------------------------------------------------------------------------------

    def _received(self, socket: ApiSocket, text: str) -> None:
        """Answer one frame, past the faults."""
        try:
            request = parse(text)
        except BadFrame as bad:
            socket.outbox.put(orjson.dumps({"id": bad.id, "status": 400, "error": error(bad.refusal)}))
            return
        rule = self._struck(socket, request) if self.front.commons.faults.rules.has("requests") else None
        if rule is None:
            answered = self.answer(socket, request)
            socket.outbox.put(answered.frame())
            if answered.body["status"] == 418:  # who is banned is disconnected, too
                socket.outbox.end(TOO_MANY, "its address is banned")
        else:
            fault_wsapi.strike(self, socket, request, rule)

    def _struck(self, socket: ApiSocket, request: Request) -> Rule | None:
        """The fault that strikes this request."""
        commons = self.front.commons
        known = commons.keys.get(_key_of(socket, request) or "")
        return commons.faults.request(
            self.front.market,
            "wsapi",
            account=known.name if known else None,
            method=request.method,
            path=None,
            values=request.values,
        )

    def answer(
        self,
        socket: ApiSocket,
        request: Request,
        *,
        rule: Rule | None = None,
        lag: int = 0,
        is_answered: bool = True,
    ) -> Answered:
        """Do what was asked, and note it. With a `lag` (ns) reads are answered as of so long ago."""
        peer = socket.outbox.peer
        parameters = Parameters(request.values)
        answer: Json = {"id": request.id, "status": 200}
        refusal: Refusal | None = None
        shows_limits = socket.shows_limits
        try:
            asked = parameters.choice("returnRateLimits", ("true", "false"))
            shows_limits = shows_limits if asked is None else asked == "true"
            result = self._perform(socket, peer, request, parameters, lag)
            faults = self.front.commons.faults
            if faults.rules.has("events"):
                result = faults.market_answer(self.front.market, "wsapi", request.method, None, request.values, result)
            answer["result"] = result if rule is None else changed(rule.fault, result)
        except Refusal as caught:
            refusal = caught
            answer |= {"status": caught.http, "error": _error(caught, self.front.settle(), socket.unit)}
        except Exception:
            log.exception("bug in %s", request.method)
            refusal = Refusal(-1000, "An unknown error occurred while processing the request.", 500)
            answer |= {"status": 500, "error": error(refusal)}
        status, code = (refusal.http, refusal.code) if refusal is not None else (200, None)
        number = self.note(socket, request, status=status, code=code, rule=rule, is_answered=is_answered)
        if shows_limits:
            answer["rateLimits"] = self._limits(peer, request.method, _key_of(socket, request))
        return Answered(body=answer, number=number)

    def note(
        self,
        socket: ApiSocket,
        request: Request,
        *,
        status: int,
        code: int | None,
        rule: Rule | None = None,
        is_processed: bool = True,
        is_answered: bool = True,
    ) -> int:
        return self.front.commons.note(
            peer=socket.outbox.peer,
            key=_key_of(socket, request),
            method=request.method,
            path=self._path,
            client_order_id=client_order_id(request.values),
            status=status,
            code=code,
            market=self.front.market,
            transport="wsapi",
            rule=rule,
            is_processed=is_processed,
            is_answered=is_answered,
        )

    def _perform(self, socket: ApiSocket, peer: str, request: Request, parameters: Parameters, lag: int) -> object:
        route = self._table.get(request.method) or self._session_route(socket, request.method)
        if route is None:
            raise Refusal(-1130, "Data sent for parameter 'method' is not valid.")

        def identify(now: int) -> Key | None:
            if route.security == "none":
                for name in ("apiKey", "timestamp", "recvWindow", "signature"):  # some clients always sign
                    parameters.text(name)
                return None
            if "apiKey" not in request.values and socket.key is not None:
                known = key_of(self.front.commons.keys, socket.key.api_key, peer)
                if route.security == "signed":
                    check_time(parameters, now)
                return known
            known = key_of(self.front.commons.keys, parameters.must("apiKey"), peer)
            if route.security == "signed":
                check_time(parameters, now)
                check_signature(known, parameters, socket_payload(request.values))
            return known

        return self.front.perform(route, parameters, peer=peer, unit=socket.unit, identify=identify, lag=lag)

    def _limits(self, peer: str, method: str, key: str | None) -> list[Json]:
        front = self.front
        now = front.commons.latest  # just noted
        rows = [front.limits.weight_row(peer, now)]
        route = self._table.get(method)
        known = front.commons.keys.get(key) if key is not None else None
        if route is not None and route.is_order and known is not None:
            return front.limits.order_rows(known.name, now) + rows
        return rows

    # -- sessions -----------------------------------------------------------------------------------------------------

    def _session_route(self, socket: ApiSocket, method: str) -> Route | None:
        """Requests that concern this very socket."""
        match method:
            case "session.logon":
                return _route(lambda call, parameters: self._logon(socket, call, parameters), "signed")
            case "session.status":
                return _route(lambda call, parameters: self._status(socket, call, parameters))
            case "session.logout":
                return _route(lambda call, parameters: self._logout(socket, call, parameters))
            case _ if self.front.market == "futures":
                return None  # user data goes by listen key there
            case "session.subscriptions":
                return _route(lambda call, parameters: self._subscriptions(socket, parameters))
            case "userDataStream.subscribe":
                return _route(lambda call, parameters: self._subscribe_by_logon(socket, parameters))
            case "userDataStream.subscribe.signature":
                return _route(lambda call, parameters: self._subscribe_signed(socket, call, parameters), "signed")
            case "userDataStream.unsubscribe":
                return _route(lambda call, parameters: self._unsubscribe(socket, call, parameters))
            case _:
                return None

    def _logon(self, socket: ApiSocket, call: Call, parameters: Parameters) -> object:
        parameters.finish()
        if call.key is None or not isinstance(call.key.public_key, Ed25519PublicKey):
            raise Refusal(-4056, "HMAC_SHA256 API key is not supported.")
        socket.key, socket.authorized = call.key, call.now
        return self._session(socket, call)

    def _status(self, socket: ApiSocket, call: Call, parameters: Parameters) -> object:
        parameters.finish()
        return self._session(socket, call)

    def _logout(self, socket: ApiSocket, call: Call, parameters: Parameters) -> object:
        parameters.finish()
        socket.key, socket.authorized = None, 0
        if socket.by_logon is not None:
            self._end(socket, socket.by_logon, call.now)
        return self._session(socket, call)

    def _session(self, socket: ApiSocket, call: Call) -> Json:
        by_logon = {} if self.front.market == "futures" else {"userDataStream": socket.by_logon is not None}
        return {
            "apiKey": socket.key.api_key if socket.key else None,
            "authorizedSince": socket.authorized // call.unit if socket.key else None,
            "connectedSince": socket.connected // call.unit,
            "returnRateLimits": socket.shows_limits,
            "serverTime": call.now // call.unit,
            **by_logon,
        }

    # -- user data ----------------------------------------------------------------------------------------------------

    def _subscribe_by_logon(self, socket: ApiSocket, parameters: Parameters) -> object:
        parameters.finish()
        if socket.key is None:
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        key_of(self.front.commons.keys, socket.key.api_key, socket.outbox.peer)  # it may be revoked since
        if socket.by_logon is not None:
            raise Refusal(-2035, "Subscription Active")
        socket.by_logon = self._subscribe(socket, socket.key.name)
        return {"subscriptionId": socket.by_logon}

    def _subscribe_signed(self, socket: ApiSocket, call: Call, parameters: Parameters) -> object:
        parameters.finish()
        return {"subscriptionId": self._subscribe(socket, call.name)}

    def _subscribe(self, socket: ApiSocket, account: str) -> int:
        if len(socket.listeners) >= MOST_SUBSCRIPTIONS:
            raise Refusal(-1101, f"Too many subscriptions; a connection takes {MOST_SUBSCRIPTIONS}.")
        number = socket.next_subscription
        socket.next_subscription += 1
        wrap: Callable[[Json], Json] = lambda event: {"subscriptionId": number, "event": event}  # noqa: E731
        listener = Listener(account, socket.outbox, socket.unit, wrap)
        socket.listeners[number] = listener
        self.front.users.add(listener)
        return number

    def _unsubscribe(self, socket: ApiSocket, call: Call, parameters: Parameters) -> object:
        """One subscription by its number, or all."""
        number = parameters.integer("subscriptionId")
        parameters.finish()
        ending = list(socket.listeners) if number is None else [number]
        if not ending or any(each not in socket.listeners for each in ending):
            raise Refusal(-2036, "Subscription Inactive")
        for each in ending:
            self._end(socket, each, call.now)
        return {}

    def _end(self, socket: ApiSocket, number: int, now: int) -> None:
        listener = socket.listeners.pop(number)
        listener.tell(partial(terminated, now))
        self.front.users.remove(listener)
        if number == socket.by_logon:
            socket.by_logon = None

    def _subscriptions(self, socket: ApiSocket, parameters: Parameters) -> object:
        parameters.finish()
        return [{"subscriptionId": number} for number in socket.listeners]


def _key_of(socket: ApiSocket, request: Request) -> str | None:
    """The API key a request comes with, or that of the logon."""
    return request.values.get("apiKey") or (socket.key.api_key if socket.key else None)


def _route(operation: Callable[[Call, Parameters], object], security: str = "none") -> Route:
    return Route(operation=lambda _front, call, parameters: operation(call, parameters), weight=2, security=security)


def _error(refusal: Refusal, now: int, unit: int) -> Json:
    body = error(refusal)
    if isinstance(refusal, HalfDone):
        body["data"] = refusal.both
    elif isinstance(refusal, TooMany):
        body["data"] = {"serverTime": now // unit, "retryAfter": refusal.until // unit}
    return body
