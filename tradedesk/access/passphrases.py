"""The operators' passphrases: Argon2id hashes in a file of their own beside desk.toml (0600), never the words themselves.

A desk without the file knows no passphrase. One that cannot be read or believed lets nobody in, because the operator
whose hash it held could be anybody. Everything here blocks; call it on a thread that may wait.
"""

import hmac
import os
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from msgspec import Struct

from tradedesk.access.encrypted_file import (
    MIN_PASSPHRASE,
    Kdf,
    VaultError,
    check_kdf,
    new_kdf,
    read_private,
    write_private,
    writing,
)
from tradedesk.domain.words import OperatorId

MAX_PASSPHRASE = 1_024  # characters
MAX_FILE = 1024 * 1024  # bytes
_FORMAT, _VERSION = "tradedesk-operators", 1
_LENGTH = 32  # bytes of a hash


class PassphraseError(Exception):
    """The file of passphrases cannot be used, or a passphrase is none. Names file and remedy; never a passphrase."""


class _Hash(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    kdf: Kdf
    digest: bytes


class _File(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    format: str
    version: int
    operators: dict[OperatorId, _Hash]


class Passphrases:
    """The file of one desk. Read anew each time, so that a passphrase counts from the moment it is set."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._nobodys = _Hash(kdf=new_kdf(), digest=bytes(_LENGTH))  # compared with where there is no hash

    def names(self) -> frozenset[OperatorId]:
        """Who has a passphrase. Raises PassphraseError."""
        return frozenset(self._read())

    def check(self, name: OperatorId, passphrase: str) -> bool:
        """Whether this is the operator's passphrase. As slow for a name without one. Raises PassphraseError."""
        kept = self._read().get(name)
        wanted = kept or self._nobodys
        is_same = hmac.compare_digest(_derived(passphrase[:MAX_PASSPHRASE], wanted.kdf), wanted.digest)
        return is_same and kept is not None

    def put(self, name: OperatorId, passphrase: str) -> None:
        """Keep the hash of a passphrase, in place of the operator's former one. Raises PassphraseError."""
        if not MIN_PASSPHRASE <= len(passphrase) <= MAX_PASSPHRASE:
            raise PassphraseError(f"a passphrase has {MIN_PASSPHRASE} to {MAX_PASSPHRASE} characters; use another")
        kdf = new_kdf()
        self._change({name: _Hash(kdf=kdf, digest=_derived(passphrase, kdf))})

    def remove(self, name: OperatorId) -> None:
        """Forget the operator's passphrase. Raises PassphraseError if there is none."""
        self._change({}, without=name)

    def _change(self, news: dict[OperatorId, _Hash], without: OperatorId | None = None) -> None:
        try:
            with writing(self._path.with_name(self._path.name + ".lock")):
                kept = self._read()
                if without is not None and kept.pop(without, None) is None:
                    raise PassphraseError(f"{self._path}: {without} has no passphrase")
                file = _File(format=_FORMAT, version=_VERSION, operators=kept | news)
                write_private(self._path, msgspec.json.encode(file))
        except VaultError as error:
            why = str(error)
        else:
            return
        raise PassphraseError(why)

    def _read(self) -> dict[OperatorId, _Hash]:
        if not os.path.lexists(self._path):
            return {}
        try:
            file = msgspec.json.decode(read_private(self._path, MAX_FILE), type=_File)
            if (file.format, file.version) != (_FORMAT, _VERSION):
                raise msgspec.ValidationError
            for kept in file.operators.values():
                check_kdf(self._path, kept.kdf)
        except VaultError as error:
            why = str(error)
        except (msgspec.DecodeError, UnicodeDecodeError):
            why = f"{self._path}: is damaged or no file of passphrases; restore it, or delete it and set them again"
        else:
            return file.operators
        raise PassphraseError(why)


def _derived(passphrase: str, kdf: Kdf) -> bytes:
    """About 0.2 s and 64 MiB."""
    argon = Argon2id(
        salt=kdf.salt, length=_LENGTH, iterations=kdf.iterations, lanes=kdf.lanes, memory_cost=kdf.memory_kib
    )
    return argon.derive(passphrase.encode("utf-8", "surrogatepass"))
