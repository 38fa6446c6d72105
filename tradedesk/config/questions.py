"""What a question of the setup is, and how an answer to it is judged by itself. Pure."""

import re
from collections.abc import Callable, Iterable
from typing import NoReturn
from urllib.parse import urlsplit

from msgspec import Struct

from tradedesk.config.exits import is_echo
from tradedesk.config.reading import is_site
from tradedesk.config.tables import NAME, nearest
from tradedesk.domain.exits import parse_exit
from tradedesk.domain.money import parse_decimal
from tradedesk.domain.text import clean
from tradedesk.domain.webhooks import hook_wrong

LIVE = "live"  # instead of the address of a site: the real exchange

Judge = Callable[[str], str | None]
"""The sentence that says what is wrong with an answer, or None."""

_SYMBOL = re.compile(r"[A-Z0-9]{1,24}/[A-Z0-9]{1,24}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z0-9]{2,12}", re.ASCII)


class Hidden:
    """A secret on its way from who typed it to the vault. Shows nothing of itself and is not copied."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return "<hidden>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not copied or stored on its way to the vault")


class Offer(Struct, frozen=True):
    """An answer to choose from."""

    value: str
    says: str = ""


class Question(Struct, frozen=True, kw_only=True):
    """One thing the setup asks. `key` names its answer, as in a file of answers: accounts.acme.egress."""

    key: str
    about: str  # whom or what it concerns, e.g. account acme
    text: str
    hint: str = ""
    offers: tuple[Offer, ...] = ()
    only_offers: bool = False  # nothing but one of the offers will do
    proposal: str = ""  # shown as such, and taken if nothing is typed
    is_optional: bool = False  # nothing at all is an answer too
    is_list: bool = False  # several, with commas
    is_hidden: bool = False  # typed without echo, kept as Hidden
    is_typed_twice: bool = False
    is_block: bool = False  # of several lines: a key in PEM form
    judge: Judge = lambda _: None

    def read(self, typed: str) -> str:
        """The answer that `typed` gives. Raises ValueError with the sentence of what is wrong; quotes nothing hidden."""
        answer = typed if self.is_hidden else typed.strip()
        if self.is_list:
            answer = ", ".join(self._chosen(part) for part in listed(answer))
        elif self.offers:
            answer = self._chosen(answer)
        if not answer:
            answer = self.proposal
        if not answer:
            if self.is_optional:
                return ""
            raise ValueError("an answer is needed here")
        if not self.is_hidden and answer != clean(answer, 500):
            raise ValueError("that is too long, or has characters that no screen shows")
        values = [offer.value for offer in self.offers]
        if self.only_offers:
            for part in listed(answer) if self.is_list else (answer,):
                if part not in values:
                    raise ValueError(f"{part!r} is none of the choices; {nearest(part, values)}")
        wrong = self.judge(answer)
        if wrong is not None:
            raise ValueError(wrong)
        return answer

    def _chosen(self, part: str) -> str:
        """The offer of that number, else the words themselves."""
        is_number = part.isascii() and part.isdigit() and 0 < int(part[:4]) <= len(self.offers)
        return self.offers[int(part) - 1].value if is_number else part


def listed(text: str) -> tuple[str, ...]:
    """The parts of `a, b, c`, each once."""
    return tuple(dict.fromkeys(part for part in re.split(r"[,\s]+", text) if part))


def a_name(what: str) -> Judge:
    return lambda text: None if NAME.fullmatch(text) else _no_name(text, what)


def names(what: str, taken: Iterable[str]) -> Judge:
    """One or several, none of them taken."""
    known = frozenset(taken)

    def judge(text: str) -> str | None:
        for name in listed(text):
            if not NAME.fullmatch(name):
                return _no_name(name, what)
            if name in known:
                return f"there is {what} {name} already; choose another name"
        return None

    return judge


def _no_name(text: str, what: str) -> str:
    return f"{text!r} cannot be the name of {what}; use at most 32 letters, digits, - and _"


def a_currency(text: str) -> str | None:
    return None if _CURRENCY.fullmatch(text) else f"{text!r} is no currency; use e.g. USDT"


def instruments(text: str) -> str | None:
    for symbol in listed(text):
        if not _SYMBOL.fullmatch(symbol):
            return f"{symbol!r} is no instrument; use base/quote in capitals, e.g. BTC/USDT"
    return None


def an_amount(text: str) -> str | None:
    """Above 0: a limit of 0 would only block."""
    try:
        return None if parse_decimal(text, "the amount") > 0 else "it must be above 0"
    except ValueError as error:
        return str(error)


def a_count(text: str) -> str | None:
    is_count = text.isascii() and text.isdigit() and len(text) < 10
    return None if is_count and int(text) > 0 else f"{text!r} is no count; use a whole number above 0"


def a_user_id(text: str) -> str | None:
    return (
        None if text.isascii() and text.isdigit() and len(text) < 10 else f"{text!r} is no user id; `id -u` tells yours"
    )


def an_exit(text: str) -> str | None:
    """Whether it is written like one. Whether this machine has it, the test of it tells."""
    if "://" in text and (found := password_in(text)) is not None:
        return found
    parsed = parse_exit(text)
    return parsed if isinstance(parsed, str) else None


def password_in(url: str) -> str | None:
    try:
        has_password = urlsplit(url).password is not None
    except ValueError:
        return "that is no URL"
    return (
        "leave the password out of the URL; it is asked for by itself and kept in the vault" if has_password else None
    )


def an_echo(text: str) -> str | None:
    return None if is_echo(text) else "that is not the https:// address of an address echo, without user or password"


def a_site(text: str) -> str | None:
    if text == LIVE or is_site(text):
        return None
    found = password_in(text)
    return found or "say live, or the address of a paper or test exchange, e.g. http://127.0.0.1:8765"


def a_hook(text: str) -> str | None:
    return hook_wrong(text.strip())


def a_passphrase(text: str) -> str | None:
    return None if len(text) >= 8 else "use at least 8 characters"
