"""`tradedesk paper` as a process: what it prints, how it ends, and what bad input gets."""

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import aiohttp
import pytest
from paper_client import Client
from paper_process import paper_process

COMMAND = [sys.executable, "-m", "tradedesk"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=30, env=environment, check=False
    )


def refused(*arguments: str, status: int = 1) -> str:
    """The one plain sentence it says on stderr."""
    done = run("paper", *arguments)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip()


def get(url: str) -> object:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def test_it_prints_one_object_serves_and_ends_cleanly():
    with paper_process("--accounts", "4", "--seed", "5") as described:
        assert set(described) - {"pid"} == {
            "schema", "rest", "ws", "wsapi", "futures", "admin", "admin_token", "accounts",
        }  # fmt: skip
        assert described["schema"] == "paper.v1"
        assert described["wsapi"] == described["ws"] + "/ws-api/v3"
        assert [(row["name"], row["addresses"]) for row in described["accounts"]] == [
            ("acme", ["127.0.0.2"]), ("birch", ["127.0.0.3"]), ("cedar", ["127.0.0.4"]), ("client-004", ["127.0.0.5"]),
        ]  # fmt: skip
        assert get(described["rest"] + "/api/v3/ping") == {}
        with paper_process("--accounts", "4", "--seed", "5") as again:  # the same seed, the same keys
            assert again["accounts"] == described["accounts"]
            assert again["admin_token"] != described["admin_token"]


def test_a_recording_is_replayed_and_clients_see_its_book(tmp_path):
    recording = tmp_path / "tiny.gz"
    at = 1_723_161_254_000_000_000
    snapshot = {
        "lastUpdateId": 10,
        "bids": [["61000.00000000", "1.00000000"]],
        "asks": [["61000.01000000", "2.00000000"]],
    }
    later = {
        "stream": "btcusdt@depth@100ms",
        "data": {
            "e": "depthUpdate",
            "E": 1,
            "s": "BTCUSDT",
            "U": 11,
            "u": 12,
            "b": [["60999.00000000", "3.00000000"]],
            "a": [],
        },
    }
    with gzip.open(recording, "wt") as file:
        file.write(f"{at} {json.dumps(snapshot)}\n{at + 1_000_000} {json.dumps(later)}\n")
    with paper_process("--market", "replay", "--recording", str(recording), "--speed", "10") as described:
        book = get(described["rest"] + "/api/v3/depth?symbol=BTCUSDT")
    assert book["asks"] == [["61000.01000000", "2.00000000"]]
    assert book["bids"][0] == ["61000.00000000", "1.00000000"]

    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(recording.read_bytes()[:60])
    assert str(damaged.name) in refused("--market", "replay", "--recording", str(damaged))


def test_a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert (
            refused("--port", str(port))
            == f"--port: port {port} of 127.0.0.1 is in use; choose another, or 0 for any that is free"
        )


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--market", "casino"], 1, "--market: 'casino' is not known; use synthetic or replay"),
        (["--market", "replay"], 2, "--recording: is missing"),
        (["--recording", "x.gz"], 2, "goes with --market replay only"),
        (["--market", "replay", "--recording", "/nowhere/x.gz"], 1, "/nowhere/x.gz"),
        (["--accounts", "2", "--accounts-file", "x.toml"], 2, "--accounts: goes without --accounts-file"),
        (["--speed", "0"], 2, "--speed: 0.0 must be above 0"),
        (["--speed", "nan"], 2, "--speed"),
        (["--accounts-file", "/nowhere/accounts.toml"], 1, "/nowhere/accounts.toml: cannot be read"),
        (["--faults", "/nowhere/faults.toml"], 1, "--faults: /nowhere/faults.toml: cannot be read"),
        (["--latency", "5"], 1, "--latency: '5' is no latency; write 5ms, 5ms±2ms or 5ms±2ms lognormal"),
        (["--host", "192.0.2.7"], 1, "192.0.2.7 is not an address of this machine"),
    ],
)
def test_bad_input_gets_one_plain_sentence(arguments, status, said):
    assert said in refused(*arguments, status=status)


