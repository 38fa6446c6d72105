"""Receipts of kills on disk: one file each in the state folder, written by a process of its own, read by the desk.

The file holds what `--json` prints and, under `receipt`, the value itself.
"""

import json
import os
from pathlib import Path

import msgspec

from tradedesk.config import Home
from tradedesk.domain.receipts import KillReceipt
from tradedesk.domain.text import clean
from tradedesk.views.receipts import receipt_document

MOST_READ = 50  # newest; a desk that comes back looks at so many
MOST_KEPT = 1_000  # files; what a desk found of older ones stands in its journal
MAX_BYTES = 4 * 1024 * 1024  # of one file
RESERVE = 64 * 1024  # bytes that the desk keeps for a receipt, given up when the disk is full
_RESERVE_NAME = "reserve"


class _File(msgspec.Struct, frozen=True):
    receipt: KillReceipt


_decoder = msgspec.json.Decoder(_File)


def folder(home: Home) -> Path:
    return home.state / "receipts"


def prepare(home: Home) -> None:
    """Set room aside, so that a full disk cannot keep a receipt away. What cannot be set aside is not."""
    try:
        place = folder(home)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(place / _RESERVE_NAME, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size < RESERVE:
                os.pwrite(descriptor, bytes(RESERVE), 0)
        finally:
            os.close(descriptor)
    except OSError:
        return  # then a receipt is written without


def keep(home: Home, receipt: KillReceipt) -> Path | str:
    """Where the receipt is kept now, durably; or why it is not. On a full disk the room that was set aside is used."""
    body = json.dumps(
        receipt_document(receipt) | {"receipt": msgspec.to_builtins(receipt)}, ensure_ascii=False, indent=1
    ).encode()
    final = folder(home) / f"{receipt.id}.json"
    try:
        final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _write(final, body)
        except OSError:
            (final.parent / _RESERVE_NAME).unlink(missing_ok=True)
            _write(final, body)
    except OSError as error:
        return f"{final.parent}: the receipt could not be kept ({error.strerror}); keep what was printed"
    for old in _all(home)[:-MOST_KEPT]:
        (final.parent / f"{old}.json").unlink(missing_ok=True)
    return final


def _write(final: Path, body: bytes) -> None:
    """Whole or not at all: the desk may be looking."""
    draft = final.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        try:
            written = 0
            while written < len(body):
                written += os.write(descriptor, body[written:])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.rename(final)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def names(home: Home) -> list[str]:
    """The newest receipts there are, oldest first, by their ids."""
    return _all(home)[-MOST_READ:]


def _all(home: Home) -> list[str]:
    try:
        return sorted(entry.name[:-5] for entry in os.scandir(folder(home)) if entry.name.endswith(".json"))
    except OSError:
        return []


def load(home: Home, name: str) -> KillReceipt | str:
    """The receipt of that id, or why it cannot be read."""
    path = folder(home) / f"{name}.json"
    try:
        if path.stat().st_size > MAX_BYTES:
            return f"{path}: is larger than a receipt"
        return _decoder.decode(path.read_bytes()).receipt
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror})"
    except msgspec.MsgspecError as error:
        return f"{path}: is no receipt ({clean(str(error), 100)})"
