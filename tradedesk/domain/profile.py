"""How an account must be set at its venue, how it is set there, and where the two differ. Pure."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

ACCOUNT_MODES = ("spot", "margin", "futures", "portfolio-margin")
POSITION_MODES = ("one-way", "hedge")
MARGIN_MODES = ("cross", "isolated")
SELF_TRADE_MODES = (
    "none",
    "expire-taker",
    "expire-maker",
    "expire-both",
    "decrement",
    "transfer",
)


class Profile(Struct, frozen=True, kw_only=True):
    """What an account's owner wants of its settings at the venue. None: it does not matter."""

    account_mode: str | None = None  # one of ACCOUNT_MODES, and so on
    position_mode: str | None = None
    margin_mode: str | None = None
    leverage: str | None = None  # a whole number, as venues set it per instrument
    self_trade: str | None = None  # what the venue does to an order that would trade with one of the same account
    trade_group: str | None = None  # the venue's number of the accounts that it keeps from trading with each other


SETTINGS = tuple(field.name for field in msgspec.structs.fields(Profile))


class Setting(Struct, frozen=True, kw_only=True):
    """One setting as the venue tells it, in the words of Profile."""

    name: str
    value: str
    of: str = ""  # the instrument; empty: the account as a whole


class SeenProfile(Struct, frozen=True, kw_only=True):
    """All that the venue tells of an account's settings."""

    settings: tuple[Setting, ...] = ()
    absent: tuple[str, ...] = ()  # settings that accounts of this venue do not have


def differences(wanted: Profile, seen: SeenProfile) -> tuple[str, ...]:
    """Where the account is set otherwise than it must be, a sentence each; what is not told is not taken for well."""
    found: list[str] = []
    for name in SETTINGS:
        value = getattr(wanted, name)
        if value is not None:
            found += _of(name, value, seen)
    return tuple(found)


def _of(name: str, wanted: str, seen: SeenProfile) -> Iterable[str]:
    if name in seen.absent:
        return (f"{name} must be {wanted}, and accounts of this venue have no such setting",)
    told = [setting for setting in seen.settings if setting.name == name]
    if not told:
        return (f"{name} must be {wanted}, and the venue does not tell it",)
    others: dict[str, list[str]] = {}
    for setting in told:
        if setting.value != wanted:
            others.setdefault(setting.value, []).append(setting.of)
    return tuple(
        f"{name}{' of ' + ', '.join(of) if any(of) else ''} is {value} at the venue and must be {wanted}"
        for value, of in others.items()
    )
