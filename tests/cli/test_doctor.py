"""`tradedesk doctor`: with and without a desk, a network, a terminal; each trouble with its remedy, never a secret."""

import csv
import json
import os
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from demo_desk import Asked, Demo
from setup_terminal import plain, terminal

from tradedesk.access.lease import Lease, holders
from tradedesk.access.secret import Secret
from tradedesk.access.vault import open_vault
from tradedesk.cli import doctor_desk, doctor_machine
from tradedesk.cli.doctor import Area, document_of, worst_of
from tradedesk.domain.findings import Finding, Level, fail, ok, warn


@pytest.fixture
def home(tmp_path: Path) -> Asked:
    return Asked(tmp_path / "desk")


def asked(home: Asked, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """How it ended, and its checks; everything that fails or warns says what to do."""
    ran = home.ask("doctor", "--json", *options)
    document = ran.json
    assert document["schema"] == "doctor.v1"
    checks: list[dict[str, Any]] = document["checks"]
    assert [check for check in checks if check["level"] != "ok" and not check["remedy"]] == []
    assert (ran.status == 1) == (document["level"] == "fail")
    return ran.status, checks


def found(checks: list[dict[str, Any]], area: str, what: str) -> dict[str, Any]:
    return next(check for check in checks if (check["area"], check["what"]) == (area, what))


def a_copy_of(desk: Demo, home: Asked, change: Callable[[str], str] = lambda text: text) -> Asked:
    """The demo's desk.toml and vault in a home where no desk runs."""
    home.folder.mkdir()
    for name in ("passphrase", "vault"):
        shutil.copy(desk.folder / name, home.folder / name)
    home.home.config.write_text(change(desk.home.config.read_text()))
    return home


# ---- a desk, and none ---------------------------------------------------------------------------------------------------


def test_without_a_desk_it_looks_at_the_machine_and_says_how_to_get_one(home: Asked) -> None:
    status, checks = asked(home)
    assert status == 0
    assert "tradedesk setup" in found(checks, "settings", "desk.toml")["remedy"]
    areas = {check["area"] for check in checks}
    assert areas >= {"terminal", "program", "process", "files", "settings", "themes", "desk", "journal"}
    assert not home.folder.exists()


def test_of_a_running_desk_it_says_what_that_desk_knows(desk: Demo) -> None:
    status, checks = asked(desk)
    assert status == 0
    assert f"runs as process {desk.desk_pid}" in found(checks, "desk", "desk")["text"]
    assert "this home" in " ".join(check["text"] for check in checks if check["what"] == "leases")
    assert "records, every checksum and chain is sound" in found(checks, "journal", "journal")["text"]
    assert found(checks, "venues", "binance")["text"].endswith("this machine")
    assert (
        "4 entries" in found(checks, "keys", "vault")["text"] or "3 entries" in found(checks, "keys", "vault")["text"]
    )
    for account in desk.paper["accounts"]:
        area = f"account {account['name']}"
        assert found(checks, area, "state")["text"] == "ready"
        assert "fingerprint" in found(checks, area, "key")["text"]
        assert "neither withdraw nor transfer" in found(checks, area, "money")["text"] or found(checks, area, "money")
        assert account["addresses"][0] in found(checks, area, "exit")["text"]
        assert account["addresses"][0] in found(checks, area, "proof")["text"]


def test_no_secret_of_a_running_desk_is_shown(desk: Demo) -> None:
    ran, shown = desk.ask("doctor", "--json"), desk.ask("doctor")
    secrets = [account[what] for account in desk.paper["accounts"] for what in ("secret", "api_key")]
    secrets.append((desk.folder / "passphrase").read_text())
    assert [secret for secret in secrets if secret in ran.out + ran.err + shown.out + shown.err] == []


def test_a_desk_that_does_not_run_is_told_of_from_its_files(desk: Demo, home: Asked) -> None:
    status, checks = asked(a_copy_of(desk, home))
    assert status == 0
    assert "none runs in this home" in found(checks, "desk", "desk")["text"]
    assert "`tradedesk accounts test acme`" in found(checks, "account acme", "key")["text"]


def test_without_a_network_a_venue_only_warns(desk: Demo, home: Asked) -> None:
    status, checks = asked(a_copy_of(desk, home, lambda text: text.replace(desk.paper["rest"], "http://127.0.0.1:9")))
    assert status == 0
    check = found(checks, "venues", "binance")
    assert (check["level"], "does not answer" in check["text"]) == ("warn", True)


def test_an_exit_that_this_machine_has_not_fails(desk: Demo, home: Asked) -> None:
    status, checks = asked(a_copy_of(desk, home, lambda text: text.replace('"127.0.0.2"', '"192.0.2.77"')))
    assert status == 1
    assert "192.0.2.77 is no address of this machine" in found(checks, "account acme", "exit")["text"]


def test_a_proxy_that_takes_no_connection_fails(desk: Demo, home: Asked) -> None:
    def by_proxy(text: str) -> str:
        return text.replace(
            'egress = "127.0.0.2"', 'egress = "socks5://127.0.0.1:9"\nexit_check = "https://echo.example.com/"'
        )

    status, checks = asked(a_copy_of(desk, home, by_proxy))
    assert status == 1
    assert "socks5://127.0.0.1:9 takes no connection" in found(checks, "account acme", "exit")["text"]


def test_every_mistake_in_desk_toml_is_a_check_of_its_own(home: Asked) -> None:
    home.folder.mkdir()
    home.home.config.write_text('[desk]\nname = 3\n[venues.binance]\nexchange = "binance"\ninstruments = ["x"]\n')
    status, checks = asked(home)
    assert status == 1
    texts = [check["text"] for check in checks if check["area"] == "settings"]
    assert any("desk.name: 3 is a number" in text for text in texts)
    assert any("venues.binance.instruments" in text for text in texts)


def test_a_lease_is_told_of_as_long_as_it_is_held(tmp_path: Path) -> None:
    lease = Lease("aKeyOfNobody0000001", "nowhere", tmp_path)
    assert lease.take(0) is None
    assert str(tmp_path) in [holder.home for holder in holders()]
    lease.release()
    assert str(tmp_path) not in [holder.home for holder in holders()]


@pytest.mark.skipif(os.geteuid() == 0, reason="to root no folder is closed")
def test_a_home_that_is_closed_to_us_fails_with_a_sentence(home: Asked) -> None:
    home.folder.mkdir()
    home.home.config.write_text("")
    home.folder.chmod(0)
    try:
        status, checks = asked(home)
    finally:
        home.folder.chmod(0o700)
    assert (status, found(checks, "settings", "desk.toml")["level"]) == (1, "fail")


# ---- keys, files, operators ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vault", "passphrase"])
def test_a_secret_file_that_others_can_read_fails_with_the_command_that_mends_it(
    desk: Demo, home: Asked, name: str
) -> None:
    file = a_copy_of(desk, home).folder / name
    file.chmod(0o644)
    status, checks = asked(home)
    check = found(checks, "files", name)
    assert (status, check["level"], check["remedy"]) == (1, "fail", f"chmod 600 {file}")


def test_a_desk_toml_that_others_can_change_fails(desk: Demo, home: Asked) -> None:
    a_copy_of(desk, home).home.config.chmod(0o666)
    status, checks = asked(home)
    assert (status, found(checks, "files", "desk.toml")["level"]) == (1, "fail")


def test_a_vault_without_its_passphrase_is_locked_and_that_is_fine(desk: Demo, home: Asked) -> None:
    words = a_copy_of(desk, home).home.passphrase
    elsewhere = words.rename(home.folder.parent / "words")
    status, checks = asked(home)
    assert (status, "is locked" in found(checks, "keys", "vault")["text"]) == (0, True)
    _, checks = asked(home, "--passphrase-file", str(elsewhere))
    assert "opens" in found(checks, "keys", "vault")["text"]


def test_a_wrong_passphrase_and_a_missing_key_fail(desk: Demo, home: Asked) -> None:
    a_copy_of(desk, home, lambda text: text.replace('secret = "acme"', 'secret = "zebra"'))
    status, checks = asked(home)
    assert (status, "no secret 'zebra'" in found(checks, "keys", "entries")["text"]) == (1, True)
    home.home.passphrase.write_text("another one")
    status, checks = asked(home)
    assert "wrong passphrase" in found(checks, "keys", "vault")["text"]


def test_what_an_account_needs_of_the_vault_and_it_has_not_is_named(desk: Demo, home: Asked) -> None:
    exit_ = 'egress = "http://me@127.0.0.1:9"\nexit_check = "https://echo.example.com/"\ncancel_secret = "acme-cancels"'
    a_copy_of(desk, home, lambda text: text.replace('egress = "127.0.0.2"', exit_))
    status, checks = asked(home)
    texts = [check["text"] for check in checks if check["what"] == "entries"]
    assert (status, len(texts)) == (1, 2)
    assert "no secret 'acme-cancels'" in texts[0]
    assert "the password of accounts.acme's proxy is missing" in texts[1]
    vault = open_vault(home.home.vault, home.home.passphrase)
    vault.put_text("http://me@127.0.0.1:9", "exit", "hush")
    vault.put("acme-cancels", "binance", Secret("someKey0000000000000001", "s" * 20))
    vault.put("acme.next", "binance", Secret("someKey0000000000000002", "s" * 20))
    _, checks = asked(home)
    (check,) = (check for check in checks if check["what"] == "entries")
    assert (check["level"], "waits to be taken" in check["text"]) == ("warn", True)


def test_a_broken_journal_is_named(desk: Demo, home: Asked) -> None:
    a_copy_of(desk, home)
    home.home.state.mkdir(mode=0o700)
    home.home.journal.write_bytes(b"no journal at all, but long enough to be taken for one" * 100)
    home.home.journal.chmod(0o600)
    status, checks = asked(home)
    assert (status, found(checks, "journal", "journal")["level"]) == (1, "fail")


def test_several_operators_without_passphrases_and_nobody_for_risk_are_warned_of(desk: Demo, home: Asked) -> None:
    more = '\n[operators.bob]\nroles = ["trader"]\naccounts = ["*"]\n'
    a_copy_of(desk, home, lambda text: text.replace('roles = ["trader", "risk"]', 'roles = ["trader"]') + more)
    _, checks = asked(home)
    assert found(checks, "operators", "bob")["level"] == "warn"
    assert "could not be lifted" in found(checks, "operators", "risk")["text"]


def test_a_theme_that_cannot_be_read_is_named_with_its_file(desk: Demo, home: Asked) -> None:
    folder = a_copy_of(desk, home).folder / "themes"
    folder.mkdir()
    (folder / "mine.toml").write_text('primary = "blau"')
    _, checks = asked(home)
    assert "mine.toml" in found(checks, "themes", "theme")["text"]


def test_what_a_file_says_steers_no_terminal(home: Asked) -> None:
    home.folder.mkdir()
    home.home.config.write_text('[desk]\nname = "\\u001b]0;owned\\u0007"\n')
    ran = home.ask("doctor")
    assert "\x1b" not in ran.out + ran.err


# ---- the machine --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "level"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, Level.Ok),
        ({"TERM": "tmux-256color"}, Level.Ok),
        ({"TERM": "linux"}, Level.Warn),
        ({"TERM": "linux", "NO_COLOR": "1"}, Level.Ok),
        ({}, Level.Warn),
    ],
)
def test_what_colours_a_terminal_has_is_told_by_its_environment(environ: dict[str, str], level: Level) -> None:
    assert doctor_machine.colours(environ).level is level


