"""The accounts of a paper exchange and their keys: made from a seed, or read from a TOML file.

[[accounts]]
name = "acme"
api_key = "..."                                   # 16 to 128 letters and digits
secret = "..."                                    # or public_key, an Ed25519 or RSA one in PEM form
addresses = ["127.0.0.2"]                         # that may use the key; any, without it
rights = ["read", "spot", "futures"]              # these unless told; also "transfer", and "withdraw" with addresses
trades_until = 2026-12-01T00:00:00Z               # then it only reads; created = ... as well
balances = { USDT = "100000", BTC = "2" }
futures = { USDT = "50000" }                      # in the USD-M wallet
pays_bnb = true                                   # commission; uid = 42 and master = "NAME" of a sub-account as well

[[accounts.keys]]                                 # further keys of the account, with the fields of a key
api_key = "..."
secret = "..."
"""

import hashlib
import ipaddress
import re
import tomllib
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Struct
from msgspec.structs import replace

from tradedesk.domain.money import parse_decimal
from tradedesk.paper.futures.rows import AccountSpec as FuturesAccountSpec
from tradedesk.paper.rows import AccountSpec

API_KEY = re.compile(r"[A-Za-z0-9]{16,128}", re.ASCII)  # the venue's own keys have 64 characters
COMMISSION = Decimal("0.001")  # of what is received, maker and taker alike
MOST_ACCOUNTS = 5_000
MOST_KEYS = 30  # of one account, as at the venue

_NAMES = ("acme", "birch", "cedar")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_ASSET = re.compile(r"[A-Z0-9]{1,16}", re.ASCII)
_KEY_FIELDS = {"api_key", "secret", "public_key", "addresses", "rights", "created", "trades_until"}
_FIELDS = _KEY_FIELDS | {"name", "keys", "balances", "futures", "uid", "master", "pays_bnb"}
_SIZES = (Decimal(1), Decimal("0.5"), Decimal("0.25"))  # clients differ, so an allocation by equity has something to do
_START = {"USDT": Decimal(100_000), "BTC": Decimal(2), "ETH": Decimal(20), "SOL": Decimal(200)}
_START_FUTURES = {"USDT": Decimal(50_000)}


class Right(StrEnum):
    """What a key may do; the venue's switches in the words of the accounts file."""

    READ = "read"  # enableReading
    SPOT = "spot"  # enableSpotAndMarginTrading
    FUTURES = "futures"  # enableFutures
    WITHDRAW = "withdraw"  # enableWithdrawals
    TRANSFER = "transfer"  # permitsUniversalTransfer


USUAL_RIGHTS = frozenset(Right) - {Right.WITHDRAW, Right.TRANSFER}  # of a key to trade with: it can move no money


class Key(Struct, frozen=True, kw_only=True):
    """One API key: who may sign with it, from where, and what for."""

    name: str  # of the account it belongs to
    api_key: str
    secret: str | None = None  # HMAC; None when the key is a public one
    public_key: Ed25519PublicKey | RSAPublicKey | None = None
    addresses: tuple[str, ...] = ()  # source addresses that may use it; empty allows all
    rights: frozenset[Right] = USUAL_RIGHTS
    created: int | None = None  # ns since the epoch; None: when the exchange started
    trades_until: int | None = None  # ns; from then on it may no longer trade. None: it always may
    is_revoked: bool = False  # the venue no longer knows it

    def may(self, right: Right, now: int) -> bool:
        """Whether it may be used so at `now` (ns)."""
        is_trading = right in (Right.SPOT, Right.FUTURES)
        return right in self.rights and not (is_trading and self.trades_until is not None and now >= self.trades_until)


class Account(Struct, frozen=True, kw_only=True):
    """One client of the exchange: its keys, and what it holds at the start."""

    name: str
    keys: tuple[Key, ...]  # at least one; the first is the one that is shown
    balances: dict[str, Decimal]  # spot
    futures: dict[str, Decimal] = {}  # in the USD-M futures wallet
    uid: int | None = None  # the venue's number of it; None: the exchange gives one
    master: str | None = None  # the account it is a sub-account of
    pays_bnb: bool = False  # commission in BNB, a quarter less, while there is enough of it

    @property
    def api_key(self) -> str:
        return self.keys[0].api_key

    @property
    def secret(self) -> str | None:
        return self.keys[0].secret

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.keys[0].addresses


