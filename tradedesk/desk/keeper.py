"""What a checkpoint of the journal is made of: the desk's own fold, and each account's books."""

from collections.abc import Iterable
from functools import cache
from hashlib import blake2b

import msgspec

from tradedesk import __version__
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, Mode
from tradedesk.domain.limits import Limits
from tradedesk.domain.words import AccountId, VenueId
from tradedesk.journal.checkpoint import Restored
from tradedesk.orders.books import Books
from tradedesk.orders.kept import AccountState
from tradedesk.views.replica import Replica, Snapshot


class Keeper:
    """Folds the events of a journal twice, as the desk and as the accounts' workers do at a start. For one thread."""

    def __init__(self) -> None:
        self._desk = Replica()
        self._books: dict[AccountId, Books] = {}

    @staticmethod
    @cache
    def form() -> str:
        """The program's version and the shape of all that is kept: neither may be another's."""
        shapes = msgspec.json.schema_components((Snapshot, AccountState))
        return f"{__version__} {blake2b(msgspec.json.encode(shapes), digest_size=8).hexdigest()}"

    def apply(self, event: ev.DurableEvent | ev.Kept) -> None:
        self._desk.apply(event)
        account = ev.account_of(event)
        if isinstance(event, ev.InstrumentListed):
            for books in self._books.values():
                books.listed_late(event.instrument)
        elif account is not None:
            books = self._books.get(account) or self._opened(account)
            books.read((event,))

    def events(self) -> Iterable[Restored]:
        for instrument in self._desk.instruments.values():
            yield ev.InstrumentListed(at=0, source="checkpoint", instrument=instrument)
        encode = msgspec.msgpack.encode
        yield ev.DeskKept(at=0, source="checkpoint", state=encode(self._desk.snapshot(0)))
        for account, books in self._books.items():
            yield ev.AccountKept(at=0, source="checkpoint", account=account, state=encode(books.state()))

    def _opened(self, name: AccountId) -> Books:
        """Books of an account of which nothing but its name is known: how it is set up stands in desk.toml, not here."""
        stand_in = Account(
            id=name, venue=VenueId(""), owner="", groups=(), mode=Mode.Paper, egress="", secret="", limits=Limits()
        )
        books = self._books[name] = Books(stand_in, self._desk.instruments.values(), (), 0)
        return books
