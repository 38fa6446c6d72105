"""Admission on a running desk and a real exchange: what must not arrive there does not, and what was put right goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_desk import ended, started
from paper_process import has_loopback_range, paper_process
from paper_site import Site

from tradedesk.domain.commands import Reconcile
from tradedesk.domain.words import AccountId, OperatorId

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")
ORDER = ("--instrument", "BTC/USDT", "--side", "buy", "--qty", "0.001", "--price", "60000", "--json")
KEY = """
[[accounts{more}]]
{name}api_key = "{api_key}"
secret = "secret-of-{api_key}"
addresses = ["{address}"]
{balances}
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Three accounts, their desk running."""
    with paper_process("--seed", "6", "--accounts", "3") as paper:
        found = Site(tmp_path, paper)
        process, _ = started(found, "run", "--json")
        try:
            yield found
        finally:
            ended(process)


def test_a_right_given_while_the_desk_runs_stops_the_account_at_its_next_connection(site: Site) -> None:
    site.until("acme", "Ready")
    resting = site.ask("order", "place", "--account", "acme", *ORDER)
    assert resting.status == 0, resting.err
    site.change_key("acme", rights=["read", "spot", "withdraw"])
    site.admin("POST", "/faults", {"kind": "disconnect", "account": "acme"})
    account = site.until("acme", "Blocked")
    assert "the key may withdraw" in account["reason"]
    before = site.arrived("acme")

    refused = site.ask("order", "place", "--account", "acme", *ORDER)
    assert (refused.status, "the key may withdraw" in refused.out) == (3, True)
    amended = site.ask("order", "amend", resting.json["orders"][0]["client_order_id"], "--price", "59999")
    assert amended.status != 0
    assert site.arrived("acme") == before  # neither of the two
    assert site.until("birch", "Ready")  # its neighbour goes on

    cancelled = site.ask("order", "cancel", "--account", "acme")
    assert (cancelled.status, site.open_orders("acme")) == (0, [])  # what lowers risk goes

    alerts = {row["key"]: row for row in site.ask("alerts", "--json").json["alerts"]}
    assert (alerts["key-money:acme"]["severity"], alerts["key-money:acme"]["is_active"]) == ("critical", True)

    site.change_key("acme", rights=["read", "spot"])
    reconcile(site, "acme")
    site.until("acme", "Ready")
    assert site.ask("order", "place", "--account", "acme", *ORDER).status == 0


def test_a_venue_that_does_not_tell_of_a_key_keeps_its_account_from_trading_and_it_says_why(site: Site) -> None:
    site.until("birch", "Ready")
    asked = {"account": "birch", "method": "GET /sapi/v1/account/apiRestrictions"}
    site.admin("POST", "/faults", {"kind": "say", "answer": -1001, "status": 503} | asked)
    site.admin("POST", "/faults", {"kind": "disconnect", "account": "birch"})
    account = site.until("birch", "Offline")
    assert "its key could not be looked at" in account["reason"]
    before = site.arrived("birch")
    assert site.ask("order", "place", "--account", "birch", *ORDER).status == 3
    assert site.arrived("birch") == before
    site.admin("DELETE", "/faults")
    site.until("birch", "Ready")


def test_the_end_of_a_key_shows_in_status_list_and_alerts(site: Site) -> None:
    site.change_key("cedar", trades_until="2099-01-01T00:00:00Z")
    site.until("cedar", "Ready")
    reconcile(site, "cedar")
    assert site.until_so(lambda row: row["key"]["rights"]["expires_at"] is not None, "cedar")
    listed = {row["account"]: row for row in site.ask("accounts", "list", "--json").json["accounts"]}
    assert listed["cedar"]["key_look"]["rights"]["expires_at"].startswith("2099-01-01")
    assert "to 2099-01-01" in site.ask("accounts", "list").out


def reconcile(site: Site, name: str) -> None:
    from tradedesk.cli.reach import controlled

    control = controlled(site.home, None)
    control.submit(Reconcile(account=AccountId(name), operator=OperatorId("")))
    control.close()


def test_two_keys_of_one_venue_account_are_not_two_accounts(tmp_path: Path) -> None:
    """Their fingerprints differ; only the venue can tell that they are one."""
    balances = 'balances = { USDT = "100000", BTC = "2" }'
    file = tmp_path / "accounts.toml"
    file.write_text(
        KEY.format(more="", name='name = "acme"\n', api_key="a" * 32, address="127.0.0.2", balances=balances)
        + KEY.format(more=".keys", name="", api_key="b" * 32, address="127.0.0.3", balances="")
    )
    with paper_process("--seed", "6", "--accounts-file", str(file)) as paper:
        rows = [
            {"name": "acme", "api_key": "a" * 32, "secret": "secret-of-" + "a" * 32, "addresses": ["127.0.0.2"]},
            {"name": "birch", "api_key": "b" * 32, "secret": "secret-of-" + "b" * 32, "addresses": ["127.0.0.3"]},
        ]
        site = Site(tmp_path / "home", paper | {"accounts": rows})
        process, _ = started(site, "run", "--json")
        try:
            for name, other in (("acme", "birch"), ("birch", "acme")):
                reason = site.until(name, "Blocked")["reason"]
                assert f"is that of account {other} too" in reason
            assert site.arrived("acme") == []
        finally:
            ended(process)
