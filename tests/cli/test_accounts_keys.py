"""`tradedesk accounts`: how keys get in, change and move on, and that none of them shows on the way."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from demo_desk import Asked, ended, started
from paper_process import has_loopback_range, paper_process

from tradedesk.access.vault import Entry, KeyKind, Secret, Vault, open_vault
from tradedesk.cli.reach import Watch

PASSPHRASE = "correct horse battery"
API_KEY, SECRET = "CANARYapikeyA1b2C3d4", "CANARYsecretD4e5F6g7"
DESK = """
[desk]
name = "main"
reporting_currency = "USDT"

[venues.binance]
exchange = "binance"
url = "{url}"
egress = "127.0.0.1"
instruments = ["BTC/USDT"]

[operators.me]
roles = ["trader", "risk"]
accounts = ["*"]
uid = {uid}
"""


def a_home(folder: Path, url: str = "http://127.0.0.1:1") -> Asked:
    """A desk without accounts, its passphrase in its file."""
    folder.mkdir(mode=0o700)
    (folder / "desk.toml").write_text(DESK.format(url=url, uid=os.getuid()))
    words = folder / "passphrase"
    words.write_text(PASSPHRASE)
    words.chmod(0o600)
    return Asked(folder)


@pytest.fixture
def home(tmp_path: Path) -> Asked:
    return a_home(tmp_path / "desk")


def vault_of(home: Asked) -> Vault:
    return open_vault(home.home.vault, PASSPHRASE)


def add(home: Asked, name: str = "acme", *more: str, secret: str = SECRET, api_key: str = API_KEY) -> None:
    words = ("accounts", "add", name, "--venue", "binance", "--api-key", api_key, "--secret-stdin")
    ran = home.ask(*words, "--max-order-notional", "1000", *more, stdin=secret)
    assert ran.status == 0, ran.err


def nothing_showed(home: Asked, *hidden: str) -> None:
    said = "".join(home.said) + "".join(
        path.read_text(errors="replace") for path in home.folder.rglob("*") if path.is_file()
    )
    assert [text for text in hidden if text in said] == []


def typed(home: Asked, *words: str, answers: dict[str, str]) -> str:
    """What a terminal shows of the command: each of `answers` is typed when its question is there."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tradedesk", *words],
        stdin=child, stdout=child, stderr=child, start_new_session=True,
        env={**os.environ, **home.environment(), "TERM": "xterm"},
    )  # fmt: skip
    os.close(child)
    shown, waiting = "", dict(answers)
    while select.select([parent], [], [], 30)[0]:
        try:
            chunk = os.read(parent, 4096)
        except OSError:  # Linux says so at the end
            break
        if not chunk:
            break
        shown += chunk.decode(errors="replace")
        for question in [question for question in waiting if question in shown]:
            os.write(parent, waiting.pop(question).encode() + b"\n")
    os.close(parent)
    assert process.wait(30) == 0, shown
    return shown


# ---- putting in


def test_a_secret_from_stdin_lands_in_the_vault_and_nowhere_else(home: Asked) -> None:
    add(home)
    assert vault_of(home).get("acme", "binance").secret == SECRET
    nothing_showed(home, SECRET, API_KEY)
    listed = home.ask("accounts", "list", "--json").json["accounts"]
    assert [(row["account"], row["signer"], len(row["key"])) for row in listed] == [("acme", "thread", 32)]
    nothing_showed(home, SECRET, API_KEY)


def test_what_is_typed_at_a_terminal_is_not_echoed(home: Asked) -> None:
    shown = typed(
        home, "accounts", "add", "acme", "--venue", "binance", "--venue-passphrase", "--max-order-notional", "1000",
        answers={"API key": API_KEY, "secret": SECRET, "the venue's passphrase": "CANARYpassphrase"},
    )  # fmt: skip
    assert "acme added" in shown
    assert [text for text in (API_KEY, SECRET, "CANARYpassphrase") if text in shown] == []
    kept = vault_of(home).get("acme", "binance")
    assert (kept.api_key, kept.secret, kept.passphrase) == (API_KEY, SECRET, "CANARYpassphrase")


def test_a_private_key_and_a_venue_passphrase_come_from_stdin_together(home: Asked) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    add(home, "acme", "--kind", "ed25519", "--venue-passphrase", "--signer", "process", secret=f"{pem}CANARYwords\n")
    kept = vault_of(home).get("acme", "binance")
    assert (kept.kind, kept.secret, kept.passphrase) == (KeyKind.Ed25519, pem.strip(), "CANARYwords")
    assert 'signer = "process"' in home.home.config.read_text()
    nothing_showed(home, pem.splitlines()[1], "CANARYwords")


