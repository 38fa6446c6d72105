"""The vault: what it keeps, what it refuses, and that a secret shows nowhere but where it is asked for."""

import base64
import copy
import hashlib
import json
import os
import pickle
import sys
import threading

import keyring.backends.chainer
import keyring.backends.fail
import keyring.backends.null
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

from tradedesk.access import vault as vault_module
from tradedesk.access.encrypted_file import EncryptedFile, derive_key, new_kdf, write_rows
from tradedesk.access.vault import (
    Entry,
    KeyKind,
    Secret,
    Vault,
    VaultError,
    check_canary,
    key_fingerprint,
    open_vault,
    refuse_keyring,
    system_keyring,
)
from tradedesk.log import Log, tail

PASSPHRASE = "correct horse battery"
API_KEY, SECRET = "CANARYapikeyA1b2C3", "CANARYsecretD4e5F6"


@pytest.fixture(scope="session")
def key():
    """Derived once: it costs half a second at the floor, and there is no way below the floor."""
    return derive_key(PASSPHRASE, new_kdf())


@pytest.fixture
def path(tmp_path, key):
    path = tmp_path / "vault.json"
    write_rows(path, key, ())
    return path


@pytest.fixture
def vault(path, key):
    return Vault(EncryptedFile(path, key), str(path), path.with_name("entries.lock"))


@pytest.fixture
def filled(vault):
    vault.put("acme", "binance", Secret(API_KEY, SECRET))
    vault.put("beta", "binance", Secret("KEYbeta", "SECRETbeta"))
    return vault


def forge(path, change):
    """Change the content as somebody would who can write the file and knows its form, checksum included."""
    content = json.loads(path.read_bytes())["content"]
    change(content)
    text = json.dumps(content).encode()
    path.write_bytes(b'{"checksum":"%s","content":%s}' % (hashlib.sha256(text).hexdigest().encode(), text))


def row_of(content, username):
    return next(row for row in content["rows"] if row["username"] == username)


# ---- what it keeps


def test_a_secret_comes_back_as_it_was_put(filled):
    found = filled.get("acme", "binance")
    assert (found.api_key, found.secret, found.kind) == (API_KEY, SECRET, KeyKind.Hmac)
    assert filled.names() == (Entry("acme", "binance"), Entry("beta", "binance"))


def test_putting_again_replaces_and_removing_forgets(filled):
    filled.put("acme", "binance", Secret("KEYnew", "SECRETnew"))
    assert filled.get("acme", "binance").secret == "SECRETnew"
    filled.remove("acme", "binance")
    assert filled.names() == (Entry("beta", "binance"),)
    with pytest.raises(VaultError, match="has no secret 'acme'"):
        filled.get("acme", "binance")
    with pytest.raises(VaultError, match=r"has no secret 'acme' .* to remove"):
        filled.remove("acme", "binance")


def test_a_removal_that_was_cut_in_half_can_be_finished(filled, path, key):
    EncryptedFile(path, key).delete_password("tradedesk:binance", "acme")
    filled.remove("acme", "binance")
    assert filled.names() == (Entry("beta", "binance"),)


def test_a_secret_is_for_its_venue_only(filled):
    with pytest.raises(VaultError, match="it is kept for binance"):
        filled.get("acme", "kraken")


def test_the_same_key_has_the_same_fingerprint_everywhere(filled):
    filled.put("twin", "kraken", Secret(API_KEY, "another"))
    assert filled.fingerprint("acme", "binance") == filled.fingerprint("twin", "kraken") == key_fingerprint(API_KEY)
    assert filled.fingerprint("beta", "binance") != key_fingerprint(API_KEY)
    assert API_KEY not in key_fingerprint(API_KEY)


def test_the_file_opens_by_passphrase_and_by_passphrase_file_and_is_private(tmp_path):
    path, words = tmp_path / "home" / "vault.json", tmp_path / "pass"
    words.write_text(PASSPHRASE + "\n")
    words.chmod(0o600)
    open_vault(path, PASSPHRASE, create=True).put("acme", "binance", Secret(API_KEY, SECRET))
    assert open_vault(path, words).get("acme", "binance").secret == SECRET
    with pytest.raises(VaultError, match="wrong passphrase; the file itself is whole"):
        open_vault(path, "another passphrase")
    with pytest.raises(VaultError, match="is locked"):
        open_vault(path, None)
    assert {f.stat().st_mode & 0o777 for f in path.parent.iterdir()} == {0o600}
    assert SECRET not in path.read_text()
    assert API_KEY not in path.read_text()


