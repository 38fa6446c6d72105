"""The HTTP door of one market: requests in, JSON out, with the venue's headers and status codes."""

import logging
import uuid
from collections.abc import Mapping

import orjson
from aiohttp import web

from tradedesk.paper.accounts import Key
from tradedesk.paper.rows import Refusal
from tradedesk.paper.server.front import Front, HalfDone, Route
from tradedesk.paper.server.limits import TooMany
from tradedesk.paper.server.parameters import Parameters, pairs
from tradedesk.paper.server.render import MICROSECOND, MILLISECOND, error
from tradedesk.paper.server.signature import check_signature, check_time, key_of, rest_payload

log = logging.getLogger("tradedesk.paper")


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


class RestDoor:
    """Handles every path that is not a socket."""

    def __init__(self, front: Front, table: Mapping[tuple[str, str], Route]) -> None:
        self._front = front
        self._table = table

    async def handle(self, request: web.Request) -> web.Response:
        front, peer, key = self._front, peer_of(request), request.headers.get("X-MBX-APIKEY")
        path, _, query = request.raw_path.partition("?")
        route = self._table.get((request.method, path))
        status, refusal, values = 200, None, dict[str, str]()
        result: object
        try:
            front.limits.refuse_banned(peer, front.settle())
            body = await _body(request)
            if route is None:
                raise Refusal(-5000, f"Path {path[:100]}, Method {request.method} is invalid", 404)
            values = {**dict(pairs(body)), **dict(pairs(query))}  # a name in both: the query wins
            payload = rest_payload(query, body)
            unit = unit_of(request.headers.get("X-MBX-TIME-UNIT"))
            result = self._perform(route, Parameters(values), peer=peer, key=key, payload=payload, unit=unit)
        except Refusal as caught:
            refusal, status = caught, caught.http
            result = {**error(caught), "data": caught.both} if isinstance(caught, HalfDone) else error(caught)
        except Exception:
            # a bug of ours; the client gets what the venue answers when it cannot say what became of a request
            log.exception("bug in %s %s", request.method, path)
            refusal, status = Refusal(-1000, "An unknown error occurred while processing the request.", 500), 500
            result = error(refusal)
        front.commons.note(
            peer=peer,
            key=key,
            method=request.method,
            path=path,
            client_order_id=client_order_id(values),
            status=status,
            code=refusal.code if refusal else None,
        )
        return web.Response(
            body=orjson.dumps(result),
            status=status,
            headers=self._headers(route, peer, key, refusal),
            content_type="application/json",
            charset="utf-8",
        )

    def _perform(
        self, route: Route, parameters: Parameters, *, peer: str, key: str | None, payload: bytes, unit: int
    ) -> object:
        def identify(now: int) -> Key | None:
            if route.security == "none":
                return None
            known = key_of(self._front.commons.keys, key, peer)
            if route.security == "signed":
                check_time(parameters, now)
                check_signature(known, parameters, payload)
            return known

        return self._front.perform(route, parameters, peer=peer, unit=unit, identify=identify)

    def _headers(self, route: Route | None, peer: str, key: str | None, refusal: Refusal | None) -> dict[str, str]:
        front = self._front
        now = front.settle()
        headers = {"x-mbx-uuid": str(uuid.uuid4()), **front.limits.weight_headers(peer, now)}
        known = front.commons.keys.get(key) if key is not None else None
        if route is not None and route.is_order and known is not None:
            headers |= front.limits.order_headers(known.name, now)
        if isinstance(refusal, TooMany):
            headers["Retry-After"] = str(refusal.retry_after_s)
        return headers


async def _body(request: web.Request) -> str:
    if not request.body_exists:
        return ""
    try:
        return (await request.read()).decode()
    except UnicodeDecodeError:
        raise Refusal(-1100, "Illegal characters found in a parameter.") from None
    except web.HTTPRequestEntityTooLarge:
        raise Refusal(-1101, "Too many parameters.", 413) from None
    except (ConnectionError, RuntimeError):  # the client left in the middle of it: no bug, and nobody reads the answer
        raise Refusal(-1001, "Internal error; unable to process your request. Please try again.", 500) from None


def client_order_id(values: dict[str, str]) -> str | None:
    """Which order a request names by the client's id, for the log of requests."""
    for name in ("newClientOrderId", "origClientOrderId", "cancelOrigClientOrderId"):
        if name in values:
            return values[name][:64]
    return None
