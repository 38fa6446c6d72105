"""What a fault does to one HTTP request."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from tradedesk.paper.fault_forms import Spoken, spoken
from tradedesk.paper.fault_rules import SECOND, Rule

if TYPE_CHECKING:
    from tradedesk.paper.server.rest import Answered, Asked, RestDoor

HANG_S = 600.0  # how long a connection is left without an answer unless the fault says
_LOOK_S = 0.02  # how often it is looked whether the client has gone


async def strike(door: "RestDoor", request: web.Request, asked: "Asked", rule: Rule) -> web.StreamResponse:
    """Answer, or do not, as the fault of `rule` says."""
    terms = rule.fault.terms
    front = door.front
    match rule.fault.kind:
        case "lose":
            door.note(asked, status=0, code=None, rule=rule, is_processed=False, is_answered=False)
            return await _leave_waiting(request, terms.get("end", "hang"), terms.get("seconds"))
        case "say":
            said = spoken(terms)
            door.note(asked, status=said.status, code=said.code, rule=rule, is_processed=False)
            return _said(said)
        case "stall":
            epoch = front.epoch
            await asyncio.sleep(terms["seconds"])
            if front.epoch != epoch:  # the exchange was restarted meanwhile: what waited inside it is gone
                return await _leave_waiting(request, "reset", None)
            return door.answer(asked, rule=rule, is_answered=_is_there(request)).response()
        case "stale":
            return door.answer(asked, rule=rule, lag=round(terms["seconds"] * SECOND)).response()
        case "thin" | "alter":
            return door.answer(asked, rule=rule).response()
        case "did":
            door.answer(asked, rule=rule)
            return _said(spoken(terms))
        case "late":
            answered = door.answer(asked, rule=rule, is_answered=False)
            await asyncio.sleep(terms["seconds"])
            if _is_there(request):
                front.commons.seen.answered(answered.number)
            return answered.response()
        case "torn":
            return await _torn(request, door.answer(asked, rule=rule, is_answered=False))
        case "cut":
            door.answer(asked, rule=rule, is_answered=False)
            return await _leave_waiting(request, "reset", None)
        case _:  # mute
            door.answer(asked, rule=rule, is_answered=False)
            return await _leave_waiting(request, terms.get("end", "hang"), terms.get("seconds"))


def _said(said: Spoken) -> web.Response:
    if said.text is not None:
        kind = "text/html" if said.text.lstrip().startswith("<") else "application/json"
        return web.Response(
            text=said.text, status=said.status, headers=dict(said.headers), content_type=kind, charset="utf-8"
        )
    body = orjson.dumps({"code": said.code, "msg": said.message})
    return web.Response(
        body=body, status=said.status, headers=dict(said.headers), content_type="application/json", charset="utf-8"
    )


def _is_there(request: web.Request) -> bool:
    """Whether the client has not left."""
    return request.transport is not None and not request.transport.is_closing()


async def _leave_waiting(request: web.Request, end: str, seconds: float | None) -> web.StreamResponse:
    """No answer: the connection stays open until the client leaves or the time is over, and then ends."""
    if end == "hang" or seconds:
        loop = asyncio.get_running_loop()
        until = loop.time() + (HANG_S if seconds is None else seconds)
        while loop.time() < until and _is_there(request):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)  # aiohttp tells a handler that its client left only by cancelling it
    if request.transport is not None:
        if end == "reset":
            reset(request.transport)
        else:
            request.transport.close()
    return web.Response()  # to a closed connection: nothing of it is sent


async def _torn(request: web.Request, answered: "Answered") -> web.StreamResponse:
    whole = answered.response()
    body = orjson.dumps(answered.result)
    response = web.StreamResponse(status=whole.status, headers=whole.headers)
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def reset(transport: asyncio.BaseTransport) -> None:
    """End a connection by RST, as a crash or a firewall does; what waits to be sent is gone."""
    bare: socket.socket | None = transport.get_extra_info("socket")
    if bare is not None:
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    abort: Callable[[], None] = transport.abort  # type: ignore[attr-defined]
    abort()
