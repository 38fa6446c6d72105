"""ccxt's Binance, made safe to trade with: one guarded session, exact strings, each answer read where it is its own.

Of ccxt this uses what it is made for: end points, signatures, and the life of a socket. Orders go through its implicit
methods with our own exact parameters, because its unified ones round prices (CCXT.md 12) and check no answer (14c).
Facts this rests on are tested in tests/venues.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote

import aiohttp
import ccxt.pro
from ccxt.async_support.base.ws.client import Client
from msgspec import Struct

from tradedesk.access import egress
from tradedesk.access.signing import NotSigned, Signer
from tradedesk.clock import Clock
from tradedesk.redaction import Echoes
from tradedesk.venues.answers import MAX_FRAME_BYTES, Unread, read_json
from tradedesk.venues.outcomes import Spoken, spoken
from tradedesk.venues.pools import Price, Priority
from tradedesk.venues.spot_prices import announced, price_of
from tradedesk.venues.turns import Door, NoTurn

RECEIVE_WINDOW_MS = 3_000  # short: it ends the doubt about an order that may still be under way (F01)
PING_EVERY_MS = 10_000  # a dead socket is noticed after two unanswered ones; ccxt's own 180 s would take 9 minutes
SUBSCRIBE_TIMEOUT_S = 10
CLOSE_TIMEOUT_S = 1  # a venue that hangs must not hold up our stopping
_ELSEWHERE = "held by the signer"  # what ccxt has for a secret; not a PEM, so that all its signing goes through `hmac`
_NOWHERE = "http://not-in-use.invalid"  # not on any session's list of hosts, and by RFC 2606 in no DNS
_PROXY_SETTINGS = (
    "proxy", "proxyUrl", "proxy_url", "proxyUrlCallback", "proxy_url_callback", "httpProxy", "http_proxy",
    "httpProxyCallback", "http_proxy_callback", "httpsProxy", "https_proxy", "httpsProxyCallback",
    "https_proxy_callback", "socksProxy", "socks_proxy", "socksProxyCallback", "socks_proxy_callback", "wsProxy",
    "ws_proxy", "wssProxy", "wss_proxy", "wsSocksProxy", "ws_socks_proxy", "aiohttp_proxy", "aiohttp_trust_env",
)  # fmt: skip


class Addresses(Struct, frozen=True, kw_only=True):
    """Where a venue is reached. Nothing else is."""

    rest: str  # up to and without /api/v3
    streams: str
    wsapi: str

    @property
    def hosts(self) -> frozenset[egress.Host]:
        return frozenset(egress.host_of(url) for url in (self.rest, self.streams, self.wsapi))


LIVE = Addresses(
    rest="https://api.binance.com",
    streams="wss://stream.binance.com:9443/ws",
    wsapi="wss://ws-api.binance.com:443/ws-api/v3",
)


def addresses_of(url: str | None) -> Addresses:
    """The addresses of a paper or test site at `url` (its REST root), or of the real venue where there is none."""
    if url is None:
        return LIVE
    rest = url.rstrip("/")
    if not rest.startswith(("http://", "https://")):
        raise ValueError("a venue's url must start with http:// or https://")
    socket = "ws" + rest.removeprefix("http")
    return Addresses(rest=rest, streams=f"{socket}/ws", wsapi=f"{socket}/ws-api/v3")


class Heard:
    """What came back for one request, read in `handle_errors`, the only place where it is this request's own."""

    def __init__(self) -> None:
        self.said: Spoken | None = None
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}  # those about limits, in small letters
        self.unread: str | None = None  # why its body could not be read
        self.details: Any = None  # `data` of an error answer: what became of the legs of a cancel-and-replace
        self.may_have_left = False  # the connection stood and nothing objected: from here on it may have arrived

    @property
    def cause(self) -> str | None:
        """What the venue answered, for a person; None if nothing."""
        if self.said is not None:
            return f"{self.said.code} {self.said.text}"
        if self.unread is not None and self.status == 200:
            return f"the answer could not be read: {self.unread}"
        return None if self.status is None else f"HTTP status {self.status}"


_heard: ContextVar[Heard | None] = ContextVar("heard", default=None)
_wire_check: ContextVar[Callable[[str | None], str | None] | None] = ContextVar("wire_check", default=None)


