"""5.6, F81: a scripted day at DEBUG with canaries for keys, then every file, stream, picture, process and heap is searched."""

import asyncio
import gc
import json
import logging
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from decimal import Decimal
from pathlib import Path

import pytest
from canaries import NAMES, SECRETS, accounts_file, canary_desk, is_compartment
from faulty_desk import ACME, BIRCH, FaultyDesk
from hunter import Hunter, module_globals
from paper_process import has_loopback_range
from real_proxies import PROGRAMS, RealProxy
from terminal import on_a_terminal
from typer.testing import CliRunner

from tradedesk import log
from tradedesk.cli import app as program
from tradedesk.clock import SystemClock
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.orders import OrderState
from tradedesk.domain.words import AccountId, OperatorId, Side, client_order_id
from tradedesk.monitor.socket_feed import HANDSHAKE
from tradedesk.redaction import forms_of
from tradedesk.ui.app import TradedeskApp
from tradedesk.views.feed import DeskView

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")
KEY, SECRET = SECRETS["acme's key"], SECRETS["acme's secret"]
HUNTER = Hunter(SECRETS)


class Evidence:
    """What the day left behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder  # everything written is below it
        self.heap: list[str] = []
        self.processes: list[str] = []
        self.texts: list[str] = []  # of the day's events
        self.strangers: list[str] | None = None  # what other programs of the day hold; None where we may not look


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    folder = tmp_path_factory.mktemp("day")
    found = Evidence(folder)
    keys = accounts_file(tmp_path_factory.mktemp("exchange"))
    proxies = real_proxies(tmp_path_factory.mktemp("proxies"))
    with at_debug(folder), started(proxies), canary_desk(folder / "home", keys, proxies) as desk:
        found.processes = HUNTER.in_process(os.getpid())  # before `doctor` hardens us
        with capture(desk, folder):
            exits(desk, proxies)
            orders(desk)
            echoes(desk)
            crashes(desk)
            commands(desk, folder)
            asyncio.run(screens(desk, folder))
            found.strangers = strangers(folder)
        desk.poll()
        found.texts = [repr(event) for event in desk.events]
        gc.collect()
        roots = [
            desk.desk,
            desk.view,
            desk.control,
            desk.events,
            *module_globals("tradedesk"),
            *module_globals("logging"),
        ]
        found.heap = HUNTER.in_heap(roots, is_compartment)
    return found


def real_proxies(folder: Path) -> dict[str, RealProxy]:
    """Of two accounts, where this machine has such programs."""
    wanted = {"birch": "socks5", "cedar": "http"}
    return {
        name: RealProxy(scheme, folder, f"127.0.0.{2 + NAMES.index(name)}")
        for name, scheme in wanted.items()
        if shutil.which(PROGRAMS[scheme]) is not None
    }


@contextmanager
def started(proxies: dict[str, RealProxy]) -> Iterator[None]:
    for proxy in proxies.values():
        proxy.start()
    try:
        yield
    finally:
        for proxy in proxies.values():
            proxy.kill()


def exits(desk: FaultyDesk, proxies: dict[str, RealProxy]) -> None:
    """Each proxy turns into a login page, refuses everybody, and comes back."""
    for name, proxy in proxies.items():
        proxy.become_a_page()
        desk.until(
            lambda name=name: desk.view.replica.accounts[AccountId(name)].state is not AccountState.Ready,
            "it is noticed",
        )
        proxy.kill()
        proxy.start()
    desk.until(desk.is_well, "every account is back")


@contextmanager
def at_debug(folder: Path) -> Iterator[None]:
    """Everybody's logging at DEBUG, by a handler of a stranger that prints tracebacks; all output into files."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook, sys.unraisablehook)
    level = root.level
    with (
        (folder / "stdout").open("w") as out,
        (folder / "stderr").open("w") as err,
        (folder / "debug.log").open("w") as debug,
        warnings.catch_warnings(),
    ):
        stranger = logging.StreamHandler(debug)
        stranger.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s %(exc_info)s"))
        root.addHandler(stranger)
        root.setLevel(logging.DEBUG)
        warnings.simplefilter("always")
        logging.captureWarnings(False)  # it takes them once only, and an earlier test's way of showing them is gone
        log.catch_strays()
        try:
            with redirect_stdout(out), redirect_stderr(err):
                yield
        finally:
            root.removeHandler(stranger)
            root.setLevel(level)
            sys.excepthook, threading.excepthook, sys.unraisablehook = hooks


@contextmanager
def capture(desk: FaultyDesk, folder: Path) -> Iterator[None]:
    """A monitor and an operator of another process: every byte that the desk's sockets give them."""
    home = folder / "home"
    reading = listening(home, "read.sock", HANDSHAKE, folder / "monitor.bin")
    asked = b'{"type":"hello"}\n{"type":"nonsense"}\n{"type":"submit","command":{}}\n{}\n'
    controlling = listening(home, "control.sock", asked, folder / "control.bin")
    try:
        yield
    finally:
        for connection, thread in (reading, controlling):
            connection.shutdown(socket.SHUT_RDWR)
            thread.join()
            connection.close()


