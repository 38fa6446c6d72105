"""The program end to end on a demo: documents, orders, halts, a kill, and what no file or output may contain."""

import os
import signal
import stat
from decimal import Decimal
from typing import Any

import pytest
from demo_desk import Demo, Ran, has_prices

ORDER_KEYS = {
    "account", "client_order_id", "venue_order_id", "instrument", "side", "order_type", "time_in_force", "order_qty",
    "price", "cum_qty", "avg_px", "state", "reasons", "requests",
}  # fmt: skip
FILL_KEYS = {
    "account",
    "client_order_id",
    "instrument",
    "side",
    "last_qty",
    "last_px",
    "fee",
    "trade_id",
    "transact_time",
}
POSITION_KEYS = {"account", "instrument", "qty", "avg_px", "mark", "realized", "unrealized", "fees", "net"}
ACCOUNT_KEYS = {"account", "state", "reason", "egress", "exit_seen", "halt", "balances", "limits", "pnl", "stream"}


def one(ran: Ran, status: int = 0) -> dict[str, Any]:
    """The one order of an orders.v1 document."""
    assert ran.status == status, ran.err + ran.out
    [row] = ran.json["orders"]
    return dict(row)


# ---- documents ---------------------------------------------------------------------------------------------------------


def test_demo_says_where_everything_is_and_every_account_is_ready(desk: Demo) -> None:
    assert {"rest", "ws", "wsapi", "admin", "admin_token", "accounts"} <= desk.paper.keys()
    assert desk.until(lambda watch: all(row.health and row.health.exit_seen for row in watch.replica.accounts.values()))
    document = desk.call("status", "--json").json
    assert document["schema"] == "status.v1"
    assert document["desk"]["pid"] == desk.desk_pid
    assert [row["account"] for row in document["accounts"]] == ["acme", "birch", "cedar"]
    for row in document["accounts"]:
        assert row.keys() >= ACCOUNT_KEYS
        assert row["state"] == "Ready"
        assert row["exit_seen"] == row["egress"]  # 5.7: proved by the socket, not by the settings


def test_the_homes_files_are_the_owners_alone(desk: Demo) -> None:
    home = desk.home
    for path in (home.config.parent / "vault", home.config.parent / "passphrase", home.journal, home.control_socket):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(home.state.stat().st_mode) == 0o700


def test_limits_check_explains_an_order_rule_by_rule_and_makes_none(desk: Demo) -> None:
    orders = [row["client_order_id"] for row in desk.ask("orders", "--json").json["orders"]]
    ran = desk.ask("limits", "check", "--account", "acme", "buy 3000 BTC/USDT @ 60000", "--json")
    assert ran.status == 3, ran.err
    document = ran.json
    assert (document["schema"], document["account"], document["notional"]) == ("limits-check.v1", "acme", "180000000")
    assert (document["passes"], document["needs_reason"]) == (False, False)
    rows = {row["rule"]: row for row in document["answers"]}
    too_much = rows["max_order_notional"]
    assert (too_much["passes"], too_much["value"]) == (False, "180000000")
    assert too_much["limit"] in too_much["text"]
    assert too_much["source"] in too_much["text"]
    assert rows["tick"]["passes"]
    words = desk.ask("limits", "check", "--account", "acme", f"buy 0.01 BTC/USDT @ {desk.below(1)}")
    assert words.status == 0, words.out + words.err
    assert "would pass; nothing was sent" in words.out
    odd = desk.ask("limits", "check", "--account", "acme", "buy some BTC/USDT")
    assert (odd.status, "write it as" in odd.err) == (2, True)
    assert [row["client_order_id"] for row in desk.ask("orders", "--json").json["orders"]] == orders


# ---- orders ------------------------------------------------------------------------------------------------------------


