"""The Adapter of one account on Binance spot: orders over REST, news over the WebSocket API."""

import contextlib
import random
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import msgspec

from tradedesk.access import egress
from tradedesk.access.exit_proof import ExitProof, prove_exit
from tradedesk.access.keyholder import Keyholder, KeySource, signer_of
from tradedesk.access.secret import key_fingerprint
from tradedesk.access.signer_process import SignerFailed
from tradedesk.access.signing import Signer
from tradedesk.clock import Clock
from tradedesk.domain.gate import FLATTENER, Approved, CancelTicket
from tradedesk.domain.instruments import Instrument, Quote
from tradedesk.domain.keys import FINGERPRINT_DIGITS, KeyReport
from tradedesk.domain.movements import Movement
from tradedesk.domain.orders import Fill, Order
from tradedesk.domain.outcomes import (
    Acknowledged,
    MoneyMoved,
    NotSent,
    OrderReport,
    QueryAnswer,
    Refused,
    ReplaceOutcome,
    Unproven,
    VenueInfo,
    VenueState,
)
from tradedesk.domain.words import AccountId, ClientOrderId, RequestId, VenueId
from tradedesk.log import Log
from tradedesk.venues import spot, spot_key, spot_ledger, spot_profile, spot_quote
from tradedesk.venues.adapter import LastCheck, Markets, PrivateNews, VenueFailed
from tradedesk.venues.ccxt_binance import (
    RECEIVE_WINDOW_MS,
    Addresses,
    GuardedBinance,
    Heard,
    StreamEnded,
    listening,
    name_of,
    was_not_sent,
)
from tradedesk.venues.outcomes import ARCHIVED, Asked, Spoken, is_about_rules, is_refusal, spoken
from tradedesk.venues.pools import Priority
from tradedesk.venues.questions import NoAnswer, ask, load_instruments, no_answer, readable, told, venue_clock
from tradedesk.venues.spot_stream import TIMESTAMP_REFUSED, SpotStream
from tradedesk.venues.turns import Door

ENGINE_TIMEOUT_MS = 10_000  # the venue's own, after which it says -1007
QUERY_LAG_MS = 2_000
_STAMPED_AHEAD_MS = (
    1_000  # the venue takes a stamp so far ahead of its clock, as ours may be once it was set (F57, F58)
)
PAGE = 1_000  # rows of myTrades, the most there are
MOST_TRADES = 500_000  # in one question; a venue that goes on giving full pages is not read for ever
_DAY_MS = 24 * 3600 * 1000  # the longest span the venue lists trades over
_REMEMBERED_IDS = 10_000
_CLOCKS_APART_MS = 1_000  # how far off the measure of the venue's clock can be
_NO_SUCH_ORDER = -2013


