"""The halt latch: small preallocated files in the state folder, synced, read before each send (5.5).

No lock and no desk is needed to read or set one, so a frozen or dead desk can be halted and stays halted.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import msgspec

from tradedesk.domain.accounts import Halt, HaltLevel
from tradedesk.domain.orders import Order
from tradedesk.domain.scopes import DESK, Scope, ScopeKind, carried, part_scopes, scope_of
from tradedesk.domain.words import AccountId

SIZE = 1024  # bytes of one latch: preallocated, so that a full disk cannot stop a halt
MOST_ALGORITHMS = 16  # halted at a time: their names are made up while the desk runs, so they share one file of slots
UNREADABLE = Scope(kind=ScopeKind.Algorithm, name="?")  # of a slot that is damaged: it halts whatever has a block
_EMPTY = b"\0" * SIZE
_decoder = msgspec.json.Decoder(Halt)


class PartHalts(Protocol):
    """What a worker is told of halts that are about a part of its orders."""

    def part_of(self, order: Order) -> Halt | None:
        """The strictest over this order: of its instrument, its operator, its algorithm."""
        ...

    def parts(self) -> tuple[Halt, ...]:
        """All that stand, as of the last look."""
        ...


class NoParts:
    """Where nothing but whole accounts is ever halted."""

    def part_of(self, order: Order) -> Halt | None:
        return None

    def parts(self) -> tuple[Halt, ...]:
        return ()


class HaltLatch:
    """The latches of one desk. Reading may be done from any thread; `latch` and `clear` by one at a time."""

    def __init__(
        self,
        folder: Path,
        accounts: Iterable[AccountId],
        *,
        over: Mapping[AccountId, tuple[Scope, ...]] | None = None,
        others: Iterable[Scope] = (),
    ) -> None:
        """`over`: by account, what takes in all of it; `others`: what else may be halted here, algorithms apart."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._over = {account: (DESK, scope_of(account)) for account in accounts} | dict(over or {})
        wanted = (DESK, *(scope for scopes in self._over.values() for scope in scopes), *others)
        self._files: dict[Scope, int] = {
            scope: _opened(folder / _file_name(scope), SIZE)
            for scope in dict.fromkeys(wanted)
            if scope.kind is not ScopeKind.Algorithm
        }
        self._slots = _opened(folder / "halt-algorithms", SIZE * MOST_ALGORITHMS)
        _sync_folder(folder)
        self._parts: tuple[Halt, ...] = ()
        self.all()

    def has(self, scope: Scope) -> bool:
        """Whether this may be halted here."""
        return scope.kind is ScopeKind.Algorithm or scope in self._files

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What may be halted here; algorithms come to it as they are named."""
        return tuple(self._files)

    def latch(self, halt: Halt) -> None:
        """Make the halt durable. Raises OSError if the disk would not have it; the halt then stands in this process only."""
        reason, by = halt.reason[:256], halt.by[:64]
        while len(body := msgspec.json.encode(msgspec.structs.replace(halt, reason=reason, by=by))) > SIZE:
            reason = reason[: len(reason) // 2]  # characters are up to six bytes each; what must fit is the level
        self._write(halt.of, body.ljust(SIZE, b"\0"))

    def clear(self, account: AccountId | None, scope: Scope | None = None) -> None:
        wanted = scope_of(account, scope)
        if wanted.kind is not ScopeKind.Algorithm or self._slot_of(wanted) is not None:
            self._write(wanted, _EMPTY)

    def own(self, account: AccountId | None, scope: Scope | None = None) -> Halt | None:
        """The halt of exactly this scope. What cannot be read is a halt: a latch fails closed."""
        return self._own(scope_of(account, scope))

    def read(self, account: AccountId) -> Halt | None:
        """The halt in force for all of an account: the strictest of its own and of what it belongs to."""
        return strictest(self._own(scope) for scope in self._over[account])

    def part_of(self, order: Order) -> Halt | None:
        """See PartHalts."""
        scopes = part_scopes(order.instrument, order.operator, order.block)
        found = [self._own(scope) for scope in scopes if scope in self._files]
        if order.block:
            found += [halt for halt in self._algorithms() if halt.of in scopes or halt.of == UNREADABLE]
        return strictest(found)

    def parts(self) -> tuple[Halt, ...]:
        """See PartHalts. What another process latched is among them once `all` was asked."""
        return self._parts

    def all(self) -> list[Halt]:
        found = [halt for scope in self._files if (halt := self._own(scope)) is not None] + self._algorithms()
        self._parts = tuple(halt for halt in found if not halt.of.kind.is_whole)
        return found

    def close(self) -> None:
        """May be called twice: a number that was given back may be another file's by then."""
        if not self._files:
            return
        for descriptor in (*self._files.values(), self._slots):
            os.close(descriptor)
        self._files.clear()

    def _own(self, scope: Scope) -> Halt | None:
        if scope.kind is ScopeKind.Algorithm:
            return next((halt for halt in self._algorithms() if halt.of == scope), None)
        try:
            body = os.pread(self._files[scope], SIZE, 0)
            return None if body == _EMPTY else _halt_in(body)
        except (OSError, msgspec.MsgspecError):
            return _unreadable(scope)

    def _algorithms(self) -> list[Halt]:
        return [halt for halt in self._slot_halts() if halt is not None]

    def _slot_halts(self) -> list[Halt | None]:
        """What each slot holds; None of an empty one."""
        try:
            body = os.pread(self._slots, SIZE * MOST_ALGORITHMS, 0)
        except OSError:
            return [_unreadable(UNREADABLE)]
        found: list[Halt | None] = []
        for at in range(0, len(body), SIZE):
            slot = body[at : at + SIZE]
            try:
                found.append(None if slot == _EMPTY else _halt_in(slot))
            except msgspec.MsgspecError:
                found.append(_unreadable(UNREADABLE))
        return found

    def _slot_of(self, scope: Scope | None) -> int | None:
        """Where this algorithm's halt is, or with None the first slot that is free."""
        for number, halt in enumerate(self._slot_halts()):
            if (None if halt is None else halt.of) == scope:
                return number
        return None

    def _write(self, scope: Scope, body: bytes) -> None:
        if scope.kind is ScopeKind.Algorithm:
            number = self._slot_of(scope)
            number = self._slot_of(None) if number is None else number
            if number is None:
                raise OSError(f"{MOST_ALGORITHMS} algorithms are halted already")
            descriptor, at = self._slots, number * SIZE
        else:
            descriptor, at = self._files[scope], 0
        try:
            os.pwrite(descriptor, body, at)
            os.fsync(descriptor)
        finally:
            self.all()

    @property
    def has_room(self) -> bool:
        """Whether one more algorithm can be halted."""
        return self._slot_of(None) is not None


