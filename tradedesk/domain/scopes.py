"""Scopes of a halt: what of a desk one may stop, how it is named, and which orders it is about."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from tradedesk.domain.words import AccountId, InstrumentId, OperatorId, VenueId

ALGORITHM_ENDS = ":"  # of a block: what stands before it names the algorithm, what follows one run of it


class ScopeKind(StrEnum):
    """What a halt may be of."""

    Desk = "desk"
    Account = "account"
    Group = "group"
    Venue = "venue"
    Instrument = "instrument"  # at its venue, on all accounts
    Operator = "operator"  # the orders that were asked for under this name
    Algorithm = "algorithm"  # the orders whose block it is, or whose block begins with it and a colon

    @property
    def is_whole(self) -> bool:
        """Whether it takes in all that its accounts do, and not a part of their orders."""
        return self in (ScopeKind.Desk, ScopeKind.Account, ScopeKind.Group, ScopeKind.Venue)

    @property
    def has_positions(self) -> bool:
        """Whether what is held belongs to it, so that it can be flattened: of an account's positions no order's maker owns one."""
        return self not in (ScopeKind.Operator, ScopeKind.Algorithm)


class Scope(Struct, frozen=True, kw_only=True):
    """One thing that is halted. `name` is an id; of the desk it is empty."""

    kind: ScopeKind
    name: str = ""

    def __str__(self) -> str:
        return "the desk" if self.kind is ScopeKind.Desk else f"{self.kind.value} {self.name}"

    @property
    def called(self) -> str:
        """As screens call it: an account by its name alone."""
        match self.kind:
            case ScopeKind.Desk:
                return "the whole desk"
            case ScopeKind.Account:
                return self.name
            case _:
                return f"{self.kind.value} {self.name}"

    @property
    def typed(self) -> str:
        """What a person types to show that this and nothing else is meant."""
        return "desk" if self.kind is ScopeKind.Desk else self.name

    @property
    def account(self) -> AccountId | None:
        """The account, if it is one account's; else None, as with the desk."""
        return AccountId(self.name) if self.kind is ScopeKind.Account else None


DESK = Scope(kind=ScopeKind.Desk)


def scope_of(account: AccountId | None, scope: Scope | None = None) -> Scope:
    """The scope of a halt as commands, events and latches carry it: beside the account, which older ones have alone."""
    if scope is not None:
        return scope
    return DESK if account is None else Scope(kind=ScopeKind.Account, name=account)


def carried(scope: Scope) -> tuple[AccountId | None, Scope | None]:
    """How a scope is carried: an account and the desk as they always were, every other kind beside the account."""
    return scope.account, None if scope.kind in (ScopeKind.Desk, ScopeKind.Account) else scope


def whole_scopes(account: AccountId, groups: Iterable[str], venue: VenueId) -> tuple[Scope, ...]:
    """All scopes that take in everything the account does, the widest first."""
    return (
        DESK,
        Scope(kind=ScopeKind.Venue, name=venue),
        *(Scope(kind=ScopeKind.Group, name=group) for group in groups),
        Scope(kind=ScopeKind.Account, name=account),
    )


def algorithm_of(block: str | None) -> str | None:
    """The algorithm that made the orders of a block; None for an order that has none."""
    return None if not block else block.partition(ALGORITHM_ENDS)[0]


def part_scopes(instrument: InstrumentId, operator: OperatorId, block: str | None) -> tuple[Scope, ...]:
    """All scopes that an order falls under for what it is, whichever account it is of."""
    found = [
        Scope(kind=ScopeKind.Instrument, name=instrument),
        Scope(kind=ScopeKind.Operator, name=operator),
    ]
    if block:
        found += [
            Scope(kind=ScopeKind.Algorithm, name=name) for name in dict.fromkeys((algorithm_of(block), block)) if name
        ]
    return tuple(found)


def may_concern(scope: Scope, account: AccountId, groups: Iterable[str], venue: VenueId) -> bool:
    """Whether a halt of this scope can stand over anything that the account does."""
    if scope.kind is ScopeKind.Instrument:
        return scope.name.startswith(f"{venue}:")
    return not scope.kind.is_whole or scope in whole_scopes(account, groups, venue)