def test_many_writers_lose_nothing(path, key):
    def add(number):
        mine = Vault(EncryptedFile(path, key), str(path), path.with_name("entries.lock"))
        for turn in range(3):
            mine.put(f"account{number}-{turn}", "binance", Secret(f"key{number}", "s"))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    vault = Vault(EncryptedFile(path, key), str(path), path.with_name("entries.lock"))
    assert len(vault.names()) == 12
    assert all(vault.get(entry.name, entry.venue).secret == "s" for entry in vault.names())


# ---- what it refuses (F83)


def test_F83_a_flipped_byte_anywhere_is_damage_and_never_another_secret(filled, path):
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x01]) + whole[place + 1 :])
        with pytest.raises(VaultError, match="damaged"):
            filled.get("acme", "binance")


def test_F83_a_file_cut_anywhere_is_damage(filled, path):
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(VaultError, match="damaged"):
            filled.get("acme", "binance")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_F83_a_file_that_others_may_read_is_refused(filled, path, mode):
    path.chmod(mode)
    with pytest.raises(VaultError, match="chmod 600"):
        filled.get("acme", "binance")


def test_F83_what_a_crash_left_half_written_is_not_read_and_not_in_the_way(filled, path):
    left = path.with_name(f".{path.name}.new")
    left.write_bytes(b'{"checksum":"')
    assert filled.get("acme", "binance").secret == SECRET
    filled.put("gamma", "binance", Secret("k", "s"))
    assert filled.get("gamma", "binance").secret == "s"
    assert not left.exists()


def test_F64_a_write_that_fails_leaves_the_vault_as_it_was(filled, path):
    path.with_name(f".{path.name}.new").mkdir()
    with pytest.raises(VaultError, match="it is as it was before"):
        filled.put("gamma", "binance", Secret("k", "s"))
    assert filled.get("acme", "binance").secret == SECRET


def test_F83_two_records_swapped_are_refused(filled, path):
    def swap(content):
        acme, beta = row_of(content, "acme"), row_of(content, "beta")
        acme["sealed"], beta["sealed"] = beta["sealed"], acme["sealed"]

    forge(path, swap)
    with pytest.raises(VaultError, match="the record of 'acme' was changed"):
        filled.get("acme", "binance")


def test_F83_a_record_moved_to_another_venue_is_refused(filled, path):
    forge(path, lambda content: row_of(content, "acme").update(service="tradedesk:elsewhere"))
    with pytest.raises(VaultError, match="changed by something else"):
        filled.get("acme", "elsewhere")


def test_F83_a_record_rolled_back_alone_is_refused(filled, path):
    old = row_of(json.loads(path.read_bytes())["content"], "acme")
    filled.put("acme", "binance", Secret("KEYnew", "SECRETnew"))
    after = path.read_bytes()
    forge(path, lambda content: row_of(content, "acme").update(old))
    with pytest.raises(VaultError, match="changed by something else"):
        filled.get("acme", "binance")
    path.write_bytes(after)
    forge(path, lambda content: row_of(content, "acme").update(sealed=old["sealed"]))
    with pytest.raises(VaultError, match="the record of 'acme' was changed"):
        filled.get("acme", "binance")


def test_F83_a_record_dropped_or_added_is_refused(filled, path):
    whole = path.read_bytes()
    forge(path, lambda content: content["rows"].pop())
    with pytest.raises(VaultError, match="changed by something else"):
        filled.get("acme", "binance")
    path.write_bytes(whole)
    forge(path, lambda content: content["rows"].append(dict(content["rows"][0], username="mallory")))
    with pytest.raises(VaultError, match="changed by something else"):
        filled.get("mallory", "binance")


@pytest.mark.parametrize(
    "change",
    [
        {"iterations": 1},
        {"memory_kib": 8},
        {"lanes": 1},
        {"memory_kib": 1 << 40},
        {"iterations": 1 << 20},
        {"name": "pbkdf2"},
        {"salt": base64.b64encode(b"short").decode()},
    ],
)
def test_F83_a_key_derivation_below_the_floor_or_beyond_reason_is_not_run(path, change):
    forge(path, lambda content: content["kdf"].update(change))
    with pytest.raises(VaultError, match="too weak or too heavy"):
        open_vault(path, PASSPHRASE)