def test_a_key_that_is_none_is_refused_unquoted_and_leaves_nothing_behind(home: Asked) -> None:
    before = home.home.config.read_text()
    words = ("accounts", "add", "acme", "--venue", "binance", "--api-key", API_KEY, "--secret-stdin")
    ran = home.ask(*words, "--kind", "rsa", stdin=SECRET)
    assert ran.status != 0
    assert "not an unencrypted rsa private key" in ran.err
    assert home.home.config.read_text() == before
    assert not home.home.vault.exists()
    nothing_showed(home, SECRET)


def test_a_passphrase_is_taken_from_the_service_manager(home: Asked, tmp_path: Path) -> None:
    add(home)
    home.home.passphrase.rename(home.folder / "elsewhere")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    handed = credentials / "tradedesk-passphrase"
    handed.write_text(PASSPHRASE)
    handed.chmod(0o440)  # as systemd's access lists show
    assert "is locked" in home.ask("accounts", "list", "--json").json["vault"]
    environment = home.environment() | {"CREDENTIALS_DIRECTORY": str(credentials)}
    home.environment = lambda: environment  # type: ignore[method-assign]
    assert home.ask("accounts", "list", "--json").json["vault"] == str(home.home.vault)
    handed.chmod(0o444)
    assert "may be read or written by others" in home.ask("accounts", "list", "--json").json["vault"]


def test_an_account_that_is_removed_takes_every_key_of_its_own_along(home: Asked) -> None:
    add(home)
    add(home, "birch", "--egress", "127.0.0.2", secret="SECRETbirch", api_key="KEYbirch")
    vault_of(home).put("acme.next", "binance", vault_of(home).get("acme", "binance"))
    assert home.ask("accounts", "remove", "acme").status == 0
    assert vault_of(home).names() == (Entry("birch", "binance"),)


# ---- moving


@pytest.fixture
def words(tmp_path: Path) -> Path:
    file = tmp_path / "words"
    file.write_text("a passphrase of its own")
    file.chmod(0o600)
    return file


def test_accounts_move_to_another_desk_with_their_keys_in_one_file(home: Asked, tmp_path: Path, words: Path) -> None:
    add(home)
    add(home, "birch", "--egress", "127.0.0.2", secret="SECRETbirch", api_key="KEYbirch")
    file = tmp_path / "moved.vault"
    ran = home.ask("accounts", "export", "acme", "birch", "--to", str(file), "--file-passphrase-file", str(words))
    assert ran.status == 0, ran.err
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["desk", "moved.vault", "words"]
    assert [text for text in (SECRET, API_KEY, "acme.limits") if text in file.read_text()] == []

    other = a_home(tmp_path / "other")
    ran = other.ask("accounts", "import", str(file), "--file-passphrase-file", str(words))
    assert ran.status == 0, ran.err
    assert vault_of(other).get("acme", "binance").secret == SECRET
    assert vault_of(other).names() == vault_of(home).names()
    assert (
        other.ask("accounts", "list", "--json").json["accounts"]
        == home.ask("accounts", "list", "--json").json["accounts"]
    )
    nothing_showed(other, SECRET, API_KEY)


def with_an_echo(home: Asked) -> None:
    """A proxy as exit is taken only where something tells from outside what it lets out by."""
    config = home.home.config
    config.write_text(config.read_text().replace("[desk]", '[desk]\nexit_check = "https://echo.example.com/"'))


def test_a_cancel_only_key_and_a_proxys_password_go_along(home: Asked, tmp_path: Path, words: Path) -> None:
    proxy = "socks5://me@10.0.0.1:1080"
    with_an_echo(home)
    add(home, "acme", "--egress", proxy)
    config = home.home.config
    config.write_text(config.read_text().replace("[accounts.acme]", '[accounts.acme]\ncancel_secret = "acme-cancel"'))
    here = vault_of(home)
    here.put("acme-cancel", "binance", Secret("KEYcancel", "CANARYcancelA1b2C3"))
    here.put_text(proxy, "exit", "CANARYproxyA1b2C3")
    named = ("--file-passphrase-file", str(words))
    file = tmp_path / "moved.vault"
    assert home.ask("accounts", "export", "acme", "--to", str(file), *named).status == 0

    other = a_home(tmp_path / "other")
    with_an_echo(other)
    assert other.ask("accounts", "import", str(file), *named).status == 0
    there = vault_of(other)
    assert there.get("acme-cancel", "binance").secret == "CANARYcancelA1b2C3"
    assert there.text(proxy, "exit") == "CANARYproxyA1b2C3"
    nothing_showed(other, "CANARYcancelA1b2C3", "CANARYproxyA1b2C3")


