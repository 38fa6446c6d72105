"""The HTTP door of one market: requests in, JSON out, with the venue's headers and status codes."""

import asyncio
import logging
from collections.abc import Mapping
from random import getrandbits

import orjson
from aiohttp import web
from msgspec import Struct

from tradedesk.paper.accounts import Key
from tradedesk.paper.fault_forms import changed
from tradedesk.paper.fault_rules import Rule
from tradedesk.paper.rows import Refusal
from tradedesk.paper.server import fault_rest
from tradedesk.paper.server.front import Front, HalfDone, Route
from tradedesk.paper.server.limits import TooMany
from tradedesk.paper.server.parameters import Parameters, pairs
from tradedesk.paper.server.render import MICROSECOND, MILLISECOND, error
from tradedesk.paper.server.signature import check_signature, check_time, key_of, rest_payload

log = logging.getLogger("tradedesk.paper")

_CLIENT_IDS = dict.fromkeys(("newClientOrderId", "origClientOrderId", "cancelOrigClientOrderId"))


def peer_of(request: web.Request) -> str:
    """The source address of the connection."""
    return request.remote or ""


def unit_of(text: str | None) -> int:
    """ns per tick of the client's times, from its header or socket parameter. Raises -1194."""
    match (text or "MILLISECOND").upper():
        case "MILLISECOND":
            return MILLISECOND
        case "MICROSECOND":
            return MICROSECOND
        case _:
            raise Refusal(-1194, "Invalid value for time unit.")


class Asked(Struct, frozen=True, kw_only=True):
    """One request as it was read."""

    method: str
    path: str
    query: str
    body: str
    values: dict[str, str]
    unreadable: Refusal | None  # why, where `values` could not be had
    peer: str
    key: str | None
    time_unit: str | None


class Answered(Struct, frozen=True, kw_only=True):
    """What the exchange says to one request, and under which number it is in the log."""

    status: int
    result: object
    headers: dict[str, str]
    number: int

    def response(self) -> web.Response:
        return web.Response(
            body=orjson.dumps(self.result),
            status=self.status,
            headers=self.headers | {"Content-Type": "application/json;charset=UTF-8"},
        )


