"""What an account may do and what it has left: margin sums, and the check of an order before it is taken. Units of 1e-8."""

from collections.abc import Iterator

from msgspec import Struct

from tradedesk.paper.futures.margin import exposure, initial, maintenance, max_notional
from tradedesk.paper.futures.positions import Position
from tradedesk.paper.futures.state import Account, Instrument
from tradedesk.paper.ledger import from_units
from tradedesk.paper.rows import Refusal


class Sums(Struct, frozen=True, kw_only=True):
    """One asset of an account at the marks of now."""

    wallet: int
    cross_wallet: int
    unrealized: int
    cross_unrealized: int
    maint: int
    cross_maint: int
    position_initial: int
    order_initial: int
    cross_position_initial: int

    @property
    def available(self) -> int:
        """What new positions and orders may use; below 0 when there is too little for those there are."""
        return self.cross_wallet + self.cross_unrealized - self.cross_position_initial - self.order_initial

    @property
    def withdrawable(self) -> int:
        """Unrealised profit stays."""
        return max(0, self.available - max(0, self.cross_unrealized))


def held(account: Account, asset: str) -> Iterator[tuple[Instrument, Position]]:
    """Positions with lots or resting orders, margined in the asset."""
    for instrument, position in account.positions.values():
        if not position.is_idle and instrument.contract.margin_asset == asset:
            yield instrument, position


def position_initial(account: Account, instrument: Instrument, position: Position) -> int:
    return initial(abs(instrument.value(position.lots)), account.settings_of(instrument).leverage)


def order_initial(account: Account, instrument: Instrument, position: Position) -> int:
    """What the resting orders need beyond the position itself."""
    size = exposure(instrument.value(position.lots), position.bids, position.asks)
    return initial(size, account.settings_of(instrument).leverage) - position_initial(account, instrument, position)


def maint_of(instrument: Instrument, position: Position) -> int:
    if not position.lots:
        return 0
    notional = from_units(abs(instrument.value(position.lots)))
    return int(maintenance(instrument.contract.brackets, notional).scaleb(8))


def sums(account: Account, asset: str) -> Sums:
    wallet = account.wallets.get(asset, 0)
    isolated = unrealized = cross_unrealized = maint = cross_maint = positions = orders = cross_positions = 0
    for instrument, position in held(account, asset):
        profit, keep = instrument.unrealized(position), maint_of(instrument, position)
        needs = position_initial(account, instrument, position)
        isolated += position.isolated
        unrealized += profit
        maint += keep
        positions += needs
        orders += order_initial(account, instrument, position)
        if not account.settings_of(instrument).isolated:
            cross_unrealized += profit
            cross_maint += keep
            cross_positions += needs
    return Sums(
        wallet=wallet,
        cross_wallet=wallet - isolated,
        unrealized=unrealized,
        cross_unrealized=cross_unrealized,
        maint=maint,
        cross_maint=cross_maint,
        position_initial=positions,
        order_initial=orders,
        cross_position_initial=cross_positions,
    )


def check_margin(
    account: Account,
    instrument: Instrument,
    position: Position,
    *,
    is_buy: bool,
    lots: int,
    notional: int,
    freed: int = 0,
) -> None:
    """Whether the account may add an order of `lots` that costs `notional`, in place of one that reserved `freed`.

    -2027 beyond the largest position of the leverage, -2019 without the margin: what the larger exposure needs and what
    the order would lose at once, against the mark.
    """
    value, mark_value = instrument.value(position.lots), instrument.value(lots)
    bids, asks = position.bids, position.asks
    before = exposure(value, bids, asks)
    more = notional - freed
    after = exposure(value, bids + more, asks) if is_buy else exposure(value, bids, asks + more)
    settings = account.settings_of(instrument)
    needs = initial(after, settings.leverage) - initial(before, settings.leverage)
    if needs <= 0:
        return
    if from_units(after) > max_notional(instrument.contract.brackets, settings.leverage):
        raise Refusal(-2027, "Exceeded the maximum allowable position at current leverage.")
    loss = max(0, notional - mark_value if is_buy else mark_value - notional)
    if needs + loss > sums(account, instrument.contract.margin_asset).available:
        raise Refusal(-2019, "Margin is insufficient.")