@contextlib.contextmanager
def listening(
    *,
    last: Callable[[], str | None] | None = None,
    wire: Callable[[str | None], str | None] | None = None,
) -> Iterator[Heard]:
    """Around one request: what is heard of it, and what may still stop it.

    `wire` looks at the signed body, `last` runs with the connection open, right before the bytes; either returns a
    reason not to send, and then nothing leaves.
    """
    heard = Heard()

    def check() -> None:
        reason = last() if last is not None else None
        if reason is not None:
            raise egress.NotSent(reason)
        heard.may_have_left = True

    tokens = (_heard.set(heard), _wire_check.set(wire), egress.last_check.set(check))
    try:
        yield heard
    finally:
        _heard.reset(tokens[0])
        _wire_check.reset(tokens[1])
        egress.last_check.reset(tokens[2])


def name_of(error: BaseException) -> str:
    """What may be said of an error: our own sentences, else the class of what was at the bottom. Never a library's text."""
    if isinstance(error, (egress.EgressError, StreamEnded)):
        return str(error)
    inner = error.__cause__ or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
    return type(error).__name__ if inner is None else name_of(inner)


def was_not_sent(error: BaseException, heard: Heard) -> bool:
    """Whether `error` proves that no byte of the request left: refused by our own guard, or no connection ever stood."""
    if heard.may_have_left:
        return False
    if isinstance(error, egress.NotSent):
        return True
    inner = error.__cause__
    return isinstance(inner, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))


class StreamEnded(Exception):
    """A stream could not be had or is over. Its text is ours and holds no URL."""

    def __init__(self, cause: str, said: Spoken | None = None) -> None:
        super().__init__(cause)
        self.said = said  # the venue's own refusal of the subscription


class _Life:
    """One stream from its subscription on, as `handle_message` needs it."""

    def __init__(self, on_up: Callable[[str | None], None], on_event: Callable[[Mapping[str, Any]], None]) -> None:
        self.request_id: str | None = None
        self.on_up = on_up
        self.on_event = on_event

    def hear(self, client: Client, message: Any) -> None:
        if not isinstance(message, dict):
            raise ValueError("not an object")
        if self.request_id is not None and str(message.get("id")) == self.request_id:
            self._answered(client, message)
            return
        event = message.get("event", message)
        if isinstance(event, dict) and isinstance(event.get("e"), str):
            self.on_event(event)

    def _answered(self, client: Client, message: dict[str, Any]) -> None:
        error = message.get("error")
        if error is None and message.get("status", 200) == 200:
            sockname = client.connection.get_extra_info("sockname") if client.connection is not None else None
            self.on_up(sockname[0] if sockname else None)
            client.resolve(None, self.request_id)
            return
        status = message.get("status")
        said = spoken(status if isinstance(status, int) else 400, error)
        cause = "the subscription was refused" if said is None else f"{said.code} {said.text}"
        client.reject(StreamEnded(cause, said), self.request_id)


