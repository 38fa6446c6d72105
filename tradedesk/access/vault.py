"""Where secrets live: a system keyring that is on the allow-list, else our own encrypted file (5.6).

Everything here blocks; call it on a thread that may wait.
"""

import hashlib
import os
import secrets
from pathlib import Path

import msgspec
from keyring.backend import KeyringBackend
from keyring.core import load_keyring
from keyring.errors import KeyringError
from msgspec import Struct

from tradedesk.access.encrypted_file import (
    EncryptedFile,
    FileRecord,
    VaultError,
    create_file,
    open_record,
    read_passphrase_file,
    unlock,
    writing,
)
from tradedesk.access.secret import KeyKind, Secret, kept_text, key_fingerprint, secret_in

__all__ = [
    "ALLOWED_KEYRINGS",
    "Entry",
    "Handover",
    "KeyKind",
    "Secret",
    "Vault",
    "VaultError",
    "key_fingerprint",
    "open_vault",
    "secret_at",
]

ALLOWED_KEYRINGS = (
    "keyring.backends.macOS.Keyring",
    "keyring.backends.Windows.WinVaultKeyring",
    "keyring.backends.SecretService.Keyring",
    "keyring.backends.kwallet.DBusKeyring",
)


class KeyringRecord(Struct, frozen=True, kw_only=True, tag="keyring"):
    """Where a system keyring has one record; the system decides who may read it."""

    backend: str  # of ALLOWED_KEYRINGS
    service: str
    username: str


Handover = FileRecord | KeyringRecord
"""What a process of its own needs to read one account's secret, so that the desk need not read it."""


def secret_at(handover: Handover) -> Secret:
    """The secret that was handed over. Raises VaultError."""
    match handover:
        case FileRecord():
            text: str | None = open_record(handover)
        case KeyringRecord():
            text = _read_keyring(handover)
    found = None if text is None else secret_in(text)
    if found is None:
        raise VaultError(f"the record of {handover.username!r} is unreadable; remove it and add it again")
    return found


def _read_keyring(record: KeyringRecord) -> str | None:
    if record.backend not in ALLOWED_KEYRINGS:
        raise VaultError(f"keyring backend {record.backend} is not on the allow-list")
    try:
        return load_keyring(record.backend).get_password(record.service, record.username)
    except Exception as error:  # each backend fails in its own way
        cause = type(error).__name__
    raise VaultError(f"the system keyring cannot be read ({cause}); unlock it and try again")


