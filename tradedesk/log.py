"""The structured log: one line per record, scrubbed of secrets and cleaned before anybody can read it (5.6, 5.14).

    2026-11-24T12:00:00.123Z warning order_unknown account=acme client_order_id=c1 waited_ms=900

`Log` may be used from any thread and never waits: the file is written by a thread of its own behind a bounded queue,
because a cancel must not wait for a slow disk. Until `open_log` is called records are kept in memory only.
"""

import hashlib
import logging
import logging.handlers
import os
import queue
import re
import secrets
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from tradedesk.clock import Clock, SystemClock
from tradedesk.domain.text import clean

MAX_BYTES = 10 * 1024 * 1024  # of one log file
MAX_FILES = 5  # kept, the current one included
QUEUE_RECORDS = 10_000  # waiting for the disk; what does not fit is dropped and counted
TAIL_RECORDS = 1_000  # kept in memory for a screen that opens late
VALUE_LIMIT = 2_000  # characters of one value, after scrubbing
_RAW_LIMIT = 4 * VALUE_LIMIT  # characters of a value that are looked at at all

REDACTED = "<redacted>"
_NAMES = r"signature|x-mbx-apikey|api[-_]?key|listen[-_]?key|secret|passphrase|password|admin[-_]?token"
_SECRET_FIELD = re.compile(rf"(?:{_NAMES})", re.IGNORECASE)
_NAMED_SECRET = re.compile(
    rf"""((?:{_NAMES})["']?\s*(?:=|:|%3D)\s*(?:b?["'])?)[^\s&"',;}})\]<]+""",
    re.IGNORECASE,
)
_URL_USER = re.compile(r"(://)[^/\s@]+@")
_RUN = re.compile(r"[A-Za-z0-9]{12,}")  # what a key, a signature or a part of a PEM line looks like


class Scrubber:
    """Takes secrets out of text: by the names they travel under, and by salted digests of those it was told of.

    It holds no secret itself. Any thread may call it.
    """

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(16)
        self._digests: frozenset[bytes] = frozenset()

    def learn(self, secret: str) -> None:
        """Recognise `secret` from now on, bare or percent-encoded. Parts shorter than 12 letters or digits are not."""
        runs = _RUN.findall(secret) + _RUN.findall(quote(secret, safe=""))
        self._digests = self._digests | {self._digest(run) for run in runs}

    def scrub(self, text: str) -> str:
        text = _NAMED_SECRET.sub(rf"\1{REDACTED}", text)
        if "://" in text:
            text = _URL_USER.sub(rf"\1{REDACTED}@", text)
        if self._digests:
            text = _RUN.sub(self._hide_known, text)
        return text

    def _hide_known(self, match: re.Match[str]) -> str:
        return REDACTED if self._digest(match.group()) in self._digests else match.group()

    def _digest(self, run: str) -> bytes:
        return hashlib.blake2b(run.encode(), key=self._salt, digest_size=16).digest()


SCRUBBER = Scrubber()  # one per process: what one account's adapter teaches it protects every output


