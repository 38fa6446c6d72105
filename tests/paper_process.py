"""The real paper exchange in a process of its own, for tests of any room."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

START_WITHIN_S = 20.0
STOP_WITHIN_S = 10.0


@contextlib.contextmanager
def paper_process(*arguments: str) -> Iterator[dict[str, Any]]:
    """Start `tradedesk paper --json`, give its paper.v1 object with `pid` added, and end it by SIGTERM, which must be clean.

    A port of its own unless `--port` is among the arguments.
    """
    command = [sys.executable, "-m", "tradedesk", "paper", "--json", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield _described(process) | {"pid": process.pid}
        process.send_signal(signal.SIGTERM)
        status = process.wait(STOP_WITHIN_S)
        assert status == 0, f"paper ended with {status}"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _described(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The object of the line it prints when it is ready."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_WITHIN_S)
    line = process.stdout.readline() if ready else ""
    if not line:
        raise AssertionError(f"paper printed nothing within {START_WITHIN_S} s (status {process.poll()})")
    described: dict[str, Any] = json.loads(line)
    return described


def account(described: dict[str, Any], name: str) -> dict[str, Any]:
    """One account of a paper.v1 object."""
    found: dict[str, Any] = next(row for row in described["accounts"] if row["name"] == name)
    return found


def has_loopback_range() -> bool:
    """Whether 127.0.0.2 can be a source address here (not on macOS by default)."""
    import socket

    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.2", 0))
        except OSError:
            return False
    return os.name == "posix"
