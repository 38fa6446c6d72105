"""What bad input gets: one plain sentence with file, key or field and the remedy, a non-zero exit, no traceback."""

import gzip
import shutil
from pathlib import Path
from typing import Any

import pytest
from demo_desk import Asked, Demo, ended, started, until_nobody_listens
from paper_process import paper_process

from tradedesk.cli.demo import MADE_BY, new_vault

TOML = """
[desk]
name = "main"
reporting_currency = "USDT"

[venues.binance]
exchange = "binance"
url = "http://127.0.0.1:9"
egress = "127.0.0.1"
instruments = ["BTC/USDT"]

[accounts.acme]
venue = "binance"
secret = "acme"
egress = "127.0.0.2"
owner = "acme"
mode = "paper"
[accounts.acme.limits]
max_order_notional = "50000"

[operators.desk1]
roles = ["trader"]
accounts = ["acme"]
"""


@pytest.fixture
def home(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


def written(home: Asked, text: str) -> Asked:
    home.home.config.write_text(text)
    return home


def with_vault(desk: Demo, home: Asked) -> Asked:
    """A copy of the demo's vault."""
    for name in ("passphrase", "vault"):
        shutil.copy(desk.folder / name, home.folder / name)
    return home


# ---- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("run",), ("accounts", "list"), ("accounts", "remove", "acme")])
def test_a_missing_desk_toml_is_named_with_what_to_do(home: Asked, words: tuple[str, ...]) -> None:
    ran = home.ask(*words)
    assert ran.status == 1
    assert ran.err == (
        f"{home.home.config}: there is no such file; `tradedesk demo` needs none, or name another with --config FILE\n"
    )


def test_another_desk_toml_can_be_named_and_is_missed_by_its_own_name(home: Asked) -> None:
    ran = home.ask("run", "--config", str(home.folder / "other.toml"))
    assert (ran.status, "other.toml: there is no such file" in ran.err) == (1, True)


def test_tradedesk_alone_without_a_desk_toml_says_what_there_is(home: Asked) -> None:
    ran = home.ask()
    assert ran.status == 2
    assert all(word in ran.err for word in ("no desk.toml", "tradedesk demo", "tradedesk monitor", "README"))


def test_every_mistake_in_desk_toml_is_named_at_once(home: Asked) -> None:
    wrong = (
        TOML.replace('egress = "127.0.0.2"', 'egress = "not an address"')
        .replace('max_order_notional = "50000"', "max_order_notional = -5\nmax_oder_qty = 1")
        .replace('roles = ["trader"]', 'roles = ["trade"]')
        .replace('accounts = ["acme"]', 'accounts = ["acmee"]')
    )
    ran = written(home, wrong).call("run")
    assert ran.status == 1
    lines = ran.err.splitlines()
    for start in (
        "desk.toml: accounts.acme.egress: 'not an address' is not an IP address",
        "desk.toml: accounts.acme.limits.max_order_notional: -5 is negative",
        "desk.toml: accounts.acme.limits.max_oder_qty: is unknown; did you mean max_order_qty?",
        "desk.toml: operators.desk1.roles: 'trade' is no role; did you mean trader?",
        "desk.toml: operators.desk1.accounts: there is no [accounts.acmee]; did you mean acme?",
    ):
        assert any(line.startswith(start) for line in lines), ran.err
    assert len(lines) == 5


def test_what_is_no_toml_is_named_by_its_line(home: Asked) -> None:
    ran = written(home, TOML + "\n[accounts.birch\n").ask("run")
    assert ran.status == 1
    assert ran.err.startswith("desk.toml: ")
    assert "line 25" in ran.err


def test_a_venue_that_nothing_here_speaks_to_is_named(home: Asked, desk: Demo) -> None:
    with_vault(desk, written(home, TOML.replace('exchange = "binance"', 'exchange = "krakn"')))
    ran = home.ask("run")
    assert ran.status == 1
    assert "venues.binance.exchange: there is no adapter for 'krakn' yet; use binance" in ran.err


def test_an_account_without_a_key_in_the_vault_is_named(home: Asked, desk: Demo) -> None:
    ran = with_vault(desk, written(home, TOML.replace("acme", "zebra"))).ask("run")
    assert ran.status == 1
    assert "has no secret 'zebra' for venue 'binance'; add it with `tradedesk accounts add`" in ran.err


def test_a_state_folder_that_is_no_folder_of_ours_is_named(home: Asked, desk: Demo) -> None:
    with_vault(desk, written(home, TOML)).home.state.write_text("")
    ran = home.ask("run")
    assert ran.status == 1
    assert str(home.home.state) in ran.err


# ---- one desk, one folder ----------------------------------------------------------------------------------------------


def test_a_second_desk_on_the_same_state_folder_is_told_of_the_first(desk: Demo) -> None:
    ran = desk.call("run")
    assert ran.status == 1
    assert f"another desk (process {desk.desk_pid}) runs on this state folder" in ran.err
    assert "tradedesk attach" in ran.err
    assert desk.ask("status").status == 0  # the first does not notice


def test_a_demo_does_not_write_over_a_real_desk(home: Asked) -> None:
    ran = written(home, TOML).ask("demo", "--headless")
    assert ran.status == 1
    assert "is no demo's, and a demo would write over it; unset TRADEDESK_HOME or name an empty folder" in ran.err
    assert home.home.config.read_text() == TOML


def test_a_demo_does_not_start_where_a_desk_runs(desk: Demo) -> None:
    before = desk.home.config.read_text()
    ran = desk.ask("demo", "--headless")
    assert ran.status == 1
    assert "a desk runs there; join it with `tradedesk attach`, or name another folder" in ran.err
    assert desk.home.config.read_text() == before


def test_a_demo_on_the_folder_of_an_earlier_one_begins_anew_and_keeps_what_was_there_aside(home: Asked) -> None:
    """The earlier exchange is gone, and its orders with it."""
    written(home, f"{MADE_BY}: accounts of a paper exchange\n{TOML}").home.state.mkdir()
    home.home.journal.write_text("its orders")
    vault = new_vault(home.home)
    assert vault.names() == ()
    assert not home.home.config.exists()
    assert not home.home.state.exists()
    assert (home.folder / "state.before" / "journal.sqlite").read_text() == "its orders"
    assert TOML in (home.folder / "desk.toml.before").read_text()


# ---- accounts and instruments ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["orders", "positions", "fills", "alerts"])
def test_an_unknown_account_is_answered_with_the_nearest_one(desk: Demo, command: str) -> None:
    ran = desk.ask(command, "--account", "acmee", "--json")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "--account: 'acmee' is no account of this desk; did you mean acme?\n"


def test_unknown_names_in_an_order_or_a_halt_are_answered_with_the_nearest_one(desk: Demo) -> None:
    order = ("order", "place", "--side", "buy", "--qty", "0.01", "--type", "market")
    ran = desk.ask(*order, "--account", "brch", "--instrument", "BTC/USDT")
    assert (ran.status, "did you mean birch?" in ran.err) == (2, True)
    ran = desk.ask(*order, "--account", "birch", "--instrument", "BTC/USDC")
    assert (ran.status, "did you mean BTC/USDT?" in ran.err) == (2, True)
    ran = desk.ask(*order, "--account", "birch", "--instrument", "nothing")
    assert (ran.status, "instruments of binance: BTC/USDT" in ran.err) == (2, True)
    ran = desk.ask("halt", "--account", "cedr", "--reason", "x")
    assert (ran.status, "did you mean cedar?" in ran.err) == (2, True)
    ran = desk.ask("rearm", "--account", "cedr", "--reason", "x")
    assert (ran.status, "did you mean cedar?" in ran.err) == (2, True)
    ran = desk.ask("order", "cancel", "td-none-1")
    assert (ran.status, ran.err) == (2, "'td-none-1' is no order of this desk; `tradedesk orders` lists them\n")
    ran = desk.ask(*order, "--account", "birch", "--instrument", "BTC/USDT", "--operator", "dmo")
    assert (ran.status, "--operator dmo: no such operator in desk.toml; did you mean demo?" in ran.err) == (1, True)


# ---- numbers and words -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "qty", ["-1", "0", "-0.0", "NaN", "inf", "1e5", "1_0", "١", "0x10", "1,5", "", "9" * 30, "--", "½"]
)
def test_a_quantity_that_is_no_number_above_zero_is_refused_before_anything_is_sent(desk: Demo, qty: str) -> None:
    """F84"""
    words = ("order", "place", "--account", "acme", "--instrument", "BTC/USDT", "--side", "buy", "--price", "60000")
    before = len(desk.ask("orders", "--json").json["orders"])
    for option in (f"--qty={qty}",) if qty != "--" else ("--qty=--",):
        ran = desk.ask(*words, option)
        assert (ran.status, ran.out) == (2, "")
        assert ran.err.startswith("--qty: ")
        assert "is not a plain decimal number" in ran.err or "must be above 0" in ran.err
    assert len(desk.ask("orders", "--json").json["orders"]) == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--price", "NaN"), "--price: 'NaN' is not a plain decimal number; write it like 0.125"),
        (("--price", "-60000"), "--price: -60000 must be above 0"),
        ((), "--price: a limit order needs one, a market order must not have one"),
        (("--price", "60000", "--type", "market"), "--price: a limit order needs one"),
        (("--price", "60000", "--type", "stop"), "--type: 'stop' is not known; use limit, market"),
        (("--price", "60000", "--side", "long"), "--side: 'long' is not known; use buy, sell"),
        (("--price", "60000", "--tif", "gtd"), "--tif: 'gtd' is not known; use gtc, ioc, fok"),
    ],
)
def test_terms_that_make_no_order_are_named(desk: Demo, words: tuple[str, ...], sentence: str) -> None:
    order = ("order", "place", "--account", "acme", "--instrument", "BTC/USDT", "--side", "buy", "--qty", "0.01")
    ran = desk.ask(*order, *words)
    assert ran.status == 2
    assert ran.err.startswith(sentence)


