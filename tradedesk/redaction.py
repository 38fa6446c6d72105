"""Taking secrets out of text (5.6): by name and digest wherever text goes, literally where a venue may echo them.

`Scrubber` holds no secret and serves the whole process. `Echoes` holds those of one account, and so lives in that
account's adapter alone. Both know the forms in which secrets travel: bare, percent-encoded, base64, hex, JSON-escaped.
"""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from tradedesk.domain.text import clean

REDACTED = "<redacted>"
SHORTEST = (
    8  # letters and digits in a row; what is shorter could be any word or number, and is no secret worth the name
)
_NAMES = (
    r"signature|x-mbx-apikey|api[-_]?key|listen[-_]?key|secret|passphrase|password|admin[-_]?token|private[-_]?key"
    r"|(?:proxy-)?authorization"
)
SECRET_NAME = re.compile(rf"(?:{_NAMES})", re.IGNORECASE)
_NAMED_SECRET = re.compile(
    rf"""((?:{_NAMES})\\*["']?\s*(?:=|:|%3D)\s*(?:b?\\*["'])?(?:(?:basic|bearer)\s+)?)[^\s&"',;}})\]<\\]+""",
    re.IGNORECASE,
)
_URL_USER = re.compile(r"(://)[^/\s@]+@")
_PEM = re.compile(r"(-----BEGIN[^-]*PRIVATE KEY-----).*?(?:-----END[^-]*-----|$)", re.DOTALL)
_RUN = re.compile(rf"[A-Za-z0-9]{{{SHORTEST},}}")  # what a key, a signature or a part of a PEM line looks like
_TOKEN = re.compile(rf"[A-Za-z0-9+/_.~-]{{{SHORTEST},}}={{0,2}}")  # what has other letters too: base64, passwords
_ESCAPE = re.compile(r"\\u00([0-7][0-9A-Fa-f])|%([3-7][0-9A-Fa-f])")  # of letters that need none


def forms_of(secret: str) -> frozenset[str]:
    """`secret` as it may stand in a text: itself, and encoded in each of the ways that clients and venues use."""
    raw = secret.encode()
    percented = quote(secret, safe="")
    whole = {
        secret,
        percented,
        percented.lower(),
        quote(percented, safe=""),
        "".join(f"%{byte:02X}" for byte in raw),
        json.dumps(secret)[1:-1],
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        "".join(f"\\u{ord(letter):04x}" for letter in secret),
        raw.hex(),
        raw.hex().upper(),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
    }
    return frozenset(whole | {form for offset in range(3) for form in _base64(raw, offset)})


def _base64(raw: bytes, offset: int) -> Iterable[str]:
    """The digits of `raw` in base64 that do not depend on what stands beside it, `offset` bytes into a group of three."""
    start, end = -(-8 * offset // 6), 8 * (offset + len(raw)) // 6
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(bytes(offset) + raw).decode()[start:end]


class Scrubber:
    """Takes secrets out of text: by the names they travel under, and by salted digests of those it was told of.

    It holds no secret itself. Any thread may call it.
    """

    def __init__(self, salt: bytes | None = None) -> None:
        """With the `salt` of another process's scrubber it makes digests for that one, which then never sees the secret."""
        self.salt = secrets.token_bytes(16) if salt is None else salt
        self._digests: frozenset[bytes] = frozenset()

    def learn(self, *hidden: str) -> None:
        """Recognise these from now on, in every form of `forms_of`, where they stand between other than letters and digits.

        Of a login teach `user:password` beside the password: that is what a header carries in base64.
        """
        self.adopt(self.digests_of(*hidden))

    def digests_of(self, *hidden: str) -> frozenset[bytes]:
        forms = {form for secret in hidden for form in forms_of(secret)}
        runs = {run for form in forms for look in (_RUN, _TOKEN) for run in look.findall(form)}
        return frozenset(self._digest(run) for run in runs)

    def adopt(self, digests: Iterable[bytes]) -> None:
        """Recognise what somebody else made digests of with our salt."""
        self._digests = self._digests | frozenset(digests)

    def scrub(self, text: str) -> str:
        text = _PEM.sub(rf"\1{REDACTED}", text)
        text = _NAMED_SECRET.sub(rf"\1{REDACTED}", text)
        if "://" in text:
            text = _URL_USER.sub(rf"\1{REDACTED}@", text)
        if self._digests:
            text = _ESCAPE.sub(_plain_letter, text)
            text = _TOKEN.sub(self._hide_known, text)
            text = _RUN.sub(self._hide_known, text)
        return text

    def _hide_known(self, match: re.Match[str]) -> str:
        return REDACTED if self._digest(match.group()) in self._digests else match.group()

    def _digest(self, run: str) -> bytes:
        return hashlib.blake2b(run.encode(), key=self.salt, digest_size=16).digest()


def _plain_letter(match: re.Match[str]) -> str:
    letter = chr(int(match.group(1) or match.group(2), 16))
    if match.group(2):
        return letter if letter.isalnum() else match.group()
    return letter if letter.isprintable() else " "


SCRUBBER = Scrubber()  # one per process: what one account's adapter teaches it protects every output


class Echoes:
    """Takes an account's own secrets out of what its venue says, wherever and however they stand in it.

    It holds them, in the clear: keep it in the account's adapter.
    """

    def __init__(self, hidden: Iterable[str]) -> None:
        forms = {form for secret in hidden if len(secret) >= SHORTEST for form in forms_of(secret)}
        self._shortest = min(map(len, forms), default=0)
        longest_first = sorted(forms, key=len, reverse=True)
        self._forms = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if forms else None

    def __repr__(self) -> str:
        return "<Echoes>"

    def scrub(self, text: str) -> str:
        """`text` cleaned and without them. Cleaned first: an invisible letter in the middle of a key hides it from us only."""
        if self._forms is None or len(text) < self._shortest:
            return text
        return self._forms.sub(REDACTED, clean(text, limit=len(text)))

    def scrub_all(self, value: Any) -> Any:
        """The same for every text in a decoded JSON value, names included."""
        if self._forms is None:
            return value
        match value:
            case str():
                return self.scrub(value)
            case list():
                return [self.scrub_all(item) for item in value]
            case dict():
                return {self.scrub(name): self.scrub_all(item) for name, item in value.items()}
        return value
