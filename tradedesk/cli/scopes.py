"""How a script names what it halts, rearms or kills: at most one of these options; none is the whole desk."""

from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import USAGE, end
from tradedesk.cli.reach import account_of, instruments_of

if TYPE_CHECKING:
    from tradedesk.domain.scopes import Scope
    from tradedesk.views.replica import Replica

AccountOption = Annotated[str | None, typer.Option("--account", help="This account; without any of these the desk.")]
GroupOption = Annotated[str | None, typer.Option("--group", help="All accounts of this group.")]
VenueOption = Annotated[str | None, typer.Option("--venue", help="All accounts at this venue of desk.toml.")]
InstrumentOption = Annotated[
    str | None, typer.Option("--instrument", help="This instrument on all accounts: BTC/USDT, or venue:BTCUSDT.")
]
OfOperatorOption = Annotated[
    str | None, typer.Option("--of-operator", help="The orders that this operator asked for, on all accounts.")
]
AlgorithmOption = Annotated[
    str | None,
    typer.Option("--algorithm", help="The orders whose block it is, or begins with it and a colon (twap, twap:7)."),
]


def scope_asked(
    replica: "Replica",
    *,
    account: str | None,
    group: str | None,
    venue: str | None,
    instrument: str | None,
    of_operator: str | None,
    algorithm: str | None,
) -> "Scope":
    """The one scope that was named; ends the program where several are, or a name means nothing here."""
    from tradedesk.domain.scopes import DESK, Scope, ScopeKind

    given = {
        "--account": account,
        "--group": group,
        "--venue": venue,
        "--instrument": instrument,
        "--of-operator": of_operator,
        "--algorithm": algorithm,
    }
    named = [(option, name) for option, name in given.items() if name is not None]
    if len(named) > 1:
        end(f"{' and '.join(option for option, _ in named)}: name one of them", USAGE)
    if not named:
        return DESK
    ((option, name),) = named
    if option == "--account":
        return Scope(kind=ScopeKind.Account, name=account_of(replica, name))
    if option == "--instrument":
        return Scope(kind=ScopeKind.Instrument, name=_instrument(replica, name))
    kind = ScopeKind.Operator if option == "--of-operator" else ScopeKind(option.removeprefix("--"))
    return Scope(kind=kind, name=name)


def option_of(scope: "Scope") -> str:
    """What names this scope on a command line, with the space before it; of the desk nothing."""
    from tradedesk.domain.scopes import ScopeKind

    if scope.kind is ScopeKind.Desk:
        return ""
    option = "of-operator" if scope.kind is ScopeKind.Operator else scope.kind.value
    return f" --{option} {scope.name}"


def _instrument(replica: "Replica", name: str) -> str:
    if name in replica.instruments:
        return name
    found = [key for key in instruments_of(replica, None, name) if key is not None]
    if len(found) > 1:
        end(f"--instrument: {name} is traded at several venues; say {' or '.join(found)}", USAGE)
    if not found:
        end(f"--instrument: {name!r} is not traded by this desk", USAGE)
    return found[0]
