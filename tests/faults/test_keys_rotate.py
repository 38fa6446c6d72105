"""Keys that change while a whole desk trades: what the exchange saw, and what a new key that is no good leaves behind."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from demo_desk import Asked
from faulty_desk import ACME, BIRCH, BTC, ME, FaultyDesk, faulty_desk
from paper_process import has_loopback_range

from tradedesk.access.secret import key_fingerprint
from tradedesk.access.vault import Entry, Secret, Vault
from tradedesk.config import find_home, load
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.commands import Reconcile, RotateKey, Submitted
from tradedesk.domain.keys import FINGERPRINT_DIGITS
from tradedesk.domain.orders import OrderState
from tradedesk.domain.words import ClientOrderId, Side

OLD, NEW, ROGUE, STRANGER = ("OLD" + "o" * 29, "NEW" + "n" * 29, "ROGUE" + "r" * 27, "STRANGER" + "s" * 24)

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="this machine has no further loopback addresses")


def an_accounts_file(folder: Path) -> Path:
    """acme has a key to change to, and one that may withdraw; birch's key is that of another account of the exchange."""
    money = 'balances = { USDT = "1000000", BTC = "1", ETH = "100" }'
    text = f"""
[[accounts]]
name = "acme"
api_key = "{OLD}"
secret = "old-secret"
addresses = ["127.0.0.2"]
{money}

[[accounts.keys]]
api_key = "{NEW}"
secret = "new-secret"
addresses = ["127.0.0.2"]

[[accounts.keys]]
api_key = "{ROGUE}"
secret = "rogue-secret"
addresses = ["127.0.0.2"]
rights = ["read", "spot", "withdraw"]

[[accounts]]
name = "birch"
api_key = "{"B" * 32}"
secret = "birch-secret"
addresses = ["127.0.0.3"]
{money}

[[accounts.keys]]
api_key = "{STRANGER}"
secret = "stranger-secret"
addresses = ["127.0.0.2"]
"""
    path = folder / "accounts.toml"
    path.write_text(text)
    return path


@contextmanager
def trading(tmp_path: Path, signer: str = "thread") -> Iterator[FaultyDesk]:
    with faulty_desk(tmp_path / "desk", "--accounts-file", str(an_accounts_file(tmp_path)), signer=signer) as desk:
        yield desk


def vault_of(desk: FaultyDesk) -> Vault:
    vault = desk.desk.vault
    assert vault is not None
    return vault


def put_in(desk: FaultyDesk, api_key: str, secret: str) -> None:
    vault_of(desk).put("acme.next", "binance", Secret(api_key, secret))


def rotate(desk: FaultyDesk) -> None:
    reply = desk.control.submit(RotateKey(account=ACME, operator=ME))
    assert isinstance(reply, Submitted), reply


def orders_seen(desk: FaultyDesk) -> list[dict[str, Any]]:
    return [row for row in desk.paper.requests(method="POST", path="/api/v3/order") if row["account"] == "acme"]


