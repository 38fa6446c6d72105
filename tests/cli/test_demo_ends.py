"""How a demo and its paper exchange end: what is said, what is kept, and what is not written over a screen."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
from pathlib import Path

import pytest
import typer
from demo_desk import PROGRAM, WITHIN_S, Asked, ended, started

from tradedesk.cli.demo import demo_home

HANDSHAKE = (
    b"GET /ws/btcusdt@trade HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
HALF_AN_ORDER = b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nsymbol"


def test_a_demo_whose_paper_exchange_died_says_so_and_ends(tmp_path: Path) -> None:
    environment = {**os.environ, "TRADEDESK_HOME": str(tmp_path)}
    process = subprocess.Popen(
        [*PROGRAM, "demo", "--headless", "--json"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        os.kill(json.loads(process.stdout.readline())["paper_pid"], signal.SIGKILL)
        _, said = process.communicate(timeout=WITHIN_S)
    finally:
        process.kill()
    assert (process.returncode, said) == (
        1,
        "the paper exchange ended (signal 9); start again with `tradedesk demo`\n",
    )
    assert (tmp_path / "log" / "paper.log").exists()


def test_the_folder_of_a_demo_goes_unless_its_desk_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TRADEDESK_HOME", raising=False)

    def a_demo(status: int) -> None:
        with demo_home() as home:
            homes.append(home.config.parent)
            home.log.mkdir()
            (home.log / "tradedesk.log").touch()
            if status:
                raise typer.Exit(status)

    homes: list[Path] = []
    a_demo(0)
    assert not homes[-1].exists()
    with pytest.raises(typer.Exit):
        a_demo(1)
    assert (homes[-1] / "log" / "tradedesk.log").exists()
    assert capsys.readouterr().err == f"what the desk wrote is kept in {homes[-1]}\n"
    shutil.rmtree(homes[-1])


def test_clients_that_go_without_a_word_are_no_bug_of_the_exchange(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    process, line = started(Asked(tmp_path), "paper", "--json")
    try:
        port = int(json.loads(line)["rest"].rpartition(":")[2])
        for _ in range(100):
            for words in (HANDSHAKE, HALF_AN_ORDER):
                client = socket.create_connection(("127.0.0.1", port))
                client.sendall(words)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close is a reset
                client.close()
    finally:
        status = ended(process)
    assert (status, capfd.readouterr().err) == (0, "")