def request_id() -> str:
    """Tells answers apart, in the form of a UUID; nothing secret hangs on it."""
    text = f"{getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class RestDoor:
    """Handles every path that is not a socket."""

    def __init__(self, front: Front, table: Mapping[tuple[str, str], Route]) -> None:
        self.front = front
        self._table = table

    async def handle(self, request: web.Request) -> web.StreamResponse:
        commons = self.front.commons
        asked = await _read(request)
        if commons.latency is not None:
            await asyncio.sleep(commons.half_way())
        rule = self._struck(asked) if commons.faults.rules.has("requests") else None
        response: web.StreamResponse
        if rule is None:
            response = self.answer(asked).response()
        else:
            response = await fault_rest.strike(self, request, asked, rule)
        if commons.latency is not None:
            await asyncio.sleep(commons.half_way())
        return response

    def _struck(self, asked: Asked) -> Rule | None:
        """The fault that strikes this request."""
        commons = self.front.commons
        known = commons.keys.get(asked.key) if asked.key is not None else None
        return commons.faults.request(
            self.front.market,
            "rest",
            account=known.name if known else None,
            method=asked.method,
            path=asked.path,
            values=asked.values,
        )

    def answer(self, asked: Asked, *, rule: Rule | None = None, lag: int = 0, is_answered: bool = True) -> Answered:
        """Do what was asked, and note it. With a `lag` (ns) reads are answered as of so long ago."""
        front = self.front
        route = self._table.get((asked.method, asked.path))
        status, refusal = 200, None
        result: object
        try:
            front.limits.refuse_banned(asked.peer, front.commons.now())
            if asked.unreadable is not None:
                raise asked.unreadable
            if route is None:
                raise Refusal(-5000, f"Path {asked.path[:100]}, Method {asked.method} is invalid", 404)
            result = self._perform(route, asked, lag)
            faults = front.commons.faults
            if faults.rules.has("events"):
                result = faults.market_answer(front.market, "rest", asked.method, asked.path, asked.values, result)
        except Refusal as caught:
            refusal, status = caught, caught.http
            result = {**error(caught), "data": caught.both} if isinstance(caught, HalfDone) else error(caught)
        except Exception:
            # a bug of ours; the client gets what the venue answers when it cannot say what became of a request
            log.exception("bug in %s %s", asked.method, asked.path)
            refusal, status = Refusal(-1000, "An unknown error occurred while processing the request.", 500), 500
            result = error(refusal)
        number = self.note(
            asked, status=status, code=refusal.code if refusal else None, rule=rule, is_answered=is_answered
        )
        if rule is not None and refusal is None:
            result = changed(rule.fault, result)
        headers = self._headers(route, asked.peer, asked.key, refusal)
        return Answered(status=status, result=result, headers=headers, number=number)

    def note(
        self,
        asked: Asked,
        *,
        status: int,
        code: int | None,
        rule: Rule | None = None,
        is_processed: bool = True,
        is_answered: bool = True,
    ) -> int:
        return self.front.commons.note(
            peer=asked.peer,
            key=asked.key,
            method=asked.method,
            path=asked.path,
            client_order_id=client_order_id(asked.values),
            status=status,
            code=code,
            market=self.front.market,
            transport="rest",
            rule=rule,
            is_processed=is_processed,
            is_answered=is_answered,
        )

    def _perform(self, route: Route, asked: Asked, lag: int) -> object:
        parameters, payload = Parameters(asked.values), rest_payload(asked.query, asked.body)
        unit = unit_of(asked.time_unit)

        def identify(now: int) -> Key | None:
            if route.security == "none":
                return None
            known = key_of(self.front.commons.keys, asked.key, asked.peer)
            if route.security == "signed":
                check_time(parameters, now)
                check_signature(known, parameters, payload)
            return known

        return self.front.perform(route, parameters, peer=asked.peer, unit=unit, identify=identify, lag=lag)

    def _headers(self, route: Route | None, peer: str, key: str | None, refusal: Refusal | None) -> dict[str, str]:
        front = self.front
        now = front.commons.now()
        headers = {"x-mbx-uuid": request_id(), **front.limits.weight_headers(peer, now)}
        known = front.commons.keys.get(key) if key is not None else None
        if route is not None and route.is_order and known is not None:
            headers |= front.limits.order_headers(known.name, now)
        if isinstance(refusal, TooMany):
            headers["Retry-After"] = str(refusal.retry_after_s)
        return headers


async def _read(request: web.Request) -> Asked:
    path, _, query = request.raw_path.partition("?")
    body, values, unreadable = "", dict[str, str](), None
    try:
        body = await _body(request)
        values = dict(pairs(body)) if body else {}
        values.update(pairs(query))  # a name in both: the query wins
    except Refusal as refusal:
        unreadable = refusal
    return Asked(
        method=request.method,
        path=path,
        query=query,
        body=body,
        values=values,
        unreadable=unreadable,
        peer=peer_of(request),
        key=request.headers.get("X-MBX-APIKEY"),
        time_unit=request.headers.get("X-MBX-TIME-UNIT"),
    )


async def _body(request: web.Request) -> str:
    if not request.body_exists:
        return ""
    try:
        return (await request.read()).decode()
    except (UnicodeDecodeError, web.RequestPayloadError):  # no text, or not compressed as its header says
        raise Refusal(-1100, "Illegal characters found in a parameter.") from None
    except web.HTTPRequestEntityTooLarge:
        raise Refusal(-1101, "Too many parameters.", 413) from None
    except (ConnectionError, RuntimeError):  # the client left in the middle of it: no bug, and nobody reads the answer
        raise Refusal(-1001, "Internal error; unable to process your request. Please try again.", 500) from None


def client_order_id(values: dict[str, str]) -> str | None:
    """Which order a request names by the client's id, for the log of requests."""
    if _CLIENT_IDS.keys().isdisjoint(values):
        return None
    return next(values[name][:64] for name in _CLIENT_IDS if name in values)
