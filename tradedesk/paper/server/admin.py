"""The admin door, on a port of its own and behind a bearer token: what the exchange saw, its own books, and the faults."""

import hmac
from collections.abc import Awaitable, Callable

import msgspec
import orjson
from aiohttp import web

from tradedesk.paper.fault_rules import Rule
from tradedesk.paper.faults import KINDS, FaultsError, as_document, fields_of, posted
from tradedesk.paper.server.admin_books import books
from tradedesk.paper.server.fault_acts import Acts
from tradedesk.paper.server.futures.front import FuturesFront
from tradedesk.paper.server.render import MILLISECOND, Json
from tradedesk.paper.server.spot.front import SpotFront

_THERE_IS = {
    "GET /requests": "what the exchange saw, oldest first; ?after=NUMBER leaves out what was seen up to there, ?limit=N",
    "GET /accounts": "the names of the accounts",
    "GET /accounts/NAME": "everything the exchange holds about one account",
    "GET /faults": "the faults, and how often each struck",
    "POST /faults": "one fault, a list of them, or {\"faults\": [...]}: as in the file of --faults",
    "DELETE /faults/ID": "take one back; DELETE /faults all of them",
}  # fmt: skip
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(spot: SpotFront, futures: FuturesFront | None, acts: Acts, token: str) -> web.Application:
    commons = spot.commons
    rules = commons.faults.rules

    @web.middleware
    async def bearer_only(request: web.Request, handler: _Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return _json({"error": "send the header Authorization: Bearer ADMIN_TOKEN"}, 401)
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _json({"error": f"{error.reason}; there is {', '.join(_THERE_IS)}"}, error.status)

    async def index(_: web.Request) -> web.Response:
        kinds = {name: {"says": kind.says, "fields": fields_of(name)} for name, kind in KINDS.items()}
        return _json({"schema": "paper.admin.v1", "there_is": _THERE_IS, "faults": kinds})

    async def requests(request: web.Request) -> web.Response:
        try:
            after, limit = int(request.query.get("after", "0")), int(request.query.get("limit", "100000"))
        except ValueError:
            return _json({"error": "after and limit are whole numbers"}, 400)
        rows = commons.seen.after(after, limit)
        return _json(
            {"schema": "paper.requests.v1", "count": commons.seen.count, "requests": msgspec.to_builtins(rows)}
        )

    async def accounts(_: web.Request) -> web.Response:
        return _json({"schema": "paper.accounts.v1", "accounts": list(commons.accounts)})

    async def account(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in commons.accounts:
            return _json(
                {"error": f"no account {name[:40]}; there are {', '.join(sorted(commons.accounts)[:20])}"}, 404
            )
        now = spot.settle()
        spot.distribute(now)
        if futures is not None:
            futures.distribute(futures.settle())
        return _json(books(spot, futures, name, now), 200)

    async def faults(_: web.Request) -> web.Response:
        now = commons.now()
        return _json({"schema": "paper.faults.v1", "faults": [_described(rule, now) for rule in rules.all()]})

    async def post(request: web.Request) -> web.Response:
        """The ids of what was posted; 409 if something of it that acts at once could not."""
        try:
            added = rules.add(posted(orjson.loads(await request.read())), commons.now())
        except orjson.JSONDecodeError:
            return _json({"error": "faults: send JSON"}, 400)
        except FaultsError as error:
            return _json({"error": str(error)}, 400)
        acts.posted(added, commons.now())
        answer: Json = {
            "schema": "paper.faults.v1",
            "ids": [rule.id for rule in added],
            "faults": [_described(rule, commons.now()) for rule in added],
        }
        failed = [f"faults[{number}]: {rule.failed}" for number, rule in enumerate(added) if rule.failed]
        return _json(answer | {"error": "\n".join(failed)}, 409) if failed else _json(answer)

    async def remove(request: web.Request) -> web.Response:
        given = request.match_info.get("id")
        if given is None:
            rules.clear()
        elif not given.isascii() or not given.isdigit() or len(given) > 18 or not rules.remove(int(given)):
            return _json({"error": f"no fault {given[:20]}"}, 404)
        return await faults(request)

    app = web.Application(middlewares=[bearer_only])
    app.router.add_get("/", index)
    app.router.add_get("/requests", requests)
    app.router.add_get("/accounts", accounts)
    app.router.add_get("/accounts/{name}", account)
    app.router.add_get("/faults", faults)
    app.router.add_post("/faults", post)
    app.router.add_delete("/faults", remove)
    app.router.add_delete("/faults/{id}", remove)
    return app


def _described(rule: Rule, now: int) -> Json:
    """One fault with how it went; `begins` and `ends` in ms since the epoch."""
    state = "spent" if rule.is_spent(now) else "active" if rule.is_active(now) else "waiting"
    went: Json = {
        "id": rule.id,
        "state": state,
        "begins": rule.begins // MILLISECOND,
        "ends": None if rule.ends is None else rule.ends // MILLISECOND,
        "matched": rule.matched,
        "struck": rule.struck,
    }
    if rule.result is not None:
        went["result"] = rule.result
    if rule.failed is not None:
        went["failed"] = rule.failed
    return went | {"fault": as_document(rule.fault)}


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json", charset="utf-8")
