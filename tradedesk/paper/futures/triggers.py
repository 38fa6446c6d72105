"""When a conditional order fires: one small machine per waiting order, fed with prices in units of 1e-8."""

from decimal import Decimal

from tradedesk.paper.futures.rows import Type

_STOPS = (Type.STOP, Type.STOP_MARKET)


class Trigger:
    """Stops fire against the order's interest (buy at or above), take-profits with it, trailing stops on the way back."""

    __slots__ = ("activation", "callback", "extreme", "is_buy", "is_trailing", "on_mark", "price", "protects", "rises")

    def __init__(
        self,
        kind: Type,
        *,
        is_buy: bool,
        price: int,
        activation: int,
        callback: Decimal | None,
        on_mark: bool,
        protects: bool,
    ) -> None:
        self.is_buy = is_buy
        self.is_trailing = kind is Type.TRAILING_STOP_MARKET
        self.rises = is_buy == (kind in _STOPS)  # fires when the price rises to it
        self.price = price
        self.activation = activation  # 0: from the start
        self.callback = (Decimal(0) if callback is None else callback / 100).as_integer_ratio()
        self.on_mark = on_mark
        self.protects = protects
        self.extreme = 0  # of a trailing stop: the best price since it became active; 0 before

    def is_reached(self, price: int) -> bool:
        """For a plain trigger: whether `price` fires it. Changes nothing."""
        return price >= self.price if self.rises else price <= self.price

    def activates_at_once(self, price: int) -> bool:
        """A trailing stop whose activation price does not lie ahead: a buy waits for a fall, a sale for a rise."""
        return bool(self.activation) and (self.activation >= price if self.is_buy else self.activation <= price)

    def sees(self, price: int) -> bool:
        """Feed one price; True if the order fires."""
        if not self.is_trailing:
            return self.is_reached(price)
        if not self.extreme:
            waits = price > self.activation if self.is_buy else price < self.activation
            if self.activation and waits:
                return False
            self.extreme = price
            return False
        over, under = self.callback
        if self.is_buy:
            self.extreme = min(self.extreme, price)
            return (price - self.extreme) * under >= self.extreme * over
        self.extreme = max(self.extreme, price)
        return (self.extreme - price) * under >= self.extreme * over


def strays(last: int, mark: int, protect: Decimal) -> bool:
    """priceProtect: whether last and mark price are too far apart for any trigger to be believed."""
    return abs(last - mark) > mark * protect
