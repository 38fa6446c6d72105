"""What the effects of decisions ask of the venue, performed once each: every one ends in an answer, whatever goes wrong."""

from collections.abc import Callable
from decimal import Decimal

from tradedesk.accounts.core import Core
from tradedesk.clock import Clock
from tradedesk.domain.gate import Approved
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.outcomes import Answer, MovementsAnswer, NotSent, QueryAnswer, Unproven
from tradedesk.domain.words import AccountId
from tradedesk.journal.store import JournalError
from tradedesk.log import Log, where
from tradedesk.orders.messages import Ask, AskFills, AskMovements, FillsAnswer, Message, SendCancel
from tradedesk.venues.adapter import Adapter, VenueFailed


class Performer:
    """Of one start of a worker, on its loop. `answer` takes what comes of it; `look` asks for a reconciliation."""

    def __init__(
        self,
        core: Core,
        adapter: Adapter,
        *,
        answer: Callable[[Message], object],
        look: Callable[[], None],
        clock: Clock,
        log: Log,
        watches: str | None,
    ) -> None:
        self._core = core
        self._adapter = adapter
        self._answer = answer
        self._wants_look = look
        self._clock = clock
        self._log = log
        self._watches = watches  # why nothing may be sent: another desk drives the account
        self._account: AccountId = core.account.id
        self.ack_ms: Decimal | None = None  # of the newest order

    async def send(self, approved: Approved) -> None:
        """Send one order once its record is on disk. Whatever goes wrong on the way, nothing is concluded from it (5.2)."""
        started = self._clock.monotonic()
        answer: Answer = Unproven(request_id=approved.request_id, cause="the sending was interrupted")
        try:
            record = self._core.record_of(approved.order.client_order_id)
            if record is None or isinstance(record, JournalError):
                raise record or JournalError("the order was not recorded")
            await record
            answer = await (
                self._adapter.place(approved) if approved.replaces is None else self._adapter.replace(approved)
            )
        except JournalError as error:
            answer = NotSent(request_id=approved.request_id, reason=f"not recorded, so not sent: {error}")
        except Exception as error:  # a bug on the way proves nothing about the venue
            self._log.error("send_failed", account=self._account, cause=where(error))
            answer = Unproven(request_id=approved.request_id, cause=type(error).__name__)
        finally:
            self._core.forget_record(approved.order.client_order_id)
            self._answer(answer)
        if not isinstance(answer, NotSent):
            self.ack_ms = Decimal((self._clock.monotonic() - started) // 1000) / 1000

    async def cancel(self, effect: SendCancel) -> None:
        if self._watches is not None:
            self._answer(NotSent(request_id=effect.ticket.request_id, reason=self._watches))
            return
        answer: Answer = Unproven(request_id=effect.ticket.request_id, cause="the cancel was interrupted")
        try:
            answer = await self._adapter.cancel(effect.ticket)
        except Exception as error:
            self._log.error("cancel_failed", account=self._account, cause=where(error))
            answer = Unproven(request_id=effect.ticket.request_id, cause=type(error).__name__)
        finally:
            self._answer(answer)

    async def ask(self, effect: Ask) -> None:
        instrument = self._core.manager.books.instruments.get(effect.order.instrument)
        if instrument is not None:
            self._answer(await self._query(effect, instrument))

    async def _query(self, effect: Ask, instrument: Instrument) -> QueryAnswer:
        try:
            return await self._adapter.query(effect.order, instrument)
        except Exception as error:
            return QueryAnswer(client_order_id=effect.order.client_order_id, report=None, failed=type(error).__name__)

    async def ask_fills(self, effect: AskFills) -> None:
        instrument = self._core.manager.books.instruments.get(effect.order.instrument)
        if instrument is None:
            return
        try:
            fills = await self._adapter.fills_of(effect.order, instrument)
            failed = None
        except VenueFailed as error:
            fills, failed = (), error.cause
            self._wants_look()
        self._answer(
            FillsAnswer(client_order_id=effect.order.client_order_id, fills=fills, report=effect.report, failed=failed)
        )

    async def ask_movements(self, effect: AskMovements) -> None:
        try:
            answer = MovementsAnswer(movements=await self._adapter.movements(effect.since))
        except VenueFailed as error:
            answer = MovementsAnswer(movements=(), failed=error.cause)
        except Exception as error:
            answer = MovementsAnswer(movements=(), failed=type(error).__name__)
        self._answer(answer)
