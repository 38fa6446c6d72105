"""The log: its form, its bounds, and that no secret or control byte gets into it."""

import asyncio
import logging
import os
import stat
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradedesk import log as log_module
from tradedesk.clock import ManualClock
from tradedesk.log import REDACTED, Log, Record, Scrubber, open_log, safe_text, subscribe, tail

CANARY = "CANARYkeyA1b2C3d4E5f6G7h8"


@pytest.fixture
def log_file(tmp_path):
    opened = open_log(tmp_path / "log" / "desk.log", clock=ManualClock(1_795_521_600_123_000_000))
    yield opened
    opened.close()


def written(log_file):
    log_file.flush()
    return log_file.path.read_text(encoding="utf-8")


def test_a_record_is_one_line_of_event_and_fields(log_file):
    Log(account="acme").warning("order_unknown", client_order_id="c1", waited_ms=900)
    assert written(log_file) == (
        "2026-11-24T12:00:00.123Z warning order_unknown account=acme client_order_id=c1 waited_ms=900\n"
    )


def test_a_value_with_spaces_or_quotes_is_quoted(log_file):
    Log().info("venue_said", text='no "such" order', empty="")
    assert written(log_file).endswith('info venue_said text="no \\"such\\" order" empty=""\n')


def test_F80_control_and_bidi_bytes_do_not_reach_the_file(log_file):
    Log().error("venue_said", text="a\x1b]52;c;eA==\x07\nerror forged\x9b\u202e\u2028z")
    text = written(log_file)
    assert text.count("\n") == 1
    assert not any(c in text for c in "\x1b\x07\x9b\u202e\u2028")


@pytest.mark.parametrize(
    "text",
    [
        f"https://api.example/api/v3/order?symbol=X&signature={CANARY}&a=1",
        f"signature%3D{CANARY}",
        f"{{'X-MBX-APIKEY': '{CANARY}', 'a': 'b'}}",
        f'{{"apiKey": "{CANARY}"}}',
        f"apiKey={CANARY}",
        f"wss://stream/ws?listenKey={CANARY}",
        f'"listenKey":"{CANARY}"',
        f"socks5://user:{CANARY}@10.0.0.1:1080",
        f"secret={CANARY}",
        f"secret: '{CANARY}'",
    ],
)
def test_F81_a_secret_is_known_by_the_name_it_travels_under(log_file, text):
    Log().info("something", text=text, apiKey=CANARY, error=ValueError(text))
    Log().info(text)
    logging.getLogger("aiohttp.client").warning("failed: %s", text)
    assert CANARY not in written(log_file)
    assert REDACTED in written(log_file)
    assert all(CANARY not in record.line() for record in tail())


def test_F81_a_learned_secret_is_found_without_any_name():
    scrubber = Scrubber()
    scrubber.learn("ab+cd/" + CANARY + "==")
    assert CANARY not in scrubber.scrub(f"the venue echoed ab+cd/{CANARY}== and [{CANARY}]")
    assert CANARY not in scrubber.scrub(f"ab%2Bcd%2F{CANARY}%3D%3D")
    assert CANARY.encode() not in b"".join(scrubber._digests)


def test_F81_an_exception_is_logged_by_its_class_alone(log_file):
    Log().error("send_failed", cause=ValueError(f"GET https://x/?signature={CANARY}"))
    assert written(log_file).endswith("send_failed cause=ValueError\n")


def test_half_a_secret_at_the_cut_is_not_shown():
    scrubber = Scrubber()
    scrubber.learn(CANARY)
    text = "\x00" * (4 * log_module.VALUE_LIMIT - 10) + CANARY
    assert CANARY[:6] not in safe_text(text, scrubber)


@given(st.text(max_size=80), st.text(max_size=80))
@settings(max_examples=60)
def test_no_text_can_break_the_line_or_hide_a_learned_secret(before, after):
    scrubber = Scrubber()
    scrubber.learn(CANARY)
    shown = safe_text(f"{before} {CANARY} {after}", scrubber)
    line = Record(0, "info", "x", (("text", shown),)).line()
    assert CANARY not in line
    assert len(line.splitlines()) == 1


def test_F81_ccxt_below_warning_is_silent_even_when_the_root_is_at_debug(log_file):
    heard = []
    spy = logging.Handler()
    spy.emit = heard.append
    root, ccxt_logger = logging.getLogger(), logging.getLogger("ccxt.base.exchange")
    level = root.level
    root.addHandler(spy)
    root.setLevel(logging.DEBUG)
    ccxt_logger.setLevel(logging.DEBUG)  # what `verbose` does
    try:
        ccxt_logger.debug("fetch Request: %s", CANARY)
        ccxt_logger.warning("kept")
    finally:
        root.removeHandler(spy)
        root.setLevel(level)
        ccxt_logger.setLevel(logging.WARNING)
    assert [record.getMessage() for record in heard] == ["kept"]
    assert CANARY not in written(log_file)


async def test_a_lost_task_reaches_the_log_without_its_exception_text(log_file):
    loop = asyncio.get_running_loop()
    loop.call_exception_handler(
        {"message": "Task exception was never retrieved", "exception": OSError(f"apiKey={CANARY}")}
    )
    text = written(log_file)
    assert "library_message logger=asyncio" in text
    assert "cause=OSError" in text
    assert CANARY not in text


def test_the_file_is_private_also_when_it_was_not_before(tmp_path):
    path = tmp_path / "desk.log"
    path.touch(mode=0o644)
    opened = open_log(path, max_bytes=500, files=3)
    for number in range(50):
        Log().info("tick", number=number)
    opened.close()
    files = sorted(tmp_path.iterdir())
    assert [f.name for f in files] == ["desk.log", "desk.log.1", "desk.log.2"]
    assert all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in files)
    assert all(f.stat().st_size <= 500 for f in files)


def test_several_threads_write_whole_lines(log_file):
    def work(name):
        log = Log(worker=name)
        for number in range(200):
            log.info("tick", number=number)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = written(log_file).splitlines()
    assert len(lines) == 800
    assert all(" info tick worker=" in line for line in lines)


def test_F64_a_full_disk_is_counted_and_nobody_waits(log_file):
    log_file.flush()
    full = os.open("/dev/full", os.O_WRONLY) if os.path.exists("/dev/full") else None
    if full is None:
        pytest.skip("this machine has no /dev/full")
    os.dup2(full, log_file._handler.stream.fileno())
    os.close(full)
    Log().info("tick")
    log_file.flush()
    assert log_file.failures >= 1
    assert tail()[-1].event == "tick"


def test_listeners_hear_every_record_until_they_leave():
    heard = []
    leave = subscribe(heard.append)
    Log().info("first", n=1)
    leave()
    Log().info("second")
    assert [record.event for record in heard] == ["first"]


def test_a_listener_that_raises_is_dropped_and_one_that_logs_does_not_loop():
    def broken(record):
        raise RuntimeError(CANARY)

    heard = []

    def chatty(record):
        heard.append(record.event)
        Log().info("from_a_listener")

    leave_broken, leave_chatty = subscribe(broken), subscribe(chatty)
    Log().info("one")
    Log().info("two")
    leave_broken()
    leave_chatty()
    assert heard == ["one", "two"]
    events = [record.event for record in tail()]
    assert events.count("log_listener_dropped") == 1