@pytest.mark.parametrize(
    "words",
    [
        ("halt",),
        ("halt", "--reason", " "),
        ("halt", "--reason", "x", "--level", "everything"),
        ("order", "cancel"),
        ("order", "cancel", "c1", "--account", "acme"),
        ("order", "cancel", "c1", "--all"),
        ("order", "cancel", "c1", "--side", "buy"),
        ("order", "cancel", "--all", "--side", "up"),
        ("order", "cancel", "--all", "--instrument", "XYZ/ABC"),
        ("order", "amend", "c1"),
        ("order", "place"),
        ("orders", "--no-such-option"),
        ("no-such-command",),
        ("accounts", "add", "acme"),
    ],
)
def test_a_command_that_says_too_little_or_too_much_is_a_usage_error(desk: Demo, words: tuple[str, ...]) -> None:
    ran = desk.ask(*words)
    assert ran.status == 2
    assert ran.err.strip()


# ---- no desk, no terminal, no port, no recording -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("orders", "--json"),
        ("order", "cancel", "c1"),
        ("order", "place", "--account", "a", "--instrument", "b", "--side", "buy", "--qty", "1", "--type", "market"),
        ("halt", "--reason", "x"),
        ("rearm", "--reason", "x"),
    ],
)
def test_without_a_desk_there_is_a_sentence_that_says_how_to_start_one(home: Asked, words: tuple[str, ...]) -> None:
    ran = home.ask(*words)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("no desk answers at ")
    assert "tradedesk run" in ran.err
    assert "TRADEDESK_HOME" in ran.err


