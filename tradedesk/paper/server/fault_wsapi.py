"""What a fault does to one request on a WebSocket API socket."""

from functools import partial
from typing import TYPE_CHECKING

import orjson

from tradedesk.paper.fault_forms import spoken
from tradedesk.paper.fault_rules import SECOND, Rule
from tradedesk.paper.server.render import Json

if TYPE_CHECKING:
    from tradedesk.paper.server.wsapi import ApiDoor, ApiSocket, Request


def strike(door: "ApiDoor", socket: "ApiSocket", request: "Request", rule: Rule) -> None:
    """Answer, or do not, as the fault of `rule` says. Other requests of the socket go their way meanwhile."""
    outbox, terms, front = socket.outbox, rule.fault.terms, door.front
    match rule.fault.kind:
        case "lose":
            door.note(socket, request, status=0, code=None, rule=rule, is_processed=False, is_answered=False)
            _leave_waiting(door, socket, rule)
        case "say":
            said = spoken(terms)
            door.note(socket, request, status=said.status, code=said.code, rule=rule, is_processed=False)
            outbox.put(_said(request, rule))
        case "stall":
            front.commons.faults.later.after(
                terms["seconds"], partial(_stalled, door, socket, request, rule, front.epoch)
            )
        case "stale":
            outbox.put(door.answer(socket, request, rule=rule, lag=round(terms["seconds"] * SECOND)).frame())
        case "thin" | "alter":
            outbox.put(door.answer(socket, request, rule=rule).frame())
        case "did":
            door.answer(socket, request, rule=rule)
            outbox.put(_said(request, rule))
        case "late":
            answered = door.answer(socket, request, rule=rule, is_answered=False)
            send = partial(_send_late, door, socket, answered.frame(), answered.number)
            front.commons.faults.later.after(terms["seconds"], send)
        case "torn":
            outbox.tear(door.answer(socket, request, rule=rule, is_answered=False).frame())
        case "cut":
            door.answer(socket, request, rule=rule, is_answered=False)
            outbox.reset()
        case _:  # mute
            door.answer(socket, request, rule=rule, is_answered=False)
            _leave_waiting(door, socket, rule)


def _stalled(door: "ApiDoor", socket: "ApiSocket", request: "Request", rule: Rule, epoch: int) -> None:
    if door.front.epoch == epoch:  # otherwise the exchange was restarted: what waited inside it is gone
        answered = door.answer(socket, request, rule=rule, is_answered=not socket.outbox.is_cut)
        socket.outbox.put(answered.frame())


def _send_late(door: "ApiDoor", socket: "ApiSocket", frame: bytes, number: int) -> None:
    if not socket.outbox.is_cut:
        door.front.commons.seen.answered(number)
        socket.outbox.put(frame)


def _leave_waiting(door: "ApiDoor", socket: "ApiSocket", rule: Rule) -> None:
    """The socket goes on; if the fault says so it ends, after its seconds."""
    end = rule.fault.terms.get("end", "hang")
    seconds = rule.fault.terms.get("seconds", 0.0)
    act = socket.outbox.reset if end == "reset" else socket.outbox.close
    if seconds:
        door.front.commons.faults.later.after(seconds, act)
    elif end != "hang":
        act()


def _said(request: "Request", rule: Rule) -> bytes:
    said = spoken(rule.fault.terms)
    if said.text is not None and said.status < 300:
        return said.text.encode()
    code = -1000 if said.code is None else said.code
    answer: Json = {"id": request.id, "status": said.status, "error": {"code": code, "msg": said.message}}
    if "Retry-After" in said.headers:
        retry = int(said.headers["Retry-After"])
        answer["error"] = {"code": code, "msg": said.message, "data": {"retryAfter": retry * 1000}}
    return orjson.dumps(answer)
