"""How the venue writes numbers of USD-M: prices and quantities in the contract's precision, money with eight decimals, times."""

from decimal import Decimal

from msgspec import Struct

from tradedesk.paper.futures.contracts import Contract

_AVERAGE = 3  # decimals an average price has beyond the price's own
_LONGEST = Decimal("1e-11")  # what an entry price is kept to


class Digits(Struct, frozen=True):
    """The decimals of one contract."""

    price_decimals: int
    quantity_decimals: int

    @staticmethod
    def of(contract: Contract) -> "Digits":
        return Digits(contract.price_precision, contract.quantity_precision)

    def price(self, value: Decimal) -> str:
        return f"{value:.{self.price_decimals}f}"

    def average(self, value: Decimal) -> str:
        """Of several prices; without the further decimals where there is none yet."""
        return f"{value:.{self.price_decimals + _AVERAGE}f}" if value else self.price(value)

    def quantity(self, value: Decimal) -> str:
        return f"{value:.{self.quantity_decimals}f}"

    def quote(self, value: Decimal) -> str:
        """Price times quantity, exact."""
        return f"{value:.{self.price_decimals + self.quantity_decimals}f}"

    def event_price(self, value: Decimal) -> str:
        """Events write what there is none of as a bare 0."""
        return self.price(value) if value else "0"

    def event_quantity(self, value: Decimal) -> str:
        return self.quantity(value) if value else "0"


def money(value: Decimal) -> str:
    """An amount of the margin asset."""
    return f"{value:.8f}"


def event_money(value: Decimal) -> str:
    return money(value) if value else "0"


def entry(value: Decimal) -> str:
    """An entry or break-even price: as many decimals as it needs, one at least."""
    text = f"{value.quantize(_LONGEST):f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def plain(value: Decimal) -> str:
    """Without zeros at the end: 0.0002, 1000000."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def moment(time: int, unit: int) -> int:
    """A time that may not have come: 0 then."""
    return time // unit if time else 0