def test_an_import_overwrites_nothing_and_takes_all_or_none(home: Asked, tmp_path: Path, words: Path) -> None:
    add(home)
    add(home, "birch", "--egress", "127.0.0.2", secret="SECRETbirch", api_key="KEYbirch")
    file = tmp_path / "moved.vault"
    named = ("--file-passphrase-file", str(words))
    home.ask("accounts", "export", "acme", "birch", "--to", str(file), *named)
    assert "acme: is in this desk already" in home.ask("accounts", "import", str(file), *named).err
    assert "is there already" in home.ask("accounts", "export", "acme", "--to", str(file), *named).err

    other = a_home(tmp_path / "other")
    open_vault(other.home.vault, PASSPHRASE, create=True).put("birch", "binance", vault_of(home).get("acme", "binance"))
    before = other.home.config.read_text()
    ran = other.ask("accounts", "import", str(file), *named)
    assert "has an entry 'birch' of venue 'binance' already; nothing was taken in" in ran.err
    assert vault_of(other).names() == (Entry("birch", "binance"),)
    assert vault_of(other).get("birch", "binance").secret == SECRET
    assert other.home.config.read_text() == before

    elsewhere = a_home(tmp_path / "elsewhere", url="http://127.0.0.1:2")
    assert "is another exchange here" in elsewhere.ask("accounts", "import", str(file), *named).err
    words.write_text("not the passphrase")
    assert "wrong passphrase" in a_home(tmp_path / "third").ask("accounts", "import", str(file), *named).err


# ---- changing, with no desk


@pytest.fixture
def traded(tmp_path: Path) -> Iterator[Asked]:
    """A desk that does not run, with one account of a paper exchange that has two keys, and a third one revoked."""
    if not has_loopback_range():
        pytest.skip("this machine has no further loopback addresses")
    accounts = tmp_path / "accounts.toml"
    keys = "".join(
        f'[[accounts.keys]]\napi_key = "{name * 16}"\nsecret = "secret-{name}"\naddresses = ["127.0.0.2"]\n'
        for name in ("k1", "k2")
    )
    accounts.write_text(f'[[accounts]]\nname = "acme"\nbalances = {{ USDT = "1000" }}\n{keys}')
    with paper_process("--accounts-file", str(accounts)) as described:
        home = a_home(tmp_path / "desk", url=described["rest"])
        add(home, "acme", "--egress", "127.0.0.2", api_key="k1" * 16, secret="secret-k1")
        yield home


@pytest.mark.parametrize("signer", ["thread", "process"])
def test_without_a_desk_a_new_key_is_shown_to_the_venue_before_it_takes_over(traded: Asked, signer: str) -> None:
    if signer == "process":
        config = traded.home.config
        config.write_text(config.read_text().replace("[accounts.acme]", '[accounts.acme]\nsigner = "process"'))
    rotate = ("accounts", "rotate", "acme", "--secret-stdin", "--api-key")
    ran = traded.ask(*rotate, "k9" * 16, stdin="secret-k9")
    assert ran.status != 0
    assert "the old key stays in use: the venue does not take the new one: -2015" in ran.err
    assert vault_of(traded).names() == (Entry("acme", "binance"),)
    assert vault_of(traded).get("acme", "binance").secret == "secret-k1"

    ran = traded.ask(*rotate, "k2" * 16, stdin="secret-k2")
    assert ran.status == 0, ran.err
    assert vault_of(traded).names() == (Entry("acme", "binance"),)
    assert vault_of(traded).get("acme", "binance").secret == "secret-k2"
    assert "the new key is the one in use" in traded.ask(*rotate, "k2" * 16, stdin="secret-k2").err
    nothing_showed(traded, "secret-k1", "secret-k2", "k2" * 16)


def test_a_key_that_never_worked_is_changed_while_the_desk_runs_and_the_account_trades(traded: Asked) -> None:
    vault_of(traded).put("acme", "binance", Secret("k1" * 16, "mistyped"))
    rotate = ("accounts", "rotate", "acme", "--secret-stdin", "--api-key", "k2" * 16)
    process, _ = started(traded, "run", "--json")
    try:
        assert until_state(traded, "Blocked")
        ran = traded.ask(*rotate, stdin="secret-k2")
        assert ran.status == 0, ran.err
        assert until_state(traded, "Ready")
    finally:
        ended(process)


def until_state(home: Asked, state: str) -> bool:
    """Wait until the account of the desk that runs there stands so."""
    watch = Watch(home.home)
    try:
        return watch.until(
            lambda: watch.view.is_fed and {row.state for row in watch.replica.accounts.values()} == {state}, 30.0
        )
    finally:
        watch.view.close()
