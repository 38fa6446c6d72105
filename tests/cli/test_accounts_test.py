"""`tradedesk accounts test` and `accept` on a real exchange: what the table says, what arrives there, and what is left."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from demo_desk import PROGRAM, START_WITHIN_S, WITHIN_S, ended, started
from paper_process import account as described_account
from paper_process import has_loopback_range, paper_process
from paper_site import Site

from tradedesk.access.vault import Secret, open_vault
from tradedesk.cli import account_trial

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")
LOOKED_AT = [
    "venue", "clock", "key", "account", "uid", "trading", "money", "expiry", "addresses", "stream", "exit REST",
    "exit WebSocket", "exit seen", "dead-man",
]  # fmt: skip
TRIED = ["admission", "place", "query", "amend", "cancel", "left"]


@pytest.fixture(scope="module")
def paper() -> Iterator[dict[str, Any]]:
    with paper_process("--seed", "5", "--accounts", "3") as described:
        yield described


@pytest.fixture
def site(paper: dict[str, Any], tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path, paper)
    yield found
    found.admin("DELETE", "/faults")
    for row in paper["accounts"]:
        found.change_key(row["name"], rights=["read", "spot", "futures"], addresses=row["addresses"], revoked=False)


@pytest.fixture
def running(site: Site) -> Iterator[Site]:
    """The same with its desk."""
    process, _ = started(site, "run", "--json")
    yield site
    ended(process)


def rows(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {row["what"]: row for row in document["checks"]}


def wait_until(happened: Callable[[], bool]) -> None:
    """Look at the exchange until it is so, and leave it time for others between two looks."""
    deadline, never = time.monotonic() + START_WITHIN_S, threading.Event()
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        never.wait(0.1)


def levels(document: dict[str, Any]) -> dict[str, str]:
    return {row["what"]: row["level"] for row in document["checks"]}


def test_a_look_at_an_account_tells_all_and_changes_nothing(site: Site) -> None:
    ran = site.ask("accounts", "test", "acme", "--json")
    assert ran.status == 0
    document = ran.json
    assert (document["schema"], document["account"], document["mode"]) == ("accounts_test.v1", "acme", "paper")
    assert [row["what"] for row in document["checks"]] == LOOKED_AT
    assert "fail" not in levels(document).values()
    assert site.arrived("acme") == []
    assert not site.home.journal.exists()


def test_each_row_is_in_the_table_that_a_person_reads(site: Site) -> None:
    ran = site.ask("accounts", "test", "acme")
    assert ran.status == 0
    assert all(what in ran.out for what in LOOKED_AT)


def test_without_a_desk_an_order_goes_through_its_life_and_nothing_is_left(site: Site) -> None:
    before = len(site.arrived("birch"))
    ran = site.ask("accounts", "test", "birch", "--trade", "--json")
    assert ran.status == 0, ran.out
    assert list(levels(ran.json)) == LOOKED_AT + TRIED
    assert {levels(ran.json)[what] for what in TRIED} == {"ok"}
    assert site.arrived("birch")[before:] == ["/api/v3/order", "/api/v3/order/cancelReplace", "/api/v3/order"]
    assert site.open_orders("birch") == []
    kept = [json.loads(line) for line in site.ask("export", "orders", "--format", "jsonl").out.splitlines()]
    assert [row["state"] for row in kept] == ["Canceled", "Canceled"]  # they stand in the journal of this home


def test_with_a_desk_it_goes_through_that_desk(running: Site) -> None:
    ran = running.ask("accounts", "test", "acme", "--trade", "--json")
    assert ran.status == 0, ran.out
    assert {levels(ran.json)[what] for what in TRIED} == {"ok"}
    assert len(running.ask("orders", "--json").json["orders"]) == 2
    assert running.open_orders("acme") == []


def test_an_instrument_that_is_not_traded_is_said_to_be_none(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_trial, "READY_WITHIN_S", 5.0)
    ran = site.ask("accounts", "test", "acme", "--trade", "--instrument", "XYZ/USDT", "--json")
    assert ran.status == 1
    assert "XYZ/USDT" in rows(ran.json)["market"]["text"]


@pytest.mark.parametrize("right", ["withdraw", "transfer"])
def test_a_key_that_can_move_money_fails_and_trades_nothing(site: Site, right: str) -> None:
    site.change_key("cedar", rights=["read", "spot", right])
    before = site.arrived("cedar")
    ran = site.ask("accounts", "test", "cedar", "--trade", "--json")
    assert ran.status == 1
    assert (levels(ran.json)["money"], right in rows(ran.json)["money"]["text"]) == ("fail", True)
    assert "place" not in levels(ran.json)
    assert site.arrived("cedar") == before


def test_a_key_that_may_only_read_fails_with_what_to_do(site: Site) -> None:
    site.change_key("cedar", rights=["read"])
    ran = site.ask("accounts", "test", "cedar", "--json")
    assert ran.status == 1
    assert rows(ran.json)["trading"]["level"] == "fail"
    assert rows(ran.json)["trading"]["remedy"]


def test_a_key_bound_to_other_addresses_fails_as_the_venue_says(site: Site) -> None:
    site.change_key("cedar", addresses=["127.0.0.99"])
    ran = site.ask("accounts", "test", "cedar", "--json")
    assert ran.status == 1
    assert "-2015" in rows(ran.json)["key"]["text"]


def test_a_key_for_any_address_is_warned_about(site: Site) -> None:
    site.change_key("cedar", addresses=[])
    ran = site.ask("accounts", "test", "cedar", "--json")
    assert ran.status == 0
    assert levels(ran.json)["addresses"] == "warn"


def test_an_account_that_is_set_otherwise_than_it_must_be_fails_with_what_to_do(site: Site) -> None:
    written = site.home.config.read_text()
    site.home.config.write_text(written + '[accounts.cedar.profile]\naccount_mode = "spot"\n')
    assert levels(site.ask("accounts", "test", "cedar", "--json").json)["profile"] == "ok"
    site.home.config.write_text(written + "[accounts.cedar.profile]\nleverage = 3\n")
    ran = site.ask("accounts", "test", "cedar", "--json")
    assert ran.status == 1
    row = rows(ran.json)["profile"]
    assert "accounts of this venue have no such setting" in row["text"]
    assert row["remedy"] == "set it so at the venue, or correct accounts.cedar.profile in desk.toml"


def test_the_same_key_under_two_names_starts_no_desk(site: Site) -> None:
    taken = described_account(site.paper, "acme")
    vault = open_vault(site.home.vault, site.home.passphrase)
    vault.put("birch", "binance", Secret(taken["api_key"], taken["secret"]))
    ran = site.call("run")
    assert ran.status == 1
    assert "same API key as" in ran.err
    assert taken["api_key"] not in ran.err


def test_a_test_that_fails_half_way_leaves_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_trial, "ANSWER_S", 10.0)
    site.admin("POST", "/faults", {"kind": "say", "account": "acme", "method": "query", "answer": -1000, "status": 500})
    ran = site.ask("accounts", "test", "acme", "--trade", "--json")
    assert ran.status == 1
    found = levels(ran.json)
    assert (found["place"], found["query"], found["left"]) == ("ok", "fail", "ok")
    assert "amend" not in found
    assert site.open_orders("acme") == []


def test_what_could_not_be_cancelled_is_named(running: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_trial, "SWEPT_S", 2.0)
    running.admin("POST", "/faults", {"kind": "lose", "account": "acme", "method": "cancel", "seconds": 1})
    ran = running.ask("accounts", "test", "acme", "--trade", "--json")
    assert ran.status == 1
    (open_order,) = running.open_orders("acme")
    assert open_order["clientOrderId"] in rows(ran.json)["left"]["text"]
    running.admin("DELETE", "/faults")
    assert running.ask("order", "cancel", "--account", "acme").status == 0
    assert running.open_orders("acme") == []


def test_a_venue_that_is_away_fails_in_its_first_row(site: Site) -> None:
    text = site.home.config.read_text(encoding="utf-8")
    site.home.config.write_text(text.replace(site.paper["rest"], "http://127.0.0.1:1"), encoding="utf-8")
    ran = site.ask("accounts", "test", "acme", "--json")
    assert ran.status == 1
    assert levels(ran.json) == {"venue": "fail"}


def test_an_account_that_is_not_there_is_a_mistake_of_the_caller(site: Site) -> None:
    ran = site.ask("accounts", "test", "nobody")
    assert (ran.status, "nobody" in ran.err) == (2, True)


def test_a_refused_key_keeps_its_orders_here_until_the_risk_is_accepted(site: Site) -> None:
    site.change_key("cedar", rights=["read", "spot", "transfer"])
    before = site.arrived("cedar")
    process, _ = started(site, "run", "--json")
    try:
        account = site.until("cedar", "Blocked")
        assert "may transfer" in account["reason"]
        assert [row["level"] for row in account["key"]["findings"] if row["what"] == "money"] == ["fail"]
        order = ("order", "place", "--account", "cedar", "--instrument", "BTC/USDT", "--side", "buy", "--qty", "0.001")
        refused = site.ask(*order, "--price", "60000", "--json")
        assert (refused.status, "may transfer" in refused.out) == (3, True)
        assert site.arrived("cedar") == before

        assert site.ask("accounts", "accept", "cedar", "--reason", " ").status == 1
        accepted = site.ask("accounts", "accept", "cedar", "--reason", "until Friday")
        assert accepted.status == 0, accepted.err
        account = site.until("cedar", "Ready")
        (money,) = [row for row in account["key"]["findings"] if row["what"] == "money"]
        assert (money["level"], "demo: until Friday" in money["text"]) == ("warn", True)
        again = site.ask("accounts", "test", "cedar", "--json")  # which reads it in the journal
        assert (again.status, levels(again.json)["money"]) == (0, "warn")
    finally:
        ended(process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_test_that_is_ended_half_way_leaves_nothing_and_says_so(site: Site, number: signal.Signals) -> None:
    site.admin("POST", "/faults", {"kind": "mute", "account": "acme", "method": "query"})
    asked = site.arrived("acme", "GET").count("/api/v3/order")
    words = (*PROGRAM, "accounts", "test", "acme", "--trade", "--json")
    environment = {**os.environ, **site.environment()}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        wait_until(lambda: site.arrived("acme", "GET").count("/api/v3/order") > asked)  # it waits for that answer now
        process.send_signal(number)
        out, err = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 1, err
    found = levels(json.loads(out))
    assert (found["place"], found["left"], found["interrupted"]) == ("ok", "ok", "fail")
    assert site.open_orders("acme") == []
    assert "Traceback" not in err


def test_a_halted_account_is_not_tried_and_says_who_halted_it(running: Site) -> None:
    running.until("birch", "Ready")
    assert running.ask("halt", "--account", "birch", "--reason", "lunch").status == 0
    before = running.arrived("birch")
    ran = running.ask("accounts", "test", "birch", "--trade", "--json")
    assert ran.status == 1
    assert "lunch" in rows(ran.json)["admission"]["text"]
    assert running.arrived("birch") == before
