"""Exits by the command line: a switch with its proof, what status, list and audit tell, and passwords that stand nowhere."""

import pytest
from demo_desk import Asked
from exit_desk import ACME, BIRCH, BIRCH_AT, is_as, standing, world
from faulty_desk import ME
from paper_process import has_loopback_range

from tradedesk.access.egress import EXIT_SCOPE
from tradedesk.access.vault import open_vault
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.commands import SwitchExit
from tradedesk.domain.orders import OrderState
from tradedesk.domain.words import Side

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="only 127.0.0.1 can be bound here")

FIRST, STANDBY = "127.0.0.31", "127.0.0.32"
PROXY = "socks5://acme@10.9.9.9:1080"


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    with world(tmp_path_factory.mktemp("exits"), FIRST, STANDBY, [FIRST, STANDBY]) as made:
        yield made


@pytest.fixture
def found(there):
    with there.desk() as made:
        yield made
        made.control.submit(SwitchExit(account=ACME, exit=FIRST, reason="as it was", operator=ME))
        made.until(lambda: made.view.replica.exits[ACME].seen == FIRST, lambda: standing(made))


@pytest.fixture
def asked(there):
    made = Asked(there.home.config.parent)
    yield made
    assert "hunter2" not in "".join(made.said)


def rested(found):
    key = found.place(Side.Buy, "0.01", (found.bid() * 99 / 100).quantize(1))
    return found.until_order(key, OrderState.New)


def test_a_switch_by_command_ends_with_the_proof_and_is_told_everywhere(there, found, asked):
    before = rested(found)
    ran = asked.ask("accounts", "switch-exit", "acme", "--reason", "drill", "--json")
    assert ran.status == 0, ran.err
    assert ran.json == {
        "schema": "exit-switched.v1", "account": "acme", "exit": STANDBY, "seen": STANDBY, "how": "echo 127.0.0.1",
        "problem": None,
    }  # fmt: skip
    found.until(lambda: is_as(found, AccountState.Ready), lambda: standing(found))
    after = rested(found)
    assert (before.egress, after.egress) == (FIRST, STANDBY)
    acme = next(row for row in asked.ask("status", "--json").json["accounts"] if row["account"] == "acme")
    assert (acme["egress"], acme["exit"]["in_use"], acme["exit"]["seen"]) == (FIRST, STANDBY, STANDBY)
    assert acme["exit"]["age_ms"] is not None
    listed = {row["account"]: row for row in asked.ask("accounts", "list", "--json").json["accounts"]}
    assert (listed["acme"]["standby_egress"], listed["acme"]["exit"]["in_use"]) == (STANDBY, STANDBY)
    assert (listed["birch"]["standby_egress"], listed["birch"]["exit"]["seen"]) == (None, BIRCH_AT)
    for command in (("status",), ("accounts", "list")):
        (line,) = [line for line in asked.ask(*command).out.splitlines() if line.startswith("acme")]
        assert f"{STANDBY}, 0 min ago" in line
    for order, exit_ in ((before, FIRST), (after, STANDBY)):
        shown = asked.ask("audit", "show", order.client_order_id)
        assert f"exit {exit_}" in shown.out, shown.err
    by = there.peers(ACME)
    assert set().union(*by.values()) == {FIRST, STANDBY}
    assert set().union(*there.peers(BIRCH).values()) == {BIRCH_AT}


def test_what_cannot_be_switched_to_is_refused_with_what_can(found, asked):
    ran = asked.ask("accounts", "switch-exit", "birch", "--reason", "drill")
    assert ran.status == 1
    assert f"account birch has no other exit than {BIRCH_AT}; add standby_egress in desk.toml" in ran.err
    ran = asked.ask("accounts", "switch-exit", "acme", "--to", "127.0.0.9", "--reason", "drill")
    assert ran.status == 1
    assert f"that is none of account acme's exits: {FIRST}, {STANDBY}" in ran.err
    assert asked.ask("accounts", "switch-exit", "nobody", "--reason", "x").status == 2
    assert asked.ask("accounts", "switch-exit", "acme").status == 2


def test_an_exit_can_be_accepted_anew_by_naming_the_one_in_use(found, asked):
    ran = asked.ask("accounts", "switch-exit", "acme", "--to", FIRST, "--reason", "checked with the provider")
    assert (ran.status, ran.out) == (0, f"acme leaves by {FIRST} now, and is seen at {FIRST} (by echo 127.0.0.1)\n")


def test_the_password_of_a_proxy_goes_into_the_vault_and_nowhere_else(there, asked):
    vault = open_vault(there.home.vault, there.home.passphrase)
    ran = asked.ask("accounts", "exit-password", PROXY, "--secret-stdin", stdin="hunter2\n")
    assert ran.status == 0, ran.err
    assert vault.text(PROXY, EXIT_SCOPE) == "hunter2"
    ran = asked.ask("accounts", "exit-password", PROXY, "--remove")
    assert (ran.status, ran.out) == (0, f"the password of {PROXY} is forgotten\n")
    assert vault.text(PROXY, EXIT_SCOPE) is None


@pytest.mark.parametrize(
    ("exit_", "typed", "said"),
    [
        ("socks5://acme:hunter2@10.9.9.9:1080", "x", "a password never stands here"),
        ("socks5://10.9.9.9:1080", "x", "names no user"),
        ("10.9.9.9", "x", "names no user"),
        (PROXY, "", "a proxy's password has 1 to 255 printable ASCII characters"),
        (PROXY, "x" * 256, "1 to 255 printable"),
        (PROXY, "pässword", "1 to 255 printable"),
        (PROXY, "two\nlines", "1 to 255 printable"),
    ],
)
def test_what_is_no_password_of_a_proxy_is_refused(asked, exit_, typed, said):
    ran = asked.ask("accounts", "exit-password", exit_, "--secret-stdin", stdin=typed)
    assert ran.status == 2
    assert said in ran.err
