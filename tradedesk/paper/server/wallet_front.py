"""The wallet of the venue (`/sapi`) behind its door: the spot market's accounts, counted by limits of its own."""

from tradedesk.paper.server.front import Front
from tradedesk.paper.server.limits import Limits, RateLimits
from tradedesk.paper.server.spot.front import SpotFront

SAPI = RateLimits(
    weight_per_minute=12_000, raw_per_5_minutes=None, weight_headers=("X-SAPI-USED-IP-WEIGHT-1M",)
)  # 2026-07


class WalletFront(Front):
    """What the operations of the wallet are handed first. An address banned on spot is banned here, and the reverse."""

    def __init__(self, spot: SpotFront) -> None:
        super().__init__(spot.commons, Limits(SAPI, spot.limits.bans))
        self.spot = spot

    def settle(self) -> int:
        return self.spot.settle()

    def distribute(self, now: int) -> None:
        self.spot.distribute(now)

    def next_due(self) -> int | None:
        return None  # the spot market acts for both

    def assets(self, account: str) -> list[str]:
        """The coins there are: those of the instruments, and what the account holds beside them."""
        traded = {asset for spec in self.spot.exchange.specs() for asset in (spec.base, spec.quote)}
        return sorted(traded | set(self.spot.exchange.balances(account)))
