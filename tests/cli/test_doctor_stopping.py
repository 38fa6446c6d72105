"""What the doctor says of stopping: the passphrase's source, the watchdog, the accounts that have no dead man."""

import fcntl
from pathlib import Path

import msgspec
import pytest
from order_builders import an_account

from tradedesk.cli.doctor_stopping import stopping
from tradedesk.config import DeskSettings, Home, Settings, find_home, private_folder
from tradedesk.desk.outside import watchdog_file
from tradedesk.domain.accounts import DeadMan
from tradedesk.domain.findings import Level
from tradedesk.domain.words import AccountId


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    found = find_home({"TRADEDESK_HOME": str(tmp_path)})
    private_folder(found.state)
    found.vault.touch()
    return found


def found(home: Home, dead_man: DeadMan | None = None) -> dict[str, tuple[Level, str]]:
    account = msgspec.structs.replace(an_account(), dead_man=dead_man)
    settings = Settings(
        desk=DeskSettings(name="main", reporting_currency="USDT"), accounts={AccountId("acme"): account}
    )
    return {finding.what: (finding.level, finding.text) for finding in stopping(home, settings)}


def test_a_vault_that_only_a_person_opens_is_warned_of(home: Home) -> None:
    assert found(home)["kill"][0] is Level.Warn
    home.passphrase.touch(mode=0o600)
    assert found(home)["kill"] == (
        Level.Ok,
        f"it opens the vault by {home.passphrase}, nobody needs to be there",
    )


def test_who_chose_a_watchdog_and_has_none_is_warned(home: Home) -> None:
    assert found(home, DeadMan.Watchdog)["watchdog"] == (Level.Warn, "acme chose one and none runs")
    with watchdog_file(home).open("w") as file:
        assert found(home, DeadMan.Watchdog)["watchdog"][0] is Level.Warn  # its file alone is nobody
        fcntl.flock(file, fcntl.LOCK_EX)
        level, text = found(home, DeadMan.Watchdog)["watchdog"]
        assert (level, text.startswith("it watches for acme; its last look was ")) == (Level.Ok, True)


def test_who_has_no_dead_man_is_said(home: Home) -> None:
    assert "watchdog" not in found(home)
    level, text = found(home)["dead man"]
    assert (level, text.startswith("none for acme (their venues have no countdown")) == (Level.Ok, True)
