"""What is not known is asked: requests of which nothing is proved, and the questions about their orders (5.2)."""

from msgspec import Struct

from tradedesk.domain.orders import AmendBy, Order, RequestKind, RequestState
from tradedesk.domain.outcomes import VenueInfo
from tradedesk.domain.words import ClientOrderId, RequestId
from tradedesk.orders.books import MS, Books
from tradedesk.orders.messages import Ask

ASK_EVERY_NS = 500 * MS  # between two questions about one unknown request
ANSWER_LOST_NS = 30_000 * MS  # longer than any question takes: its answer is not coming any more, so ask anew
OPEN_REQUEST = (RequestState.Pending, RequestState.Unknown)


class Doubt(Struct, kw_only=True):
    """An unknown request that is being cleared up by asking. All in ns of the monotonic clock."""

    client_order_id: ClientOrderId
    since: int  # when the bytes may have left
    ask_at: int


class Question(Struct, kw_only=True):
    """One order is being asked about; the answer says what was so when it was asked or after, never before."""

    asked_at: int  # our clock, ns
    elapsed: int  # the monotonic clock then, ns
    is_outdated: bool = False  # something came up since: ask again when it is answered


class Absence(Struct, kw_only=True):
    """An order was proved, and the venue does not find it: its queries may run behind, so it is asked a second time."""

    lag_over: int  # monotonic ns: from then on a query must find it
    is_asked_again: bool = False
    is_proved: bool = False  # and a query that must have found it did not


class Doubts:
    """What is being asked, and since when; what an answer says of an order is for `Progress`."""

    def __init__(self, books: Books, info: VenueInfo) -> None:
        self._books = books
        self._info = info
        self._doubts: dict[RequestId, Doubt] = {}
        self._questions: dict[ClientOrderId, Question] = {}
        self._absences: dict[ClientOrderId, Absence] = {}

    @property
    def are_cleared(self) -> bool:
        """Whether no request is unknown."""
        return not self._doubts

    def add(self, order: Order, request_id: RequestId, *, ask_in: int = ASK_EVERY_NS) -> None:
        """Start asking, if it is unknown. The window runs from now: the bytes may have left at this very moment."""
        if self._books.state_of(order, request_id) is RequestState.Unknown:
            now = self._books.elapsed
            self._doubts[request_id] = Doubt(client_order_id=order.client_order_id, since=now, ask_at=now + ask_in)

    def ask(self, order: Order) -> None:
        """Ask about the order, one question at a time: so that an answer belongs to its question."""
        question = self._open_question(order.client_order_id)
        if question is not None:
            question.is_outdated = True
            return
        self._questions[order.client_order_id] = Question(asked_at=self._books.now, elapsed=self._books.elapsed)
        self._books.effects.append(Ask(order=order))

    def answered(self, client_order_id: ClientOrderId) -> Question | None:
        """The question that this was the answer to; None if it was given up as lost."""
        return self._questions.pop(client_order_id, None)

    def tick(self) -> None:
        for request_id, doubt in list(self._doubts.items()):
            order = self._books.order(doubt.client_order_id)
            if order is None or self._books.state_of(order, request_id) not in OPEN_REQUEST:
                del self._doubts[request_id]
            elif doubt.ask_at <= self._books.elapsed and self._open_question(doubt.client_order_id) is None:
                doubt.ask_at = self._books.elapsed + ASK_EVERY_NS
                self.ask(order)

        for client_order_id, absence in list(self._absences.items()):
            order = self._books.live.get(client_order_id)
            if order is None:
                del self._absences[client_order_id]
            elif not absence.is_asked_again and absence.lag_over <= self._books.elapsed:
                absence.is_asked_again = True
                self.ask(order)

    def _open_question(self, client_order_id: ClientOrderId) -> Question | None:
        question = self._questions.get(client_order_id)
        is_lost = question is None or question.elapsed <= self._books.elapsed - ANSWER_LOST_NS
        return None if is_lost else question

    # -- when an answer proves that a request never arrived ---------------------------------------------------------------

    def window_ns(self) -> int:
        """How long a request may still arrive or be hidden: receive window, the venue's own time-out, lag of queries."""
        return (self._info.receive_window_ms + self._info.engine_timeout_ms + self._info.query_lag_ms) * MS

    def is_over(self, request_id: RequestId, question: Question) -> bool:
        """Whether the request is in doubt, and nothing of it could arrive any more when the venue was asked."""
        doubt = self._doubts.get(request_id)
        return doubt is not None and question.elapsed >= doubt.since + self.window_ns()

    def must_be_shown(self, order: Order, question: Question) -> bool:
        """Whether an order that was proved must have been found: the venue did not find it before either, a lag ago.

        The first time it is asked about once more, when the lag of queries is over.
        """
        lag = self._info.query_lag_ms * MS
        known = self._absences.setdefault(order.client_order_id, Absence(lag_over=self._books.elapsed + lag))
        known.is_proved = known.is_proved or question.elapsed >= known.lag_over
        return known.is_proved

    def has_vanished(self, order: Order) -> bool:
        """Whether the venue, which had the order, was proved not to know it any more (F35)."""
        absence = self._absences.get(order.client_order_id)
        return absence is not None and absence.is_proved

    def shown_open(self, order: Order, question: Question) -> None:
        """It was open when it was asked about: its unknown cancels and amends that cannot arrive any more never did."""
        self._absences.pop(order.client_order_id, None)
        for request in order.requests:
            if request.state is not RequestState.Unknown or not self.is_over(request.request_id, question):
                continue
            if request.kind is RequestKind.Cancel:
                self._books.decided(order, request.request_id, RequestState.NeverArrived, "the order is still open")
            elif request.by is AmendBy.InPlace:
                reason = "the order is still as large as it was"
                self._books.decided(order, request.request_id, RequestState.NeverArrived, reason)
