"""The halt latch: small preallocated files in the state folder, synced, read before each send (5.5).

No lock and no desk is needed to read or set one, so a frozen or dead desk can be halted and stays halted.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tradedesk.domain.accounts import Halt, HaltLevel
from tradedesk.domain.words import AccountId

SIZE = 1024  # bytes of one latch: preallocated, so that a full disk cannot stop a halt
_decoder = msgspec.json.Decoder(Halt)
_STRICTNESS = (
    HaltLevel.ReduceOnly, HaltLevel.CancelOpening, HaltLevel.BlockNew, HaltLevel.CancelAll, HaltLevel.Flatten,
)  # fmt: skip


class HaltLatch:
    """The latches of one desk and its accounts. `read` may be called from any thread; `latch` and `clear` by one at a time."""

    def __init__(self, folder: Path, accounts: Iterable[AccountId]) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._files: dict[AccountId | None, int] = {
            scope: _opened(folder / (f"halt-account-{scope}" if scope is not None else "halt-desk"))
            for scope in (None, *accounts)
        }
        _sync_folder(folder)

    def latch(self, halt: Halt) -> None:
        """Make the halt durable. Raises OSError if the disk would not have it; the halt then stands in this process only."""
        reason, by = halt.reason[:256], halt.by[:64]
        while len(body := msgspec.json.encode(msgspec.structs.replace(halt, reason=reason, by=by))) > SIZE:
            reason = reason[: len(reason) // 2]  # characters are up to six bytes each; what must fit is the level
        self._write(halt.account, body.ljust(SIZE, b"\0"))

    def clear(self, account: AccountId | None) -> None:
        self._write(account, b"\0" * SIZE)

    def own(self, account: AccountId | None) -> Halt | None:
        """The halt of exactly this scope. What cannot be read is a halt: a latch fails closed."""
        try:
            body = os.pread(self._files[account], SIZE, 0).rstrip(b"\0")
            return _decoder.decode(body) if body else None
        except (OSError, msgspec.MsgspecError):
            return Halt(
                account=account, level=HaltLevel.BlockNew, by="unknown", reason="the halt file cannot be read", at=0
            )

    def read(self, account: AccountId) -> Halt | None:
        """The halt in force for an account: the stricter of its own and the desk's."""
        found = [halt for halt in (self.own(None), self.own(account)) if halt is not None]
        return max(found, key=lambda halt: _STRICTNESS.index(halt.level), default=None)

    def all(self) -> list[Halt]:
        return [halt for scope in self._files if (halt := self.own(scope)) is not None]

    def close(self) -> None:
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()

    def _write(self, account: AccountId | None, body: bytes) -> None:
        os.pwrite(self._files[account], body, 0)
        os.fsync(self._files[account])


def is_weaker(level: HaltLevel, than: HaltLevel) -> bool:
    """Whether `level` lets through what `than` refuses. Going there would be a re-arm in part."""
    return _STRICTNESS.index(level) < _STRICTNESS.index(than)


def _opened(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    size = os.fstat(descriptor).st_size
    if size < SIZE:  # new, or cut short: then what is left of it stays, and reads as a damaged latch
        os.pwrite(descriptor, b"\0" * (SIZE - size), size)
        os.fsync(descriptor)
    return descriptor


def _sync_folder(folder: Path) -> None:
    """A file whose name is not on disk is gone after a power cut, and its halt with it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