class SpotAdapter:
    """Implements Adapter. Made on any thread; from `start` to `close` it belongs to one loop."""

    def __init__(
        self,
        *,
        account: AccountId,
        venue: VenueId,
        secret: KeySource,
        exit_: egress.Egress,
        addresses: Addresses,
        markets: Markets,
        last_check: LastCheck,
        clock: Clock,
        chance: random.Random,
        timeout_ms: int = 10_000,
        door: Door | None = None,
    ) -> None:
        self._account = account
        self._venue = venue
        self._keys = Keyholder(secret, clock)
        self._exit = exit_
        self._addresses = addresses
        self._markets = markets
        self._last_check = last_check
        self._clock = clock
        self._chance = chance
        self._timeout_ms = timeout_ms
        self._door = door
        self._session: aiohttp.ClientSession | None = None
        self._ccxt: GuardedBinance | None = None
        self._offset_ms: int | None = None
        self._doubts_clock = False
        self._client_ids: OrderedDict[tuple[str, str], ClientOrderId] = (
            OrderedDict()
        )  # by instrument and venue order id
        self._log = Log(account=account)
        self._stream = SpotStream(
            exchange=lambda: self._exchange,
            url=addresses.wsapi,
            heard=self._told_by_stream,
            clock_refused=self._clock_was_refused,
            clock=clock,
            chance=chance,
            log=self._log,
        )

    # -- life -------------------------------------------------------------------------------------------------------------

    async def start(self) -> VenueInfo:
        if self._ccxt is None:
            await self._open()
        await self._signing()
        await readable(self._measure_clock())
        if self._markets.symbols and not self._markets.instruments:  # who only cancels needs none
            self._markets.put(await readable(load_instruments(self._exchange, self._venue, self._markets.symbols)))
        return VenueInfo(
            receive_window_ms=RECEIVE_WINDOW_MS + _STAMPED_AHEAD_MS,
            engine_timeout_ms=ENGINE_TIMEOUT_MS,
            query_lag_ms=QUERY_LAG_MS,
            has_native_amend=any(instrument.can_shrink for instrument in self._markets.instruments),
            dead_man="none",
            instruments=self._markets.instruments,
        )

    async def _open(self) -> None:
        signer, cause = await self._signer(), ""
        try:
            self._session = egress.open_session(self._exit, self._addresses.hosts)
            self._ccxt = GuardedBinance(
                self._addresses, self._session, self._clock, signer, self._timeout_ms, self._door
            )
        except egress.EgressError as error:
            cause = str(error)
        if cause:
            raise VenueFailed(cause)

    async def _signer(self) -> Signer:
        """Whoever signs for the account; started anew if it ended. Raises VenueFailed."""
        try:
            signer = await self._keys.ready()
            if self._ccxt is not None:
                self._ccxt.use_signer(signer)
            return signer
        except SignerFailed as error:
            cause = str(error)
        raise VenueFailed(cause)

    async def _signing(self) -> None:
        """See to it that requests can be signed. Raises VenueFailed."""
        if self._keys.trouble() is not None:
            await self._signer()

    async def prove_key(self, source: KeySource) -> tuple[Signer, KeyReport]:
        fingerprint, signer, cause = "", None, ""
        try:
            signer = await signer_of(source)
            fingerprint = key_fingerprint(signer.api_key)[:FINGERPRINT_DIGITS]
        except SignerFailed as error:
            cause = str(error)
        if signer is None:
            raise VenueFailed(cause)
        if self._ccxt is None:
            await self._open()
        session = self._session
        assert session is not None  # it came with the exchange
        probe = GuardedBinance(self._addresses, session, self._clock, signer, self._timeout_ms, self._door)
        try:
            if self._offset_ms is None:
                await readable(self._measure_clock())
            probe.set_clock_offset(self._offset_ms or 0)
            return signer, await readable(spot_key.look_at_key(probe, fingerprint))
        except BaseException:
            signer.close()
            raise
        finally:
            await probe.close()  # the session stays: it is the account's

    def use_key(self, source: KeySource, signer: Signer) -> None:
        self._exchange.use_signer(signer)
        self._keys.replace(source, signer)

    async def move_stream(self) -> None:
        try:
            return await self._stream.move()
        except TimeoutError:
            pass
        raise VenueFailed("the private stream of the new key did not come up in time")

    async def close(self) -> None:
        exchange, session = self._ccxt, self._session
        self._ccxt = self._session = None
        self._keys.close()
        if exchange is not None:
            await exchange.close()
        if session is not None:
            await session.close()

    def exit_seen(self) -> str | None:
        return self._exit.seen_as(self._stream.exit_seen)

    def stream_age_ns(self) -> int | None:
        heard = self._ccxt.stream_heard_at if self._ccxt is not None and self._stream.exit_seen is not None else None
        return None if heard is None else self._clock.monotonic() - heard

    def held_up(self) -> str | None:
        return self._keys.trouble() or (None if self._door is None else self._door.ban())

    @property
    def clock_offset_ms(self) -> int | None:
        return self._offset_ms

    @property
    def _exchange(self) -> GuardedBinance:
        if self._ccxt is None:
            raise VenueFailed("the account's exit is not open")
        return self._ccxt

    async def _measure_clock(self, priority: Priority = Priority.Look) -> int:
        """Learn how far apart the clocks are; returns the venue's time as it told it, ns."""
        found = await venue_clock(self._exchange, self._clock, priority)
        if found.offset_ms is not None:
            self._offset_ms = found.offset_ms
            self._exchange.set_clock_offset(found.offset_ms)
            self._doubts_clock = False
        elif self._offset_ms is None:  # else what was measured before is nearer the truth
            raise VenueFailed("it answers too slowly for its clock to be measured")
        return found.time_ms * spot.NS_PER_MS

    # -- orders -----------------------------------------------------------------------------------------------------------

    async def place(self, approved: Approved) -> Acknowledged | Refused | Unproven | NotSent:
        order, request_id = approved.order, approved.request_id
        parameters = spot.new_order_parameters(order, approved.instrument)
        answer, heard = await self._send(approved, "privatePostOrder", parameters)
        match answer:
            case NotSent():
                return answer
            case NoAnswer():
                return _refused_or_unproven(request_id, Asked.Place, heard.said, answer.cause)
        return self._acknowledged(request_id, answer, order)

    async def replace(self, approved: Approved) -> ReplaceOutcome | Acknowledged | Refused | NotSent | Unproven:
        old, request_id = approved.replaces, approved.request_id
        if old is None:
            raise ValueError(f"{approved.order.client_order_id} replaces no order; place it instead")
        if approved.is_in_place:
            return await self._amend(approved)
        parameters = spot.replace_parameters(approved.order, old, approved.instrument)
        answer, heard = await self._send(approved, "privatePostOrderCancelReplace", parameters)
        match answer:
            case NotSent():
                return answer
            case NoAnswer() if isinstance(heard.details, dict):
                return self._replaced(request_id, heard.details, heard.status or 0, old, approved.order)
            case NoAnswer():
                whole = _refused_or_unproven(request_id, Asked.Place, heard.said, answer.cause)
                if isinstance(whole, Unproven):
                    return whole
                return ReplaceOutcome(request_id=request_id, cancel=whole, new=None)  # it looked at neither leg
        return self._replaced(request_id, answer, 200, old, approved.order)

    async def _amend(self, approved: Approved) -> Acknowledged | Refused | Unproven | NotSent:
        """Make an order smaller where it stands. Whether its client id is still ours is for the manager to see (F24)."""
        order, request_id = approved.order, approved.request_id
        parameters = spot.amend_parameters(order, approved.instrument)
        answer, heard = await self._send(approved, "privatePutOrderAmendKeepPriority", parameters)
        match answer:
            case NotSent():
                return answer
            case NoAnswer():
                return _refused_or_unproven(request_id, Asked.Amend, heard.said, answer.cause)
        return self._acknowledged(request_id, answer, order, asked=Asked.Amend)

    async def cancel(self, ticket: CancelTicket) -> Acknowledged | Refused | Unproven | NotSent:
        order, request_id = ticket.order, ticket.request_id
        parameters = {"symbol": ticket.instrument.venue_symbol, "origClientOrderId": order.venue_client_id}
        answer, heard = await self._ask("privateDeleteOrder", parameters, Priority.Cancel)
        if isinstance(answer, NoAnswer) and answer.is_unsent:
            return NotSent(request_id=request_id, reason=answer.cause)
        if isinstance(answer, NoAnswer):
            return _refused_or_unproven(request_id, Asked.Cancel, heard.said, answer.cause)
        return self._acknowledged(request_id, answer, order, asked=Asked.Cancel)

    async def _send(self, approved: Approved, method: str, parameters: dict[str, str]) -> tuple[Any, Heard]:
        """Send an order once: the venue's answer, NoAnswer, or NotSent; and what was heard with it.

        It waits for its turn first, no longer than its deadline and while nothing speaks against it; the last check stays
        the last thing before the bytes.
        """
        order, instrument, heard = approved.order, approved.instrument, Heard()
        stopped = spot.why_not_sendable(order, instrument) or await self._clock_trouble(Priority.Order)
        if stopped is None:
            failure: Exception | None = None
            with listening(
                last=lambda: self._last_check(approved),
                wire=lambda body: spot.wire_difference(body, order, instrument, is_amend=approved.is_in_place),
            ) as heard:
                try:
                    answer = await self._exchange.call(
                        method,
                        parameters,
                        Priority.Cancel if order.operator == FLATTENER else Priority.Order,
                        within_ns=order.deadline - self._clock.now(),
                        unwanted=lambda: self._last_check(approved),
                    )
                    return answer, heard
                except Exception as error:  # whatever its class, it proves nothing; what was heard may (5.2)
                    failure = error
            self._watch_clock(heard)
            self._watch_rules(heard.said)
            if not was_not_sent(failure, heard):
                return no_answer(failure, heard), heard
            stopped = name_of(failure)
        return NotSent(request_id=approved.request_id, reason=stopped), heard

    async def _clock_trouble(self, priority: Priority) -> str | None:
        """After a refused time stamp the clock is measured anew before the next order; why that failed, if it did (F57)."""
        if not self._doubts_clock:
            return None
        try:
            await readable(self._measure_clock(priority))
        except VenueFailed as error:
            return f"the venue refused our clock, and does not tell its own: {error.cause}"
        return None

    async def _ask(self, method: str, parameters: Mapping[str, Any], priority: Priority) -> tuple[Any, Heard]:
        """The venue's answer or NoAnswer, and what was heard with it. A clock in doubt is measured first: cancels need it too."""
        with contextlib.suppress(VenueFailed):  # the question itself says what is wrong
            await self._signing()
        await self._clock_trouble(priority)  # if that fails the question goes all the same; a cancel is not held back
        answer, heard = await ask(self._exchange, method, parameters, priority)
        self._watch_clock(heard)
        return answer, heard

    def _watch_clock(self, heard: Heard) -> None:
        if heard.said is not None and heard.said.code == TIMESTAMP_REFUSED:
            self._doubts_clock = True

    def _watch_rules(self, said: Spoken | None) -> None:
        if said is not None and is_about_rules(said):
            self._markets.doubt()

    def _acknowledged(
        self, request_id: RequestId, answer: Any, order: Order, *, asked: Asked = Asked.Place
    ) -> Acknowledged | Unproven:
        """Only if the answer names our order and contradicts it in nothing (5.2, F04)."""
        try:
            if asked is Asked.Amend:
                report = spot.read_amended(answer, self._venue)
            else:
                report = spot.read_order(answer, self._venue, is_cancel=asked is Asked.Cancel)
            fills = spot.read_answer_fills(answer, order) if asked is Asked.Place else ()
            cause = spot.contradiction(report, order)
            if cause is None:
                self._learn(report)
                is_thin_cancel = asked is Asked.Cancel and report.ord_status is None
                return Acknowledged(request_id=request_id, report=None if is_thin_cancel else report, fills=fills)
        except spot.Unreadable as error:
            cause = f"the answer could not be read: {error}"
        return Unproven(request_id=request_id, cause=cause)

    def _replaced(
        self, request_id: RequestId, legs: Any, status: int, old: Order, order: Order
    ) -> ReplaceOutcome | Unproven:
        """Both legs of an answer, each by its own proof (F23)."""
        if not isinstance(legs, dict) or "cancelResult" not in legs or "newOrderResult" not in legs:
            return Unproven(request_id=request_id, cause="the answer does not say what became of the two orders")

        def leg(result: Any, response: Any, asked: Asked) -> Acknowledged | Refused | Unproven | None:
            is_cancel = asked is Asked.Cancel
            match result:
                case "SUCCESS":
                    return self._acknowledged(request_id, response, old if is_cancel else order, asked=asked)
                case "FAILURE":
                    said = spoken(status, response)
                    self._watch_rules(said)
                    cause = "it failed, and the venue does not say why" if said is None else f"{said.code} {said.text}"
                    return _refused_or_unproven(request_id, asked, said, cause)
                case "NOT_ATTEMPTED":
                    return None
            return Unproven(request_id=request_id, cause="the venue does not say what became of it")

        cancelled = leg(legs["cancelResult"], legs.get("cancelResponse"), Asked.Cancel)
        placed = leg(legs["newOrderResult"], legs.get("newOrderResponse"), Asked.Place)
        if cancelled is None:
            cancelled = Unproven(request_id=request_id, cause="the cancel was not attempted")
        return ReplaceOutcome(request_id=request_id, cancel=cancelled, new=placed)

    # -- questions --------------------------------------------------------------------------------------------------------

    async def touch(self, instrument: Instrument) -> Quote:
        """Best bid and offer now, asked of the venue. Raises VenueFailed."""
        return await readable(spot_quote.touch(self._exchange, instrument, self._clock))

    async def query(self, order: Order, instrument: Instrument) -> QueryAnswer:
        client_order_id = order.client_order_id
        named = {"symbol": instrument.venue_symbol, "origClientOrderId": order.venue_client_id}
        answer, heard = await self._ask("privateGetOrder", named, Priority.Doubt)
        if _says_absent(heard) and order.venue_order_id is not None:  # under another client id now, perhaps (F24)
            named = {"symbol": instrument.venue_symbol, "orderId": order.venue_order_id}
            answer, heard = await self._ask("privateGetOrder", named, Priority.Doubt)
        if isinstance(answer, NoAnswer):
            if heard.said is not None and heard.said.code == ARCHIVED:
                return QueryAnswer(client_order_id=client_order_id, report=spot.archived(order))
            failed = None if _says_absent(heard) else answer.cause
            return QueryAnswer(client_order_id=client_order_id, report=None, failed=failed)
        read = self._queried(answer, order, is_by_venue_id="orderId" in named)
        if isinstance(read, str):
            return QueryAnswer(client_order_id=client_order_id, report=None, failed=read)
        return QueryAnswer(client_order_id=client_order_id, report=read)

    def _queried(self, answer: Any, order: Order, *, is_by_venue_id: bool) -> OrderReport | str:
        """The report, or why it is none."""
        try:
            report = spot.read_order(answer, self._venue)
        except spot.Unreadable as error:
            return f"the answer could not be read: {error}"
        if is_by_venue_id and report.client_order_id != order.venue_client_id:
            report = msgspec.structs.replace(report, renamed_from=order.venue_client_id)
        cause = spot.contradiction(report, order)
        if cause is not None:
            return cause
        self._learn(report)
        return report

    async def fills_of(self, order: Order, instrument: Instrument) -> tuple[Fill, ...]:
        return await readable(self._fills_of(order, instrument))

    async def _fills_of(self, order: Order, instrument: Instrument) -> tuple[Fill, ...]:
        venue_order_id = order.venue_order_id
        if venue_order_id is None:
            answer = await self.query(order, instrument)
            if answer.failed is not None:
                raise VenueFailed(answer.failed)
            if answer.report is None:
                return ()
            venue_order_id = answer.report.venue_order_id
        about = {"symbol": instrument.venue_symbol, "orderId": venue_order_id}
        rows = await self._trade_rows(about, {}, Priority.Doubt)
        return tuple(spot.read_trade(row, self._venue, self._account, order.client_order_id) for row in rows)

    async def venue_state(self, since_ns: int | None, *, is_for_a_sweep: bool = False) -> VenueState:
        return await readable(self._venue_state(since_ns, Priority.Cancel if is_for_a_sweep else Priority.Look))

    async def _venue_state(self, since_ns: int | None, priority: Priority) -> VenueState:
        await self._signing()
        taken_at = self._clock.now()
        venue_time = await self._measure_clock(priority)
        rows = spot.rows_of(await told(self._exchange, "privateGetOpenOrders", {}, priority), "openOrders")
        open_orders = tuple(spot.read_order(row, self._venue) for row in rows)
        for report in open_orders:
            self._learn(report)
        fills: list[Fill] = []
        if since_ns is not None:
            for instrument in self._markets.instruments:
                fills += await self._fills_since(instrument, since_ns, priority)
        account = await told(self._exchange, "privateGetAccount", {"omitZeroBalances": "true"}, priority)
        balances = spot.read_balances(account)
        if self._door is not None:
            self._door.looked()
        return VenueState(
            account=self._account,
            open_orders=open_orders,
            fills=tuple(sorted(fills, key=lambda fill: (fill.transact_time, fill.instrument, int(fill.trade_id)))),
            balances=balances,
            taken_at=taken_at,
            venue_time=venue_time,
            profile=spot_profile.read_profile(account, self._markets.instruments),
        )

    async def _fills_since(self, instrument: Instrument, since_ns: int, priority: Priority) -> list[Fill]:
        start = since_ns // spot.NS_PER_MS
        end = self._clock.now() // spot.NS_PER_MS + (self._offset_ms or 0)
        symbol = instrument.venue_symbol
        rows: list[Any] = []
        while not rows:  # the venue lists at most a day by time
            is_last = start + _DAY_MS > end
            until = {} if is_last else {"endTime": start + _DAY_MS - 1}
            rows = await self._trade_rows({"symbol": symbol}, {"startTime": start} | until, priority)
            if is_last:
                break
            start += _DAY_MS
        fills = [
            spot.read_trade(row, self._venue, self._account, await self._client_order_id(instrument, row, priority))
            for row in rows
        ]
        return [fill for fill in fills if fill.transact_time >= since_ns]

    async def _trade_rows(
        self, about: dict[str, Any], first_page: dict[str, Any], priority: Priority = Priority.Look
    ) -> list[Any]:
        """myTrades `about` something: the first page as asked for, then on by trade id, which neither loses nor repeats."""
        rows: list[Any] = []
        page = first_page
        while True:
            asked = about | page | {"limit": PAGE}
            more = spot.rows_of(await told(self._exchange, "privateGetMyTrades", asked, priority), "myTrades")
            rows += more
            is_cut_by_time = bool(page) and "fromId" not in page
            if not more or (len(more) < PAGE and not is_cut_by_time):
                return rows
            if len(rows) >= MOST_TRADES:
                raise spot.Unreadable("its list of trades has no end")
            page = {"fromId": spot.integer_field(spot.row_of(more[-1], "a trade"), "id") + 1}

    async def _client_order_id(self, instrument: Instrument, row: Any, priority: Priority) -> ClientOrderId:
        """Whose fill a row of myTrades is; asked of the venue where we have not seen the order."""
        order_id = str(spot.integer_field(spot.row_of(row, "a trade"), "orderId"))
        key = (instrument.id, order_id)
        if key not in self._client_ids:
            asked = {"symbol": instrument.venue_symbol, "orderId": order_id}
            answer, heard = await self._ask("privateGetOrder", asked, priority)
            if not isinstance(answer, NoAnswer):
                self._learn(spot.read_order(answer, self._venue))
            elif not _says_absent(heard):
                raise VenueFailed(answer.cause)
        return self._client_ids.get(key, ClientOrderId(order_id))  # archived by the venue: its own id has to do

    def _learn(self, report: OrderReport) -> None:
        key = (report.instrument, report.venue_order_id)
        self._client_ids[key] = report.client_order_id
        self._client_ids.move_to_end(key)
        if len(self._client_ids) > _REMEMBERED_IDS:
            self._client_ids.popitem(last=False)

    async def movements(self, since_ns: int) -> tuple[Movement, ...]:
        since = since_ns // spot.NS_PER_MS
        until = self._clock.now() // spot.NS_PER_MS + (self._offset_ms or 0) + _CLOCKS_APART_MS
        found = await readable(spot_ledger.movements(self._exchange, self._account, since, until))
        return tuple(movement for movement in found if movement.transact_time >= since_ns)

    async def prove_exit(self, expected: str | None, check_url: str | None) -> ExitProof:
        return await prove_exit(self._exit, expected, check_url, local=self._stream.exit_seen)

    async def key_report(self) -> KeyReport:
        fingerprint = key_fingerprint((await self._signer()).api_key)[:FINGERPRINT_DIGITS]
        return await readable(spot_key.look_at_key(self._exchange, fingerprint))

    # -- the private stream -----------------------------------------------------------------------------------------------

    async def run_private(self, sink: Callable[[PrivateNews], None]) -> None:
        await self._stream.run(sink)

    async def _clock_was_refused(self) -> None:
        self._doubts_clock = True
        await self._clock_trouble(Priority.Look)

    def _told_by_stream(self, event: Mapping[str, Any], sink: Callable[[PrivateNews], None]) -> None:
        match event["e"]:
            case "executionReport":
                report = spot.read_execution_report(event, self._venue, self._account)
                self._learn(report)
                sink(report)
            case "outboundAccountPosition":
                sink(spot.read_account_position(event))
            case "balanceUpdate":
                sink(MoneyMoved(asset=spot.name_field(event, "a")))
            case "eventStreamTerminated":
                raise StreamEnded("the venue ended the subscription")


def _says_absent(heard: Heard) -> bool:
    """Whether the venue says, with proof, that it has no such order."""
    return heard.said is not None and heard.said.code == _NO_SUCH_ORDER and is_refusal(Asked.Query, heard.said)


def _refused_or_unproven(request_id: RequestId, asked: Asked, said: Spoken | None, cause: str) -> Refused | Unproven:
    if said is not None and is_refusal(asked, said):
        return Refused(request_id=request_id, code=said.code, text=said.text, is_auth=said.is_auth)
    return Unproven(request_id=request_id, cause=cause)
