"""What moves all prices together: a seeded market factor and an own part per base asset. Pure: a time gives an offset.

Both parts are sums of noise on ever longer grids, each grid four times as coarse and twice as strong as the one before it:
over any time between the shortest and the longest grid the price spreads like a random walk, and beyond the longest it
comes back. Nothing has to be stepped or kept, so spot and futures of one base asset, in one process or in two, are led
by the same line as long as they have the same seed.
"""

from math import sqrt
from random import Random

_GRIDS: list[int] = [4_000_000_000 * 4**number for number in range(9)]  # ns from node to node; the longest is 73 hours
_STRENGTHS = [sqrt(0.41 * length / 1e9) for length in _GRIDS]  # so that they add up to a walk of variance 1 a second

_BETAS = {"BTC": (0.9, 0.44), "ETH": (1.1, 0.6), "SOL": (1.3, 0.9)}  # (share of the factor, of the own part)


class Driver:
    """Offsets of the prices of all base assets. The memory it keeps is a cache: the same question, the same answer."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._shares = dict(_BETAS)
        self._nodes: dict[tuple[str, int], tuple[int, float, float]] = {}  # (line, grid) -> cell, its two ends

    def offset(self, base: str, now: int) -> float:
        """Logarithm of the price against some level of long standing, in units of one second's standard deviation."""
        factor, own = self.shares(base)
        return factor * self._line("market", now) + own * self._line(base, now)

    def shares(self, base: str) -> tuple[float, float]:
        """How strongly the asset follows the market factor, and how strong its own part is."""
        known = self._shares.get(base)
        if known is None:
            chance = Random(f"{self._seed}:{base}:shares")
            known = self._shares[base] = (chance.uniform(0.9, 1.4), chance.uniform(0.5, 1.0))
        return known

    def basis(self, base: str, now: int) -> float:
        """How far futures trade from spot: between about -1 and 1, in units for the market that uses it."""
        return self._noise(f"{base}:basis", 3, now) / 2

    def _line(self, name: str, now: int) -> float:
        return sum(strength * self._noise(name, grid, now) for grid, strength in enumerate(_STRENGTHS))

    def _noise(self, name: str, grid: int, now: int) -> float:
        """Standard normal at the nodes of the grid, straight lines between them."""
        cell, into = divmod(now, _GRIDS[grid])
        kept = self._nodes.get((name, grid))
        if kept is None or kept[0] != cell:
            kept = (cell, self._node(name, grid, cell), self._node(name, grid, cell + 1))
            self._nodes[name, grid] = kept
        share = into / _GRIDS[grid]
        return kept[1] * (1 - share) + kept[2] * share

    def _node(self, name: str, grid: int, cell: int) -> float:
        return Random(f"{self._seed}:{name}:{grid}:{cell}").gauss(0, 1)
