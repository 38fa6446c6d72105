"""Records of a vault one by one: the key of each opens it alone, texts beside them, and what locking takes away."""

import json
from pathlib import Path

import pytest

from tradedesk.access.encrypted_file import EncryptedFile, FileRecord, derive_key, new_kdf, open_record, write_rows
from tradedesk.access.idle_lock import IdleLock
from tradedesk.access.keyseat import KeySeat
from tradedesk.access.vault import Entry, Secret, Vault, VaultError, open_vault, secret_at

PASSPHRASE = "correct horse battery"
MINUTE = 60 * 10**9


@pytest.fixture(scope="module")
def master():
    return derive_key(PASSPHRASE, new_kdf())


@pytest.fixture
def path(tmp_path: Path, master) -> Path:
    path = tmp_path / "vault"
    write_rows(path, master, ())
    return path


@pytest.fixture
def vault(path: Path, master) -> Vault:
    made = Vault(EncryptedFile(path, master), str(path), path.with_name("entries.lock"))
    made.put("acme", "binance", Secret("KEYacme", "SECRETacme", passphrase="WORDSacme"))
    made.put("birch", "binance", Secret("KEYbirch", "SECRETbirch"))
    return made


def a_record(vault: Vault, name: str = "acme") -> FileRecord:
    found = vault.handover(name, "binance")
    assert isinstance(found, FileRecord)
    return found


def test_a_handover_opens_its_own_record_without_passphrase_or_master(vault: Vault) -> None:
    found = secret_at(a_record(vault))
    assert (found.api_key, found.secret, found.passphrase) == ("KEYacme", "SECRETacme", "WORDSacme")
    assert "SECRET" not in repr(a_record(vault))
    assert a_record(vault).key.hex() not in repr(a_record(vault))


def test_the_key_of_one_record_opens_no_other(vault: Vault, path: Path) -> None:
    acme, birch = a_record(vault), a_record(vault, "birch")
    assert acme.key != birch.key
    swapped = FileRecord(
        path=str(path), service=birch.service, username=birch.username, counter=birch.counter, key=acme.key
    )
    with pytest.raises(VaultError, match="the record of 'birch' was changed"):
        open_record(swapped)


def test_a_handover_takes_neither_an_older_nor_a_newer_record(vault: Vault, path: Path) -> None:
    before, file = a_record(vault), path.read_bytes()
    vault.put("acme", "binance", Secret("KEYnew", "SECRETnew"))
    with pytest.raises(VaultError, match="the record of 'acme' was replaced or removed"):
        secret_at(before)
    after = a_record(vault)
    path.write_bytes(file)  # the whole file put back
    with pytest.raises(VaultError, match="the record of 'acme' was replaced or removed"):
        secret_at(after)


def test_keys_are_told_apart_without_opening_a_secret(vault: Vault, path: Path, master) -> None:
    EncryptedFile(path, master).set_password("tradedesk:binance", "acme", "not what put made of it")
    assert vault.api_key("acme", "binance") == "KEYacme"
    with pytest.raises(VaultError, match="unreadable"):
        vault.get("acme", "binance")


def test_a_list_of_before_without_keys_is_read_and_mended_by_the_next_change(vault: Vault, path: Path, master) -> None:
    EncryptedFile(path, master).set_password(
        "tradedesk",
        "entries",
        json.dumps([{"name": "acme", "venue": "binance"}, {"name": "birch", "venue": "binance"}]),
    )
    assert vault.names() == (Entry("acme", "binance"), Entry("birch", "binance"))
    assert vault.api_key("acme", "binance") == "KEYacme"