@pytest.mark.parametrize("arguments", [["--accounts", "0"], ["--port", "70000"], ["--seed", "x"], ["--colour"]])
def test_what_is_no_option_is_a_usage_error(arguments):
    done = run("paper", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def ask(described: dict[str, object], method: str, path: str, body: object = None) -> object:
    """The admin's answer."""
    request = urllib.request.Request(
        f"{described['admin']}{path}",
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Authorization": f"Bearer {described['admin_token']}"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def test_a_script_of_faults_and_a_latency_are_in_force_from_the_start(tmp_path):
    script = tmp_path / "faults.toml"
    script.write_text('seed = 3\n[[faults]]\nkind = "say"\nmethod = "ping"\nanswer = -1007\ncount = 1\n')
    with paper_process("--faults", str(script), "--latency", "100ms±10ms") as described:
        began = time.monotonic()
        with pytest.raises(urllib.error.HTTPError, match="408"):
            get(described["rest"] + "/api/v3/ping")
        assert time.monotonic() - began >= 0.08
        assert get(described["rest"] + "/api/v3/ping") == {}
        [fault] = ask(described, "GET", "/faults")["faults"]
        assert (fault["fault"]["kind"], fault["struck"], fault["state"]) == ("say", 1, "spent")
        there = ask(described, "GET", "/")
        assert "mute" in there["faults"]
        assert "POST /faults" in there["there_is"]


def test_the_state_is_left_at_a_clean_end_and_found_at_the_next_start(tmp_path):
    state = tmp_path / "paper.state"
    order = {"kind": "ext", "what": "order", "account": "acme", "instrument": "BTCUSDT", "side": "BUY", "quantity": "0.01",
             "price": "40000", "client_order_id": "web_1"}  # fmt: skip
    gift = {"kind": "move", "account": "acme", "asset": "BNB", "amount": "3", "type": "DEPOSIT"}
    with paper_process("--state", str(state)) as described:
        ask(described, "POST", "/faults", [order, order | {"market": "futures"}, gift])
        before = ask(described, "GET", "/accounts/acme")
        assert [row["clientOrderId"] for row in before["futures"]["orders"]] == ["web_1"]
    assert state.stat().st_mode & 0o777 == 0o600
    with paper_process("--state", str(state)) as described:
        after = ask(described, "GET", "/accounts/acme")
        for part in ("balances", "open_orders", "orders", "trades", "movements"):
            assert after[part] == before[part], part
        assert after["futures"]["orders"] == before["futures"]["orders"]
        ask(described, "POST", "/faults", {"kind": "restart", "state": "kept", "seconds": 0.1})
        time.sleep(0.3)  # it is away; the admin answers all along
        assert ask(described, "GET", "/accounts/acme")["orders"] == before["orders"]
        for _ in range(100):
            try:
                assert get(described["rest"] + "/api/v3/ping") == {}
                break
            except OSError:
                time.sleep(0.05)
        [fault] = ask(described, "GET", "/faults")["faults"]
        assert "failed" not in fault
    with paper_process("--state", str(state), "--accounts", "4") as described:
        assert ask(described, "GET", "/accounts/acme")["orders"] == before["orders"]
    assert "saved account birch is not one of this exchange" in refused("--state", str(state), "--accounts", "1")
    state.write_bytes(state.read_bytes()[:-5])
    assert (
        refused("--state", str(state))
        == f"--state: {state}: is damaged; bring back a copy, or move it away to start afresh"
    )


def test_all_markets_are_gone_and_come_back_with_nothing():
    with paper_process() as described:
        order = {"kind": "ext", "what": "order", "account": "acme", "instrument": "BTCUSDT", "side": "BUY", "quantity": "0.01",
                 "price": "40000"}  # fmt: skip
        ask(described, "POST", "/faults", [order, order | {"market": "futures"}])
        before = ask(described, "GET", "/accounts/acme")
        assert (len(before["orders"]), len(before["futures"]["orders"])) == (1, 1)
        ask(described, "POST", "/faults", {"kind": "restart", "state": "lost", "seconds": 0.2})
        for _ in range(100):
            try:
                assert get(described["rest"] + "/api/v3/ping") == {}
                assert get(described["futures"]["rest"] + "/fapi/v1/ping") == {}
                break
            except OSError:
                time.sleep(0.05)
        assert [fault.get("failed") for fault in ask(described, "GET", "/faults")["faults"]] == [None] * 3
        after = ask(described, "GET", "/accounts/acme")
        assert (after["orders"], after["futures"]["orders"]) == ([], [])


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('[[faults]]\nkind = "late"', "faults[0].seconds: is missing; late needs it"),
        ("faults = [", "is not TOML"),
        ('[[faults]]\nkind = "bust"\ninstrument = "BTCUSDT"\ntrade_id = 1', "faults[0]: "),
        ('[[faults]]\nkind = "move"\naccount = "nobody"\nasset = "USDT"\namount = "1"\ntype = "DEPOSIT"', "there is no nobody"),
    ],
)  # fmt: skip
def test_a_script_with_a_mistake_is_told_by_file_entry_and_field(tmp_path, script, said):
    file = tmp_path / "faults.toml"
    file.write_text(script)
    sentence = refused("--faults", str(file))
    assert sentence.startswith(f"--faults: {file}: ")
    assert said in sentence