class AccountsError(Exception):
    """The accounts file cannot be used; the message names file and key and says what to do."""


def generated(count: int, seed: int) -> list[Account]:
    """`count` accounts (1 to 5000): acme, birch, cedar, then client-004 and on; from 127.0.0.2, 127.0.0.3 and on.

    Keys follow from the seed: this is a toy venue, and a test that starts it again finds the same keys. They may do
    trade, and can move no money.
    """
    accounts = []
    for index in range(count):
        name = _NAMES[index] if index < len(_NAMES) else f"client-{index + 1:03}"
        size = _SIZES[index % len(_SIZES)]
        key = Key(
            name=name,
            api_key=_derived(seed, index, "key"),
            secret=_derived(seed, index, "secret"),
            addresses=(f"127.0.{index // 250}.{index % 250 + 2}",),
        )
        accounts.append(
            Account(
                name=name,
                keys=(key,),
                balances={asset: amount * size for asset, amount in _START.items()},
                futures={asset: amount * size for asset, amount in _START_FUTURES.items()},
            )
        )
    return accounts


def from_anywhere(account: Account) -> Account:
    """The same account, its keys no longer bound to an address."""
    keys = tuple(replace(key, addresses=(), rights=key.rights - {Right.WITHDRAW}) for key in account.keys)
    return replace(account, keys=keys)


def _derived(seed: int, index: int, what: str) -> str:
    return hashlib.sha256(f"paper {seed} {index} {what}".encode()).hexdigest()


def specs(accounts: Sequence[Account]) -> list[AccountSpec]:
    """The accounts as the exchange itself takes them: without keys and addresses.

    A master and its sub-accounts are one trade group: self-trade prevention holds among them. Their order limits are
    each account's own, as at the venue.
    """
    groups = _groups(accounts)
    return [
        AccountSpec(
            name=account.name,
            balances=account.balances,
            maker=COMMISSION,
            taker=COMMISSION,
            group=groups[account.name],
            pays_bnb=account.pays_bnb,
        )
        for account in accounts
    ]


def futures_specs(accounts: Sequence[Account]) -> list[FuturesAccountSpec]:
    """The same accounts as the futures exchange takes them: with what is in their wallets there."""
    groups = _groups(accounts)
    return [
        FuturesAccountSpec(name=account.name, balances=account.futures, group=groups[account.name])
        for account in accounts
    ]


def _groups(accounts: Sequence[Account]) -> dict[str, str | None]:
    """Account -> its trade group."""
    masters = {account.master for account in accounts if account.master is not None}
    return {account.name: account.master or (account.name if account.name in masters else None) for account in accounts}


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
    mistakes += _contradictions(accounts, str(path))
    if mistakes:
        raise AccountsError("\n".join(mistakes))
    return accounts


def _contradictions(accounts: Sequence[Account], path: str) -> list[str]:
    """What is wrong between accounts that are each fine."""
    wrong: list[str] = []
    # a double key itself is not repeated: one that is a secret put in the wrong place would be shown
    for field, of in (("name", _names), ("uid", _uids), ("api_key", _api_keys)):
        seen: dict[object, int] = {}
        for number, account in enumerate(accounts):
            for value in of(account):
                if value in seen:
                    wrong.append(
                        f"{path}: accounts[{number}].{field}: is taken by accounts[{seen[value]}]; each needs its own"
                    )
                seen.setdefault(value, number)
    by_name = {account.name: account for account in accounts}
    for number, account in enumerate(accounts):
        master = by_name.get(account.master) if account.master is not None else None
        if account.master is not None and (master is None or master is account or master.master is not None):
            wrong.append(
                f"{path}: accounts[{number}].master: {account.master} must be another account here that has no master"
            )
    return wrong


