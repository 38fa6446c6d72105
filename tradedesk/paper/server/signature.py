"""Who signed a request: key, source address, time and signature, in the order the venue looks at them."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from tradedesk.paper.accounts import API_KEY, Account
from tradedesk.paper.rows import Refusal
from tradedesk.paper.server.parameters import Parameters, to_ns

_WINDOW = re.compile(r"[0-9]{1,5}(\.[0-9]{1,3})?", re.ASCII)
_STAMP = re.compile(r"[0-9]{1,18}", re.ASCII)
_AHEAD = 1_000_000_000  # ns a client's clock may be ahead
_DEFAULT_WINDOW = 5_000_000_000
_LARGEST_WINDOW = 60_000_000_000


def account_of(keys: Mapping[str, Account], api_key: str | None, peer: str) -> Account:
    """The account of a key used from `peer`. Raises -2014 or -2015, both HTTP 401."""
    if api_key is None or not API_KEY.fullmatch(api_key):
        raise Refusal(-2014, "API-key format invalid.", 401)
    account = keys.get(api_key)
    if account is None or (account.addresses and peer not in account.addresses):
        raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    return account


def check_time(parameters: Parameters, now: int) -> None:
    """Take `timestamp` and `recvWindow`; raises -1021 unless the request is fresh. `now` in ns."""
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
        window = round(float(text) * 1_000_000)
        if window > _LARGEST_WINDOW:
            raise Refusal(-1131, "recvWindow must be less than 60000.")
    sent = to_ns(int(stamp))
    if sent >= now + _AHEAD:
        raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now - sent > window:
        raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")


def check_signature(account: Account, parameters: Parameters, payload: bytes) -> None:
    """Take `signature`; raises -1102 if it is absent, -1022 unless it is this account's over exactly these bytes."""
    signature = parameters.must("signature")
    if not _is_signed(account, signature, payload):
        raise Refusal(-1022, "Signature for this request is not valid.")


def _is_signed(account: Account, signature: str, payload: bytes) -> bool:
    if account.secret is not None:
        expected = hmac.new(account.secret.encode(), payload, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.lower().encode())
    try:
        raw = base64.b64decode(signature, validate=True)
        match account.public_key:
            case Ed25519PublicKey() as key:
                key.verify(raw, payload)
            case RSAPublicKey() as key:
                key.verify(raw, payload, PKCS1v15(), SHA256())
            case _:
                return False
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True


def rest_payload(query: str, body: str) -> bytes:
    """What a REST client signs: query and body as sent, joined with nothing, the signature taken out of wherever it stands."""
    kept = (
        "&".join(piece for piece in text.split("&") if not piece.startswith("signature=")) for text in (query, body)
    )
    return "".join(kept).encode()


def socket_payload(parameters: Mapping[str, str]) -> bytes:
    """What a WebSocket API client signs: all but the signature, sorted by name."""
    return "&".join(f"{name}={value}" for name, value in sorted(parameters.items()) if name != "signature").encode()