@pytest.mark.parametrize(
    ("size", "level"), [((80, 24), Level.Ok), ((79, 50), Level.Warn), ((200, 23), Level.Warn), ((200, 50), Level.Ok)]
)
def test_a_terminal_below_80x24_is_warned_of(size: tuple[int, int], level: Level) -> None:
    assert doctor_machine.size(*size).level is level


@pytest.mark.parametrize(
    ("term", "said"),
    [
        ("xterm-256color", "ok   keys: F2 (send), F9 (arm), F12 (halt)"),
        ("dumb", "warn keys: dumb has no F2 (send), F9 (arm), F12 (halt)"),
        ("no-such-terminal", "warn keys: nothing is known of a terminal 'no-such-terminal'"),
    ],
)
def test_a_terminal_without_the_keys_that_matter_is_warned_of(tmp_path: Path, term: str, said: str) -> None:
    with terminal(tmp_path, "doctor", term=term) as person:
        assert person.ended() == 0
    assert said in plain(person.shown)


def test_on_a_terminal_it_is_coloured_and_looks_at_the_terminal(tmp_path: Path) -> None:
    with terminal(tmp_path, "doctor", columns=90, lines=30) as person:
        assert person.ended() == 0
    assert "90 columns, 30 lines" in person.shown
    assert "16 million" in person.shown
    assert "\x1b[3" in person.shown
    assert "failed" in plain(person.shown).splitlines()[-1]


