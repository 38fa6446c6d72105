"""`tradedesk kill` on real processes: the desk frozen, dead, in flight, its venue slow, half down, banning or away.

Each ends by comparing the receipt with the exchange's own records.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from demo_desk import MINUTE_S, PROGRAM, Demo, demo, started, until_nobody_listens
from kill_desk import admin, agrees, are_ready, at_venue, fault, killed, make_calm, rest
from paper_process import has_loopback_range

from tradedesk.access.vault import open_vault
from tradedesk.cli.drill_desk import ENDED
from tradedesk.desk import receipts
from tradedesk.desk.client import RemoteControl
from tradedesk.domain.commands import PlaceOrder
from tradedesk.domain.scopes import Scope, ScopeKind
from tradedesk.domain.words import AccountId, InstrumentId, OperatorId, OrderType, Side, client_order_id

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo(tmp_path_factory.mktemp("kill")) as found:
        yield found


@pytest.fixture
def calm(desk: Demo) -> Iterator[Demo]:
    """The one demo of this file, made whole again after each test."""
    yield desk
    make_calm(desk)


def test_a_frozen_desk_is_stopped_and_folds_it_when_it_thaws(calm: Demo) -> None:
    """SIGSTOP: openings go, protective and foreign orders stay; afterwards the desk is halted and knows everything."""
    ours, neighbours, protective = rest(calm), rest(calm, "birch"), rest(calm, side="sell")
    foreign = {"what": "order", "account": "acme", "instrument": "BTCUSDT", "side": "BUY", "quantity": "0.01"}
    fault(calm, "ext", **foreign, price=calm.below(2), client_order_id="web_1")
    os.kill(calm.desk_pid, signal.SIGSTOP)
    document = killed(calm, "--all", is_a_process=True)
    acme = document["by_account"]["acme"]
    assert (acme["outcome"], acme["is_blocked"], acme["cancelled"], acme["left"]) == ("clear", True, 1, 1)
    assert (document["is_complete"], document["by_account"]["birch"]["cancelled"]) == (True, 1)
    assert at_venue(calm)[ours] == at_venue(calm, "birch")[neighbours] == "CANCELED"
    assert at_venue(calm)[protective] == at_venue(calm)["web_1"] == "NEW"
    agrees(calm, document)
    os.kill(calm.desk_pid, signal.SIGCONT)
    assert calm.until(lambda watch: watch.replica.orders[ours].ord_status == "Canceled")  # type: ignore[index]
    assert calm.until(lambda watch: None in watch.replica.halts)
    refused = calm.place("--type", "limit", "--price", calm.below(2))
    assert refused.status == 3, refused
    assert calm.until(lambda watch: any("a drill" in row.alert.text for row in watch.replica.alerts.values()))


def test_what_waited_in_a_frozen_desk_does_not_come_alive_when_it_thaws(calm: Demo) -> None:
    """A command that was in its socket, given before the kill and read after it, is denied and never sent."""
    control = RemoteControl(calm.home.control_socket, None)
    command = PlaceOrder(
        account=AccountId("acme"),
        client_order_id=client_order_id(time.time_ns(), 1),
        instrument=InstrumentId("binance:BTCUSDT"),
        side=Side.Buy,
        order_type=OrderType.Limit,
        order_qty=Decimal("0.01"),
        price=Decimal(calm.below(2)),
        operator=OperatorId(""),
        deadline=time.time_ns() + 600 * 10**9,
    )
    os.kill(calm.desk_pid, signal.SIGSTOP)
    giving = threading.Thread(target=control.submit, args=(command,))
    giving.start()
    document = killed(calm)
    os.kill(calm.desk_pid, signal.SIGCONT)
    assert document["is_complete"]
    assert calm.until(
        lambda watch: (
            command.client_order_id in watch.replica.orders
            and watch.replica.orders[command.client_order_id].ord_status == "Denied"
        )
    )
    assert command.client_order_id not in at_venue(calm)
    giving.join()
    control.close()


def test_a_desk_killed_with_an_order_in_flight_is_waited_for_until_that_arrived(tmp_path: Path) -> None:
    """SIGKILL: the journal tells of an order that may be under way; it comes later, and is cancelled all the same."""
    with demo(tmp_path) as desk:
        resting = rest(desk)
        fault(desk, "stall", seconds=2, method="place", account="acme")
        placing = threading.Thread(target=desk.place, args=("--type", "limit", "--price", desk.below(2)))
        placing.start()
        assert desk.until(lambda watch: admin(desk, "GET", "/faults")["faults"][0]["struck"])
        os.kill(desk.desk_pid, signal.SIGKILL)
        until_nobody_listens(desk.home.control_socket)
        document = killed(desk, "--all", is_a_process=True)
        placing.join()
        assert document["by_account"]["acme"]["cancelled"] == 2
        assert set(at_venue(desk).values()) == {"CANCELED"}
        assert resting in at_venue(desk)
        agrees(desk, document)
        process, _ = started(desk, "run", "--json")
        desk.again.append(process)
        assert desk.until(lambda watch: any(row.alert.rule == "kill" for row in watch.replica.alerts.values()))
        assert desk.until(lambda watch: None in watch.replica.halts and are_ready(watch), MINUTE_S)
        assert set(at_venue(desk).values()) == {"CANCELED"}
        assert "KillRecorded" in desk.ask("export", "events", "--format", "jsonl").out


def test_without_its_journal_the_form_of_an_id_tells_what_is_ours(tmp_path: Path) -> None:
    """And nothing is called clear before the venue's own window has passed."""
    with demo(tmp_path) as desk:
        ours = rest(desk)
        os.kill(desk.desk_pid, signal.SIGKILL)
        until_nobody_listens(desk.home.control_socket)
        for file in desk.home.state.glob("journal.sqlite*"):
            file.write_bytes(b"not a journal")
        document = killed(desk, "--account", "acme")
        assert document["journal"]
        assert (document["by_account"]["acme"]["cancelled"], at_venue(desk)[ours]) == (1, "CANCELED")
        assert document["took_ms"] >= 15_000


