"""The state file of `--state`: what the clients of the exchange hold, written at a clean end and read at the next start.

A line with the schema and a checksum, then one JSON object. Books, tape and candles of the market are not in it, nor are
the keys, listen keys, counted limits or faults: those begin afresh.
"""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

import msgspec

from tradedesk.paper.futures.saved import SavedFutures
from tradedesk.paper.saved import Saved

SCHEMA = "paper.state.v2"


class StateError(Exception):
    """The file cannot be used; the message is one sentence."""


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    schema: str
    sha256: str  # of all that follows the first line


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Both markets. `futures` is None where none was served."""

    spot: Saved
    futures: SavedFutures | None


def read(path: Path) -> State | None:
    """What was saved; None if there is no such file. Raises StateError."""
    try:
        first, _, body = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path}: cannot be read ({error.strerror}); name a file of this user") from None
    try:
        head = msgspec.json.decode(first, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise StateError(f"{path}: is no state of a paper exchange; name another file, or move it away") from None
    if head.schema != SCHEMA:
        raise StateError(f"{path}: has the schema {head.schema[:40]!r}, this program reads {SCHEMA}; move it away")
    try:
        if hashlib.sha256(body).hexdigest() != head.sha256:
            raise ValueError("checksum")
        return msgspec.json.decode(body, type=State)
    except (msgspec.DecodeError, ValueError):
        raise StateError(f"{path}: is damaged; bring back a copy, or move it away to start afresh") from None


def write(path: Path, found: State) -> None:
    """Replace the file as a whole, readable by its owner only. Raises StateError; the old file is untouched then."""
    body = msgspec.json.encode(found)
    head = msgspec.json.encode(_Head(schema=SCHEMA, sha256=hashlib.sha256(body).hexdigest()))
    fresh = None
    try:
        descriptor, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made for its owner only
        with os.fdopen(descriptor, "wb") as file:
            file.write(head + b"\n" + body)
            file.flush()
            os.fsync(file.fileno())
        Path(fresh).replace(path)
    except OSError as error:
        if fresh is not None:
            with contextlib.suppress(OSError):
                Path(fresh).unlink()
        raise StateError(f"{path}: cannot be written ({error.strerror}); the state of this run is lost") from None