def test_F67_a_newer_version_and_a_foreign_file_are_told_apart(path):
    forge(path, lambda content: content.update(version=3))
    with pytest.raises(VaultError, match="vault version 3"):
        open_vault(path, PASSPHRASE)
    path.write_text("{}")
    with pytest.raises(VaultError, match="damaged or is no vault"):
        open_vault(path, PASSPHRASE)


def test_a_file_with_another_passphrase_in_the_meantime_says_so(filled, path):
    forge(path, lambda content: content["kdf"].update(salt=base64.b64encode(b"x" * 16).decode()))
    with pytest.raises(VaultError, match="another passphrase"):
        filled.get("acme", "binance")


def test_a_missing_file_a_folder_and_a_pipe_get_a_sentence(tmp_path):
    with pytest.raises(VaultError, match="does not exist"):
        open_vault(tmp_path / "none.json", PASSPHRASE)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(VaultError, match="is not a file"):
        open_vault(tmp_path / "pipe", PASSPHRASE)
    (tmp_path / "folder").mkdir(mode=0o700)
    with pytest.raises(VaultError, match="is not a file"):
        open_vault(tmp_path / "folder", PASSPHRASE)


def test_a_short_passphrase_makes_no_vault(tmp_path):
    with pytest.raises(VaultError, match="use at least 8"):
        open_vault(tmp_path / "vault.json", "short", create=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"", 0o600, "on one line"),
        (b"\n", 0o600, "on one line"),
        (b"one\ntwo\n", 0o600, "on one line"),
        (b"\xff\xfe", 0o600, "on one line"),
        (b"x" * 5000, 0o600, "larger than"),
        (b"correct horse battery", 0o644, "chmod 600"),
    ],
)
def test_a_passphrase_file_must_be_private_and_one_line(tmp_path, path, content, mode, said):
    words = tmp_path / "pass"
    words.write_bytes(content)
    words.chmod(mode)
    with pytest.raises(VaultError, match=said) as refused:
        open_vault(path, words)
    assert "correct horse" not in str(refused.value)


def test_a_locked_vault_gives_nothing(tmp_path):
    own_key = derive_key(PASSPHRASE, new_kdf())
    path = tmp_path / "vault.json"
    write_rows(path, own_key, ())
    vault = Vault(EncryptedFile(path, own_key), str(path), path.with_name("entries.lock"))
    vault.put("acme", "binance", Secret(API_KEY, SECRET))
    own_key.lock()
    with pytest.raises(VaultError, match="was locked"):
        vault.get("acme", "binance")


# ---- keyrings (F82)


class MemoryKeyring(KeyringBackend):
    """A keyring that works, for as long as the test runs."""

    priority = 0

    def __init__(self):
        self.kept = {}

    def get_password(self, service, username):
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password

    def delete_password(self, service, username):
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("no such entry")


class LockedKeyring(MemoryKeyring):
    def get_password(self, service, username):
        raise KeyringLocked(f"refused while holding {SECRET}")

    def set_password(self, service, username, password):
        raise KeyringLocked(f"refused while holding {SECRET}")


class ForgetfulDelete(MemoryKeyring):
    def delete_password(self, service, username):
        pass


def test_F82_a_keyring_off_the_allow_list_is_refused_by_name():
    for backend in (
        keyring.backends.fail.Keyring(),
        keyring.backends.null.Keyring(),
        keyring.backends.chainer.ChainerBackend(),
        MemoryKeyring(),
    ):
        assert "not on the allow-list" in refuse_keyring(backend)


def test_F82_a_keyring_that_does_not_keep_or_delete_the_canary_is_refused():
    assert "does not keep" in check_canary(keyring.backends.null.Keyring())
    assert "does not work (NoKeyringError)" in check_canary(keyring.backends.fail.Keyring())
    assert "does not work (KeyringLocked)" in check_canary(LockedKeyring())
    assert "does not delete" in check_canary(ForgetfulDelete())
    working = MemoryKeyring()
    assert check_canary(working) is None
    assert working.kept == {}


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS always has its keychain")
def test_F82_without_a_secret_service_the_environment_cannot_bring_in_a_silent_keyring(tmp_path, monkeypatch):
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    assert system_keyring() is None
    with pytest.raises(VaultError, match="give --passphrase-file"):
        open_vault(tmp_path / "vault.json", None)


