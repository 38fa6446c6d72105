"""Exits: how an account leaves this machine, what tells two apart, and what is known of each from its proofs."""

import ipaddress
import re
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tradedesk.domain.accounts import Account
from tradedesk.domain.text import clean

SCHEMES = ("http", "https", "socks5")
FORMS = "a source address of this machine, or http://, https:// or socks5:// [user@]host:port"
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9._~+=-]{1,128}", re.ASCII)


class Exit(Struct, frozen=True):
    """One way out: a source address of this machine (no scheme), or a proxy. Holds no password, ever."""

    host: str  # as `ipaddress` writes it, or a name in small letters
    scheme: str = ""  # of a proxy, one of SCHEMES
    port: int = 0
    user: str = ""

    @property
    def is_proxy(self) -> bool:
        return bool(self.scheme)

    @property
    def place(self) -> str:
        """What two exits have in common if they are one: the address, or host and port of the proxy."""
        host = f"[{self.host}]" if self.scheme and ":" in self.host else self.host
        return f"{host}:{self.port}" if self.scheme else host

    def __str__(self) -> str:
        if not self.scheme:
            return self.host
        return f"{self.scheme}://{self.user}@{self.place}" if self.user else f"{self.scheme}://{self.place}"


def parse_exit(text: str) -> Exit | str:
    """The exit that `text` describes, or the sentence saying why it describes none. Does not look at the machine.

    A proxy's URL is never quoted back: it may hold a password.
    """
    return _proxy(text.strip()) if "://" in text else _source(text.strip())


def _source(text: str) -> Exit | str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return f"{clean(repr(text), 60)} is not an IP address; use {FORMS}"
    if address.is_unspecified or address.is_multicast:
        return f"{address} names no exit of its own; use one source address of this machine"
    return Exit(str(getattr(address, "ipv4_mapped", None) or address))


def _proxy(url: str) -> Exit | str:
    scheme = url.split("://", 1)[0].lower()
    if scheme in ("socks5h", "socks"):
        return "write it as socks5://; names are resolved at the proxy in any case"
    if scheme not in SCHEMES:
        return f"{clean(scheme, 20)!r} is no kind of proxy; use {FORMS}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"it is not a proxy's address; use {scheme}://host:port"
    if parts.password is not None:
        return (
            "a password never stands here; name the user only, and put the password into the vault with "
            "`tradedesk accounts exit-password`"
        )
    host = _host(parts.hostname or "")
    if host is None or not port or parts.path not in ("", "/") or parts.query or parts.fragment:
        return f"it is not a proxy's address; use {scheme}://host:port or {scheme}://user@host:port"
    user = parts.username or ""
    if (user or "@" in parts.netloc) and not _USER.fullmatch(user):
        return "the proxy's user has characters that none has; use letters, digits and . _ ~ + = -"
    return Exit(host, scheme, port, user)


def _host(text: str) -> str | None:
    """A host as it is compared; None if it is none."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text.lower() if _HOST.fullmatch(text.lower()) else None


def short(exit_: str) -> str:
    """An exit in few characters: a proxy by its host and port."""
    return exit_.rpartition("/")[2].rpartition("@")[2]


def exits_of(account: Account) -> tuple[str, ...]:
    """The exits the account may leave by, the one it starts with first."""
    return (account.egress,) if account.standby_egress is None else (account.egress, account.standby_egress)


class ExitRow(Struct, frozen=True, kw_only=True):
    """What is known of one account's exits, folded from ExitSwitched, ExitProved and ExitRefused."""

    switched_to: str | None = None  # the exit an operator chose last
    known: dict[str, str] = {}  # by exit: the address it was first seen at since a person last chose it
    exit: str = ""  # the newest proof was of this one
    seen: str | None = None  # the address it was seen at
    how: str = ""
    at: int | None = None  # ns; of the newest proof that stood
    problem: str | None = None  # why the newest one did not stand; None if it did


def switched(row: ExitRow, exit_: str) -> ExitRow:
    """A person chose `exit_`: what it was seen at before binds no more."""
    known = {name: address for name, address in row.known.items() if name != exit_}
    return msgspec.structs.replace(
        row, switched_to=exit_, known=known, seen=None, how="", at=None, problem=None, exit=exit_
    )


def proved(row: ExitRow, exit_: str, seen: str | None, how: str, at: int) -> ExitRow:
    known = row.known if seen is None or exit_ in row.known else {**row.known, exit_: seen}
    return msgspec.structs.replace(row, known=known, exit=exit_, seen=seen, how=how, at=at, problem=None)


def refused(row: ExitRow, exit_: str, seen: str | None, how: str, problem: str) -> ExitRow:
    """The time of the last proof that stood is kept where it was of the same exit."""
    at = row.at if row.exit == exit_ else None
    return msgspec.structs.replace(row, exit=exit_, seen=seen, how=how, at=at, problem=problem)


def in_use(account: Account, row: ExitRow) -> str:
    """The exit the account leaves by now: the chosen one as long as desk.toml still names it."""
    return row.switched_to if row.switched_to in exits_of(account) and row.switched_to else account.egress


def expected_address(account: Account, row: ExitRow, exit_: str) -> str | None:
    """The address that `exit_` must be seen at; None for a proxy of which nothing is known yet: the first look decides."""
    configured = account.exit_address if exit_ == account.egress else account.standby_exit_address
    if configured is not None:
        return configured
    found = parse_exit(exit_)
    if isinstance(found, Exit) and not found.is_proxy:
        return found.host
    return row.known.get(exit_)