def listening(home: Path, name: str, greeting: bytes, out: Path) -> tuple[socket.socket, threading.Thread]:
    path = next(home.rglob(name))
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(path))
    connection.sendall(greeting)

    def keep() -> None:
        with out.open("wb") as file:
            while chunk := connection.recv(65536):
                file.write(chunk)

    thread = threading.Thread(target=keep)
    thread.start()
    return connection, thread


def below(desk: FaultyDesk) -> Decimal:
    return (desk.bid() * 99 / 100).quantize(Decimal("0.01"))


def orders(desk: FaultyDesk) -> None:
    resting = desk.place(Side.Buy, "0.01", below(desk))
    desk.until_order(resting, OrderState.New)
    desk.until_order(desk.place(Side.Buy, "0.01"), OrderState.Filled)
    desk.until_order(desk.place(Side.Buy, "0.01", account=BIRCH), OrderState.Filled)
    desk.cancel(resting)


def echoes(desk: FaultyDesk) -> None:
    """The venue says our key and our secret back to us: bare, in every encoding, split by what no screen shows, as a field."""
    said = [f"{form} and {form[:20]}\u200b{form[20:]}" for form in (*forms_of(KEY), *forms_of(SECRET))]
    for text in said:
        body = json.dumps({"code": -2010, "msg": f"no: {text}"})
        fault = desk.paper.fault("say", answer=body, status=400, method="place", account="acme", count=1)
        key = desk.place(Side.Buy, "0.01", below(desk))
        desk.until(lambda fault=fault: desk.paper.struck(fault) == 1, "the exchange said it")
        desk.until(lambda key=key: desk.order(key) is not None, "the order is known")
    desk.paper.end_faults()
    whole = {
        "symbol": SECRET,
        "clientOrderId": KEY,
        "orderId": 1,
        "status": SECRET,
        "side": KEY,
        "msg": SECRET,
        KEY: SECRET,
    }
    for method, answer in (
        ("place", json.dumps(whole)),
        ("place", json.dumps(whole).replace("C", "\\u0043")),
        ("place", f"<html>{KEY} {SECRET}</html>"),
        ("openOrders", json.dumps([whole])),
        ("account", json.dumps({"balances": [{"asset": SECRET, "free": "1", "locked": KEY}]})),
    ):
        desk.paper.fault("say", answer=answer, status=200, method=method, account="acme", count=1)
    for _ in range(3):
        desk.place(Side.Buy, "0.01", below(desk))
    desk.paper.end_faults()
    altered = {"r": SECRET, "c": KEY}
    desk.paper.fault("alter", event="executionReport", account="acme", count=2, set=altered)
    mark = desk.mark()
    desk.place(Side.Buy, "0.01")
    desk.until(lambda: desk.since(mark, ev.OrderMoved) or desk.since(mark, ev.OrderFilled), "something is told of it")
    desk.paper.end_faults()


