"""`tradedesk setup --answers`: the same questions where nobody is there to answer, and what is left when it fails: nothing."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from demo_desk import PROGRAM, WITHIN_S, Asked, Ran
from real_proxies import PASSWORD, PROGRAMS, RealProxy
from setup_paper import ACME_KEY, ACME_SECRET, RICH_KEY, RICH_SECRET, SECRETS, setup_paper
from webhook_server import TOKEN, webhook

from tradedesk.access.passphrases import Passphrases
from tradedesk.access.vault import Entry, open_vault
from tradedesk.cli.setup import Setup, flat
from tradedesk.config import load
from tradedesk.config.setup_model import SetupFailed, State
from tradedesk.domain.words import OperatorId

WORDS = "correct horse battery"
OPERATORS_WORDS = "another four words"


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with setup_paper(tmp_path_factory.mktemp("paper")) as found:
        yield found


@pytest.fixture
def home(tmp_path: Path) -> Asked:
    return Asked(tmp_path / "desk")


def answers(paper: dict[str, Any], **changed: str) -> str:
    """A file of answers for one client, each a line; `changed` ones by key with __ for a point, None leaves it out."""
    told: dict[str, str] = {
        "desk.name": "main",
        "desk.reporting_currency": "USDT",
        "vault.kind": "file",
        "vault.unattended": "yes",
        "new_venues": "binance",
        "venues.binance.exchange": "binance",
        "venues.binance.url": paper["rest"],
        "venues.binance.egress": "127.0.0.1",
        "venues.binance.instruments": "BTC/USDT, ETH/USDT",
        "new_accounts": "acme",
        "accounts.acme.owner": "Acme Ltd",
        "accounts.acme.egress": "127.0.0.2",
        "accounts.acme.kind": "hmac",
        "accounts.acme.max_order_notional": "1000",
        "accounts.acme.max_position_notional": "200000",
        "accounts.acme.price_collar_bps": "300",
        "accounts.acme.max_open_orders": "40",
        "accounts.acme.max_drawdown": "500",
        "new_operators": "ann",
        "operators.ann.roles": "trader, risk",
        "operators.ann.accounts": "*",
        "operators.ann.uid": "",
        "new_alerts": "",
    }
    told |= {key.replace("__", "."): value for key, value in changed.items()}
    return "\n".join(f'{key} = "{value}"' for key, value in told.items())


HIDDEN = {
    "vault.passphrase": WORDS,
    "accounts.acme.api_key": ACME_KEY,
    "accounts.acme.secret": ACME_SECRET,
    "operators.ann.passphrase": OPERATORS_WORDS,
}


def set_up(home: Asked, text: str, hidden: dict[str, str] | None = None) -> Ran:
    file = home.folder.parent / "answers.toml"
    file.write_text(text)
    told = "\n".join(f'{key} = "{value}"' for key, value in (HIDDEN | (hidden or {})).items())
    ran = home.ask("setup", "--answers", str(file), "--secret-stdin", "--json", stdin=told)
    said = ran.out + ran.err
    assert [secret for secret in (*SECRETS, WORDS, OPERATORS_WORDS) if secret in said] == []
    return ran


def left(home: Asked) -> list[str]:
    """What stands in the folder, empty lock files apart."""
    if not home.folder.exists():
        return []
    return sorted(path.name for path in home.folder.iterdir() if path.stat().st_size or path.is_dir())


def test_a_machine_sets_up_a_desk_and_everything_is_where_it_belongs(home: Asked, paper: dict[str, Any]) -> None:
    ran = set_up(home, answers(paper))
    assert ran.status == 0, ran.err
    assert ran.json == {"schema": "setup.v1", "is_saved": True, "config": str(home.home.config)}
    vault = open_vault(home.home.vault, home.home.passphrase)
    assert vault.names() == (Entry("acme", "binance"),)
    assert vault.get("acme", "binance").secret == ACME_SECRET
    passphrases = Passphrases(home.home.operators)
    assert passphrases.check(OperatorId("ann"), OPERATORS_WORDS)
    assert left(home) == ["desk.toml", "operators", "passphrase", "vault"]
    for name in ("operators", "passphrase", "vault"):
        assert (home.folder / name).stat().st_mode & 0o777 == 0o600


def test_every_answer_that_is_missing_is_named_at_once_with_what_is_proposed(
    home: Asked, paper: dict[str, Any]
) -> None:
    lines = answers(paper).splitlines()
    kept = [
        line
        for line in lines
        if not line.startswith(("accounts.acme.max_open_orders", "desk.name", "venues.binance.url"))
    ]
    ran = set_up(home, "\n".join(kept))
    assert ran.status == 2
    assert ran.err.splitlines() == [
        "--answers: not answered:",
        'desk.name = "main"',
        'venues.binance.url = ""',
        'accounts.acme.max_open_orders = "40"',
    ]
    assert left(home) == []


def test_a_hidden_answer_that_is_missing_is_asked_for_on_stdin(home: Asked, paper: dict[str, Any]) -> None:
    file = home.folder.parent / "answers.toml"
    file.write_text(answers(paper))
    ran = home.ask("setup", "--answers", str(file))
    assert ran.status == 2
    assert 'accounts.acme.secret = ""  # on stdin, with --secret-stdin' in ran.err


@pytest.mark.parametrize(
    ("changed", "hidden", "said"),
    [
        ({"accounts__acme__egress": "192.0.2.77", "accounts__acme__exit_check": ""}, {}, "192.0.2.77 is not an address of this machine"),
        ({"accounts__acme__egress": "127.0.0.3"}, {}, "-2015 Invalid API-key, IP, or permissions"),
        ({}, {"accounts.acme.secret": "z" * 30}, "-1022"),
        ({}, {"accounts.acme.api_key": RICH_KEY, "accounts.acme.secret": RICH_SECRET}, "the key may withdraw"),
        ({"venues__binance__instruments": "BTC/USDT, NOPE/USDT"}, {}, "does not list all of"),
        ({"venues__binance__url": "http://127.0.0.1:9"}, {}, "binance does not answer by 127.0.0.1"),
    ],
)  # fmt: skip
def test_what_fails_is_named_and_nothing_is_saved(
    home: Asked, paper: dict[str, Any], changed: dict[str, str], hidden: dict[str, str], said: str
) -> None:
    ran = set_up(home, answers(paper, **changed), hidden)
    assert ran.status == 1
    assert said in ran.err
    assert ran.err.rstrip().endswith("nothing was saved")
    assert left(home) == []


def test_an_answer_that_cannot_be_is_named_by_its_key(home: Asked, paper: dict[str, Any]) -> None:
    ran = set_up(home, answers(paper, accounts__acme__max_open_orders="many"))
    assert (ran.status, ran.err) == (
        2, "--answers: accounts.acme.max_open_orders: 'many' is no count; use a whole number above 0\n",
    )  # fmt: skip


def test_what_cannot_be_written_leaves_neither_key_nor_passphrase_behind(home: Asked, paper: dict[str, Any]) -> None:
    (home.folder / "desk.toml.new").mkdir(parents=True)  # the new file cannot be made
    ran = set_up(home, answers(paper))
    assert ran.status == 1
    assert "cannot be written" in ran.err
    assert "nothing was saved" in ran.err
    assert left(home) == ["desk.toml.new", "operators"]
    assert Passphrases(home.home.operators).names() == frozenset()


def test_what_cannot_be_added_leaves_the_desk_as_it_was(home: Asked, paper: dict[str, Any]) -> None:
    assert set_up(home, answers(paper)).status == 0
    before = home.home.config.read_text()
    (home.folder / "desk.toml.new").mkdir()
    more = {
        "new_venues": "", "venues.binance.add_instruments": "", "new_accounts": "birch", "accounts.birch.owner": "birch",
        "accounts.birch.egress": "127.0.0.3", "accounts.birch.kind": "hmac", "accounts.birch.max_order_notional": "10",
        "accounts.birch.max_position_notional": "50", "accounts.birch.price_collar_bps": "300",
        "accounts.birch.max_open_orders": "4", "accounts.birch.max_drawdown": "", "new_operators": "",
        "new_alerts": "",
    }  # fmt: skip
    text = "\n".join(f'{key} = "{value}"' for key, value in more.items())
    hidden = {"accounts.birch.api_key": SECRETS[2], "accounts.birch.secret": SECRETS[3]}
    ran = set_up(home, text, hidden)
    assert ran.status == 1
    assert home.home.config.read_text() == before
    assert open_vault(home.home.vault, home.home.passphrase).names() == (Entry("acme", "binance"),)
    (home.folder / "desk.toml.new").rmdir()
    home.home.config.chmod(0o600)
    ran = set_up(home, text, hidden)
    assert ran.status == 0, ran.err
    assert home.home.config.stat().st_mode & 0o777 == 0o600  # the rights that it had


def test_a_setup_that_is_killed_while_it_writes_is_simply_run_again(home: Asked, paper: dict[str, Any]) -> None:
    """The key may be in the vault by then; without a desk.toml that names it, it is of no use to anybody."""
    home.folder.mkdir(mode=0o700)
    waiting = home.folder / "desk.toml.new"
    os.mkfifo(waiting)  # whoever writes here waits for a reader
    file = home.folder.parent / "answers.toml"
    file.write_text(answers(paper))
    told = "\n".join(f'{key} = "{value}"' for key, value in HIDDEN.items())
    command = [*PROGRAM, "setup", "--answers", str(file), "--secret-stdin"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, text=True, env={**os.environ, **home.environment()}
    ) as process:
        assert process.stdin is not None
        process.stdin.write(told)
        process.stdin.close()
        deadline = time.monotonic() + WITHIN_S
        while not home.home.operators.exists():  # the last before desk.toml
            assert process.poll() is None
            assert time.monotonic() < deadline
        process.kill()
    assert not home.home.config.exists()
    waiting.unlink()
    ran = set_up(home, answers(paper))
    assert ran.status == 0, ran.err
    assert open_vault(home.home.vault, home.home.passphrase).names() == (Entry("acme", "binance"),)


def test_a_desk_toml_that_somebody_changed_meanwhile_is_not_written_over(home: Asked, paper: dict[str, Any]) -> None:
    assert set_up(home, answers(paper)).status == 0
    found = Setup(home.home)
    home.home.config.write_text(home.home.config.read_text() + "# a word of mine\n")
    with pytest.raises(SetupFailed, match="was changed meanwhile"):
        found.writer.write(State(), load(home.home.config))
    assert home.home.config.read_text().endswith("# a word of mine\n")


@pytest.mark.parametrize("scheme", ["socks5", "http"])
def test_a_client_behind_a_proxy_is_proved_there_and_its_password_is_in_the_vault_alone(
    home: Asked, paper: dict[str, Any], tmp_path: Path, scheme: str
) -> None:
    if any(shutil.which(name) is None for name in PROGRAMS.values()):
        pytest.skip(f"one of {', '.join(PROGRAMS.values())} is not installed (Debian: apt-get install)")
    proxy = RealProxy(scheme, tmp_path, "127.0.0.2")
    proxy.start()
    try:
        changed = {"accounts__acme__egress": proxy.exit, "accounts__acme__exit_check": f"{paper['rest']}/echo"}
        ran = set_up(home, answers(paper, **changed), {"accounts.acme.proxy_password": "not the password"})
        assert (ran.status, left(home)) == (1, [])
        ran = set_up(home, answers(paper, **changed), {"accounts.acme.proxy_password": PASSWORD})
        assert ran.status == 0, ran.err
        assert f"{proxy.exit} is seen at 127.0.0.2, by echo 127.0.0.1" in ran.err
        assert PASSWORD not in ran.out + ran.err + home.home.config.read_text()
        assert open_vault(home.home.vault, home.home.passphrase).text(proxy.exit, "exit") == PASSWORD
        doctor = home.ask("doctor")
        assert "takes connections" in doctor.out
        assert PASSWORD not in doctor.out
    finally:
        proxy.kill()


def test_a_webhook_that_takes_a_message_is_kept_and_one_that_does_not_leaves_nothing(
    home: Asked, paper: dict[str, Any]
) -> None:
    told = {"new_alerts": "night", "alerts__night__kind": "discord", "alerts__night__least": "critical"}
    with webhook() as hook:
        hook.statuses = [404]
        ran = set_up(home, answers(paper, **told), {"alerts.night.url": hook.url})
        assert (ran.status, left(home), "night took no message: it answers with status 404" in ran.err) == (1, [], True)
        assert TOKEN not in ran.out + ran.err
        ran = set_up(home, answers(paper, **told), {"alerts.night.url": hook.url})
        assert ran.status == 0, ran.err
        assert hook.next()["content"] == "INFO main: a trial: alerts are sent here"
        assert TOKEN not in ran.out + ran.err + home.home.config.read_text()
        assert load(home.home.config).alerts["night"].kind == "discord"
        assert open_vault(home.home.vault, home.home.passphrase).text("night", "webhook") == hook.url


def test_a_file_that_is_no_toml_is_refused_without_being_quoted(home: Asked) -> None:
    ran = set_up(home, "accounts.acme.secret = " + ACME_SECRET)
    assert ran.status == 2
    assert "--answers: that is no TOML" in ran.err


def test_without_a_terminal_it_says_how_a_script_does_it(home: Asked) -> None:
    ran = home.ask("setup")
    assert (ran.status, "--answers FILE" in ran.err) == (2, True)


def test_nested_tables_lists_and_flags_are_answers_too() -> None:
    table = {
        "accounts": {"acme": {"owner": "A", "max_open_orders": 4}},
        "new_accounts": ["a", "b"],
        "vault": {"unattended": True},
    }
    assert flat(table) == {
        "accounts.acme.owner": "A", "accounts.acme.max_open_orders": "4", "new_accounts": "a, b", "vault.unattended": "yes",
    }  # fmt: skip