def test_help_shows_an_example_and_imports_nothing_heavy():
    assert "Example: tradedesk paper" in run("paper", "--help").stdout
    script = (
        "import sys; sys.argv = ['tradedesk', '--help']\n"
        "from tradedesk.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([name for name in ('aiohttp', 'ccxt', 'textual', 'cryptography') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_without_json_a_person_reads_where_everything_is():
    process = subprocess.Popen([*COMMAND, "paper"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        lines = []
        while not lines or lines[-1] != "ctrl+c ends it\n":
            lines.append(process.stdout.readline())
            assert lines[-1], "it ended"
        process.send_signal(2)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.stdout.close()
    text = "".join(lines)
    assert "REST           http://127.0.0.1:" in text
    assert "acme         127.0.0.2" in text


def test_every_mistake_of_an_accounts_file_is_named_at_once(tmp_path: Path):
    path = tmp_path / "accounts.toml"
    path.write_text(
        """
        [[accounts]]
        name = "Acme"
        api_key = "short"
        addresses = ["here"]
        colour = "red"
        balances = { USDT = 5.0, btc = "1", ETH = "-1" }
        [[accounts]]
        name = "birch"
        api_key = "aaaaaaaaaaaaaaaaaaaa"
        secret = "s"
        [[accounts]]
        name = "birch"
        api_key = "aaaaaaaaaaaaaaaaaaaa"
        public_key = "no key"
        [[accounts]]
        name = "birch"
        api_key = "aaaaaaaaaaaaaaaaaaaa"
        secret = "t"
        """
    )
    done = run("paper", "--accounts-file", str(path))
    assert done.returncode == 1
    said = done.stderr
    for part in (
        "accounts[0].name: must be", "accounts[0].api_key: must be", "accounts[0].addresses: must be", "accounts[0].colour: is not known",
        "accounts[0]: needs either secret (HMAC) or public_key (PEM)", "accounts[0].balances.USDT: an amount is a text",
        "accounts[0].balances.btc: an asset is", "accounts[0].balances.ETH: -1 must not be negative",
        "accounts[2].public_key: is not an Ed25519 or RSA public key", ".name: is taken", ".api_key: is taken",
    ):  # fmt: skip
        assert part in said, part
    assert "Traceback" not in said
    assert "aaaaaaaaaaaaaaaaaaaa" not in said


async def test_the_end_does_not_wait_for_clients_that_are_still_there():
    async with aiohttp.ClientSession() as session:
        with paper_process() as described:  # its end holds up this loop, so neither socket answers
            stream = await session.ws_connect(described["ws"] + "/ws/btcusdt@depth@100ms")
            api = await session.ws_connect(described["wsapi"])
            await stream.receive(timeout=5)
            began = time.monotonic()
        assert time.monotonic() - began < 5
        for socket_ in (stream, api):
            while not socket_.closed:
                await socket_.receive(timeout=3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_changes_nothing_about_a_clean_end(number):
    with paper_process() as described:
        port = int(described["rest"].rpartition(":")[2])
        while True:
            os.kill(described["pid"], number)
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                break  # it no longer listens; the helper's own signal meets the last of its end


async def test_with_any_address_a_bot_from_anywhere_trades_with_the_keys_that_are_printed():
    with paper_process("--any-address") as described:
        row = described["accounts"][0]
        assert row["addresses"] == []
        async with aiohttp.ClientSession() as session:
            client = Client(described["rest"], described["ws"], row["api_key"], row["secret"], session)
            assert (await client.signed("GET", "account")).status == 200
    with paper_process() as described:
        row = described["accounts"][0]
        async with aiohttp.ClientSession() as session:
            client = Client(described["rest"], described["ws"], row["api_key"], row["secret"], session)
            assert (await client.signed("GET", "account")).code == -2015
