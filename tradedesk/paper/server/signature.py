"""Who signed a request: key, source address, time and signature, in the order the venue looks at them."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from tradedesk.paper.accounts import API_KEY, Key, Right
from tradedesk.paper.rows import Refusal
from tradedesk.paper.server.parameters import Parameters, to_ns

if TYPE_CHECKING:
    from hashlib import _Hash

_WINDOW = re.compile(r"[0-9]{1,5}(\.[0-9]{1,3})?", re.ASCII)
_STAMP = re.compile(r"[0-9]{1,20}", re.ASCII)
_AHEAD = 1_000_000_000  # ns a client's clock may be ahead
_DEFAULT_WINDOW = 5_000_000_000
_LARGEST_WINDOW = 60_000_000_000
_BLOCK = 64  # bytes, of SHA-256


def key_of(keys: Mapping[str, Key], api_key: str | None, peer: str) -> Key:
    """The key, used from `peer`. Raises -2014 or -2015, both HTTP 401: unknown, revoked or from elsewhere is one."""
    key = None if api_key is None else keys.get(api_key)
    if key is None and (api_key is None or not API_KEY.fullmatch(api_key)):
        raise Refusal(-2014, "API-key format invalid.", 401)
    if key is None or key.is_revoked or (key.addresses and peer not in key.addresses):
        raise _not_permitted()
    return key


def check_right(key: Key, right: Right, now: int) -> None:
    """Raises unless the key may be used so at `now` (ns): -2015, for money that leaves -1002; both HTTP 401."""
    if key.may(right, now):
        return
    if right in (Right.WITHDRAW, Right.TRANSFER):
        raise Refusal(-1002, "You are not authorized to execute this request.", 401)
    raise _not_permitted()


def _not_permitted() -> Refusal:
    return Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def with_address(refusal: Refusal, peer: str) -> Refusal:
    """As USD-M words it: -2015 says from where the request came."""
    if refusal.code != -2015:
        return refusal
    return Refusal(-2015, f"Invalid API-key, IP, or permissions for action, request ip: {peer}", refusal.http)


def check_time(parameters: Parameters, now: int) -> int:
    """Take `timestamp` and `recvWindow`; raises -1021 unless the request is fresh at `now` (ns).

    Returns until when (ns, included) it stays so: the venue looks again (`check_still_fresh`) before its engine has it.
    """
    stamp = parameters.must("timestamp")
    if not _STAMP.fullmatch(stamp):
        raise Refusal(-1100, "Illegal characters found in parameter 'timestamp'; legal range is '^[0-9]{1,20}$'.")
    window = _DEFAULT_WINDOW
    text = parameters.text("recvWindow")
    if text is not None:
        if not _WINDOW.fullmatch(text):
            raise Refusal(
                -1100,
                "Illegal characters found in parameter 'recvWindow'; legal range is '^[0-9]{1,5}(\\.[0-9]{1,3})?$'.",
            )
        window = int(Decimal(text) * 1_000_000)
        if window > _LARGEST_WINDOW:
            raise Refusal(-1131, "recvWindow must be less than 60000.")
    sent = to_ns(int(stamp))
    if sent >= now + _AHEAD:
        raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    check_still_fresh(sent + window, now)
    return sent + window


def check_still_fresh(fresh_until: int, now: int) -> None:
    """Raises -1021 if a request that was fresh waited too long on its way to the engine. Both in ns."""
    if now > fresh_until:
        raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")


def check_signature(key: Key, parameters: Parameters, payload: bytes) -> None:
    """Take `signature`; raises -1102 if it is absent, -1022 unless it is this key's over exactly these bytes."""
    signature = parameters.must("signature")
    if not _is_signed(key, signature, payload):
        raise Refusal(-1022, "Signature for this request is not valid.")


def _is_signed(key: Key, signature: str, payload: bytes) -> bool:
    if key.secret is not None:
        return hmac.compare_digest(hmac_sha256(key.secret, payload).encode(), signature.lower().encode())
    try:
        raw = base64.b64decode(signature, validate=True)
        match key.public_key:
            case Ed25519PublicKey() as public:
                public.verify(raw, payload)
            case RSAPublicKey() as public:
                public.verify(raw, payload, PKCS1v15(), SHA256())
            case _:
                return False
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True


def hmac_sha256(secret: str, payload: bytes) -> str:
    """In hex. RFC 2104 by hand: the key's own blocks are hashed once, which is two thirds of what a short payload costs."""
    inner, outer = _begun(secret)
    inner, outer = inner.copy(), outer.copy()
    inner.update(payload)
    outer.update(inner.digest())
    return outer.hexdigest()


@lru_cache(maxsize=8_192)
def _begun(secret: str) -> "tuple[_Hash, _Hash]":
    """The inner and the outer hash after their first block."""
    key = secret.encode()
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    return hashlib.sha256(bytes(x ^ 0x36 for x in block)), hashlib.sha256(bytes(x ^ 0x5C for x in block))


def rest_payload(query: str, body: str) -> bytes:
    """What a REST client signs: query and body as sent, joined with nothing, the signature taken out of wherever it stands."""
    return (_unsigned(query) + _unsigned(body)).encode()


def _unsigned(text: str) -> str:
    return "&".join([piece for piece in text.split("&") if not piece.startswith("signature=")])


def socket_payload(parameters: Mapping[str, str]) -> bytes:
    """What a WebSocket API client signs: all but the signature, sorted by name."""
    signed = dict(parameters)
    signed.pop("signature", None)
    return "&".join(map("=".join, sorted(signed.items()))).encode()
