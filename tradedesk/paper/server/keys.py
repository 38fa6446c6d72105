"""What the venue does to keys while it runs: make one, take one away, change what it may do and from where.

The next request that carries the key meets the change; sessions of the WebSocket API too, for they are asked each time.
"""

import ipaddress
from collections.abc import Collection, Iterable

from msgspec.structs import replace

from tradedesk.paper.accounts import API_KEY, MOST_KEYS, Key, Right
from tradedesk.paper.server.front import Commons


def keys_of(commons: Commons, account: str) -> list[Key]:
    """The keys of the account that are not revoked, the oldest first."""
    return [key for key in commons.keys.values() if key.name == account and not key.is_revoked]


def add_key(commons: Commons, key: Key) -> None:
    """A further key of an account. Raises ValueError if it cannot be one."""
    if key.name not in commons.accounts:
        raise ValueError(f"there is no account {key.name}")
    if not API_KEY.fullmatch(key.api_key) or key.api_key in commons.keys:
        raise ValueError("an API key is 16 to 128 letters and digits, and new")
    if sum(each.name == key.name for each in commons.keys.values()) >= MOST_KEYS:
        raise ValueError(f"{key.name} has had {MOST_KEYS} keys, and that is all")
    commons.keys[key.api_key] = key


def change_key(
    commons: Commons,
    api_key: str,
    *,
    revoked: bool | None = None,
    rights: Collection[str] | None = None,
    addresses: Iterable[str] | None = None,
    trades_until: int | None = None,
) -> Key:
    """What is given changes (`trades_until` in ns, `addresses` empty: from anywhere); returns the key after it.

    Raises KeyError if there is no such key, ValueError for a right that the venue does not have, for what is no address,
    and for a key that could withdraw from anywhere.
    """
    key = commons.keys[api_key]
    if rights is not None:
        key = replace(key, rights=frozenset(Right(right) for right in rights))
    if addresses is not None:
        key = replace(key, addresses=tuple(str(ipaddress.ip_address(address)) for address in addresses))
    if trades_until is not None:
        key = replace(key, trades_until=trades_until)
    if revoked is not None:
        key = replace(key, is_revoked=revoked)
    if Right.WITHDRAW in key.rights and not key.addresses:
        raise ValueError("a key that may withdraw needs a list of addresses, as at the venue")
    commons.keys[api_key] = key
    return key
