"""The accounts of a paper exchange: made from a seed, or read from a TOML file."""

import hashlib
import ipaddress
import re
import tomllib
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Struct

from tradedesk.domain.money import parse_decimal
from tradedesk.paper.rows import AccountSpec

API_KEY = re.compile(r"[A-Za-z0-9]{16,128}", re.ASCII)  # the venue's own keys have 64 characters
COMMISSION = Decimal("0.001")  # of what is received, maker and taker alike
MOST_ACCOUNTS = 5_000

_NAMES = ("acme", "birch", "cedar")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_ASSET = re.compile(r"[A-Z0-9]{1,16}", re.ASCII)
_FIELDS = {"name", "api_key", "secret", "public_key", "addresses", "balances"}
_SIZES = (Decimal(1), Decimal("0.5"), Decimal("0.25"))  # clients differ, so an allocation by equity has something to do
_START = {"USDT": Decimal(100_000), "BTC": Decimal(2), "ETH": Decimal(20), "SOL": Decimal(200)}


class Account(Struct, frozen=True, kw_only=True):
    """One client of the exchange: who may sign for it, from where, and what it holds at the start."""

    name: str
    api_key: str
    secret: str | None = None  # HMAC; None when the key is a public one
    public_key: Ed25519PublicKey | RSAPublicKey | None = None
    addresses: tuple[str, ...]  # source addresses that may use the key; empty allows all
    balances: dict[str, Decimal]


class AccountsError(Exception):
    """The accounts file cannot be used; the message names file and key and says what to do."""


def generated(count: int, seed: int) -> list[Account]:
    """`count` accounts (1 to 5000): acme, birch, cedar, then client-004 and on; from 127.0.0.2, 127.0.0.3 and on.

    Keys follow from the seed: this is a toy venue, and a test that starts it again finds the same keys.
    """
    return [
        Account(
            name=_NAMES[index] if index < len(_NAMES) else f"client-{index + 1:03}",
            api_key=_derived(seed, index, "key"),
            secret=_derived(seed, index, "secret"),
            addresses=(f"127.0.{index // 250}.{index % 250 + 2}",),
            balances={asset: amount * _SIZES[index % len(_SIZES)] for asset, amount in _START.items()},
        )
        for index in range(count)
    ]


def _derived(seed: int, index: int, what: str) -> str:
    return hashlib.sha256(f"paper {seed} {index} {what}".encode()).hexdigest()


def specs(accounts: Sequence[Account]) -> list[AccountSpec]:
    """The accounts as the exchange itself takes them: without keys and addresses."""
    return [
        AccountSpec(name=account.name, balances=account.balances, maker=COMMISSION, taker=COMMISSION)
        for account in accounts
    ]


def read(path: Path) -> list[Account]:
    """The accounts of a TOML file with one [[accounts]] table each. Raises AccountsError with every mistake in it."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AccountsError(
            f"{path}: cannot be read ({error.strerror}); name a file with [[accounts]] tables"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AccountsError(f"{path}: is not TOML: {error}") from None
    tables = document.get("accounts")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise AccountsError(f"{path}: accounts: is missing; add at least one [[accounts]] table")
    if len(tables) > MOST_ACCOUNTS:
        raise AccountsError(f"{path}: accounts: {len(tables)} are too many; at most {MOST_ACCOUNTS}")
    mistakes: list[str] = []
    accounts: list[Account] = []
    for number, table in enumerate(tables):
        account, wrong = _account(table, f"{path}: accounts[{number}]")
        mistakes += wrong
        if account is not None:
            accounts.append(account)
    for field in ("name", "api_key"):
        values = [getattr(account, field) for account in accounts]
        # the double key itself is not repeated: one that is a secret put in the wrong place would be shown
        mistakes += [
            f"{path}: accounts[{number}].{field}: is taken by accounts[{values.index(value)}]; each needs its own"
            for number, value in enumerate(values)
            if values.index(value) != number
        ]
    if mistakes:
        raise AccountsError("\n".join(mistakes))
    return accounts


def _account(table: dict[str, Any], where: str) -> tuple[Account | None, list[str]]:
    """The account of one table, or what is wrong with it."""
    wrong = [f"{where}.{key}: is not known; use {', '.join(sorted(_FIELDS))}" for key in sorted(set(table) - _FIELDS)]

    name = table.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        wrong.append(f"{where}.name: must be 1 to 32 lower-case letters, digits, - or _")
    api_key = table.get("api_key")
    if not isinstance(api_key, str) or not API_KEY.fullmatch(api_key):
        wrong.append(f"{where}.api_key: must be 16 to 128 letters and digits")

    secret, public_key = table.get("secret"), None
    if ("secret" in table) == ("public_key" in table):
        wrong.append(f"{where}: needs either secret (HMAC) or public_key (PEM), not both")
    elif "secret" in table and (not isinstance(secret, str) or not secret):
        wrong.append(f"{where}.secret: must be a text that is not empty")
    elif "public_key" in table:
        public_key = _public_key(table["public_key"])
        if public_key is None:
            wrong.append(f"{where}.public_key: is not an Ed25519 or RSA public key in PEM form")

    addresses = table.get("addresses", [])
    if not isinstance(addresses, list) or not all(_is_address(address) for address in addresses):
        wrong.append(f'{where}.addresses: must be a list of IP addresses, like ["127.0.0.2"]')

    balances: dict[str, Decimal] = {}
    given = table.get("balances", {})
    if not isinstance(given, dict):
        wrong.append(f'{where}.balances: must be a table, like {{ USDT = "100000" }}')
        given = {}
    for asset, amount in given.items():
        try:
            balances[asset] = _amount(asset, amount)
        except ValueError as error:
            wrong.append(f"{where}.balances.{asset}: {error}")
    if wrong:
        return None, wrong
    account = Account(
        name=str(name),
        api_key=str(api_key),
        secret=secret,
        public_key=public_key,
        addresses=tuple(addresses),
        balances=balances,
    )
    return account, []


def _amount(asset: str, amount: object) -> Decimal:
    """A starting balance; at most 8 decimals, as the venue keeps them. Raises ValueError."""
    if not _ASSET.fullmatch(asset):
        raise ValueError("an asset is 1 to 16 capital letters and digits, like USDT")
    if not isinstance(amount, str):
        raise ValueError('an amount is a text, like "100000"; a float would not be exact')
    value = parse_decimal(amount, "amount")
    if value < 0 or value != round(value, 8):
        raise ValueError(f"{amount} must not be negative nor have more than 8 decimals")
    return value


def _public_key(pem: object) -> Ed25519PublicKey | RSAPublicKey | None:
    if not isinstance(pem, str):
        return None
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey | RSAPublicKey) else None


def _is_address(address: object) -> bool:
    try:
        return isinstance(address, str) and bool(ipaddress.ip_address(address))
    except ValueError:
        return False