def test_flattening_takes_the_lease_closes_what_is_held_and_the_desk_trades_again_once_rearmed(tmp_path: Path) -> None:
    with demo(tmp_path) as desk:
        rest(desk, "birch")
        os.kill(desk.desk_pid, signal.SIGSTOP)
        document = killed(desk, "--account", "birch", "--flatten")
        birch = document["by_account"]["birch"]
        assert (birch["outcome"], birch["is_flat"], birch["held"]) == ("clear", True, [])
        held = {row["asset"]: Decimal(row["free"]) for row in desk.books("birch")["balances"]}
        assert [held.get(asset, Decimal(0)) for asset in ("BTC", "ETH", "SOL")] == [0, 0, 0]
        os.kill(desk.desk_pid, signal.SIGCONT)
        assert desk.until(lambda watch: AccountId("birch") in watch.replica.halts)
        assert desk.ask("rearm", "--account", "birch", "--reason", "over").status == 0
        assert desk.until(lambda watch: watch.replica.accounts[AccountId("birch")].state == "Ready")
        assert rest(desk, "birch") in at_venue(desk, "birch")
        assert desk.differences() == []  # the kill's own orders included
        closed = [
            row for row in desk.ask("orders", "--json").json["orders"] if row["client_order_id"].startswith("kill-")
        ]
        assert (
            [(row["operator"], row["is_external"]) for row in closed] == [("system:flatten", False)] * len(closed) != []
        )
        alerts = desk.ask("alerts", "--account", "birch", "--json").json["alerts"]
        assert "foreign-fill" not in {row["rule"] for row in alerts}


def test_foreign_orders_are_cancelled_when_they_are_named(calm: Demo) -> None:
    foreign = {"what": "order", "account": "acme", "instrument": "BTCUSDT", "side": "BUY", "quantity": "0.01"}
    fault(calm, "ext", **foreign, price=calm.below(2), client_order_id="web_2")
    document = killed(calm, "--account", "acme", "--level", "cancel-all", "--external")
    assert at_venue(calm)["web_2"] == "CANCELED"
    agrees(calm, document)


def test_the_key_that_only_cancels_is_the_one_that_is_used(calm: Demo) -> None:
    own = next(row for row in calm.paper["accounts"] if row["name"] == "acme")
    before = calm.home.config.read_text(encoding="utf-8")
    same = calm.ask("accounts", "cancel-key", "acme", "--api-key", own["api_key"], "--secret-stdin", stdin="x" * 64)
    assert (same.status, "the key it trades with" in same.err) == (1, True), same
    put = calm.ask("accounts", "cancel-key", "acme", "--api-key", "K" * 64, "--secret-stdin", stdin="s" * 64)
    assert put.status == 0, put
    try:
        ran = calm.ask("kill", "--account", "acme", "--account", "birch", "--reason", "a drill", "--json")
    finally:
        calm.home.config.write_text(before, encoding="utf-8")
    rows = {row["account"]: row for row in ran.json["accounts"]}
    assert "acme: the venue refuses the key" in ran.err  # it knows no such key, so the account's own comes second
    assert "going on with the key acme" in ran.err
    assert (rows["acme"]["entry"], rows["birch"]["entry"]) == ("acme", "birch")
    assert (rows["acme"]["outcome"], rows["birch"]["outcome"]) == ("clear", "clear")


def test_an_account_without_its_key_is_halted_and_the_others_are_cleared(calm: Demo) -> None:
    vault = open_vault(calm.home.vault, calm.home.passphrase)
    secret = vault.get("cedar", "binance")
    ours = rest(calm)
    vault.remove("cedar", "binance")
    try:
        document = killed(calm, "--account", "acme", "--account", "cedar", status=1)
    finally:
        vault.put("cedar", "binance", secret)
    rows = document["by_account"]
    assert (rows["cedar"]["outcome"], rows["cedar"]["is_blocked"]) == ("unreachable", True)
    assert (rows["acme"]["outcome"], at_venue(calm)[ours]) == ("clear", "CANCELED")


