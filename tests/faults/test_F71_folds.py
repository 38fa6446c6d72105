"""F71: events of orders and alerts by the hundred thousand leave a desk's fold as large as it was, and an account's little larger."""

from collections.abc import Iterator

from builders import NOW, a_fill, an_instrument, an_order
from order_builders import ACME, an_account

from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.orders import Happening, OrdStatus, RequestState
from tradedesk.domain.words import AccountId, ClientOrderId, RequestId
from tradedesk.orders.books import Books
from tradedesk.views.replica import Replica

EVENTS = 40_000
EACH = 8  # events of one order's life
BTC = an_instrument()


def life(number: int, account: AccountId) -> Iterator[ev.Event]:
    """An order that trades and ends, and what goes on beside it."""
    key, at = ClientOrderId(f"c{number}"), NOW + number
    about = {"at": at, "source": "test", "account": account, "client_order_id": key}
    placed = an_order(OrdStatus.PendingNew, account=account, client_order_id=key)
    fill = a_fill(str(placed.order_qty), "60000", trade_id=str(number), account=account, client_order_id=key)
    yield ev.OrderPlaced(at=at, source="test", order=placed)
    yield ev.RequestDecided(**about, request_id=RequestId(key), state=RequestState.Acknowledged)  # type: ignore[arg-type]
    yield ev.OrderMoved(**about, happening=Happening.Accepted)  # type: ignore[arg-type]
    yield ev.OrderFilled(at=at, source="test", fill=fill)
    alert = Alert(key=f"a{number}", rule="test", severity=Severity.Warning, account=account, text="told", at=at)
    yield ev.AlertRaised(at=at, source="test", alert=alert)
    yield ev.AlertEnded(at=at, source="test", key=alert.key)
    yield ev.LogWritten(at=at, source="test", level="info", event="told", text=f"number={number}")
    yield ev.Heartbeat(at=at, source="test")


def sizes(fold: object) -> dict[str, int]:
    """How many of everything it holds."""
    return {name: len(held) for name, held in vars(fold).items() if hasattr(held, "__len__")}


def fold(folds: list[Replica | Books], first: int, count: int) -> None:
    for number in range(first, first + count // EACH):
        for event in life(number, ACME):
            for each in folds:
                each.apply(event) if isinstance(each, Replica) else each.read((event,))


def test_F71_however_many_events_a_desks_fold_stays_as_large_as_it_was_and_an_accounts_grows_by_ids_alone() -> None:
    """5.13"""
    listed = ev.InstrumentListed(at=NOW, source="test", instrument=BTC)
    desk, books = Replica(), Books(an_account(), [BTC], [listed], NOW)
    desk.apply(listed)
    desk.apply(ev.AccountListed(at=NOW, source="test", account=an_account()))
    fold([desk, books], 0, EVENTS // 2)
    before = {"desk": sizes(desk), "books": sizes(books), "books' own": sizes(books.replica)}
    fold([desk, books], EVENTS, EVENTS // 2)
    after = {"desk": sizes(desk), "books": sizes(books), "books' own": sizes(books.replica)}
    grown = {f"{fold}: {name}" for fold in before for name in after[fold] if after[fold][name] > before[fold][name]}
    assert grown == {"books: known_ids", "books: fill_keys"}  # so that no order and no fill ever comes again (5.2, 5.3)