def test_a_library_file_that_was_changed_after_it_was_installed_is_found(tmp_path: Path) -> None:
    """What a look-alike of ccxt did: override, send elsewhere, fake the answer (SECURITY.md)."""
    package, info = tmp_path / "toy", tmp_path / "toy-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    (package / "sign.py").write_text("honest = True\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    with (info / "RECORD").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("toy/sign.py", doctor_machine._digest(package / "sign.py"), "14"))
        rows.writerow(("toy-1.0.dist-info/RECORD", "", ""))
    installed = metadata.PathDistribution(info)
    assert doctor_machine._as_installed("toy", installed).level is Level.Ok
    (package / "sign.py").write_text("honest = False\n")
    changed = doctor_machine._as_installed("toy", installed)
    assert (changed.level, "toy/sign.py is not as it was installed" in changed.text) == (Level.Fail, True)
    (package / "sign.py").unlink()
    assert doctor_machine._as_installed("toy", installed).level is Level.Fail


def test_a_library_that_is_missing_or_too_old_fails() -> None:
    assert doctor_machine.library("no-such-library").level is Level.Fail
    assert doctor_machine._meets("4.5.90", ">=4.5.90,<5")
    assert not doctor_machine._meets("4.5.89", ">=4.5.90,<5")
    assert not doctor_machine._meets("5.0.1", ">=4.5.90,<5")