class GuardedBinance(ccxt.pro.binance):  # type: ignore[misc]  # ccxt is not typed
    """Binance spot over one session of `access`. Belongs to the loop it was made on; close it there.

    With a signer it is one account's; without, it serves public data. ccxt itself never has the secret.
    """

    def __init__(
        self,
        addresses: Addresses,
        session: aiohttp.ClientSession,
        clock: Clock,
        signer: Signer | None = None,
        timeout_ms: int = 10_000,
        door: Door | None = None,
    ) -> None:
        """`door` leads to the rate budget of all who share what the venue counts; without one nothing is counted."""
        self._clock = clock
        self._door = door
        self._venue_ahead_ns = clock.now() - clock.monotonic()  # the venue's time less our monotonic one
        self._lives: dict[str, _Life] = {}
        self._heard_at: int | None = None  # monotonic ns
        self._signer = signer
        self._echoes = Echoes(() if signer is None else signer.hidden())
        super().__init__(
            {
                "session": session,
                "asyncio_loop": asyncio.get_running_loop(),
                "apiKey": None if signer is None else signer.api_key,
                "secret": None if signer is None else _ELSEWHERE,
                "password": None if signer is None else signer.passphrase,
                "timeout": timeout_ms,
                "enableRateLimit": False,  # its queue is first come, first served: cancels would wait behind orders (F87)
                "options": {
                    "maxRetriesOnFailure": 0,  # anything above posts an order again (CCXT.md 7)
                    "recvWindow": RECEIVE_WINDOW_MS,
                    "timeDifference": 0,
                    "fetchMargins": False,
                    "fetchCurrencies": False,
                },
            }
        )
        self.logger.setLevel(logging.WARNING)  # below it ccxt logs signed requests, key and all (CCXT.md 2)
        self.timeout_on_exit = 0
        self.streaming = {"keepAlive": PING_EVERY_MS, "maxPingPongMisses": 2}
        for name in ("enableLastHttpResponse", "enableLastJsonResponse", "enableLastResponseHeaders"):
            setattr(self, name, False)  # shared between concurrent requests, and would keep big answers
        self.urls["api"] = _redirected(self.urls["api"], addresses)
        set_by_others = [name for name in _PROXY_SETTINGS if getattr(self, name, None)]
        if set_by_others or self.verbose:
            raise ValueError(
                f"ccxt must not choose the exit or print requests; unset {', '.join(set_by_others) or 'verbose'}"
            )

    # -- what ccxt calls ------------------------------------------------------------------------------------------------

    def milliseconds(self) -> int:
        """The venue's time as last measured. It goes on by the monotonic clock: a step of ours changes no stamp (F58)."""
        return (self._clock.monotonic() + self._venue_ahead_ns) // 1_000_000

    def hmac(self, request: bytes, secret: bytes, algorithm: Any = None, digest: str = "hex") -> str:
        """All that ccxt wants signed, whatever the kind of key. Raises egress.NotSent: then nothing has left."""
        if self._signer is None:
            raise egress.NotSent("there is no key to sign with")
        try:
            return self._signer.sign(request.decode())
        except NotSigned as why:
            reason = str(why)
        raise egress.NotSent(reason)

    def sign(self, *arguments: Any, **more: Any) -> Any:
        """A request as ccxt makes it, its signature percent-encoded: those in base64 have letters that mean something."""
        ready = super().sign(*arguments, **more)
        return {name: _encoded(value) if name in ("url", "body") else value for name, value in ready.items()}

    def set_last_request(self, request: Any) -> None:
        """Keep nothing: it would hold the key and the signature of the newest request for whoever looks."""

    async def fetch(
        self, url: str, method: str = "GET", headers: Any = None, body: str | None = None
    ) -> Any:  # the one place where a request is as it will leave
        check = _wire_check.get()
        difference = None if check is None else check(body)
        if difference is not None:
            raise egress.NotSent(difference)
        try:
            return await super().fetch(url, method, headers, body)
        finally:
            self.last_request_headers = None  # ccxt keeps them, key and all

    def log(self, *_: Any) -> None:
        """Nothing is printed: where somebody switches `verbose` on, ccxt would print signed requests."""

    def handle_errors(
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        headers: Any,
        body: str,
        response: Any,
        requestHeaders: Any,
        requestBody: Any,
    ) -> None:
        """Note the answer for whoever asked. Which class is raised says nothing; ccxt's mapping is not asked."""
        heard = _heard.get()
        if heard is not None:
            heard.status = code
            heard.headers = about_limits(headers)
            heard.said = spoken(code, response)
            heard.details = response.get("data") if isinstance(response, dict) else None
        if code >= 300:
            raise ccxt.ExchangeError("refused")
        if response is None:  # ccxt would hand on the text as it came
            raise egress.AnswerRefused("the answer could not be read")

    def parse_json(self, http_response: str) -> Any:
        """What was said, strictly read and without our own secrets in it; None if it cannot be read."""
        try:
            return self._echoes.scrub_all(read_json(http_response))
        except Unread as why:
            heard = _heard.get()
            if heard is not None:
                heard.unread = str(why)
        return None

    def _read_frame(self, client: Client, data: str | bytes) -> None:
        """The same for a message of a stream; one that cannot be read ends the stream."""
        trouble = "it is no text"
        if isinstance(data, str):
            try:
                message = self._echoes.scrub_all(read_json(data))
            except Unread as why:
                trouble = str(why)
            else:
                client.on_message_callback(client, message)
                return
        raise StreamEnded(f"a message could not be read: {trouble}")

    def ws_dial_delay(self, url: str) -> float:
        return 0  # whoever runs the stream has a back-off of its own, with jitter

    def client(self, url: str) -> Client:
        is_new = url not in (self.clients or {})
        client = super().client(url)
        if is_new:
            hear = client.handle_message

            def heard(message: Any) -> None:
                self._heard_at = self._clock.monotonic()
                try:
                    hear(message)
                except Exception as error:  # ccxt's receive loop would end without a word, the socket staying open
                    is_ours = isinstance(error, StreamEnded)
                    client.on_error(
                        error if is_ours else StreamEnded(f"a message could not be read ({name_of(error)})")
                    )

            def connected(session: aiohttp.ClientSession) -> Any:  # as ccxt would, but for the bound
                opening = session.ws_connect(
                    url, autoping=False, autoclose=False, compress=15, max_msg_size=MAX_FRAME_BYTES
                )
                return opening.__aenter__()

            client.log = self.log
            client.handle_message = heard
            client.handle_text_or_binary_message = lambda data: self._read_frame(client, data)
            client.create_connection = connected
        return client

    def handle_message(self, client: Client, message: Any) -> None:
        life = self._lives.get(client.url)
        if life is not None:
            life.hear(client, message)

    # -- what we call -----------------------------------------------------------------------------------------------------

    def use_signer(self, signer: Signer) -> None:
        """From the next request on sign with this key. Between two requests: each is signed in one step, with one key."""
        self._signer, self._echoes = signer, Echoes(signer.hidden())
        self.apiKey, self.password = signer.api_key, signer.passphrase

    @property
    def stream_heard_at(self) -> int | None:
        """Monotonic ns of the newest frame of any stream, pings included."""
        return self._heard_at

    def set_clock_offset(self, offset_ms: int) -> None:
        """Stamp requests with the venue's time, which is ours at this moment plus `offset_ms`."""
        self._venue_ahead_ns = self._clock.now() + offset_ms * 1_000_000 - self._clock.monotonic()

    async def call(
        self,
        method: str,
        parameters: Mapping[str, Any],
        priority: Priority,
        *,
        within_ns: int | None = None,
        unwanted: Callable[[], str | None] | None = None,
    ) -> Any:
        """One of ccxt's implicit methods, within `listening`, when its turn has come: waiting comes before the signature.

        Raises egress.NotSent if it gets none within `within_ns`, or `unwanted` gives a reason meanwhile.
        """
        door, heard = self._door, _heard.get()
        if door is None or heard is None:
            return await getattr(self, method)(dict(parameters))
        turn = await door.pass_(
            price_of(method, parameters),
            priority,
            instrument=parameters.get("symbol"),
            within_ns=within_ns,
            unwanted=unwanted,
        )
        if isinstance(turn, NoTurn):
            raise egress.NotSent(turn.reason)
        own_check = egress.last_check.get()

        def check() -> (
            None
        ):  # what came between the turn and the bytes: the last word stays with the sender's own check
            reason = door.stopped(turn)
            if reason is not None:
                raise egress.NotSent(reason)
            if own_check is not None:
                own_check()

        token = egress.last_check.set(check)
        try:
            return await getattr(self, method)(dict(parameters))
        finally:
            egress.last_check.reset(token)
            if heard.status is not None:
                code = None if heard.said is None else heard.said.code
                door.answered(turn, heard.status, code, heard.headers)
            elif not heard.may_have_left:
                door.left(turn)

    async def privatePutOrderAmendKeepPriority(self, parameters: Mapping[str, Any]) -> Any:
        """An end point that ccxt's own table lacks (CCXT.md 14c), named as its implicit methods are."""
        return await self.request("order/amend/keepPriority", ["private"], "PUT", dict(parameters), {})

    def announced(self, rows: Any) -> None:
        """The venue's own list of its limits (`rateLimits` of exchangeInfo)."""
        for row in rows if isinstance(rows, list) and self._door is not None else ():
            limit = announced(row) if isinstance(row, dict) else None
            if limit is not None and self._door is not None:
                self._door.announced(*limit)

    def user_data_request(self) -> dict[str, Any]:
        """The signed subscription to the account's own events; good for the receive window from now on."""
        return {"id": "private", "method": "userDataStream.subscribe.signature", "params": self.sign_params({})}

    async def stream(
        self,
        url: str,
        request: Callable[[], dict[str, Any]],
        on_up: Callable[[str | None], None],
        on_event: Callable[[Mapping[str, Any]], None],
        price: Price,
        priority: Priority,
    ) -> None:
        """Open one socket, send one request (its `id` a string), and hand events over until it ends; raises StreamEnded.

        `request` is called once connected, so that a slow handshake cannot age a signature. `on_up` gets the local
        address, after the request was confirmed and before the first event. Both callbacks run on the loop.
        """
        stale = self.clients.pop(url, None)
        if stale is not None:
            await _closed(stale)
        turn = None if self._door is None else await self._door.pass_(price, priority)
        if isinstance(turn, NoTurn):
            raise StreamEnded(turn.reason)
        client = self.client(url)
        life = self._lives[url] = _Life(on_up, on_event)
        ended = client.future("ended")
        ended.add_done_callback(_consume)
        failure: BaseException | None = None
        was_up = False
        try:
            await client.open(self.session)
            if client.error is None:
                message = request()
                life.request_id = str(message["id"])
                answered = client.future(life.request_id)
                answered.add_done_callback(_consume)
                await client.send(message)
                await asyncio.wait({answered, ended}, timeout=SUBSCRIBE_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
                failure = _failure_of(answered)
                was_up = failure is None
                if was_up:
                    await asyncio.wait({ended})
                    failure = _failure_of(ended)
            failure = failure or client.error
        except Exception as error:
            failure = error
        finally:
            self._lives.pop(url, None)
            await _closed(client)
        refusal = _turned_away(failure)
        if refusal is not None and turn is not None and self._door is not None:
            self._door.answered(turn, refusal[0], None, refusal[1])
        if isinstance(failure, StreamEnded):
            raise StreamEnded(str(failure), failure.said)
        why = "" if failure is None else f" ({name_of(failure)})"
        raise StreamEnded(f"the connection ended{why}" if was_up else f"no connection{why}")


def _encoded(text: str | None) -> str | None:
    """A URL or body with the signature at its end percent-encoded, if it has one."""
    head, mark, signature = (text or "").rpartition("&signature=")
    return head + mark + quote(signature, safe="") if mark else text


def _failure_of(future: "asyncio.Future[Any]") -> BaseException | None:
    """Why `future` holds no result; None if it does."""
    if not future.done():
        return TimeoutError()
    return asyncio.CancelledError() if future.cancelled() else future.exception()


def about_limits(headers: Any) -> dict[str, str]:
    """The headers that say what was used of a limit, and when to come back."""
    named = {str(name).lower(): str(value) for name, value in dict(headers or {}).items()}
    return {
        name: value for name, value in named.items() if name.startswith(("x-mbx-", "x-sapi-")) or name == "retry-after"
    }


def _turned_away(failure: BaseException | None) -> tuple[int, dict[str, str]] | None:
    """The status and headers with which a venue refused a socket or a subscription; None if it did not."""
    while failure is not None:
        if isinstance(failure, aiohttp.WSServerHandshakeError):
            return failure.status, about_limits(failure.headers)
        if isinstance(failure, StreamEnded):
            return None if failure.said is None else (failure.said.status, {})
        failure = failure.__cause__ or next((arg for arg in failure.args if isinstance(arg, BaseException)), None)
    return None


def _consume(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()


async def _closed(client: Client) -> None:
    with contextlib.suppress(Exception):  # what cannot be closed in peace is dropped
        await asyncio.wait_for(client.close(), CLOSE_TIMEOUT_S)


def _redirected(urls: Any, to: Addresses) -> Any:
    """ccxt's table of addresses with ours for what we use and nowhere for everything else, nested ones too (F12)."""
    ours = {
        ("public",): f"{to.rest}/api/v3",
        ("private",): f"{to.rest}/api/v3",
        ("sapi",): f"{to.rest}/sapi/v1",  # the wallet: what moved without a trade
        ("ws", "spot"): to.streams,
        ("ws", "ws-api", "spot"): to.wsapi,
    }
    missing = [path for path in ours if _at(urls, path) is None]
    if missing:
        raise ValueError(f"this ccxt keeps its addresses elsewhere: {missing}; the desk needs another version of it")

    def rewritten(value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {name: rewritten(inner, (*path, name)) for name, inner in value.items()}
        return ours.get(path, _NOWHERE)

    return rewritten(urls, ())


def _at(urls: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        urls = urls.get(name) if isinstance(urls, dict) else None
    return urls
