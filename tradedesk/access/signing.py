"""Signing with one account's key: what may be signed, and how each kind of key does it.

A signature covers a query string and not the address it goes to, so what may be signed is decided by the string alone: a
list of plain parameters, of bounded length, stamped with a time, none of which can send money away.
"""

import base64
import hmac
import re
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from tradedesk.access.secret import KeyKind, Secret, load_private_key

MAX_SIGNED = 4_096  # characters; the longest order is a tenth of it
_PARAMETER = re.compile(r"([A-Za-z]{1,40})=([A-Za-z0-9_.~%+:/-]{0,1000})", re.ASCII)
_STAMP = re.compile(r"[0-9]{13,16}", re.ASCII)
_NEVER = (
    "signature",
    "address",
    "amount",
)  # no withdrawal and no transfer goes without the last two; no order has them


class NotSigned(Exception):
    """Nothing was signed, and why: our own words, without what was to be signed."""


class Signer(Protocol):
    """Holds one account's key, or knows who does. One thread's."""

    @property
    def api_key(self) -> str: ...

    @property
    def passphrase(self) -> str | None: ...

    def sign(self, text: str) -> str:
        """The signature of `text`: hex for hmac, else base64. Raises NotSigned."""
        ...

    def hidden(self) -> tuple[str, ...]:
        """Texts that whoever asks for signatures must take out of what the venue says."""
        ...

    def trouble(self) -> str | None:
        """Why it cannot sign any more, in words that stay the same; None if it can."""
        ...

    def close(self) -> None:
        """Forget the key."""
        ...


def refusal(text: str) -> str | None:
    """Why `text` is nothing to sign, or None."""
    if len(text) > MAX_SIGNED:
        return f"it is longer than {MAX_SIGNED} characters"
    stamps = 0
    for part in text.split("&"):
        found = _PARAMETER.fullmatch(part)
        if found is None:
            return "it is no list of plain parameters"
        name, value = found.groups()
        if name.lower() in _NEVER:
            return f"the parameter {name} is none that this desk sends"
        if name == "timestamp":
            stamps += 1
            if not _STAMP.fullmatch(value):
                return "its timestamp is no time in ms"
    return None if stamps == 1 else "it does not carry one timestamp"


class KeySigner:
    """A signer that holds the key itself, read once: parsing a private key costs more than a signature."""

    def __init__(self, secret: Secret) -> None:
        self._secret: Secret | None = secret
        self._private: Ed25519PrivateKey | RSAPrivateKey | None = None
        if secret.kind is not KeyKind.Hmac:
            self._private = load_private_key(secret.secret, secret.kind)

    @property
    def api_key(self) -> str:
        return "" if self._secret is None else self._secret.api_key

    @property
    def passphrase(self) -> str | None:
        return None if self._secret is None else self._secret.passphrase

    def sign(self, text: str) -> str:
        if self._secret is None:
            raise NotSigned("the key was forgotten")
        why = refusal(text)
        if why is not None:
            raise NotSigned(f"not signed: {why}")
        match self._private:
            case Ed25519PrivateKey() as private:
                return base64.b64encode(private.sign(text.encode())).decode()
            case RSAPrivateKey() as private:
                return base64.b64encode(private.sign(text.encode(), PKCS1v15(), SHA256())).decode()
            case None:
                return hmac.digest(self._secret.secret.encode(), text.encode(), "sha256").hex()

    def hidden(self) -> tuple[str, ...]:
        return () if self._secret is None else self._secret.texts

    def trouble(self) -> str | None:
        return "the key was forgotten" if self._secret is None else None

    def close(self) -> None:
        self._secret = self._private = None