def test_ccxt_is_there_in_a_version_that_is_asked_for_with_its_files_as_installed() -> None:
    finding = doctor_machine.library("ccxt")
    assert finding.level is Level.Ok, finding
    assert metadata.version("ccxt") in finding.text
    assert "list sha256" in finding.text


# ---- the document -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("findings", "level"),
    [
        ((ok("a", "b"),), Level.Ok),
        ((ok("a", "b"), warn("a", "b", "c")), Level.Warn),
        ((fail("a", "b", "c"), warn("a", "b", "c")), Level.Fail),
        ((), Level.Ok),
    ],
)
def test_the_worst_finding_is_that_of_all(findings: tuple[Finding, ...], level: Level) -> None:
    areas = [Area("x", findings)]
    assert worst_of(areas) is level
    assert document_of(areas)["level"] == level.value


def test_the_document_is_plain_json() -> None:
    document = document_of([Area("venues", (warn("clock", "far off", "set it"),))])
    assert json.loads(json.dumps(document)) == {
        "schema": "doctor.v1",
        "level": "warn",
        "checks": [
            {"area": "venues", "what": "clock", "level": "warn", "text": "far off", "remedy": "set it"},
        ],
    }


def test_an_exit_is_looked_at_where_it_is_one() -> None:
    assert doctor_desk.present("127.0.0.1").level is Level.Ok
    assert doctor_desk.present("192.0.2.77").level is Level.Fail
    assert doctor_desk.present("nowhere").level is Level.Fail