class _Listed(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A line of the list of entries: the API key too, so that keys can be told apart without a secret being read."""

    name: str
    venue: str
    api_key: str = ""


class Entry(Struct, frozen=True, order=True):
    """Where one account's secret is kept: under its name and its venue."""

    name: str
    venue: str


class Vault:
    """Secrets by entry name and venue, over one keyring backend. Made by `open_vault`."""

    def __init__(
        self,
        backend: KeyringBackend,
        where: str,
        lock_file: Path,
        scope: str = "tradedesk",
        passphrase_file: Path | None = None,
    ) -> None:
        """`where` says to people where secrets are kept. `scope` keeps desks apart that share one system keyring.

        With a `passphrase_file` it can be opened again without a person (`reopen`).
        """
        self.where = where
        self._backend = backend
        self._lock_file = lock_file
        self._scope = scope
        self._passphrase_file = passphrase_file
        self.uses = 0  # counts reads and writes: what stands still is idle

    # -- locking --------------------------------------------------------------------------------------------------------

    @property
    def is_locked(self) -> bool:
        return isinstance(self._backend, EncryptedFile) and self._backend.is_locked

    def lock(self) -> None:
        """Drop the key that was derived: until `unlock` nothing can be read or written. A system keyring locks itself."""
        if isinstance(self._backend, EncryptedFile):
            self._backend.lock()

    def unlock(self, passphrase: str | Path) -> None:
        """Derive the key anew, from the passphrase or the file (0600) that holds it; half a second. Raises VaultError."""
        if isinstance(self._backend, EncryptedFile):
            self._backend.unlock(_words(passphrase))
            self.uses += 1

    def reopen(self) -> None:
        """Open it again if it was locked and its passphrase is in a file. Raises VaultError if a person must."""
        if not self.is_locked:
            return
        if self._passphrase_file is None:
            raise VaultError(f"{self.where} is locked; open it with `tradedesk accounts unlock`, then try again")
        self.unlock(self._passphrase_file)

    # -- secrets of accounts --------------------------------------------------------------------------------------------

    def put(self, name: str, venue: str, secret: Secret) -> None:
        """Keep `secret`, in place of what the entry held."""
        if not name or not venue:
            raise VaultError(f"{self.where}: an entry needs a name and a venue")
        with writing(self._lock_file):
            self._set(self._service(venue), name, kept_text(secret))
            others = [row for row in self._listed() if (row.name, row.venue) != (name, venue)]
            self._write_list([*others, _Listed(name, venue, secret.api_key)])

    def get(self, name: str, venue: str) -> Secret:
        kept = self._get(self._service(venue), name)
        if kept is None:
            raise self._missing(name, venue)
        found = secret_in(kept)
        if found is None:
            raise VaultError(
                f"{self.where}: entry {name!r} of venue {venue!r} is unreadable; remove it and add it again"
            )
        return found

    def remove(self, name: str, venue: str) -> None:
        """Forget the entry. Removing one that is half gone finishes the work."""
        with writing(self._lock_file):
            known = self._listed()
            others = [row for row in known if (row.name, row.venue) != (name, venue)]
            if self._get(self._service(venue), name) is not None:
                self._delete(self._service(venue), name)
            elif len(others) == len(known):
                raise VaultError(f"{self.where} has no secret {name!r} for venue {venue!r} to remove")
            self._write_list(others)

    def names(self) -> tuple[Entry, ...]:
        """All entries, in order."""
        return tuple(sorted(Entry(row.name, row.venue) for row in self._listed()))

    def api_key(self, name: str, venue: str) -> str:
        """The entry's API key; its secret stays sealed."""
        for row in self._listed():
            if (row.name, row.venue) == (name, venue) and row.api_key:
                return row.api_key
        return self.get(name, venue).api_key  # listed before the list knew keys, or not there at all

    def fingerprint(self, name: str, venue: str) -> str:
        """`key_fingerprint` of the entry's API key: tells the same key in two accounts, or two desks."""
        return key_fingerprint(self.api_key(name, venue))

    def handover(self, name: str, venue: str) -> Handover:
        """What lets another process read this entry, and no other; the secret itself is not read here."""
        service = self._service(venue)
        if Entry(name, venue) not in self.names():
            raise self._missing(name, venue)
        if isinstance(self._backend, EncryptedFile):
            return self._backend.handover(service, name)
        kind = type(self._backend)
        return KeyringRecord(backend=f"{kind.__module__}.{kind.__qualname__}", service=service, username=name)

    # -- other texts that must show nowhere: the password of a proxy ------------------------------------------------------

    def put_text(self, name: str, scope: str, text: str) -> None:
        """Keep `text` under its name, in place of what was there; no account's entry is ever meant."""
        if not name or not scope:
            raise VaultError(f"{self.where}: a text needs a name and a scope")
        with writing(self._lock_file):
            self._set(self._text_service(scope), name, text)

    def text(self, name: str, scope: str) -> str | None:
        return self._get(self._text_service(scope), name)

    def remove_text(self, name: str, scope: str) -> None:
        """Forget the text; one that is not there is forgotten already."""
        with writing(self._lock_file):
            if self._get(self._text_service(scope), name) is not None:
                self._delete(self._text_service(scope), name)

    # -- the backend ----------------------------------------------------------------------------------------------------

    def _missing(self, name: str, venue: str) -> VaultError:
        elsewhere = [entry.venue for entry in self.names() if entry.name == name]
        hint = f"it is kept for {', '.join(elsewhere)}" if elsewhere else "add it with `tradedesk accounts add`"
        return VaultError(f"{self.where} has no secret {name!r} for venue {venue!r}; {hint}")

    def _listed(self) -> list[_Listed]:
        listed = self._get(self._scope, "entries")
        if listed is None:
            return []
        try:
            return msgspec.json.decode(listed, type=list[_Listed])
        except msgspec.DecodeError:
            pass  # raised below: the context of an error in here could show what is listed
        raise VaultError(f"{self.where}: the list of entries is unreadable; add the accounts again")

    def _write_list(self, rows: list[_Listed]) -> None:
        in_order = sorted(rows, key=lambda row: (row.name, row.venue))
        self._set(self._scope, "entries", msgspec.json.encode(in_order).decode())

    def _service(self, venue: str) -> str:
        return f"{self._scope}:{venue}"

    def _text_service(self, scope: str) -> str:
        return f"{self._scope}:text:{scope}"  # no venue's name has a colon

    def _get(self, service: str, username: str) -> str | None:
        self.uses += 1
        try:
            return self._backend.get_password(service, username)
        except KeyringError as error:
            cause = type(error).__name__
        raise VaultError(f"{self.where}: cannot be read ({cause}); unlock it and try again")

    def _set(self, service: str, username: str, password: str) -> None:
        self.uses += 1
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
        return Vault(backend, _describe(backend), lock_file, f"{scope}/{_place(file)}")
    if passphrase is None:
        raise VaultError(f"{file} is locked; give its passphrase, or --passphrase-file FILE")
    words = _words(passphrase)
    key = create_file(file, words) if create and not file.exists() else unlock(file, words)
    return Vault(
        EncryptedFile(file, key), str(file), lock_file, scope, passphrase if isinstance(passphrase, Path) else None
    )


def _place(file: Path) -> str:
    """What keeps apart the desks of one user, who share one keyring: where each would have its vault file."""
    return hashlib.blake2b(os.fsencode(file.absolute()), digest_size=6).hexdigest()


def _words(passphrase: str | Path) -> str:
    return read_passphrase_file(passphrase) if isinstance(passphrase, Path) else passphrase


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