def test_what_cannot_be_meant_is_refused_before_anything_is_done(calm: Demo) -> None:
    for options, said in (
        ((), "--account NAME"),
        (("--all", "--account", "acme"), "--account NAME"),
        (("--account", "acne"), "did you mean acme?"),
        (("--all", "--level", "reduce-only"), "cancel-opening or cancel-all"),
    ):
        ran = calm.ask("kill", *options, "--reason", "x")
        assert (ran.status, said in ran.err) == (2, True), ran
    assert calm.until(lambda watch: not watch.replica.halts)


def test_a_vault_that_does_not_open_still_leaves_the_desk_halted(calm: Demo, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("another passphrase", encoding="ascii")
    ran = calm.ask("kill", "--account", "acme", "--reason", "x", "--passphrase-file", str(wrong))
    assert ran.status == 1
    assert ran.err.startswith("halted, but nothing was cancelled")
    assert calm.until(lambda watch: AccountId("acme") in watch.replica.halts)


def test_an_interrupted_kill_leaves_the_halt_and_a_receipt_of_how_far_it_came(calm: Demo) -> None:
    ours = rest(calm)
    os.kill(calm.desk_pid, signal.SIGSTOP)
    fault(calm, "lose", account="acme", method="cancel")
    process = subprocess.Popen(
        [*PROGRAM, "kill", "--account", "acme", "--reason", "a drill", "--json"],
        env={**os.environ, **calm.environment()}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not any(row["struck"] for row in admin(calm, "GET", "/faults")["faults"]):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    row = json.loads(said)["accounts"][0]
    assert process.returncode == 1
    assert (row["outcome"], row["is_blocked"], row["still_open"], row["why"]) == ("open", True, 1, "interrupted")
    assert at_venue(calm)[ours] == "NEW"
    assert not isinstance(receipts.load(calm.home, json.loads(said)["id"]), str)


def test_a_desk_toml_that_cannot_be_read_still_leaves_the_desk_halted(calm: Demo) -> None:
    before = calm.home.config.read_text(encoding="utf-8")
    calm.home.config.write_text("[desk", encoding="utf-8")
    try:
        ran = calm.ask("kill", "--all", "--reason", "x")
    finally:
        calm.home.config.write_text(before, encoding="utf-8")
    assert (ran.status, "the desk is halted, but nothing was cancelled" in ran.err) == (1, True), ran
    assert calm.until(lambda watch: None in watch.replica.halts)


def test_an_instrument_is_killed_on_every_account_though_the_desk_is_frozen_and_the_others_trade_on(calm: Demo) -> None:
    """5.5"""
    scope = Scope(kind=ScopeKind.Instrument, name="binance:BTCUSDT")
    killed_one, left = rest(calm), rest_eth(calm)
    os.kill(calm.desk_pid, signal.SIGSTOP)
    document = killed(calm, "--instrument", "BTC/USDT", "--level", "cancel-all")
    assert (document["is_complete"], document["scope"]) == (True, "instrument binance:BTCUSDT")
    found = [order for row in document["accounts"] for order in row["orders"]]
    assert {order["instrument"] for order in found} == {"binance:BTCUSDT"}
    assert at_venue(calm)[killed_one] == "CANCELED"
    assert at_venue(calm)[left] not in ENDED
    os.kill(calm.desk_pid, signal.SIGCONT)
    assert calm.until(lambda watch: scope in watch.replica.scoped_halts)
    denied = calm.place("--type", "limit", "--price", calm.below(2), account="birch")
    assert (denied.status, "instrument binance:BTCUSDT (a drill): halted" in denied.out + denied.err) == (3, True), (
        denied
    )
    assert rest_eth(calm) in at_venue(calm)
    lifted = calm.ask("rearm", "--instrument", "BTC/USDT", "--reason", "over")
    assert (lifted.status, "cancel-all) by" in lifted.err, "a drill" in lifted.err) == (0, True, True), lifted
    assert rest(calm) in at_venue(calm)


def test_an_operators_orders_are_halted_through_the_desk_and_no_order_of_theirs_arrives(calm: Demo) -> None:
    resting = rest(calm)
    who = calm.ask("orders", "--json").json["orders"][-1]["operator"]
    ran = calm.ask("halt", "--of-operator", who, "--level", "cancel-all", "--reason", "runs away", "--json")
    assert (ran.status, ran.json["kind"], ran.json["is_complete"]) == (0, "operator", True), ran
    before = at_venue(calm)
    assert before[resting] == "CANCELED"
    denied = calm.place("--type", "limit", "--price", calm.below(2))
    assert (denied.status, f"operator {who} (runs away): halted" in denied.out + denied.err) == (3, True), denied
    assert at_venue(calm) == before
    assert calm.ask("rearm", "--of-operator", who, "--reason", "over").status == 0
    assert rest(calm) in at_venue(calm)


def rest_eth(desk: Demo) -> str:
    price = desk.below(2, "ETH/USDT")
    ran = desk.place("--type", "limit", "--price", price, "--instrument", "ETH/USDT", qty="0.1")
    assert ran.status == 0, ran
    return str(ran.json["orders"][0]["client_order_id"])
