"""From the words an operator types to accounts and instruments. Pure; a name nobody knows is answered with the nearest one."""

import difflib
from collections.abc import Iterable

from tradedesk.domain.instruments import Instrument
from tradedesk.domain.scopes import DESK, Scope, ScopeKind
from tradedesk.domain.words import AccountId, VenueId
from tradedesk.views.replica import Replica

_NAMED_KINDS = (
    ScopeKind.Group, ScopeKind.Venue, ScopeKind.Instrument, ScopeKind.Operator, ScopeKind.Algorithm,
)  # fmt: skip


def hint(word: str, known: Iterable[str]) -> str:
    """What to type instead of `word`: the nearest known name, else those there are."""
    names = list(known)
    by_folded = {name.casefold(): name for name in reversed(names)}
    near = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.5)
    if near:
        return f"did you mean {by_folded[near[0]]}?"
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"there are {shown}" if names else "there are none yet"


def accounts_named(text: str, replica: Replica) -> tuple[AccountId, ...]:
    """The accounts of `acme`, `acme,birch`, `@all` or `@growth`, in the order named. Raises ValueError with the remedy."""
    names = [name for name in text.replace(" ", ",").split(",") if name]
    if not names:
        raise ValueError("name an account, several (acme,birch) or @all")
    found: dict[AccountId, None] = {}
    for name in names:
        found.update(dict.fromkeys(_members(name, replica)))
    return tuple(found)


def _members(name: str, replica: Replica) -> list[AccountId]:
    if name.startswith("@"):
        wanted = name[1:].casefold()
        members = [
            account
            for account, row in replica.accounts.items()
            if wanted == "all" or wanted in (group.casefold() for group in row.account.groups)
        ]
        if not members:
            raise ValueError(f"no group {name!r}; {hint(name, group_names(replica))}")
        return members
    for account in replica.accounts:
        if account.casefold() == name.casefold():
            return [account]
    raise ValueError(f"no account {name!r}; {hint(name, replica.accounts)}")


def scope_named(text: str, replica: Replica) -> Scope:
    """What a halt is of: `desk`, `acme`, `@growth`, or `venue:binance`, `instrument:BTC/USDT`, `operator:ann`, `algorithm:twap`.

    Raises ValueError with the remedy. Operators and algorithms are taken as they are: the desk knows them.
    """
    kind, colon, name = text.partition(":")
    if text.casefold() == ScopeKind.Desk:
        return DESK
    if text.startswith("@") and text.casefold() != "@all":
        kind, colon, name = ScopeKind.Group, ":", text[1:]
    if not colon or kind.casefold() not in _NAMED_KINDS:
        account, *others = accounts_named(text, replica)
        if others:
            raise ValueError("one account at a time.")
        return Scope(kind=ScopeKind.Account, name=account)
    found = ScopeKind(kind.casefold())
    if found is ScopeKind.Instrument:
        return Scope(kind=found, name=instrument_named(name, replica).id)
    if not name:
        raise ValueError(f"which {found}?")
    if found in (ScopeKind.Operator, ScopeKind.Algorithm):
        return Scope(kind=found, name=name)
    accounts = [row.account for row in replica.accounts.values()]
    known = {str(account.venue) for account in accounts}
    if found is ScopeKind.Group:
        known = {group for account in accounts for group in account.groups}
    for one in known:
        if one.casefold() == name.casefold():
            return Scope(kind=found, name=one)
    raise ValueError(f"no {found} {name!r}; {hint(name, sorted(known))}.")


def word_of(scope: Scope) -> str:
    """What names this scope on the command line."""
    if scope.kind in (ScopeKind.Desk, ScopeKind.Account):
        return scope.typed
    return f"@{scope.name}" if scope.kind is ScopeKind.Group else f"{scope.kind.value}:{scope.name}"


def scope_words(replica: Replica) -> list[str]:
    """What may be halted besides an account and the desk, as far as it is known here."""
    venues = sorted({row.account.venue for row in replica.accounts.values()})
    return [
        *group_names(replica)[1:],
        *(f"venue:{venue}" for venue in venues),
        *(f"instrument:{instrument.symbol}" for instrument in replica.instruments.values()),
    ]


def group_names(replica: Replica) -> list[str]:
    """`@all` and every group an account is in."""
    groups = {group for row in replica.accounts.values() for group in row.account.groups}
    return ["@all", *sorted(f"@{group}" for group in groups - {"all"})]


def instrument_named(text: str, replica: Replica, venue: VenueId | None = None) -> Instrument:
    """The instrument of `BTC/USDT`, `BTCUSDT` or, where only one has that base, `BTC`. Raises ValueError with the remedy."""
    word = text.strip().casefold()
    if not word:
        raise ValueError("name an instrument, like BTC/USDT")
    here = [one for one in replica.instruments.values() if venue is None or one.venue == venue]
    for names in ("symbol", "venue_symbol", "id"):
        exact = [one for one in here if getattr(one, names).casefold() == word]
        if exact:
            return exact[0]
    by_base = [one for one in here if one.base.casefold() == word]
    if len(by_base) == 1:
        return by_base[0]
    if by_base:
        raise ValueError(f"{text!r} is several instruments: {', '.join(one.symbol for one in by_base)}")
    where = "" if venue is None else f" at {venue}"
    raise ValueError(f"no instrument {text!r}{where}; {hint(text, (one.symbol for one in here))}")