def kept(desk: FaultyDesk, mark: int) -> str:
    """Why the old key was kept, once that was said."""
    desk.until(lambda: desk.since(mark, ev.KeyKept), "the new key is not taken")
    assert desk.since(mark, ev.KeyRotated) == []
    assert vault_of(desk).names() == (Entry("acme", "binance"), Entry("birch", "binance"))
    assert vault_of(desk).api_key("acme", "binance") == OLD
    key = desk.place(Side.Buy, "0.01", desk.bid() * 98 // 100)
    desk.until_order(key, OrderState.New)
    assert orders_seen(desk)[-1]["key"] == OLD
    return desk.since(mark, ev.KeyKept)[0].reason


@pytest.mark.parametrize("signer", ["thread", "process"])
def test_a_key_changes_while_orders_flow_and_not_one_is_refused_or_held_up(tmp_path: Path, signer: str) -> None:
    with trading(tmp_path, signer) as desk:
        price = desk.bid() * 98 // 100
        mark = desk.mark()
        before = [desk.place(Side.Buy, "0.01", price) for _ in range(5)]
        for key in before:
            desk.until_order(key, OrderState.New)
        put_in(desk, NEW, "new-secret")
        rotate(desk)
        meanwhile: list[ClientOrderId] = []

        def is_changed() -> bool:
            meanwhile.append(desk.place(Side.Buy, "0.001", price))  # one each time it is looked
            desk.until_order(meanwhile[-1], OrderState.New)
            desk.cancel(meanwhile[-1])
            return bool(desk.since(mark, ev.KeyRotated))

        desk.until(is_changed, lambda: f"the key changes; {[e.reason for e in desk.since(mark, ev.KeyKept)]}")
        after = [desk.place(Side.Buy, "0.01", price) for _ in range(5)]
        for key in after:
            desk.until_order(key, OrderState.New)

        seen = orders_seen(desk)
        by_id = {row["client_order_id"]: row for row in seen}
        assert {row["status"] for row in seen} == {200}
        assert {by_id[key]["key"] for key in before} == {OLD}
        assert {by_id[key]["key"] for key in after} == {NEW}
        assert {row["key"] for row in seen} == {OLD, NEW}
        assert len(seen) == len(before) + len(meanwhile) + len(after)
        states = [event for event in desk.since(mark, ev.AccountChanged) if event.account == ACME]
        assert [event.state for event in states] == []

        rotated = desk.since(mark, ev.KeyRotated)[0]
        old, new = (key_fingerprint(key)[:FINGERPRINT_DIGITS] for key in (OLD, NEW))
        assert (rotated.account, rotated.old_fingerprint, rotated.new_fingerprint, rotated.by) == (
            ACME,
            old,
            new,
            "demo",
        )
        order = desk.order(after[-1])
        assert order is not None
        assert order.key == new
        assert desk.view.replica.accounts[ACME].account.key == new
        assert vault_of(desk).get("acme", "binance").secret == "new-secret"
        assert vault_of(desk).names() == (Entry("acme", "binance"), Entry("birch", "binance"))


def test_after_a_change_the_old_key_is_not_needed_any_more_and_fills_are_heard(tmp_path: Path) -> None:
    with trading(tmp_path) as desk:
        mark = desk.mark()
        put_in(desk, NEW, "new-secret")
        rotate(desk)
        subscribed = lambda: [  # noqa: E731
            row["key"] for row in desk.paper.ask("GET", "/requests")["requests"]
            if row["method"] == "userDataStream.subscribe.signature" and row["account"] == "acme"
        ]  # fmt: skip
        desk.until(lambda: desk.since(mark, ev.KeyRotated), "the key changes")
        desk.until(lambda: subscribed() == [OLD, NEW], lambda: f"the stream is that of the new key: {subscribed()}")
        desk.paper.fault("key", account="acme", api_key=OLD, set_={"revoked": True})
        key = desk.place(Side.Buy, "0.01")
        desk.until_order(key, OrderState.Filled)
        desk.until(lambda: desk.view.replica.positions[(ACME, BTC)].qty > 1, "the fill is in the position")
        assert desk.is_well()


def test_an_account_that_stands_still_with_a_revoked_key_goes_on_with_another_without_a_restart(tmp_path: Path) -> None:
    with trading(tmp_path) as desk:
        desk.paper.fault("key", account="acme", api_key=OLD, set_={"revoked": True})
        desk.control.submit(Reconcile(account=ACME, operator=ME))
        desk.until(
            lambda: desk.view.replica.accounts[ACME].state is AccountState.Blocked, "the venue refuses the old key"
        )
        put_in(desk, NEW, "new-secret")
        rotate(desk)
        desk.until(desk.is_well, lambda: f"the new key trades: {desk.view.replica.accounts[ACME].reason}")
        key = desk.place(Side.Buy, "0.01", desk.bid() * 98 // 100)
        desk.until_order(key, OrderState.New)
        assert orders_seen(desk)[-1]["key"] == NEW


def test_a_key_that_the_venue_does_not_know_is_not_taken(tmp_path: Path) -> None:
    with trading(tmp_path) as desk:
        mark = desk.mark()
        put_in(desk, "U" * 32, "unknown-secret")
        rotate(desk)
        assert "the venue does not take the new key: -2015" in kept(desk, mark)

        mark = desk.mark()
        put_in(desk, NEW, "mistyped-secret")
        rotate(desk)
        assert "-1022" in kept(desk, mark)


def test_a_key_that_can_withdraw_or_is_another_accounts_is_not_taken(tmp_path: Path) -> None:
    with trading(tmp_path) as desk:
        mark = desk.mark()
        put_in(desk, ROGUE, "rogue-secret")
        rotate(desk)
        assert "the new key is not fit: the key may withdraw" in kept(desk, mark)

        mark = desk.mark()
        put_in(desk, STRANGER, "stranger-secret")
        rotate(desk)
        assert "it belongs to venue account" in kept(desk, mark)


def test_without_a_new_key_or_with_the_one_in_use_nothing_changes(tmp_path: Path) -> None:
    with trading(tmp_path) as desk:
        mark = desk.mark()
        rotate(desk)
        assert "no new key waits in the vault" in kept(desk, mark)
        mark = desk.mark()
        put_in(desk, OLD, "old-secret")
        rotate(desk)
        assert "the new key is the one in use" in kept(desk, mark)
        mark = desk.mark()
        put_in(desk, "B" * 32, "birch-secret")
        rotate(desk)
        assert "the new key is that of birch already" in kept(desk, mark)


def test_a_locked_vault_takes_no_account_out_of_the_market_and_opens_by_its_file_for_a_change(tmp_path: Path) -> None:
    with trading(tmp_path) as desk:
        mark = desk.mark()
        put_in(desk, NEW, "new-secret")
        vault_of(desk).lock()
        key = desk.place(Side.Buy, "0.01", desk.bid() * 98 // 100)
        desk.until_order(key, OrderState.New)
        desk.paper.fault("key", account="acme", api_key=OLD, set_={"addresses": ["127.0.0.2"]})
        rotate(desk)
        desk.until(lambda: desk.since(mark, ev.KeyRotated), "the key changes")
        assert not vault_of(desk).is_locked


def test_the_next_start_finds_the_new_key(tmp_path: Path) -> None:
    with trading(tmp_path) as desk:
        mark = desk.mark()
        put_in(desk, NEW, "new-secret")
        rotate(desk)
        desk.until(lambda: desk.since(mark, ev.KeyRotated), "the key changes")
        home = find_home({"TRADEDESK_HOME": str(tmp_path / "desk")})
        account = load(home.config).accounts[ACME]
        assert vault_of(desk).api_key(account.secret, account.venue) == NEW


# ---- as an operator does it, from a shell beside the desk


def test_an_operator_changes_a_key_from_the_command_line_while_the_desk_trades(tmp_path: Path) -> None:
    with trading(tmp_path) as desk:
        asked = Asked(tmp_path / "desk")
        rotate_words = ("accounts", "rotate", "acme", "--secret-stdin", "--json", "--api-key")
        ran = asked.ask(*rotate_words, NEW, stdin="mistyped-secret")
        assert ran.status != 0
        assert "the old key stays in use: the venue does not take the new key: -1022" in ran.err
        ran = asked.ask(*rotate_words, NEW, stdin="new-secret")
        assert ran.status == 0, ran.err
        assert ran.json["new_key"] == key_fingerprint(NEW)
        key = desk.place(Side.Buy, "0.01", desk.bid() * 98 // 100)
        desk.until_order(key, OrderState.New)
        assert orders_seen(desk)[-1]["key"] == NEW


def test_an_operator_locks_the_vault_and_opens_it_with_its_passphrase_alone(tmp_path: Path) -> None:
    with trading(tmp_path) as desk:
        asked = Asked(tmp_path / "desk")
        assert asked.ask("accounts", "lock").status == 0
        assert vault_of(desk).is_locked
        wrong = tmp_path / "wrong"
        wrong.write_text("not the passphrase")
        wrong.chmod(0o600)
        assert "wrong passphrase" in asked.ask("accounts", "unlock", "--passphrase-file", str(wrong)).err
        assert vault_of(desk).is_locked
        right = ("accounts", "unlock", "--passphrase-file", str(tmp_path / "desk" / "passphrase"))
        assert "try again in 1 s" in asked.ask(*right).err  # one wrong one makes the next wait
        desk.until(lambda: asked.ask(*right).status == 0, "the vault opens")
        assert not vault_of(desk).is_locked


# ---- a signer process that dies


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this system has no /proc that names children")
def test_a_signer_that_dies_takes_its_own_account_out_with_words_and_another_brings_it_back(tmp_path: Path) -> None:
    with trading(tmp_path, "process") as desk:
        mark = desk.mark()
        for pid in signer_processes():
            os.kill(pid, signal.SIGKILL)
        desk.until(
            lambda: {event.account for event in desk.since(mark, ev.AccountChanged)} >= {ACME, BIRCH},
            "both accounts notice it",
        )
        assert {
            event.reason for event in desk.since(mark, ev.AccountChanged) if event.state is AccountState.Offline
        } == {"its signer process ended; it is started again"}
        desk.until(desk.is_well, "both are back, each with a signer of its own")
        key = desk.place(Side.Buy, "0.01", desk.bid() * 98 // 100)
        desk.until_order(key, OrderState.New)
    assert signer_processes() == []


def signer_processes() -> list[int]:
    """The signers that this process started and that live."""
    children = [
        int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()
    ]
    return [pid for pid in children if b"signer_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
