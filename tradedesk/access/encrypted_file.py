"""The vault file: a keyring backend of our own for machines that have no system keyring.

One record per account, each sealed (AES-256-GCM) under a key of its own for its account, venue and counter, and a sealed
table of all of them: a record cannot be read, swapped, dropped or rolled back alone. The whole file can be put back to an
older one; only a copy kept elsewhere could tell. The master key comes from the passphrase by Argon2id, once per
unlocking, and the record keys from the master by HKDF, so that one record's key opens that record and nothing else. A
checksum tells damage from a wrong passphrase. Everything here blocks; call it on a thread that may wait.
"""

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from keyring.backend import KeyringBackend
from keyring.compat import properties
from keyring.errors import PasswordDeleteError
from msgspec import Struct

MIN_PASSPHRASE = 8  # characters
_MAX_PASSPHRASE_FILE = 4096  # bytes
_MAX_VAULT_FILE = 16 * 1024 * 1024  # bytes


class VaultError(Exception):
    """The vault cannot do what was asked. Says which file or entry, what is wrong and what to do; never a secret."""


class Kdf(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the key of a vault file is made from its passphrase."""

    name: str
    iterations: int
    memory_kib: int
    lanes: int
    salt: bytes


_FLOOR = Kdf(name="argon2id", iterations=3, memory_kib=64 * 1024, lanes=4, salt=b"")
_CEILING = Kdf(name="argon2id", iterations=64, memory_kib=2 * 1024 * 1024, lanes=64, salt=b"")  # a file may not hang us


class _Sealed(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    nonce: bytes
    text: bytes


class _Row(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    service: str  # the venue
    username: str  # the account
    counter: int  # of all writes of this file; the table knows the one that counts
    sealed: _Sealed


class _Content(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    format: str
    version: int
    kdf: Kdf
    check: _Sealed  # opens under the right passphrase
    table: _Sealed  # which rows there are, and their counters
    rows: tuple[_Row, ...]


class _File(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    checksum: str  # SHA-256 of the content as it stands: tells damage from a wrong passphrase
    content: msgspec.Raw


_FORMAT, _VERSION = "tradedesk-vault", 2
_CHECK_TEXT = b"tradedesk vault opened"


class UnlockedKey:
    """The master key of one vault file, until `lock`. Shows nothing of itself."""

    __slots__ = ("_master", "kdf")

    def __init__(self, key: bytes, kdf: Kdf) -> None:
        self._master: bytearray | None = bytearray(key)
        self.kdf = kdf

    @property
    def is_locked(self) -> bool:
        return self._master is None

    def lock(self) -> None:
        """Overwrite the key and drop it. What the interpreter and libraries copied of it is theirs to free."""
        if self._master is not None:
            self._master[:] = bytes(len(self._master))
        self._master = None

    def for_record(self, service: str, username: str) -> bytes:
        """The key of one record, which leads neither to the master nor to another record's."""
        return self._derived(("record", service, username))

    def seal(self, text: bytes, context: bytes, purpose: tuple[str, ...]) -> _Sealed:
        nonce = os.urandom(12)
        return _Sealed(nonce=nonce, text=AESGCM(self._derived(purpose)).encrypt(nonce, text, context))

    def open(self, sealed: _Sealed, context: bytes, purpose: tuple[str, ...]) -> bytes | None:
        """What was sealed in this very context with this key, else None."""
        return _opened(self._derived(purpose), sealed, context)

    def _derived(self, purpose: tuple[str, ...]) -> bytes:
        if self._master is None:
            raise VaultError("the vault was locked; open it again with its passphrase")
        info = msgspec.json.encode((_FORMAT, _VERSION, *purpose))
        return HKDF(algorithm=SHA256(), length=32, salt=self.kdf.salt, info=info).derive(bytes(self._master))

    def __repr__(self) -> str:
        return "<UnlockedKey>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a vault key is not copied or stored")


def _opened(key: bytes, sealed: _Sealed, context: bytes) -> bytes | None:
    try:
        return AESGCM(key).decrypt(sealed.nonce, sealed.text, context)
    except (InvalidTag, ValueError):  # ValueError: a nonce of another length
        return None


_CHECK, _TABLE = ("check",), ("table",)


def new_kdf() -> Kdf:
    return msgspec.structs.replace(_FLOOR, salt=os.urandom(16))


def derive_key(passphrase: str, kdf: Kdf) -> UnlockedKey:
    """About 0.4 s and 64 MiB at the floor."""
    argon = Argon2id(salt=kdf.salt, length=32, iterations=kdf.iterations, lanes=kdf.lanes, memory_cost=kdf.memory_kib)
    return UnlockedKey(argon.derive(passphrase.encode()), kdf)


def create_file(path: Path, passphrase: str) -> UnlockedKey:
    """Make an empty vault file; returns its key. Raises VaultError if there is one, or if the passphrase is too short."""
    if len(passphrase) < MIN_PASSPHRASE:
        raise VaultError(f"{path}: the passphrase has {len(passphrase)} characters; use at least {MIN_PASSPHRASE}")
    with writing(_lock_of(path)):
        if path.exists():
            raise VaultError(f"{path} exists already; open it, or name another file")
        key = derive_key(passphrase, new_kdf())
        write_rows(path, key, ())
    return key