def test_a_limit_order_rests_is_amended_and_cancelled(desk: Demo) -> None:
    price = desk.below(1)
    row = one(desk.place("--price", price))
    assert row.keys() >= ORDER_KEYS
    assert (row["state"], row["price"], row["order_qty"], row["cum_qty"]) == (
        "New",
        price.rstrip("0").rstrip("."),
        "0.01",
        "0",
    )
    assert row["operator"] == "demo"
    key = row["client_order_id"]

    amended = desk.ask("order", "amend", key, "--qty", "0.02", "--json")
    assert amended.status == 0, amended.err
    new, old = amended.json["orders"]
    assert (new["state"], new["order_qty"], new["replaces"]) == ("New", "0.02", key)
    assert (old["client_order_id"], old["state"], old["replaced_by"]) == (key, "Canceled", new["client_order_id"])

    cancelled = one(desk.ask("order", "cancel", new["client_order_id"], "--json"))
    assert cancelled["state"] == "Canceled"
    assert [request["kind"] for request in cancelled["requests"]] == ["new", "cancel"]

    again = desk.ask("order", "amend", key, "--qty", "0.03")
    replacement = new["client_order_id"]
    assert (again.status, again.err.strip()) == (
        2,
        f"{key} is Canceled, replaced by {replacement}; amend {replacement}",
    )
    again = desk.ask("order", "amend", replacement, "--qty", "0.03")
    assert (again.status, again.err.strip()) == (2, f"{replacement} is Canceled; nothing of it can be amended")


def test_an_order_without_a_proved_answer_is_no_success(desk: Demo) -> None:
    """5.2"""
    price = desk.below(1)
    assert desk.paper_pid is not None
    os.kill(desk.paper_pid, signal.SIGSTOP)
    try:
        placed = desk.place("--price", price)
    finally:
        os.kill(desk.paper_pid, signal.SIGCONT)
    assert (placed.status, placed.err.strip()) == (
        1,
        "not every order has its answer yet; look at `tradedesk orders`",
    )
    key = one(placed, 1)["client_order_id"]
    assert desk.until(lambda watch: not watch.replica.orders[key].is_uncertain)
    desk.ask("order", "cancel", "--account", "acme")


def test_a_market_order_fills_and_shows_in_every_document(desk: Demo) -> None:
    row = one(desk.place("--type", "market", account="birch"))
    assert (row["state"], row["price"], row["cum_qty"]) == ("Filled", None, "0.01")
    assert Decimal(row["avg_px"]) > 0
    key = row["client_order_id"]
    fills = [
        fill
        for fill in desk.ask("fills", "--account", "birch", "--json").json["fills"]
        if fill["client_order_id"] == key
    ]
    assert fills
    assert all(fill.keys() >= FILL_KEYS for fill in fills)
    assert sum(Decimal(fill["last_qty"]) for fill in fills) == Decimal("0.01")
    document = desk.ask("positions", "--json").json
    assert document["schema"] == "positions.v1"
    [position] = [row for row in document["positions"] if (row["account"], row["instrument"]) == ("birch", "BTC/USDT")]
    assert position.keys() >= POSITION_KEYS
    assert all(isinstance(position[key], str | None) for key in ("qty", "avg_px", "mark", "net"))


def test_one_command_trades_for_several_accounts_under_one_block(desk: Demo) -> None:
    placed = desk.place("--account", "cedar", "--price", desk.below(1), account="acme")
    assert placed.status == 0, placed.err
    rows = placed.json["orders"]
    assert [(row["account"], row["state"]) for row in rows] == [("acme", "New"), ("cedar", "New")]
    assert rows[0]["block"] == rows[1]["block"] is not None
    cancelled = desk.ask("order", "cancel", *(row["client_order_id"] for row in rows), "--json")
    assert [row["state"] for row in cancelled.json["orders"]] == ["Canceled", "Canceled"]