@pytest.mark.parametrize("words", [("demo",), ("attach",), ("monitor",), ()])
def test_without_a_terminal_a_screen_says_so_and_what_works_instead(desk: Demo, words: tuple[str, ...]) -> None:
    ran = desk.call(*words)
    assert (ran.status, ran.out) == (2, "")
    assert "terminal" in ran.err
    assert any(other in ran.err for other in ("--headless", "--plain", "tradedesk run"))


def test_a_port_in_use_is_named(desk: Demo) -> None:
    port = desk.paper["rest"].rpartition(":")[2]
    ran = desk.call("paper", "--port", port)
    assert ran.status == 1
    assert ran.err == f"--port: port {port} of 127.0.0.1 is in use; choose another, or 0 for any that is free\n"


def test_a_recording_that_is_missing_cut_or_none_is_named(home: Asked, capfd: pytest.CaptureFixture[str]) -> None:
    cut = home.folder / "cut.gz"
    cut.write_bytes(gzip.compress(b'1 {"stream":"btcusdt@depth","data":{}}\n' * 1000)[:-30])
    none = home.folder / "none.gz"
    none.write_bytes(b"\x00\xff" * 1000)
    for recording in (home.folder / "missing.gz", cut, none, home.folder):
        ran = home.ask("demo", "--headless", "--recording", str(recording))
        assert ran.status == 1
        said = ran.err + capfd.readouterr().err  # the exchange, a process of its own, says it itself
        assert "--recording: " in said
        assert recording.name in said
        assert "Traceback" not in said


