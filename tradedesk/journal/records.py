"""One record of the journal: an event as bytes, its checksum, and its place in the chain of its account. Pure."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from zlib import crc32

import msgspec
from msgspec import Struct

from tradedesk.domain.events import DurableEvent, account_of, durable_decoder
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId

FORMAT = 1  # of the tables and of the events in them; a program refuses what is newer than itself
DESK = ""  # the chain of events that belong to no account
START = bytes(16)  # what a chain grows from

_encoder = msgspec.msgpack.Encoder()


class Record(Struct, frozen=True, array_like=True, gc=False):
    """One row as it stands on disk."""

    number: int  # 1, 2, ... over the whole journal
    chain: str  # the account's id, or DESK
    format: int
    payload: bytes
    checksum: int
    link: bytes  # digest of this record and, through the link before it, of all of its chain


class DamagedRecord(Struct, frozen=True, kw_only=True):
    """Where the chain of one account breaks; `account` None is the desk's own."""

    account: AccountId | None
    row: int
    reason: str


def chain_of(event: DurableEvent) -> str:
    return account_of(event) or DESK


def encode(event: DurableEvent) -> bytes:
    return _encoder.encode(event)


def made(number: int, chain: str, payload: bytes, before: bytes) -> Record:
    """The record that follows the link `before` in its chain."""
    return Record(number, chain, FORMAT, payload, crc32(payload), _link(before, number, chain, FORMAT, payload))


def _link(before: bytes, number: int, chain: str, format_: int, payload: bytes) -> bytes:
    return blake2b(b"%b%d %d %b %b" % (before, number, format_, chain.encode(), payload), digest_size=16).digest()


class Reading:
    """Checks records as they are read, in order. The first bad one ends its chain: nothing after it is believed (F62)."""

    def __init__(self) -> None:
        self.count = 0  # records that were sound
        self.damaged: dict[str, DamagedRecord] = {}  # by chain
        self._links: dict[str, bytes] = {}

    def sound(self, records: Iterable[Record]) -> Iterator[tuple[int, DurableEvent]]:
        """Record number and event, of sound chains, and of damaged ones up to the damage."""
        links, damaged, decode = self._links, self.damaged, durable_decoder.decode
        for record in records:
            chain = record.chain
            if chain in damaged:
                continue
            reason = _fault(record, links.get(chain, START))
            if reason is None:
                try:
                    event = decode(record.payload)
                except msgspec.MsgspecError as error:  # sound bytes that are no event: a program wrote them, not a disk
                    reason = f"it holds no event this program knows ({error})"
                else:
                    links[chain] = record.link
                    self.count += 1
                    yield record.number, event
                    continue
            self._damage(chain, record.number, reason)

    def go_on(self, heads: Iterable[tuple[str, bytes]]) -> None:
        """Begin where other records end: (chain, link) of each."""
        self._links = dict(heads)

    def close(self, heads: Iterable[tuple[str, int, bytes]]) -> None:
        """Compare with the heads kept beside the records, so that a chain cannot lose its end unnoticed."""
        expected = {chain: (number, link) for chain, number, link in heads}
        for chain, (number, link) in expected.items():
            if chain not in self.damaged and self._links.get(chain) != link:
                self._damage(chain, number, "its last record is missing or is not the one that was written")
        for chain in self._links.keys() - expected.keys() - self.damaged.keys():
            self._damage(chain, 0, "its chain has no head")

    def give_up(self, reason: str) -> None:
        """The file itself cannot be read on, so the records that are not seen may be anyone's."""
        self._damage(DESK, self.count + len(self.damaged) + 1, reason)

    def reasons(self) -> dict[AccountId | None, str]:
        """Who is damaged, and how, in words."""
        return {found.account: f"record {found.row}: {found.reason}" for found in self.damaged.values()}

    def _damage(self, chain: str, row: int, reason: str) -> None:
        account = AccountId(clean(chain)) if chain != DESK else None  # damaged bytes can spell anything
        self.damaged[chain] = DamagedRecord(account=account, row=row, reason=reason)


def _fault(record: Record, before: bytes) -> str | None:
    payload = record.payload
    link = _link(before, record.number, record.chain, record.format, payload)
    if link == record.link and crc32(payload) == record.checksum and record.format == FORMAT:
        return None
    if crc32(payload) != record.checksum:
        return "its checksum does not match: the bytes changed after they were written"
    if link != record.link:
        return "its link does not match: this record, or one before it, was changed, moved or removed"
    return f"it is of format {record.format}, this program reads {FORMAT}"