@pytest.mark.parametrize(
    ("options", "qty", "reason"),
    [
        (("--price", "61000.005"), "0.01", "price 61000.005 is off tick; BTC/USDT moves in steps of 0.01"),
        (("--price", "1"), "0.01", "bps from the market"),
        (("--type", "market"), "0.8", "above the limit 0.75"),
        (("--type", "market"), "999999999999", "above the venue's maximum"),
        (("--type", "market"), "0.000000001", "is no multiple of the lot"),
    ],
)
def test_the_gate_refuses_with_every_reason_and_the_program_ends_with_3(
    desk: Demo, options: tuple[str, ...], qty: str, reason: str
) -> None:
    row = one(desk.place(*options, qty=qty), 3)
    assert row["state"] == "Denied"
    assert any(reason in text for text in row["reasons"]), row["reasons"]
    assert row["venue_order_id"] is None


def test_one_refused_of_two_is_shown_beside_the_one_that_rests(desk: Demo) -> None:
    halted = desk.ask("halt", "--account", "cedar", "--level", "block-new", "--reason", "test", "--json")
    assert halted.status == 0
    placed = desk.place("--account", "cedar", "--price", desk.below(1), account="acme")
    assert placed.status == 3
    assert [row["state"] for row in placed.json["orders"]] == ["New", "Denied"]
    told = desk.ask("halt", "--account", "cedar", "--level", "block-new", "--reason", "test")
    sentence = "cedar is halted (block-new); `tradedesk rearm --account cedar --reason ...` lifts it"
    assert (told.status, told.err.strip()) == (0, sentence)
    rearmed = desk.ask("rearm", "--account", "cedar", "--reason", "test")
    assert (rearmed.status, rearmed.out.strip()) == (0, "cedar is no longer halted")
    assert desk.ask("order", "cancel", "--account", "acme").status == 0


def test_an_order_made_smaller_at_its_price_keeps_its_id_and_its_place(desk: Demo) -> None:
    """F24"""
    key = one(desk.place("--price", desk.below(1)))["client_order_id"]
    amended = desk.ask("order", "amend", key, "--qty", "0.006", "--json")
    row = one(amended)
    assert (row["client_order_id"], row["state"], row["order_qty"]) == (key, "New", "0.006")
    assert (row["requests"][-1]["by"], row["requests"][-1]["state"]) == ("in-place", "Acknowledged")
    assert "keeps its place" in amended.err
    assert one(desk.ask("order", "cancel", key, "--json"))["state"] == "Canceled"


def test_everything_is_cancelled_on_every_account_with_a_receipt_each(desk: Demo) -> None:
    """F44"""
    price = desk.below(1)
    rows = desk.place("--account", "cedar", "--price", price, account="acme").json["orders"]
    swept = desk.ask("order", "cancel", "--all", "--instrument", "BTC/USDT", "--side", "buy", "--json")
    assert swept.status == 0, swept.err
    assert [desk.order(row["client_order_id"])["state"] for row in rows] == ["Canceled", "Canceled"]
    receipts = {receipt["account"]: receipt for receipt in swept.json["receipts"]}
    assert receipts.keys() >= {"acme", "cedar"}
    assert (receipts["acme"]["cancelled"], receipts["acme"]["left"], receipts["acme"]["side"]) == (1, 0, "buy")
    again = desk.ask("order", "cancel", "--all")
    assert "acme: 0 cancelled, 0 ended before, 0 left" in again.out


def test_cancelling_an_account_takes_only_what_was_named(desk: Demo) -> None:
    bought = one(desk.place("--price", desk.below(1)))["client_order_id"]
    sold = one(desk.place("--price", f"{desk.market()['ask'] * Decimal('1.01'):.2f}", side="sell"))["client_order_id"]
    assert desk.ask("order", "cancel", "--account", "acme", "--side", "sell", "--json").status == 0
    assert (desk.order(bought)["state"], desk.order(sold)["state"]) == ("New", "Canceled")
    assert desk.ask("order", "cancel", "--account", "acme").status == 0


# ---- halts -------------------------------------------------------------------------------------------------------------


