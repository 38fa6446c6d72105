"""`tradedesk setup` on a terminal, against a real paper exchange: every answer tried out, nothing kept before the end."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from demo_desk import Asked, Demo, ended, started
from setup_paper import (
    ACME_KEY,
    ACME_SECRET,
    BIRCH_KEY,
    BIRCH_SECRET,
    CEDAR_KEY,
    RICH_KEY,
    RICH_SECRET,
    SECRETS,
    setup_paper,
)
from setup_terminal import Terminal, plain, terminal
from webhook_server import TOKEN, webhook

from tradedesk.cli.demo import wait_until_ready
from tradedesk.config import load
from tradedesk.domain.words import AccountId

WORDS = "correct horse battery"


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with setup_paper(tmp_path_factory.mktemp("paper")) as found:
        yield found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "desk"


def until_clients(person: Terminal, paper: dict[str, Any], *, unattended: str = "yes") -> None:
    """Desk, vault and venue: what comes before the first client, on a machine without a system keyring."""
    person.answer("called", "")
    person.answer("currency", "")
    if person.until("A passphrase for", "clients' keys to be kept") != "A passphrase for":
        person.until("> ")
        person.type("file")
    person.until("> ")
    person.type(WORDS)
    person.answer("again", WORDS)
    person.answer("start without", unattended)
    person.answer("Which venues", "")
    person.answer("Which exchange", "")
    person.answer("The real exchange", paper["rest"])
    person.answer("public market data", "")
    person.answer("may be traded", "")


def key_of(person: Terminal, name: str, api_key: str, secret: str) -> None:
    person.answer(f"kind of API key has {name}", "")
    person.answer(f"The API key of {name}", api_key)
    person.answer("The secret of that key", secret)


def limits_of(person: Terminal, name: str) -> None:
    person.answer(f"largest order of {name}", "")
    person.answer("largest position", "")
    person.answer("far from the market", "")
    person.answer("may be open", "")
    person.answer("an alert come", "")


def until_the_end(person: Terminal, operator: str = "ann") -> None:
    person.answer("Who operates", operator)
    person.answer(f"What may {operator} do", "")
    person.answer("For which accounts", "")
    person.answer("user id of this machine", "")
    person.answer(f"A passphrase for {operator}", "")
    person.answer("Where do alerts go", "")


def no_secret_in(text: str) -> None:
    assert [secret for secret in (*SECRETS, WORDS) if secret in text] == []


def test_a_desk_that_was_set_up_at_a_terminal_trades(home: Path, paper: dict[str, Any]) -> None:
    """With a wrong exit and a wrong secret on the way: each is refused, and only it is asked for again."""
    with terminal(home, "setup") as person:
        until_clients(person, paper)
        person.answer("Which client accounts", "acme")
        person.answer("Whose account is acme", "Acme Ltd")
        person.answer("By which exit does acme", "192.0.2.77")
        person.answer("A URL that tells", "")
        person.until("192.0.2.77 is not an address of this machine")
        person.answer("What is to be corrected", "1")
        person.answer("By which exit does acme", "127.0.0.3")  # this machine's, and not the key's
        key_of(person, "acme", ACME_KEY, ACME_SECRET)
        person.until("binance does not take it: -2015")
        person.until("may be used from 127.0.0.3")
        person.answer("What is to be corrected", "4")
        person.answer("By which exit does acme", "2")  # a number of the list
        person.until("binance takes it")
        limits_of(person, "acme")
        until_the_end(person)
        person.until("account acme (Acme Ltd, paper) at binance by 127.0.0.2: largest order 10000")
        assert not home.exists()
        person.answer("Save this desk", "yes")
        assert person.ended() == 0
        no_secret_in(person.shown)
    account = load(home / "desk.toml").accounts[AccountId("acme")]
    assert (account.owner, account.egress, str(account.limits.max_order_notional)) == ("Acme Ltd", "127.0.0.2", "10000")
    assert account.uid is not None
    assert sorted(path.name for path in home.iterdir() if not path.name.endswith(".lock")) == [
        "desk.toml", "passphrase", "vault",
    ]  # fmt: skip
    assert {(home / name).stat().st_mode & 0o777 for name in ("vault", "passphrase")} == {0o600}
    no_secret_in((home / "desk.toml").read_text())
    asked = Asked(home)
    process, _ = started(asked, "run", "--json")
    try:
        wait_until_ready(asked.home, process)  # type: ignore[arg-type]
        desk = Demo(home, {"paper": paper, "desk_pid": process.pid})
        desk.market()
        ran = desk.place("--type", "market")
        assert (ran.status, ran.json["orders"][0]["state"]) == (0, "Filled"), ran.out + ran.err
    finally:
        ended(process)


def test_a_wrong_secret_is_refused_and_asked_for_again_alone(home: Path, paper: dict[str, Any]) -> None:
    with terminal(home, "setup") as person:
        until_clients(person, paper)
        person.answer("Which client accounts", "acme")
        person.answer("Whose account", "")
        person.answer("By which exit", "127.0.0.2")
        key_of(person, "acme", ACME_KEY, "a" * 28)
        person.until("binance does not take it: -1022")
        person.answer("What is to be corrected", "2")
        person.answer("The secret of that key", ACME_SECRET)
        person.until("binance takes it")
        person.answer("largest order of acme", "")
        no_secret_in(person.shown)
    assert not home.exists()


def test_a_key_that_can_withdraw_is_refused_until_it_is_another(home: Path, paper: dict[str, Any]) -> None:
    with terminal(home, "setup") as person:
        until_clients(person, paper)
        person.answer("Which client accounts", "acme")
        person.answer("Whose account", "")
        person.answer("By which exit", "127.0.0.2")
        key_of(person, "acme", RICH_KEY, RICH_SECRET)
        person.until("the key may withdraw")
        person.until("take that right from it")
        person.answer("What is to be corrected", "1")
        person.answer("The API key of acme", ACME_KEY)
        person.until("does not take it: -1022")  # the secret is still the other's
        person.answer("What is to be corrected", "2")
        person.answer("The secret of that key", ACME_SECRET)
        person.until("neither withdraw nor transfer")
    assert not home.exists()


@pytest.mark.parametrize(
    "how", ["ctrl-c at a question", "ctrl-c at a hidden one", "no at the end", "the terminal goes"]
)
def test_nothing_is_written_when_it_is_interrupted(home: Path, paper: dict[str, Any], how: str) -> None:
    with terminal(home, "setup") as person:
        until_clients(person, paper)
        person.answer("Which client accounts", "acme")
        person.answer("Whose account", "")
        if how == "ctrl-c at a question":
            person.until("By which exit")
            person.until("> ")
            person.press("\x03")
            assert (person.ended(), "nothing was saved" in person.shown) == (130, True)
        else:
            person.answer("By which exit", "127.0.0.2")
            key_of(person, "acme", ACME_KEY, ACME_SECRET)
            if how == "ctrl-c at a hidden one":
                limits_of(person, "acme")
                person.answer("Who operates", "ann")
                person.answer("What may ann do", "")
                person.answer("For which accounts", "")
                person.answer("user id of this machine", "")
                person.until("A passphrase for ann")
                person.until("> ")
                person.press("\x03")
                assert (person.ended(), "nothing was saved" in person.shown) == (130, True)
            elif how == "no at the end":
                limits_of(person, "acme")
                until_the_end(person)
                person.answer("Save this desk", "no")
                assert person.ended() == 0
            else:
                person.until("largest order of acme")
                person.signal(signal.SIGHUP)
                assert person.ended() != 0
    assert not home.exists()


def test_clients_are_added_to_a_desk_and_what_was_there_stays(home: Path, paper: dict[str, Any]) -> None:
    first = made(home, paper, "acme", "127.0.0.2", ACME_KEY, ACME_SECRET)
    commented = f"# written by hand\n{first}"
    (home / "desk.toml").write_text(commented)
    with terminal(home, "setup") as person:
        person.answer("Which venues are new", "")
        person.answer("Which instruments are to be traded at binance besides", "SOL/USDT")
        person.answer("Which client accounts", "birch, cedar")
        person.answer("Whose account is birch", "")
        person.until("127.0.0.2  has an account already")
        person.answer("proposed: 127.0.0.3", "")
        key_of(person, "birch", BIRCH_KEY, BIRCH_SECRET)
        limits_of(person, "birch")
        person.answer("Whose account is cedar", "")
        person.answer("By which exit does cedar", "127.0.0.4")
        person.answer("kind of API key has cedar", "ed25519")
        person.answer("The API key of cedar", CEDAR_KEY)
        person.answer("The file with the private key", str(paper["pem"]))
        limits_of(person, "cedar")
        person.answer("Which operators are new", "")
        person.answer("Where do alerts go", "")
        person.answer("Save this desk", "yes")
        assert person.ended() == 0, plain(person.shown)
    settings = load(home / "desk.toml")
    assert list(settings.accounts) == ["acme", "birch", "cedar"]
    assert [account.egress for account in settings.accounts.values()] == ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    assert "SOL/USDT" in next(iter(settings.venues.values())).instruments
    assert (home / "desk.toml.before").read_text() == commented
    ran = Asked(home).ask("accounts", "list", "--json")
    assert all(row["key"] for row in ran.json["accounts"])


def test_where_alerts_go_is_asked_without_an_echo_and_tried(home: Path, paper: dict[str, Any]) -> None:
    made(home, paper, "acme", "127.0.0.2", ACME_KEY, ACME_SECRET)
    with webhook() as hook, terminal(home, "setup") as person:
        person.answer("Which venues are new", "")
        person.answer("besides", "")
        person.answer("Which client accounts", "")
        person.answer("Which operators are new", "")
        person.answer("Where do alerts go", "night")
        person.answer("What is night", "json")
        person.answer("Which alerts does night get", "")
        person.until("The webhook URL of night")
        person.type(hook.url)  # as soon as it is asked for: a fast paste
        person.until("night took a message")
        assert hook.next()["key"] == "trial"
        person.answer("Save this desk", "yes")
        assert person.ended() == 0, plain(person.shown)
        assert TOKEN not in person.shown
    assert load(home / "desk.toml").alerts["night"].kind == "json"


def test_the_same_key_and_the_same_venue_account_are_refused_a_second_time(home: Path, paper: dict[str, Any]) -> None:
    made(home, paper, "acme", "127.0.0.2", ACME_KEY, ACME_SECRET)
    with terminal(home, "setup") as person:
        person.answer("Which venues are new", "")
        person.answer("besides", "")
        person.answer("Which client accounts", "other")
        person.answer("Whose account is other", "")
        person.answer("By which exit does other", "127.0.0.2")
        person.answer("The name of the family", "acme-group")
        key_of(person, "other", ACME_KEY, ACME_SECRET)
        person.until("account acme has this very key")
        person.answer("What is to be corrected", "1")
        person.answer("The API key of other", RICH_KEY)
        person.answer("What is to be corrected", "2")
        person.answer("The secret of that key", RICH_SECRET)
        person.until("is that of account acme too")


def test_a_desk_toml_that_is_wrong_is_named_before_anything_is_asked(home: Path) -> None:
    home.mkdir()
    (home / "desk.toml").write_text("[desk]\nname = 3\n")
    with terminal(home, "setup") as person:
        assert person.ended() == 1
        assert "desk.toml: desk.name: 3 is a number" in person.shown
        assert "mend that first" in person.shown


def made(home: Path, paper: dict[str, Any], name: str, egress: str, api_key: str, secret: str) -> str:
    """A desk of one client, set up from answers in a file; returns its desk.toml."""
    answers = home.parent / "answers.toml"
    answers.write_text(script(paper, name, egress))
    hidden = (
        f'vault.passphrase = "{WORDS}"\naccounts.{name}.api_key = "{api_key}"\naccounts.{name}.secret = "{secret}"\n'
    )
    words = ("setup", "--answers", str(answers), "--secret-stdin", "--json")
    ran = Asked(home).ask(*words, stdin=f'{hidden}operators.ann.passphrase = ""\n')
    assert ran.status == 0, ran.err
    assert json.loads(ran.out)["is_saved"]
    no_secret_in(ran.out + ran.err)
    return (home / "desk.toml").read_text()


def script(paper: dict[str, Any], name: str, egress: str) -> str:
    """Every open answer of a setup with one client."""
    return f"""
new_venues = ["binance"]
new_accounts = ["{name}"]
new_operators = ["ann"]
new_alerts = []
desk = {{ name = "main", reporting_currency = "USDT" }}
vault = {{ kind = "file", unattended = true }}

[venues.binance]
exchange = "binance"
url = "{paper["rest"]}"
egress = "127.0.0.1"
instruments = ["BTC/USDT", "ETH/USDT"]

[accounts.{name}]
owner = "{name}"
egress = "{egress}"
kind = "hmac"
max_order_notional = "1000"
max_position_notional = "5000"
price_collar_bps = "300"
max_open_orders = 40
max_drawdown = ""

[operators.ann]
roles = ["trader", "risk"]
accounts = ["*"]
uid = ""
"""