def test_the_encrypted_file_is_never_chosen_by_the_keyring_library():
    assert EncryptedFile not in set(KeyringBackend.get_viable_backends())


def test_a_system_keyring_serves_as_well_and_desks_do_not_see_each_other(tmp_path):
    backend = MemoryKeyring()
    one = Vault(backend, "system keyring", tmp_path / "lock", scope="tradedesk/one")
    two = Vault(backend, "system keyring", tmp_path / "lock", scope="tradedesk/two")
    one.put("acme", "binance", Secret(API_KEY, SECRET))
    assert one.get("acme", "binance").secret == SECRET
    assert two.names() == ()
    one.remove("acme", "binance")
    assert SECRET not in str(backend.kept)


def test_two_desks_of_one_user_have_each_their_own_part_of_the_keyring(tmp_path, monkeypatch):
    backend = MemoryKeyring()
    monkeypatch.setattr(vault_module, "system_keyring", lambda: backend)
    for home in ("one", "two"):
        (tmp_path / home).mkdir()
    one, two = (open_vault(tmp_path / home / "vault", None) for home in ("one", "two"))
    one.put("acme", "binance", Secret(API_KEY, SECRET))
    one.put_text("10.0.0.1:1080", "exit", "password")
    assert (two.names(), two.text("10.0.0.1:1080", "exit")) == ((), None)
    assert open_vault(tmp_path / "one" / "vault", None).get("acme", "binance").secret == SECRET
    assert not one.is_locked
    one.lock()  # the system's to do
    assert one.get("acme", "binance").secret == SECRET


def test_a_locked_keyring_gets_a_sentence_without_what_it_said(tmp_path):
    vault = Vault(LockedKeyring(), "system keyring", tmp_path / "lock")
    with pytest.raises(VaultError, match=r"system keyring: cannot be read \(KeyringLocked\)") as refused:
        vault.get("acme", "binance")
    assert refused.value.__context__ is None


# ---- nothing shows (F81)


def a_pem(private_key, encryption=None):
    return private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


def test_F81_a_secret_shows_in_no_text_and_cannot_be_copied_out():
    secret = Secret(API_KEY, SECRET)
    Log().info("account_added", given=secret)
    for text in (repr(secret), str(secret), f"{secret}", f"{[secret]}", tail()[-1].line()):
        assert "CANARY" not in text
    for write in (
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        json.dumps,
        msgspec.json.encode,
        msgspec.msgpack.encode,
        vars,
    ):
        with pytest.raises(TypeError):
            write(secret)


def test_F81_a_vault_key_shows_nothing(key):
    assert repr(key) == "<UnlockedKey>"
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_a_private_key_is_what_its_kind_says():
    ed, big = ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)
    assert Secret(API_KEY, a_pem(ed), KeyKind.Ed25519).kind is KeyKind.Ed25519
    assert Secret(API_KEY, a_pem(big), KeyKind.Rsa).kind is KeyKind.Rsa
    encrypted = a_pem(ed, BestAvailableEncryption(b"pw"))
    for kind, text in ((KeyKind.Ed25519, a_pem(big)), (KeyKind.Ed25519, encrypted), (KeyKind.Rsa, SECRET)):
        with pytest.raises(ValueError, match=f"not an unencrypted {kind} private key") as refused:
            Secret(API_KEY, text, kind)
        assert text not in str(refused.value)


@pytest.mark.parametrize(
    ("api_key", "secret"), [("", SECRET), (API_KEY, ""), ("a b", SECRET), (API_KEY, SECRET + "\n")]
)
def test_a_key_with_what_no_key_has_is_refused_unquoted(api_key, secret):
    with pytest.raises(ValueError, match=r"empty|no key has") as refused:
        Secret(api_key, secret)
    assert "CANARY" not in str(refused.value)


def test_an_entry_that_cannot_be_read_is_named_and_not_shown(path, key, filled):
    EncryptedFile(path, key).set_password("tradedesk:binance", "acme", json.dumps({"secret": SECRET}))
    with pytest.raises(VaultError, match="entry 'acme' of venue 'binance' is unreadable") as refused:
        filled.get("acme", "binance")
    assert refused.value.__context__ is None