def test_what_may_be_done_for_clients_and_how_their_accounts_are_set_is_told_by_commands(desk: Demo) -> None:
    told = desk.ask("mandate", "show", "--json").json["mandates"]
    assert {mandate["version"] for mandate in told} == {None}
    account = told[0]["account"]
    assert "no mandate: whatever its limits let pass" in desk.ask("mandate", "show", "--account", account).out
    refused = desk.ask("mandate", "approve", account, "--version", "1", "--reason", "signed")
    assert refused.status == 1
    assert "it has no mandate; write one in desk.toml" in refused.err
    (profile,) = desk.ask("accounts", "profile", account, "--json").json["profiles"]
    settings = {(row["setting"], row["of"]): row for row in profile["settings"]}
    assert settings["account_mode", ""]["is"] == "spot"
    assert settings["self_trade", "BTC/USDT"]["is"] == "none"
    missing = {name for (name, _), row in settings.items() if not row["exists"]}
    assert missing == {"position_mode", "margin_mode", "leverage"}
    table = desk.ask("accounts", "profile", account).out
    assert "this venue has none" in table


def test_a_halt_ends_in_a_receipt_and_holds_until_somebody_rearms(desk: Demo) -> None:
    """5.5"""
    key = one(desk.place("--price", desk.below(1), account="cedar"))["client_order_id"]
    halted = desk.call("halt", "--account", "cedar", "--level", "cancel-all", "--reason", "price looks wrong", "--json")
    assert halted.status == 0, halted.err
    [receipt] = halted.json["accounts"]
    assert (halted.json["is_complete"], receipt["is_swept"], receipt["cancelled"], receipt["left"]) == (
        True,
        True,
        1,
        0,
    )
    assert desk.order(key)["state"] == "Canceled"
    row = next(row for row in desk.ask("status", "--json").json["accounts"] if row["account"] == "cedar")
    assert (row["state"], row["reason"], row["halt"]["level"]) == ("Halted", "price looks wrong", "cancel-all")
    assert "cancel-all" in desk.ask("status").out
    filtered = desk.ask("status", "--account", "cedar", "--json").json
    assert [row["account"] for row in filtered["accounts"]] == ["cedar"]
    assert "did you mean cedar?" in desk.ask("status", "--account", "ceder").err
    refused = one(desk.place("--price", desk.below(1), account="cedar"), 3)
    assert any("halted at level cancel-all" in text for text in refused["reasons"])
    weaker = desk.ask("halt", "--account", "cedar", "--level", "reduce-only", "--reason", "x")
    assert (weaker.status, "refuses more than reduce-only" in weaker.err) == (1, True)
    rearmed = desk.ask("rearm", "--account", "cedar", "--reason", "venue confirmed", "--json")
    assert rearmed.json == {"schema": "rearm.v1", "scope": "cedar", "kind": "account", "is_complete": True}
    again = desk.ask("rearm", "--account", "cedar", "--reason", "x")
    assert (again.status, again.err.strip()) == (1, "account cedar is not halted")


def test_a_halt_of_the_desk_halts_every_account(desk: Demo) -> None:
    halted = desk.ask("halt", "--reason", "fire drill", "--json")
    assert halted.status == 0, halted.err
    assert (halted.json["scope"], len(halted.json["accounts"])) == ("desk", 3)
    assert {row["state"] for row in desk.ask("status", "--json").json["accounts"]} == {"Halted"}
    assert desk.ask("rearm", "--reason", "over").status == 0
    assert {row["state"] for row in desk.ask("status", "--json").json["accounts"]} == {"Ready"}