def _names(account: Account) -> list[object]:
    return [account.name]


def _uids(account: Account) -> list[object]:
    return [] if account.uid is None else [account.uid]


def _api_keys(account: Account) -> list[object]:
    return [key.api_key for key in account.keys]


def _account(table: dict[str, Any], where: str) -> tuple[Account | None, list[str]]:
    """The account of one table, or what is wrong with it."""
    wrong = [f"{where}.{key}: is not known; use {', '.join(sorted(_FIELDS))}" for key in sorted(set(table) - _FIELDS)]

    name = table.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        wrong.append(f"{where}.name: must be 1 to 32 lower-case letters, digits, - or _")
    more = table.get("keys", [])
    if not isinstance(more, list) or len(more) >= MOST_KEYS or not all(isinstance(each, dict) for each in more):
        wrong.append(f"{where}.keys: must be [[accounts.keys]] tables, {MOST_KEYS - 1} at most")
        more = []
    keys: list[Key] = []
    if not more or _KEY_FIELDS & set(table):  # an account may have all its keys in tables of their own
        keys += _key(table, where, str(name), wrong)
    for number, each in enumerate(more):
        place = f"{where}.keys[{number}]"
        wrong += [
            f"{place}.{field}: is not known; use {', '.join(sorted(_KEY_FIELDS))}"
            for field in sorted(set(each) - _KEY_FIELDS)
        ]
        keys += _key(each, place, str(name), wrong)

    uid, master, pays_bnb = table.get("uid"), table.get("master"), table.get("pays_bnb", False)
    if uid is not None and (not isinstance(uid, int) or not 0 < uid < 10**12):
        wrong.append(f"{where}.uid: must be a whole number above 0")
    if master is not None and not isinstance(master, str):
        wrong.append(f"{where}.master: must be the name of another account")
    if not isinstance(pays_bnb, bool):
        wrong.append(f"{where}.pays_bnb: must be true or false")
    balances, futures = (_balances(table, field, where, wrong) for field in ("balances", "futures"))
    if wrong:
        return None, wrong
    account = Account(
        name=str(name),
        keys=tuple(keys),
        balances=balances,
        futures=futures,
        uid=uid,
        master=master,
        pays_bnb=pays_bnb,
    )
    return account, []


def _key(table: dict[str, Any], where: str, name: str, wrong: list[str]) -> list[Key]:
    """The key of a table, or none and what is wrong with it."""
    before = len(wrong)
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
        addresses = []
    rights = table.get("rights", list(USUAL_RIGHTS))
    if not isinstance(rights, list) or not all(right in list(Right) for right in rights):
        wrong.append(f"{where}.rights: must be a list of {', '.join(Right)}")
        rights = []
    if Right.WITHDRAW in rights and not addresses:
        wrong.append(f"{where}.rights: withdraw needs a list of addresses, as at the venue")
    for field in ("created", "trades_until"):
        moment = table.get(field)
        if moment is not None and (not isinstance(moment, datetime) or moment.tzinfo is None):
            wrong.append(f"{where}.{field}: must be a time with its zone, like 2026-12-01T00:00:00Z")
    if len(wrong) > before:
        return []
    return [
        Key(
            name=name,
            api_key=str(api_key),
            secret=secret,
            public_key=public_key,
            addresses=tuple(str(ipaddress.ip_address(address)) for address in addresses),
            rights=frozenset(Right(right) for right in rights),
            created=_ns(table.get("created")),
            trades_until=_ns(table.get("trades_until")),
        )
    ]


def _ns(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1_000) * 1_000_000


def _balances(table: dict[str, Any], field: str, where: str, wrong: list[str]) -> dict[str, Decimal]:
    balances: dict[str, Decimal] = {}
    given = table.get(field, {})
    if not isinstance(given, dict):
        wrong.append(f'{where}.{field}: must be a table, like {{ USDT = "100000" }}')
        given = {}
    for asset, amount in given.items():
        try:
            balances[asset] = _amount(asset, amount)
        except ValueError as error:
            wrong.append(f"{where}.{field}.{asset}: {error}")
    return balances


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