def crashes(desk: FaultyDesk) -> None:
    """A worker, a task, a thread, a finalizer and a library fail, each with a signed URL in its words."""
    url = f"GET https://api.binance.com/api/v3/order?a=1&signature={'ab' * 32} X-MBX-APIKEY: {KEY} {SECRET}"
    worker = desk.desk._workers[ACME]._worker
    mark = desk.mark()
    loop = worker._loop
    assert loop is not None

    async def lost() -> None:
        raise OSError(url)

    loop.call_soon_threadsafe(loop.set_debug, True)
    loop.call_soon_threadsafe(lambda: loop.create_task(lost()))
    loop.call_soon_threadsafe(lambda: loop.call_exception_handler({"message": url, "exception": ValueError(url)}))

    def fails() -> None:
        held = SECRET
        raise RuntimeError(url + held)

    loop.call_soon_threadsafe(fails)
    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    sys.unraisablehook(Unraisable(RuntimeError(url)))  # type: ignore[arg-type]
    sys.excepthook(RuntimeError, RuntimeError(url), None)
    warnings.warn(url, ResourceWarning, stacklevel=1)
    for name in ("ccxt.base.exchange", "aiohttp.client", "asyncio", "websockets.client", "httpcore.http11", "urllib3"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.debug("%s with %s", url, {"headers": {"X-MBX-APIKEY": KEY}})
        logger.error("failed: %s", url, exc_info=ValueError(url))
        logger.info("%d is no number", url)
    worker._adapter._ccxt.verbose = True  # type: ignore[union-attr]
    desk.place(Side.Buy, "0.01", below(desk))
    loop.call_soon_threadsafe(worker._fail, RuntimeError(url))
    desk.until(
        lambda: (
            [each.state for each in desk.since(mark, ev.AccountChanged) if each.account == ACME][-1:]
            == [AccountState.Ready]
        ),
        "the worker failed and came back",
    )


def strangers(folder: Path) -> list[str] | None:
    """A monitor and an attached screen in processes of their own: their whole memory, once they show the desk."""
    home = {"TRADEDESK_HOME": str(folder / "home")}
    found: list[str] = []
    with (
        on_a_terminal("attach", env=home) as screen,
        (folder / "attached.bin").open("wb") as shown,
        (folder / "monitored.jsonl").open("wb") as lines,
    ):
        watch = subprocess.Popen(
            [sys.executable, "-m", "tradedesk", "monitor", "--json"], stdout=lines, env=os.environ | home
        )
        try:
            screen.until("PAPER")
            screen.until_grown(folder / "monitored.jsonl")
            for pid in (watch.pid, screen.process.pid):
                found += HUNTER.in_process(pid) + HUNTER.in_memory(pid)
        except PermissionError:  # which is as it should be, for whom is not root
            return None
        finally:
            shown.write(screen.bytes())
            watch.kill()
            watch.wait()
    return found


class Unraisable:
    """As Python hands it to the hook."""

    def __init__(self, error: Exception) -> None:
        self.exc_type, self.exc_value, self.exc_traceback = type(error), error, error.__traceback__
        self.err_msg, self.object = None, error


def commands(desk: FaultyDesk, folder: Path) -> None:
    """What a person asks of the desk beside the screen."""
    home = {"TRADEDESK_HOME": str(folder / "home")}
    key = next(iter(desk.view.replica.orders))
    for number, words in enumerate(
        (
            "status --json", "orders --json", "fills", "positions", "alerts", "worklist", "accounts list", "audit verify",
            f"audit show {key}", "export orders", "export fills --format jsonl", "export events --format jsonl", "doctor",
        )
    ):  # fmt: skip
        result = CliRunner().invoke(program, words.split(), env=home)
        (folder / f"command-{number}.txt").write_text(f"{words}\n{result.output}\n{result.stderr}")
        assert len(result.output) > 0, words


async def screens(desk: FaultyDesk, folder: Path) -> None:
    """The screen over the day's desk: pictures of it, what it remembers, and how it ends when it fails with a secret in hand."""
    clock = SystemClock()
    app = TradedeskApp(
        DeskView(desk.desk.open_feed()),
        desk.control,
        operator=OperatorId("demo"),
        clock=clock,
        ids=lambda _: client_order_id(clock.now(), secrets.randbits(40)),
        state_dir=folder / "home" / "state",
        theme="desk-dark",
        log_file=folder / "home" / "log" / "tradedesk.log",
    )
    crash = folder / "crash.txt"
    with suppress(RuntimeError):  # what the screen failed with: a test is told of it, a terminal is not
        async with app.run_test(size=(160, 50)) as pilot:
            await pilot.pause()
            for number in "1234567":
                await pilot.press(number)
                (folder / f"screen-{number}.svg").write_text(app.export_screenshot())

            def fails() -> None:
                held = SECRET
                raise RuntimeError(f"X-MBX-APIKEY={KEY} {held}")

            app.call_later(fails)
            await pilot.pause()
            crash.write_text("\n".join(str(each) for each in app._exit_renderables))
    assert "RuntimeError" in crash.read_text()


def test_the_day_was_a_day(day: Evidence) -> None:
    """The hunt means nothing unless there was something to find: what was said did arrive, without the secret."""
    sizes = {path.name: path.stat().st_size for path in day.folder.rglob("*") if path.is_file()}
    assert sizes["monitor.bin"] > 100_000
    assert sizes["control.bin"] > 100
    assert sizes["debug.log"] > 3_000
    assert {"tradedesk.log", "crash.txt", "screen-1.svg", "command-0.txt"} <= sizes.keys()
    assert any(name.startswith("journal") for name in sizes)
    logged = "".join(path.read_text() for path in day.folder.rglob("tradedesk.log*"))
    for happened in (
        "worker_failed", "thread_failed", "uncaught_error", "finalizer_failed", "library_message", "screen_crashed", "py.warnings",
    ):  # fmt: skip
        assert happened in logged, happened
    assert any("<redacted>" in text and "-2010" in text for text in day.texts)


def test_F81_no_file_of_the_day_holds_a_secret(day: Evidence) -> None:
    assert HUNTER.in_files(day.folder) == []


def test_F81_no_event_of_the_day_holds_a_secret(day: Evidence) -> None:
    assert [text for text in day.texts if HUNTER.in_text(text)] == []


def test_F81_no_command_line_and_no_environment_holds_a_secret(day: Evidence) -> None:
    assert day.processes == []


def test_F81_no_screen_and_no_monitor_of_the_day_holds_a_secret_in_its_memory(day: Evidence) -> None:
    if day.strangers is None:
        pytest.skip("only root may read the memory of another process here")
    assert day.strangers == []


def test_F81_outside_an_accounts_own_adapter_no_object_holds_a_secret(day: Evidence) -> None:
    assert "\n".join(day.heap) == ""