def test_so_many_denials_raise_an_alert(desk: Demo) -> None:
    for _ in range(5):
        one(desk.place("--price", "1"), 3)
    assert desk.until(
        lambda watch: (
            any(row.alert.rule == "reject-burst" for row in watch.replica.alerts.values())
            and "stream" in watch.replica.deliveries
        )
    )
    document = desk.ask("alerts", "--json").json
    assert document["schema"] == "alerts.v1"
    alert = next(row for row in document["alerts"] if row["rule"] == "reject-burst")
    assert (alert["account"], alert["severity"], alert["acknowledged_by"]) == ("acme", "warning", None)
    assert alert["owner"] == "trader"
    assert "stream" in {row["to"] for row in document["deliveries"]}  # what panes and monitors are fed by
    put_off = desk.ask("alerts", "snooze", alert["key"], "--for", "30m", "--note", "a drill", "--json")
    assert put_off.json["keys"] == [alert["key"]], put_off.err
    assert "acknowledged by" in desk.ask("alerts", "ack", alert["key"], "--note", "my own fault").out
    row = next(row for row in desk.ask("alerts", "--json").json["alerts"] if row["key"] == alert["key"])
    assert (row["note"], row["snoozed_until"]) == ("my own fault", put_off.json["until"])
    assert desk.ask("alerts", "ack", "nothing:acme").err.strip() == (
        "there is no alert 'nothing:acme'; `tradedesk alerts` lists them"
    )


# ---- for people --------------------------------------------------------------------------------------------------------


def test_tables_in_a_pipe_have_one_row_a_line_and_whole_ids(desk: Demo) -> None:
    for command in ("status", "orders", "fills", "positions", "alerts"):
        ran = desk.ask(command)
        assert ran.status == 0
        lines = ran.out.splitlines()
        documents = desk.ask(command, "--json").json
        rows = documents["accounts" if command == "status" else command]
        assert len(lines) == len(rows) + 1
        assert not any(line != line.rstrip() for line in lines)
    orders = desk.ask("orders", "--json").json["orders"]
    assert orders[0]["client_order_id"] in desk.call("orders").out


# ---- a kill ------------------------------------------------------------------------------------------------------------


def test_a_killed_desk_comes_back_with_the_orders_and_fills_of_the_exchange(desk: Demo) -> None:
    """5.1"""
    halted = desk.ask("halt", "--account", "birch", "--level", "block-new", "--reason", "over the kill")
    assert halted.status == 0
    resting = one(desk.place("--price", desk.below(1)))["client_order_id"]
    one(desk.place("--type", "market", account="cedar"))
    desk.kill_and_run_again()
    assert desk.differences() == []
    assert desk.until(has_prices)  # what is held and has no price cannot be added to
    assert desk.order(resting)["state"] == "New"
    row = next(row for row in desk.ask("status", "--json").json["accounts"] if row["account"] == "birch")
    assert (row["state"], row["reason"]) == ("Halted", "over the kill")  # 5.5
    assert desk.ask("rearm", "--account", "birch", "--reason", "it held").status == 0
    assert one(desk.ask("order", "cancel", resting, "--json"))["state"] == "Canceled"
    assert one(desk.place("--type", "market", account="birch"))["state"] == "Filled"
    assert desk.differences() == []


def test_no_file_and_no_output_contains_a_secret(desk: Demo) -> None:
    """5.6; after orders, refusals and a kill"""
    desk.place("--price", desk.below(1))
    secrets = [account["secret"].encode() for account in desk.paper["accounts"]]
    keys = [account["api_key"].encode() for account in desk.paper["accounts"]]
    token = desk.paper["admin_token"].encode()
    passphrase = (desk.folder / "passphrase").read_bytes().strip()
    files = [path for path in desk.folder.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} >= {"state", "log"}
    for path in files:
        content = path.read_bytes()
        forbidden = [*secrets, token, *keys, *([passphrase] if path.name != "passphrase" else [])]
        assert not any(secret in content for secret in forbidden), path
    said = "".join(desk.said).encode()
    assert len(said) > 10_000
    assert not any(secret in said for secret in (*secrets, *keys, token, passphrase))


def test_a_desk_told_to_stop_leaves_orders_at_the_venue_and_ends_well(desk: Demo) -> None:
    key = one(desk.place("--price", desk.below(1)))["client_order_id"]
    process = desk.again[-1]
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    gone = desk.ask("orders", "--json")
    assert gone.status == 1
    assert gone.err.startswith("no desk answers at ")
    assert [row["clientOrderId"] for row in desk.books("acme")["open_orders"]][-1:] == [key]
    assert desk.ask("halt", "--reason", "x").err.startswith("no desk answers at ")