def unlock(path: Path, passphrase: str) -> UnlockedKey:
    """Derive the key of the vault file. Raises VaultError, which tells a wrong passphrase from a damaged file."""
    content = _read(path)
    key = derive_key(passphrase, content.kdf)
    if key.open(content.check, _header(content.kdf), _CHECK) != _CHECK_TEXT:
        raise VaultError(f"{path}: wrong passphrase; the file itself is whole")
    return key


class EncryptedFile(KeyringBackend):
    """A keyring backend over one vault file. Reads the file anew each time, so another process may write it too."""

    def __init__(self, path: Path, key: UnlockedKey) -> None:
        # The base class's __init__ would let KEYRING_PROPERTY_* variables of the environment name another file.
        self._path = path
        self._key = key

    @properties.classproperty
    def priority(cls) -> float:
        raise RuntimeError("opened with a passphrase by tradedesk only; never chosen by the keyring library")

    def get_password(self, service: str, username: str) -> str | None:
        for row in self._rows():
            if (row.service, row.username) == (service, username):
                return self._open(row)
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        with writing(_lock_of(self._path)):
            rows = self._rows()
            counter = 1 + max((row.counter for row in rows), default=0)
            context = _context(self._key.kdf, service, username, counter)
            sealed = self._key.seal(password.encode(), context, ("record", service, username))
            others = tuple(row for row in rows if (row.service, row.username) != (service, username))
            new = _Row(service=service, username=username, counter=counter, sealed=sealed)
            write_rows(self._path, self._key, (*others, new))

    def delete_password(self, service: str, username: str) -> None:
        with writing(_lock_of(self._path)):
            rows = self._rows()
            others = tuple(row for row in rows if (row.service, row.username) != (service, username))
            if len(others) == len(rows):
                raise PasswordDeleteError(f"{self._path} has no entry {username!r} of {service!r}")
            write_rows(self._path, self._key, others)

    @property
    def is_locked(self) -> bool:
        return self._key.is_locked

    def lock(self) -> None:
        """Drop the key; nothing can be read or written until `unlock`."""
        self._key.lock()

    def unlock(self, passphrase: str) -> None:
        """Derive the key anew. Raises VaultError."""
        self._key = unlock(self._path, passphrase)

    def handover(self, service: str, username: str) -> "FileRecord":
        """What another process needs to open this one record, as it is now. Raises VaultError."""
        for row in self._rows():
            if (row.service, row.username) == (service, username):
                return FileRecord(
                    path=str(self._path),
                    service=service,
                    username=username,
                    counter=row.counter,
                    key=self._key.for_record(service, username),
                )
        raise VaultError(f"{self._path} has no entry {username!r} of {service!r}")

    def _rows(self) -> tuple[_Row, ...]:
        content = _read(self._path)
        if content.kdf != self._key.kdf:
            raise VaultError(f"{self._path} has been given another passphrase; open it again")
        if self._key.open(content.table, _table_context(content.kdf), _TABLE) != _table(content.rows):
            raise VaultError(f"{self._path} was changed by something else than tradedesk; {_RESTORE}")
        return content.rows

    def _open(self, row: _Row) -> str:
        return _text_of(self._path, row, self._key.for_record(row.service, row.username), self._key.kdf)


class FileRecord(Struct, frozen=True, kw_only=True, tag="file"):
    """Where one record of a vault file is, and the key that opens it and no other. As secret as the record is."""

    path: str
    service: str
    username: str
    counter: int  # of the record meant: neither an older nor a newer one is taken for it
    key: bytes

    def __repr__(self) -> str:
        return f"<FileRecord {self.username}>"


def open_record(record: FileRecord) -> str:
    """What the record holds. Raises VaultError if it is not there any more as it was handed over."""
    path = Path(record.path)
    content = _read(path)
    for row in content.rows:
        if (row.service, row.username, row.counter) == (record.service, record.username, record.counter):
            return _text_of(path, row, record.key, content.kdf)
    raise VaultError(f"{path}: the record of {record.username!r} was replaced or removed; start the desk again")


def _text_of(path: Path, row: _Row, key: bytes, kdf: Kdf) -> str:
    text = _opened(key, row.sealed, _context(kdf, row.service, row.username, row.counter))
    if text is None:
        raise VaultError(f"{path}: the record of {row.username!r} was changed; {_RESTORE}")
    return text.decode()


_RESTORE = "restore it from a backup, or delete it and add the accounts again"


def _header(kdf: Kdf) -> bytes:
    return msgspec.json.encode((_FORMAT, _VERSION, kdf, "check"))


def _table_context(kdf: Kdf) -> bytes:
    return msgspec.json.encode((_FORMAT, _VERSION, kdf, "table"))


