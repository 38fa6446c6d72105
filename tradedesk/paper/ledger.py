"""Balances of all accounts: free and locked, in whole units of 1e-8, so that sums are exact and nothing is ever rounded.

What clients gain from the flow the flow loses (`outside`, which may fall below 0) and what the venue keeps is counted
(`commissions`), so the sum over everything never changes.
"""

from collections.abc import Sequence
from decimal import Decimal

from tradedesk.paper.rows import AccountSpec

UNIT = Decimal("1E-8")  # the smallest amount of any asset, as on the venue
PER_ONE = 100_000_000


def to_units(value: Decimal) -> int | None:
    """`value` in units of 1e-8, exactly; None if it is finer than that."""
    numerator, denominator = value.as_integer_ratio()
    whole, rest = divmod(numerator * PER_ONE, denominator)
    return None if rest else whole


def from_units(units: int) -> Decimal:
    return Decimal(units).scaleb(-8)


class Ledger:
    """account -> asset -> [free, locked]. Neither ever falls below 0."""

    def __init__(self, accounts: Sequence[AccountSpec]) -> None:
        self._held: dict[str, dict[str, list[int]]] = {}
        self.outside: dict[str, int] = {}
        self.commissions: dict[str, int] = {}
        for account in accounts:
            held = self._held[account.name] = {}
            for asset, amount in account.balances.items():
                units = to_units(amount)
                if units is None or units < 0:
                    raise ValueError(
                        f"account {account.name}: {asset} {amount} must be 0 or more, in steps of 0.00000001"
                    )
                held[asset] = [units, 0]

    def free(self, account: str, asset: str) -> int:
        pair = self._held[account].get(asset)
        return pair[0] if pair else 0

    def lock(self, account: str, asset: str, units: int) -> None:
        """Set aside for an order; the caller has compared with `free`."""
        pair = self._pair(account, asset)
        pair[0] -= units
        pair[1] += units

    def unlock(self, account: str, asset: str, units: int) -> None:
        pair = self._pair(account, asset)
        pair[0] += units
        pair[1] -= units

    def held(self, account: str, asset: str) -> int:
        """Free and locked."""
        return sum(self._held[account].get(asset, (0, 0)))

    def exchange(
        self,
        account: str,
        given: str,
        units: int,
        received: str,
        *,
        gross: int,
        commission: int,
        commission_asset: str,
    ) -> None:
        """One fill of one client: `units` leave what is locked, `gross` arrives free, the commission leaves what is free."""
        self._pair(account, given)[1] -= units
        self._pair(account, received)[0] += gross
        self._pair(account, commission_asset)[0] -= commission
        self.outside[given] = self.outside.get(given, 0) + units
        self.outside[received] = self.outside.get(received, 0) - gross
        self.commissions[commission_asset] = self.commissions.get(commission_asset, 0) + commission

    def pay(self, giver: str, taker: str, asset: str, units: int) -> None:
        """From what one client has locked to what another has free."""
        self._pair(giver, asset)[1] -= units
        self._pair(taker, asset)[0] += units

    def move(self, account: str, asset: str, units: int) -> None:
        """Money comes from outside (above 0) or goes there. Raises ValueError, and does nothing, if it is not there."""
        pair = self._pair(account, asset)
        if pair[0] + units < 0:
            raise ValueError(
                f"account {account}: {from_units(-units)} {asset} is more than the free {from_units(pair[0])}"
            )
        pair[0] += units
        self.outside[asset] = self.outside.get(asset, 0) - units

    def refund(self, account: str, asset: str, units: int) -> None:
        """Commission that the venue gives back."""
        self._pair(account, asset)[0] += units
        self.commissions[asset] = self.commissions.get(asset, 0) - units

    def saved(self) -> dict[str, dict[str, tuple[int, int]]]:
        """account -> asset -> (free, locked)."""
        return {
            name: {asset: (free, locked) for asset, (free, locked) in held.items()} for name, held in self._held.items()
        }

    def restore(
        self, held: dict[str, dict[str, tuple[int, int]]], outside: dict[str, int], commissions: dict[str, int]
    ) -> None:
        """As it was saved; an account that was not there then keeps what it starts with."""
        for name, assets in held.items():
            self._held[name] = {asset: list(pair) for asset, pair in assets.items()}
        self.outside, self.commissions = dict(outside), dict(commissions)

    def units(self, account: str, assets: Sequence[str]) -> dict[str, tuple[int, int]]:
        """By asset (free, locked)."""
        held, units = self._held[account], {}
        for asset in assets:
            free, locked = held.get(asset, (0, 0))
            units[asset] = (free, locked)
        return units

    def row(self, account: str, asset: str) -> tuple[Decimal, Decimal]:
        """(free, locked)."""
        free, locked = self._held[account].get(asset, (0, 0))
        return from_units(free), from_units(locked)

    def rows(self, account: str) -> dict[str, tuple[Decimal, Decimal]]:
        return {asset: self.row(account, asset) for asset in self._held[account]}

    def total(self, asset: str) -> int:
        """Over all accounts, the flow and the commissions: the same for ever."""
        held = sum(sum(account.get(asset, (0, 0))) for account in self._held.values())
        return held + self.outside.get(asset, 0) + self.commissions.get(asset, 0)

    def _pair(self, account: str, asset: str) -> list[int]:
        held = self._held[account]
        pair = held.get(asset)
        if pair is None:
            pair = held[asset] = [0, 0]
        return pair
