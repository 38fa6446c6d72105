"""The structured log: one line per record, scrubbed of secrets and cleaned before anybody can read it (5.6, 5.14).

    2026-11-24T12:00:00.123Z warning order_unknown account=acme client_order_id=c1 waited_ms=900

`Log` may be used from any thread and never waits: the file is written by a thread of its own behind a bounded queue,
because a cancel must not wait for a slow disk. Until `open_log` is called records are kept in memory only.
"""

import logging
import logging.handlers
import os
import queue
import re
import sys
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from msgspec import Struct

from tradedesk.clock import Clock, SystemClock
from tradedesk.domain.text import clean
from tradedesk.redaction import REDACTED, SCRUBBER, SECRET_NAME, Scrubber

MAX_BYTES = 10 * 1024 * 1024  # of one log file
MAX_FILES = 5  # kept, the current one included
QUEUE_RECORDS = 10_000  # waiting for the disk; what does not fit is dropped and counted
TAIL_RECORDS = 1_000  # kept in memory for a screen that opens late
VALUE_LIMIT = 2_000  # characters of one value, after scrubbing
_RAW_LIMIT = 4 * VALUE_LIMIT  # characters of a value that are looked at at all


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
            (clean(name), REDACTED if SECRET_NAME.search(name) else safe_text(value, SCRUBBER))
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
            self._handler.handle(logging.LogRecord("tradedesk.log", logging.INFO, "", 0, line, None, None))
            self._queue.task_done()
        self._queue.task_done()


def where(error: BaseException) -> str:
    """The class of an error and the line it came from: enough to find it, nothing of what it carried."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace is not None else ""
    return type(error).__name__ + place


class _Bridge(logging.Handler):
    """Takes what libraries say through the standard logging, warnings and worse, into our log."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        fields: dict[str, Any] = {"logger": record.name, "message": record.getMessage()}
        cause = getattr(record, _CAUSE, None)
        if cause is not None:
            fields["cause"] = cause
        _SINK.write(level, "library_message", fields)


class _NeverBelowWarning(logging.Filter):
    """ccxt's loggers print keys and signatures at DEBUG; `verbose` or a stranger's setLevel must not bring that back."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


_BRIDGE = _Bridge(logging.WARNING)
_PIN = _NeverBelowWarning()
_CCXT_LOGGERS = ("ccxt", "ccxt.base.exchange", "ccxt.async_support.base.exchange")
_CAUSE = "tradedesk_cause"
_made_by_logging = logging.getLogRecordFactory()


def _scrubbed_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    """A library's record, made safe before any handler sees it, a stranger's and at DEBUG too.

    Of its exception only class and place remain: text and traceback may show a signed URL.
    """
    record = _made_by_logging(*args, **kwargs)
    if record.name is None or record.name.startswith("tradedesk."):
        return record  # None: `makeLogRecord`, of a record that was made before. Ours: the paper exchange, which guards no secret
    try:
        text = record.getMessage()
    except Exception:  # arguments that do not fit; the standard logging would print them, traceback and all
        text = str(record.msg)
    record.msg, record.args = safe_text(text, SCRUBBER), ()
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        setattr(record, _CAUSE, where(error))
    record.exc_info = None
    return record


def bridge_libraries() -> None:
    """Route library logging and warnings into this log, scrubbed. Doing it twice changes nothing."""
    logging.setLogRecordFactory(_scrubbed_record)
    logging.captureWarnings(True)  # else they are printed over the screen
    root = logging.getLogger()
    if _BRIDGE not in root.handlers:
        root.addHandler(_BRIDGE)
    for name in _CCXT_LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.addFilter(_PIN)


def catch_strays() -> None:
    """From now on an error that nobody caught is a record of this log: its class and place, nothing of what it carried.

    Python would print it with its text and over the screen, wherever it happens: on the main thread, on another, in a
    finalizer. For whoever starts a process; tests want to see such errors.
    """
    log = Log()

    def on_main(kind: type[BaseException], error: BaseException, _: object) -> None:
        log.error("uncaught_error", cause=where(error))
        sys.stderr.write(f"tradedesk: an error of its own ({where(error)}); report it with the command you gave\n")

    def on_thread(found: threading.ExceptHookArgs) -> None:
        if found.exc_value is not None and not isinstance(found.exc_value, SystemExit):
            name = None if found.thread is None else found.thread.name
            log.error("thread_failed", thread=name, cause=where(found.exc_value))

    def in_finalizer(found: "sys.UnraisableHookArgs") -> None:
        cause = "unknown" if found.exc_value is None else where(found.exc_value)
        log.error("finalizer_failed", cause=cause)

    sys.excepthook = on_main
    threading.excepthook = on_thread
    sys.unraisablehook = in_finalizer


def open_log(path: Path, clock: Clock | None = None, max_bytes: int = MAX_BYTES, files: int = MAX_FILES) -> LogFile:
    """Send this process's records to `path` from now on, and those of libraries with them.

    Called once, by whoever composes the process, who also closes it. Raises OSError if `path` cannot be written.
    """
    opened = LogFile(path, max_bytes, files)
    _SINK.clock = clock or SystemClock()
    _SINK.file = opened
    bridge_libraries()
    return opened
