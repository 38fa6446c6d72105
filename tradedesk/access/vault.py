"""Where secrets live: a system keyring that is on the allow-list, else our own encrypted file (5.6).

Everything here blocks; call it on a thread that may wait.
"""

import hashlib
import hmac
import secrets
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from keyring.backend import KeyringBackend
from keyring.core import load_keyring
from keyring.errors import KeyringError
from msgspec import Struct

from tradedesk.access.encrypted_file import (
    EncryptedFile,
    VaultError,
    create_file,
    read_passphrase_file,
    unlock,
    writing,
)

__all__ = ["ALLOWED_KEYRINGS", "Entry", "KeyKind", "Secret", "Vault", "VaultError", "key_fingerprint", "open_vault"]

ALLOWED_KEYRINGS = (
    "keyring.backends.macOS.Keyring",
    "keyring.backends.Windows.WinVaultKeyring",
    "keyring.backends.SecretService.Keyring",
    "keyring.backends.kwallet.DBusKeyring",
)
_FINGERPRINT_KEY = b"tradedesk api key fingerprint 1"  # the same everywhere: two desks must see that a key is the same


class KeyKind(StrEnum):
    Hmac = "hmac"
    Ed25519 = "ed25519"
    Rsa = "rsa"


class Secret:
    """The credentials of one account. Shows nothing of itself, and cannot be pickled, copied or written as JSON."""

    __slots__ = ("api_key", "kind", "secret")

    def __init__(self, api_key: str, secret: str, kind: KeyKind = KeyKind.Hmac) -> None:
        """`secret` is the shared secret (hmac) or the unencrypted private key in PEM. Raises ValueError, quoting neither."""
        _check_token("the API key", api_key)
        if kind is KeyKind.Hmac:
            _check_token("the secret", secret)
        else:
            _check_pem(secret, kind)
        self.api_key = api_key
        self.secret = secret
        self.kind = kind

    def __repr__(self) -> str:
        return f"<Secret {self.kind.value}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret leaves the vault for its own account's adapter only; it is not copied or stored")


def _check_token(what: str, text: str) -> None:
    if not text:
        raise ValueError(f"{what} is empty")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError(f"{what} holds a space or another character that no key has; paste it again")


def _check_pem(text: str, kind: KeyKind) -> None:
    wanted = Ed25519PrivateKey if kind is KeyKind.Ed25519 else RSAPrivateKey
    try:
        found = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        found = None
    if not isinstance(found, wanted):
        raise ValueError(f"the secret is not an unencrypted {kind.value} private key in PEM form")


def key_fingerprint(api_key: str) -> str:
    """32 hex digits that are the same wherever this key is used; they do not lead back to it."""
    return hmac.new(_FINGERPRINT_KEY, api_key.encode(), hashlib.sha256).hexdigest()[:32]


class _Kept(Struct, frozen=True, forbid_unknown_fields=True):
    """What a backend is given as the password of an entry."""

    api_key: str
    secret: str
    kind: KeyKind


class Entry(Struct, frozen=True, order=True):
    """Where one account's secret is kept: under its name and its venue."""

    name: str
    venue: str


