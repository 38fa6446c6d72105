"""The exits in desk.toml: read, and none of them two clients' without saying so."""

import ipaddress
from typing import TypedDict
from urllib.parse import urlsplit

from tradedesk.config.tables import Table, shown
from tradedesk.domain.accounts import Account
from tradedesk.domain.exits import Exit, exits_of, parse_exit
from tradedesk.domain.words import AccountId


class ExitKeys(TypedDict):
    """The keys about exits in an account's table, `egress` apart."""

    standby_egress: str | None
    exit_address: str | None
    standby_exit_address: str | None
    exit_check: str | None


def read_exit(table: Table, key: str, example: str, *, required: bool) -> str | None:
    """An exit as `Exit` writes it. Whether it can be used is seen when the desk starts."""
    text = table.text(key, example, required=required)
    if text is None:
        return None
    found = parse_exit(text)
    if isinstance(found, str):
        table.wrong(key, found if "://" in text else f"{found}, e.g. {example}")
        return None
    return str(found)


def read_exit_keys(table: Table, egress: str | None, desk_check: str | None) -> ExitKeys:
    """What else an account says of its exits, `desk_check` being the desk's own echo."""
    standby = read_exit(table, "standby_egress", "127.0.0.12", required=False)
    if standby is not None and standby == egress:
        table.wrong("standby_egress", f"{standby} is the account's egress already; use another, or leave it out")
    check = read_check(table)
    keys = ExitKeys(
        standby_egress=standby,
        exit_address=_address(table, "exit_address"),
        standby_exit_address=_address(table, "standby_exit_address"),
        exit_check=check,
    )
    if keys["standby_exit_address"] is not None and standby is None:
        table.wrong(
            "standby_exit_address", "there is no standby_egress that could be seen there; add one, or remove it"
        )
    if check is None and desk_check is None:
        for key, exit_, seen_at in (
            ("egress", egress, "exit_address"),
            ("standby_egress", standby, "standby_exit_address"),
        ):
            if exit_ is not None and "://" in exit_:
                table.wrong(key, "where a proxy lets out shows only from outside; set exit_check here or under [desk]")
            elif keys[seen_at] is not None:  # type: ignore[literal-required]
                table.wrong(
                    seen_at, "where an exit is seen shows only from outside; set exit_check here or under [desk]"
                )
    return keys


def read_check(table: Table) -> str | None:
    """The URL of an address echo. In clear text only on this machine or a private network: else anybody could answer."""
    url = table.text("exit_check", "https://echo.example.com/", required=False)
    if url is not None and not is_echo(url):
        table.wrong("exit_check", "is not the https:// address of an address echo, without user or password")
        return None
    return url


def is_echo(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_bare = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc and not parts.fragment
        return is_bare and (
            parts.scheme == "https"
            or (parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_private)
        )
    except ValueError:
        return False


def _address(table: Table, key: str) -> str | None:
    text = table.text(key, "203.0.113.7", required=False)
    if text is None:
        return None
    found = parse_exit(text)
    if isinstance(found, Exit) and not found.is_proxy:
        return found.host
    table.wrong(key, f"{shown(text) if '://' not in text else 'it'} is no IP address; use the one the exit is seen at")
    return None


def check_exits(tables: dict[str, Table], accounts: dict[AccountId, Account]) -> None:
    """No exit serves two clients unseen; a family says openly that its accounts share one.

    Exits are one where they are seen at the same address, or where they are the same proxy under whatever user.
    """
    holders: dict[str, list[tuple[AccountId, str | None]]] = {}
    for name, account in accounts.items():
        for key, shared in _places(account).items():
            for other, family in holders.get(shared, ()):
                if other != name and (family is None or family != account.family):
                    tables[name].wrong(
                        key,
                        f"{shared} is the exit of accounts.{other} too; use an address of its own, "
                        "or give both the same family",
                    )
                    break
        for shared in set(_places(account).values()):
            holders.setdefault(shared, []).append((name, account.family))


def _places(account: Account) -> dict[str, str]:
    """By key of its table: what an exit of the account has in common with any other that is the same one."""
    found: dict[str, str] = {}
    for key, text in zip(("egress", "standby_egress"), exits_of(account), strict=False):
        exit_ = parse_exit(text) if text else None
        if isinstance(exit_, Exit):
            found[key] = exit_.place
    for key, address in (
        ("exit_address", account.exit_address),
        ("standby_exit_address", account.standby_exit_address),
    ):
        if address is not None:
            found[key] = address
    return found