def strictest(halts: Iterable[Halt | None]) -> Halt | None:
    """The halt that is in force where several are; of two alike the first."""
    return max((halt for halt in halts if halt is not None), key=lambda halt: halt.level.strictness, default=None)


def is_weaker(level: HaltLevel, than: HaltLevel) -> bool:
    """Whether `level` lets through what `than` refuses. Going there would be a re-arm in part."""
    return level.strictness < than.strictness


def _halt_in(body: bytes) -> Halt:
    return _decoder.decode(body.rstrip(b"\0"))


def _unreadable(scope: Scope) -> Halt:
    account, other = carried(scope)
    return Halt(
        account=account,
        level=HaltLevel.BlockNew,
        by="unknown",
        reason="the halt file cannot be read",
        at=0,
        scope=other,
    )


def _file_name(scope: Scope) -> str:
    return "halt-desk" if scope.kind is ScopeKind.Desk else f"halt-{scope.kind}-{quote(scope.name, safe='')}"


def _opened(path: Path, wanted: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    size = os.fstat(descriptor).st_size
    if size < wanted:  # new, or cut short: then what is left of it stays, and reads as a damaged latch
        os.pwrite(descriptor, b"\0" * (wanted - size), size)
        os.fsync(descriptor)
    return descriptor


def _sync_folder(folder: Path) -> None:
    """A file whose name is not on disk is gone after a power cut, and its halt with it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