def _context(kdf: Kdf, service: str, username: str, counter: int) -> bytes:
    return msgspec.json.encode((_FORMAT, _VERSION, kdf, "record", service, username, counter))


def _table(rows: tuple[_Row, ...]) -> bytes:
    return msgspec.json.encode([(row.service, row.username, row.counter) for row in rows])


def write_rows(path: Path, key: UnlockedKey, rows: tuple[_Row, ...]) -> None:
    """Replace the file, whole or not at all. The caller holds its lock."""
    content = msgspec.json.encode(
        _Content(
            format=_FORMAT,
            version=_VERSION,
            kdf=key.kdf,
            check=key.seal(_CHECK_TEXT, _header(key.kdf), _CHECK),
            table=key.seal(_table(rows), _table_context(key.kdf), _TABLE),
            rows=rows,
        )
    )
    checksum = hashlib.sha256(content).hexdigest()
    text = msgspec.json.encode(_File(checksum=checksum, content=msgspec.Raw(content)))
    write_private(path, text)


def write_private(path: Path, text: bytes) -> None:
    """Replace a file of mode 0600, whole or not at all. The caller holds its lock. Raises VaultError."""
    temporary = path.with_name(
        f".{path.name}.new"
    )  # one name, written under the lock: what a crash left is written over
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        temporary.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise VaultError(f"{path}: cannot be written ({error.strerror}); it is as it was before") from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> _Content:
    """The file's content, whole and within bounds; nothing of it is proved to be ours yet."""
    text = read_private(path, _MAX_VAULT_FILE)
    damaged = VaultError(f"{path} is damaged or is no vault; {_RESTORE}")
    try:
        file = msgspec.json.decode(text, type=_File)
        if hashlib.sha256(file.content).hexdigest() != file.checksum:
            raise damaged
        content = msgspec.json.decode(file.content, type=_Content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise damaged from None
    if content.format != _FORMAT:
        raise damaged
    if content.version != _VERSION:
        raise VaultError(
            f"{path} is of vault version {content.version}, this program reads {_VERSION}; "
            "use the program that made it, or delete it and add the accounts again"
        )
    return _within_bounds(path, content)


def _within_bounds(path: Path, content: _Content) -> _Content:
    check_kdf(path, content.kdf)
    return content


def check_kdf(path: Path, kdf: Kdf) -> None:
    """Raises VaultError for a derivation that is weaker than our floor or so heavy that it would hang us."""
    parts = ("iterations", "memory_kib", "lanes")
    is_weak = len(kdf.salt) != 16 or any(getattr(kdf, part) < getattr(_FLOOR, part) for part in parts)
    is_absurd = any(getattr(kdf, part) > getattr(_CEILING, part) for part in parts)
    if kdf.name != _FLOOR.name or is_weak or is_absurd:
        raise VaultError(f"{path} asks for a key derivation that is too weak or too heavy to be ours; {_RESTORE}")


def read_passphrase_file(path: Path) -> str:
    """The passphrase in a file of mode 0600, without the line end. Raises VaultError.

    A service manager's credential ($CREDENTIALS_DIRECTORY) may belong to root and be open to us by an access list, which
    shows as a group's right to read.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    is_credential = folder is not None and path.parent == Path(folder)
    try:
        text = read_private(path, _MAX_PASSPHRASE_FILE, is_credential=is_credential).decode()
    except UnicodeDecodeError:
        text = ""
    words = text.rstrip("\r\n")
    if not words or "\n" in words:
        raise VaultError(f"{path} must hold the passphrase on one line, and nothing else")
    return words


def read_private(path: Path, limit: int, *, is_credential: bool = False) -> bytes:
    """Raises VaultError unless `path` is a file of ours that nobody else may read, of at most `limit` bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)  # a pipe of that name must not hang us
    except FileNotFoundError:
        raise VaultError(f"{path} does not exist; name another file, or add an account to make one") from None
    except OSError as error:
        raise VaultError(f"{path} cannot be read ({error.strerror})") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise VaultError(f"{path} is not a file")
        owners = (os.geteuid(), 0) if is_credential else (os.geteuid(),)
        if found.st_uid not in owners:
            raise VaultError(f"{path} belongs to user id {found.st_uid}, you are {os.geteuid()}; it must be your own")
        if found.st_mode & (0o037 if is_credential else 0o077):
            mode = stat.S_IMODE(found.st_mode)
            raise VaultError(f"{path} may be read or written by others (mode {mode:04o}); run: chmod 600 {path}")
        with open(descriptor, "rb", closefd=False) as file:
            text = file.read(limit + 1)
    finally:
        os.close(descriptor)
    if len(text) > limit:
        raise VaultError(f"{path} is larger than {limit} bytes; it is not what it should be")
    return text


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


@contextmanager
def writing(lock_file: Path) -> Iterator[None]:
    """One writer at a time, over threads and processes."""
    try:
        lock_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise VaultError(f"{lock_file} cannot be opened ({error.strerror}); the vault cannot be written") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # lets the lock go