class Record(Struct, frozen=True):
    """One line of the log, already scrubbed and cleaned."""

    at: int  # wall time, ns since the epoch, UTC
    level: str  # info, warning or error
    event: str
    fields: tuple[tuple[str, str], ...]

    def line(self) -> str:
        moment = datetime.fromtimestamp(self.at // 1_000_000_000, UTC)
        stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{self.at // 1_000_000 % 1000:03d}Z"
        return " ".join([stamp, self.level, self.event, *(f"{name}={_quoted(value)}" for name, value in self.fields)])


def _quoted(value: str) -> str:
    """The value as it stands, in double quotes if a reader could not tell otherwise where it ends."""
    if value and not any(c in value for c in ' "=\\'):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def safe_text(value: object, scrubber: Scrubber) -> str:
    """What may be shown of `value`. Of an exception only its class: its text may carry a signed URL."""
    text = type(value).__name__ if isinstance(value, BaseException) else str(value)
    shown = clean(text, limit=_RAW_LIMIT)
    if len(text) > _RAW_LIMIT:
        shown = re.sub(r"[A-Za-z0-9]+…?$", "…", shown)  # half a secret would not be recognised
    return clean(scrubber.scrub(shown), limit=VALUE_LIMIT)


class _Sink:
    """Where records go: the tail, the listeners and, once opened, the file. Any thread may call any method."""

    def __init__(self) -> None:
        self._tail: deque[Record] = deque(maxlen=TAIL_RECORDS)
        self._listeners: tuple[Callable[[Record], None], ...] = ()
        self._calling = threading.local()
        self.clock: Clock = SystemClock()
        self.file: LogFile | None = None

    def write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        shown = tuple(
            (clean(name), REDACTED if _SECRET_FIELD.search(name) else safe_text(value, SCRUBBER))
            for name, value in fields.items()
        )
        record = Record(self.clock.now(), level, safe_text(event, SCRUBBER), shown)
        self._tail.append(record)
        if self.file is not None:
            self.file.put(record)
        self._tell(record)

    def tail(self) -> tuple[Record, ...]:
        return tuple(self._tail.copy())  # copied in one step: other threads go on appending

    def subscribe(self, callback: Callable[[Record], None]) -> Callable[[], None]:
        self._listeners = (*self._listeners, callback)
        return lambda: self._drop(callback)

    def _drop(self, callback: Callable[[Record], None]) -> None:
        self._listeners = tuple(known for known in self._listeners if known is not callback)

    def _tell(self, record: Record) -> None:
        if getattr(self._calling, "now", False):
            return  # a listener that logs would call itself for ever; its record is in the tail and the file
        self._calling.now = True
        try:
            for callback in self._listeners:
                try:
                    callback(record)
                except Exception as error:  # a broken listener must not break whoever logged
                    self._drop(callback)
                    self.write("error", "log_listener_dropped", {"cause": error})
        finally:
            self._calling.now = False


_SINK = _Sink()


class Log:
    """How a room writes to the log: `Log(account="acme").warning("order_unknown", waited_ms=900)`.

    The fields given here stand in every record. Values are scrubbed; still, hand over ids and numbers, not payloads.
    """

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def info(self, event: str, **fields: Any) -> None:
        _SINK.write("info", event, self._fields | fields)

    def warning(self, event: str, **fields: Any) -> None:
        _SINK.write("warning", event, self._fields | fields)

    def error(self, event: str, **fields: Any) -> None:
        _SINK.write("error", event, self._fields | fields)


def tail() -> tuple[Record, ...]:
    """The latest records of this process, oldest first."""
    return _SINK.tail()


def subscribe(callback: Callable[[Record], None]) -> Callable[[], None]:
    """Call `callback` with each record from now on, on the thread that logs it; returns what ends it.

    It must return at once (post to a mailbox). One that raises is dropped.
    """
    return _SINK.subscribe(callback)


class _PrivateRotatingFile(logging.handlers.RotatingFileHandler):
    """The standard rotation, with every file 0600 and a failing disk counted instead of printed over the screen."""

    def __init__(self, path: Path, max_bytes: int, files: int) -> None:
        self.failures = 0
        super().__init__(path, maxBytes=max_bytes, backupCount=files - 1, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        os.fchmod(descriptor, 0o600)  # also when the file was there before
        return open(descriptor, "a", encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:
        self.failures += 1


class LogFile:
    """The process's log on disk, written by one thread. `put` may be called from any thread and never waits."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, files: int = MAX_FILES) -> None:
        """Raises OSError if the file cannot be opened for writing."""
        self.path = path
        self.lost = 0  # records that the queue had no room for
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._handler = _PrivateRotatingFile(path, max_bytes, files)
        self._queue: queue.Queue[str | None] = queue.Queue(QUEUE_RECORDS)
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def put(self, record: Record) -> None:
        try:
            self._queue.put_nowait(record.line())
        except queue.Full:
            self.lost += 1

    @property
    def failures(self) -> int:
        """Records that the disk refused."""
        return self._handler.failures

    def flush(self) -> None:
        """Wait until all that was put is written."""
        self._queue.join()

    def close(self) -> None:
        """Write what is waiting, then close. Records of the process stay in memory from now on."""
        if _SINK.file is self:
            _SINK.file = None
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
            try:
                self._handler.close()
            except OSError:  # the last flush of a full disk: stopping the desk must not fail on it
                self._handler.failures += 1

    def _write_all(self) -> None:
        told = 0
        while (line := self._queue.get()) is not None:
            if self.lost > told:
                line = f"{line}\n{line.split(' ', 1)[0]} warning log_records_lost count={self.lost - told}"
                told = self.lost
            self._handler.handle(logging.makeLogRecord({"msg": line}))
            self._queue.task_done()
        self._queue.task_done()


class _Bridge(logging.Handler):
    """Takes what libraries say through the standard logging, warnings and worse, into our log."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        fields: dict[str, Any] = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[1] is not None:
            fields["cause"] = record.exc_info[1]  # its class; a traceback could show a signed URL
        _SINK.write(level, "library_message", fields)


class _NeverBelowWarning(logging.Filter):
    """ccxt's loggers print keys and signatures at DEBUG; `verbose` or a stranger's setLevel must not bring that back."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


_BRIDGE = _Bridge(logging.WARNING)
_PIN = _NeverBelowWarning()
_CCXT_LOGGERS = ("ccxt", "ccxt.base.exchange", "ccxt.async_support.base.exchange")


def bridge_libraries() -> None:
    """Route library logging into this log and silence ccxt below WARNING. Doing it twice changes nothing."""
    root = logging.getLogger()
    if _BRIDGE not in root.handlers:
        root.addHandler(_BRIDGE)
    for name in _CCXT_LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.addFilter(_PIN)


def open_log(path: Path, clock: Clock | None = None, max_bytes: int = MAX_BYTES, files: int = MAX_FILES) -> LogFile:
    """Send this process's records to `path` from now on, and those of libraries with them.

    Called once, by whoever composes the process, who also closes it. Raises OSError if `path` cannot be written.
    """
    opened = LogFile(path, max_bytes, files)
    _SINK.clock = clock or SystemClock()
    _SINK.file = opened
    bridge_libraries()
    return opened