def test_texts_are_kept_apart_from_accounts_and_from_each_other(vault: Vault, path: Path) -> None:
    vault.put_text("socks5://me@10.0.0.1:1080", "exit", "CANARYpassword")
    vault.put_text("socks5://me@10.0.0.1:1080", "other", "another")
    assert vault.text("socks5://me@10.0.0.1:1080", "exit") == "CANARYpassword"
    assert vault.text("socks5://me@10.0.0.2:1080", "exit") is None
    assert vault.names() == (Entry("acme", "binance"), Entry("birch", "binance"))
    assert "CANARY" not in path.read_text()
    vault.remove_text("socks5://me@10.0.0.1:1080", "exit")
    vault.remove_text("socks5://me@10.0.0.1:1080", "exit")
    assert vault.text("socks5://me@10.0.0.1:1080", "exit") is None
    assert vault.text("socks5://me@10.0.0.1:1080", "other") == "another"
    with pytest.raises(VaultError, match="needs a name and a scope"):
        vault.put_text("", "exit", "x")


def test_a_locked_vault_opens_again_by_its_passphrase_alone(tmp_path: Path) -> None:
    file, words = tmp_path / "vault", tmp_path / "words"
    words.write_text(PASSPHRASE)
    words.chmod(0o600)
    vault = open_vault(file, PASSPHRASE, create=True)
    vault.put("acme", "binance", Secret("KEYacme", "SECRETacme"))
    vault.lock()
    for ask in (lambda: vault.get("acme", "binance"), vault.names, lambda: vault.handover("acme", "binance")):
        with pytest.raises(VaultError, match="was locked"):
            ask()
    with pytest.raises(VaultError, match="open it with `tradedesk accounts unlock`"):
        vault.reopen()
    with pytest.raises(VaultError, match="wrong passphrase"):
        vault.unlock("not the passphrase")
    assert vault.is_locked
    vault.unlock(PASSPHRASE)
    assert vault.get("acme", "binance").secret == "SECRETacme"

    unattended = open_vault(file, words)
    unattended.lock()
    unattended.reopen()
    assert unattended.get("acme", "binance").secret == "SECRETacme"


def test_locking_overwrites_the_key_that_was_derived(vault: Vault) -> None:
    backend = vault._backend
    assert isinstance(backend, EncryptedFile)
    key = derive_key(PASSPHRASE, new_kdf())
    held = key._master
    assert held is not None
    key.lock()
    assert bytes(held) == bytes(32)
    assert key._master is None


def test_a_vault_that_is_not_used_locks_itself_and_one_that_is_used_does_not(tmp_path: Path) -> None:
    vault = open_vault(tmp_path / "vault", PASSPHRASE, create=True)
    vault.put("acme", "binance", Secret("KEYacme", "SECRETacme"))
    idle = IdleLock(vault, 10 * MINUTE)
    assert [idle.look(minute * MINUTE) for minute in (0, 5, 9)] == [False] * 3
    vault.names()
    assert [idle.look(minute * MINUTE) for minute in (10, 19)] == [False] * 2
    assert not vault.is_locked
    assert idle.look(20 * MINUTE)
    assert vault.is_locked
    assert not idle.look(40 * MINUTE)  # told once
    vault.unlock(PASSPHRASE)
    assert [idle.look(minute * MINUTE) for minute in (41, 50)] == [False] * 2
    assert idle.look(51 * MINUTE)


@pytest.mark.parametrize("in_process", [False, True])
def test_a_seat_changes_its_key_in_one_go_and_needs_no_vault_in_between(tmp_path: Path, in_process: bool) -> None:
    vault = open_vault(tmp_path / "vault", PASSPHRASE, create=True)
    vault.put("acme", "binance", Secret("KEYold", "SECRETold"))
    seat = KeySeat(vault, "acme", "binance", in_process=in_process)
    vault.put("acme.next", "binance", Secret("KEYnew", "SECRETnew"))

    def secret() -> str:
        source = seat.source
        return (source if isinstance(source, Secret) else secret_at(source)).secret

    vault.lock()
    assert secret() == "SECRETold"  # a worker that starts again has it all the same
    with pytest.raises(VaultError, match="is locked"):
        seat.waiting()
    vault.unlock(PASSPHRASE)
    seat.waiting()
    seat.adopt()
    assert (seat.api_key, secret()) == ("KEYnew", "SECRETnew")
    assert vault.names() == (Entry("acme", "binance"),)
    with pytest.raises(VaultError, match="no new key waits"):
        seat.waiting()