class Vault:
    """Secrets by entry name and venue, over one keyring backend. Made by `open_vault`."""

    def __init__(self, backend: KeyringBackend, where: str, lock_file: Path, scope: str = "tradedesk") -> None:
        """`where` says to people where secrets are kept. `scope` keeps desks apart that share one system keyring."""
        self.where = where
        self._backend = backend
        self._lock_file = lock_file
        self._scope = scope

    def put(self, name: str, venue: str, secret: Secret) -> None:
        """Keep `secret`, in place of what the entry held."""
        if not name or not venue:
            raise VaultError(f"{self.where}: an entry needs a name and a venue")
        kept = msgspec.json.encode(_Kept(secret.api_key, secret.secret, secret.kind)).decode()
        with writing(self._lock_file):
            self._set(self._service(venue), name, kept)
            self._write_names({*self.names(), Entry(name, venue)})

    def get(self, name: str, venue: str) -> Secret:
        kept = self._get(self._service(venue), name)
        if kept is None:
            elsewhere = [entry.venue for entry in self.names() if entry.name == name]
            hint = f"it is kept for {', '.join(elsewhere)}" if elsewhere else "add it with `tradedesk accounts add`"
            raise VaultError(f"{self.where} has no secret {name!r} for venue {venue!r}; {hint}")
        try:
            found = msgspec.json.decode(kept, type=_Kept)
            return Secret(found.api_key, found.secret, found.kind)
        except (msgspec.DecodeError, ValueError):
            pass  # raised below: the context of an error in here could show the secret
        raise VaultError(f"{self.where}: entry {name!r} of venue {venue!r} is unreadable; remove it and add it again")

    def remove(self, name: str, venue: str) -> None:
        """Forget the entry. Removing one that is half gone finishes the work."""
        with writing(self._lock_file):
            entry, known = Entry(name, venue), set(self.names())
            if self._get(self._service(venue), name) is not None:
                self._delete(self._service(venue), name)
            elif entry not in known:
                raise VaultError(f"{self.where} has no secret {name!r} for venue {venue!r} to remove")
            self._write_names(known - {entry})

    def names(self) -> tuple[Entry, ...]:
        """All entries, in order."""
        listed = self._get(self._scope, "entries")
        if listed is None:
            return ()
        try:
            return tuple(sorted(msgspec.json.decode(listed, type=list[Entry])))
        except msgspec.DecodeError:
            raise VaultError(f"{self.where}: the list of entries is unreadable; add the accounts again") from None

    def fingerprint(self, name: str, venue: str) -> str:
        """`key_fingerprint` of the entry's API key: tells the same key in two accounts, or two desks."""
        return key_fingerprint(self.get(name, venue).api_key)

    def _service(self, venue: str) -> str:
        return f"{self._scope}:{venue}"

    def _write_names(self, entries: set[Entry]) -> None:
        self._set(self._scope, "entries", msgspec.json.encode(sorted(entries)).decode())

    def _get(self, service: str, username: str) -> str | None:
        try:
            return self._backend.get_password(service, username)
        except KeyringError as error:
            cause = type(error).__name__
        raise VaultError(f"{self.where}: cannot be read ({cause}); unlock it and try again")

    def _set(self, service: str, username: str, password: str) -> None:
        try:
            return self._backend.set_password(service, username, password)
        except KeyringError as error:
            cause = type(error).__name__
        raise VaultError(f"{self.where}: cannot be written ({cause}); unlock it and try again")

    def _delete(self, service: str, username: str) -> None:
        try:
            return self._backend.delete_password(service, username)
        except KeyringError as error:
            cause = type(error).__name__
        raise VaultError(f"{self.where}: {username!r} cannot be removed ({cause}); unlock it and try again")


def open_vault(file: Path, passphrase: str | Path | None, *, create: bool = False, scope: str = "tradedesk") -> Vault:
    """The vault of a desk: its encrypted file if there is one or a passphrase is given, else the system keyring.

    `passphrase` is the passphrase itself, or the path of a file (0600) that holds it. With `create` a missing file is
    made. Takes half a second for the file (the key is derived once, here). Raises VaultError.
    """
    lock_file = file.with_name(file.name + ".entries.lock")
    if passphrase is None and not file.exists():
        backend = system_keyring()
        if backend is None:
            raise VaultError("this machine has no system keyring that can be trusted; give --passphrase-file FILE")
        return Vault(backend, _describe(backend), lock_file, scope)
    if passphrase is None:
        raise VaultError(f"{file} is locked; give its passphrase, or --passphrase-file FILE")
    words = read_passphrase_file(passphrase) if isinstance(passphrase, Path) else passphrase
    key = create_file(file, words) if create and not file.exists() else unlock(file, words)
    return Vault(EncryptedFile(file, key), str(file), lock_file, scope)


def system_keyring() -> KeyringBackend | None:
    """The first keyring of the allow-list that this machine has and that keeps what it is given; None if there is none.

    Loaded by name: no plug-in, configuration file or environment variable chooses (F82).
    """
    for name in ALLOWED_KEYRINGS:
        try:
            backend = load_keyring(name)
        except Exception:  # noqa: S112  (each backend fails in its own way where its service does not exist)
            continue
        if refuse_keyring(backend) is None:
            return backend
    return None


def refuse_keyring(backend: KeyringBackend) -> str | None:
    """Why `backend` is not to be trusted with secrets, or None. Writes, reads back and deletes a canary."""
    kind = type(backend)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name not in ALLOWED_KEYRINGS:
        return f"keyring backend {name} is not on the allow-list; use a system keyring or the encrypted file"
    return check_canary(backend)


def check_canary(backend: KeyringBackend) -> str | None:
    """The sentence saying that `backend` does not keep what it is given, or None."""
    username, canary = f"canary-{secrets.token_hex(8)}", secrets.token_hex(16)
    try:
        backend.set_password("tradedesk", username, canary)
        kept = backend.get_password("tradedesk", username)
        backend.delete_password("tradedesk", username)
        left = backend.get_password("tradedesk", username)
    except Exception as error:  # whatever it is, this keyring does not work
        return f"the system keyring does not work ({type(error).__name__}); use the encrypted file"
    if kept != canary or left is not None:
        return "the system keyring does not keep or does not delete what it is given; use the encrypted file"
    return None


def _describe(backend: KeyringBackend) -> str:
    name = type(backend).__module__.rpartition(".")[2]
    open_to_all = " (open to every program of this session)" if name in ("SecretService", "kwallet") else ""
    return f"system keyring {name}{open_to_all}"
