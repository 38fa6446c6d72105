"""A client leaves: `accounts remove` refuses while anything is open, `accounts offboard` closes first and forgets last."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from demo_desk import Demo, demo, until_nobody_listens
from paper_process import has_loopback_range

from tradedesk.access.vault import Entry, open_vault
from tradedesk.config import load
from tradedesk.domain.words import AccountId

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")
REASON = ("--reason", "the contract ended")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Demo]:
    with demo(tmp_path) as found:
        yield found


def rest(desk: Demo, account: str = "acme") -> str:
    ran = desk.place("--type", "limit", "--price", desk.below(2), account=account)
    assert ran.status == 0, ran
    return str(ran.json["orders"][0]["client_order_id"])


def status_of(desk: Demo, key: str, account: str = "acme") -> str:
    return str(next(row["status"] for row in desk.books(account)["orders"] if row["clientOrderId"] == key))


def is_known(desk: Demo, account: str = "acme") -> tuple[bool, bool]:
    """Whether it stands in desk.toml, and whether its key stands in the vault."""
    vault = open_vault(desk.home.vault, desk.home.passphrase)
    return AccountId(account) in load(desk.home.config).accounts, Entry(account, "binance") in vault.names()


def offboarded(desk: Demo, *options: str) -> Any:
    return desk.call("accounts", "offboard", "acme", *REASON, *options, "--json")


def test_a_client_leaves_a_running_desk_once_nothing_of_it_is_open(desk: Demo) -> None:
    """Close-only at once, its opening orders cancelled; what it holds keeps it; then it goes, and the others trade on."""
    ours, neighbours = rest(desk), rest(desk, "birch")
    early = offboarded(desk)
    assert (early.status, early.json["is_out"]) == (1, False)
    assert "it holds" in early.json["open"][0]
    assert status_of(desk, ours) == "CANCELED"
    assert desk.place("--type", "limit", "--price", desk.below(2)).status == 3  # close-only
    assert is_known(desk) == (True, True)
    out = offboarded(desk, "--with-holdings")
    assert (out.status, out.json["is_out"]) == (0, True), out
    assert is_known(desk) == (False, False)
    assert is_known(desk, "birch") == (True, True)
    assert status_of(desk, neighbours, "birch") == "NEW"
    assert rest(desk, "birch")
    refused = desk.place("--type", "limit", "--price", desk.below(2))
    assert refused.status != 0
    events = desk.ask("export", "events", "--format", "jsonl", "--account", "acme").out
    assert "AccountOffboarded" in events  # the journal is kept
    assert "the contract ended" in events
    desk.kill_and_run_again()
    assert desk.until(lambda watch: AccountId("birch") in watch.replica.accounts)
    assert desk.until(lambda watch: AccountId("acme") not in watch.replica.accounts)


def test_without_a_desk_the_venue_itself_is_asked_and_what_was_done_stays_done(desk: Demo) -> None:
    ours = rest(desk)
    os.kill(desk.desk_pid, signal.SIGKILL)
    until_nobody_listens(desk.home.control_socket)
    early = offboarded(desk, "--with-holdings")
    assert early.status == 1
    assert ours in " ".join(early.json["open"])
    refused = desk.call("accounts", "remove", "acme", "--with-holdings")
    assert (refused.status, ours in refused.err) == (1, True), refused
    assert is_known(desk) == (True, True)
    assert desk.call("kill", "--account", "acme", "--level", "cancel-all", *REASON).status == 0
    held = desk.call("accounts", "remove", "acme")
    assert (held.status, "it holds 2 BTC" in held.err) == (1, True), held
    out = offboarded(desk, "--with-holdings")
    assert (out.status, out.json["is_out"]) == (0, True), out
    assert is_known(desk) == (False, False)


def test_an_account_is_not_removed_under_a_running_desk(desk: Demo) -> None:
    refused = desk.call("accounts", "remove", "cedar", "--with-holdings")
    assert refused.status == 1
    assert "accounts offboard cedar" in refused.err
    assert is_known(desk, "cedar") == (True, True)


def test_an_offboarding_without_a_reason_is_none(desk: Demo) -> None:
    assert desk.ask("accounts", "offboard", "acme", "--reason", " ").status == 2
    assert desk.ask("accounts", "offboard", "nobody", *REASON).status == 2
