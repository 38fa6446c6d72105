"""What one account proves itself with at its venue: API key, secret or private key, and where a venue has it a passphrase."""

import hashlib
import hmac
from enum import StrEnum
from typing import NoReturn

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct

_FINGERPRINT_KEY = b"tradedesk api key fingerprint 1"  # the same everywhere: two desks must see that a key is the same


class KeyKind(StrEnum):
    Hmac = "hmac"
    Ed25519 = "ed25519"
    Rsa = "rsa"


class Secret:
    """The credentials of one account. Shows nothing of itself, and cannot be pickled, copied or written as JSON."""

    __slots__ = ("api_key", "kind", "passphrase", "secret")

    def __init__(
        self, api_key: str, secret: str, kind: KeyKind = KeyKind.Hmac, *, passphrase: str | None = None
    ) -> None:
        """`secret` is the shared secret (hmac) or the unencrypted private key in PEM; `passphrase` the venue's own, if any.

        Raises ValueError, quoting none of them.
        """
        _check_token("the API key", api_key)
        if kind is KeyKind.Hmac:
            _check_token("the secret", secret)
        else:
            load_private_key(secret, kind)
        if passphrase is not None:
            _check_token("the venue passphrase", passphrase)
        self.api_key = api_key
        self.secret = secret
        self.kind = kind
        self.passphrase = passphrase

    @property
    def texts(self) -> tuple[str, ...]:
        """All that must show nowhere."""
        return tuple(text for text in (self.api_key, self.secret, self.passphrase) if text is not None)

    def __repr__(self) -> str:
        return f"<Secret {self.kind.value}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret leaves the vault for its own account's adapter only; it is not copied or stored")


def _check_token(what: str, text: str) -> None:
    if not text:
        raise ValueError(f"{what} is empty")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError(f"{what} holds a space or another character that no key has; paste it again")


def load_private_key(pem: str, kind: KeyKind) -> Ed25519PrivateKey | RSAPrivateKey:
    """The private key written in `pem`. Raises ValueError, which does not quote it."""
    found: object
    try:
        found = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        found = None
    if kind is KeyKind.Ed25519 and isinstance(found, Ed25519PrivateKey):
        return found
    if kind is KeyKind.Rsa and isinstance(found, RSAPrivateKey):
        return found
    raise ValueError(f"the secret is not an unencrypted {kind.value} private key in PEM form")


def key_fingerprint(api_key: str) -> str:
    """32 hex digits that are the same wherever this key is used; they do not lead back to it."""
    return hmac.new(_FINGERPRINT_KEY, api_key.encode(), hashlib.sha256).hexdigest()[:32]


class _Kept(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a vault is given as the text of an entry."""

    api_key: str
    secret: str
    kind: KeyKind
    passphrase: str | None = None


def kept_text(secret: Secret) -> str:
    """The secret as one text, for a vault alone."""
    return msgspec.json.encode(_Kept(secret.api_key, secret.secret, secret.kind, secret.passphrase)).decode()


def secret_in(text: str) -> Secret | None:
    """The secret that `kept_text` made this text of; None if it is no such text."""
    try:
        kept = msgspec.json.decode(text, type=_Kept)
        return Secret(kept.api_key, kept.secret, kept.kind, passphrase=kept.passphrase)
    except (msgspec.DecodeError, ValueError):  # whose text could show the secret: it ends here
        return None