# ---- a venue that refuses ----------------------------------------------------------------------------------------------


def test_a_refused_key_and_an_exit_that_is_not_there_stop_their_accounts_alone_with_a_sentence(
    desk: Demo, home: Asked
) -> None:
    """F28, F11"""
    with paper_process() as paper:  # an exchange of its own: on the demo's its desk drives these accounts
        _refused_key_and_absent_exit(desk, home, paper)


def _refused_key_and_absent_exit(desk: Demo, home: Asked, paper: dict[str, Any]) -> None:
    with_vault(desk, home)
    written(home, desk.home.config.read_text().replace(desk.paper["rest"], paper["rest"]))
    key = next(account for account in paper["accounts"] if account["name"] == "cedar")["api_key"]
    assert home.ask("accounts", "remove", "cedar", "--with-holdings").status == 0
    added = home.ask(
        "accounts", "add", "cedar", "--venue", "binance", "--api-key", key, "--secret-stdin", "--egress", "127.0.0.4",
        "--max-order-notional", "50000", stdin="a-wrong-secret-of-some-length\n",
    )  # fmt: skip
    assert added.status == 0, added.err
    written(home, home.home.config.read_text().replace('egress = "127.0.0.3"', 'egress = "198.51.100.7"'))
    process, _ = started(home, "run", "--json")
    try:
        watched = Demo(home.folder, {"paper": paper, "desk_pid": process.pid})
        assert watched.until(
            lambda watch: (
                {str(name): str(row.state) for name, row in watch.replica.accounts.items()}
                == {"acme": "Ready", "birch": "Offline", "cedar": "Blocked"}
            )
        ), watched.ask("status").out
        rows = {row["account"]: row for row in watched.ask("status", "--json").json["accounts"]}
        assert rows["cedar"]["reason"].startswith("the venue refuses the key: -1022 Signature")
        assert "`tradedesk accounts rotate`" in rows["cedar"]["reason"]
        assert "198.51.100.7" in rows["birch"]["reason"]
        refused = watched.place("--type", "market", account="cedar")
        assert refused.status in (1, 3)
        assert "a-wrong-secret" not in "".join([*watched.said, *home.said])
    finally:
        assert ended(process) == 0
        until_nobody_listens(home.home.control_socket)
    log = (home.home.log / "tradedesk.log").read_text()
    assert "a-wrong-secret" not in log
    assert key not in log


def test_accounts_are_listed_by_fingerprint_and_one_that_operators_name_is_not_removed(home: Asked, desk: Demo) -> None:
    listed = desk.ask("accounts", "list", "--json")
    assert listed.status == 0
    assert [row["account"] for row in listed.json["accounts"]] == ["acme", "birch", "cedar"]
    assert all(row["key"] for row in listed.json["accounts"])
    ran = written(home, TOML).ask("accounts", "remove", "acme")
    assert (ran.status, "operators desk1 name it" in ran.err) == (2, True)
    ran = home.ask("accounts", "remove", "acmee")
    assert (ran.status, "known: acme" in ran.err) == (2, True)
    ran = home.ask("accounts", "add", "birch", "--venue", "binanc", "--api-key", "k", "--secret-stdin", stdin="s")
    assert (ran.status, "there is no [venues.binanc]" in ran.err) == (2, True)
