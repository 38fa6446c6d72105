"""Commission in BNB: what it is, and when it can be paid (the venue's commission page, 2026-07)."""

from collections.abc import Mapping

from tradedesk.paper.ledger import PER_ONE
from tradedesk.paper.orders import Instrument

_DISCOUNT = (3, 4)  # what is left of a commission paid in BNB


def in_bnb(
    instruments: Mapping[str, Instrument],
    instrument: Instrument,
    received: str,
    *,
    gross: int,
    price: int,
    rate: tuple[int, int],
    free_bnb: int,
) -> tuple[int, str]:
    """(units, asset) for one fill; the full commission in the asset received where there is no rate or too little BNB.

    The rate is BNB's last price in the quote asset; the fill's own price (ticks) turns base into quote. Rounded down.
    """
    numerator, denominator = rate
    part, whole = numerator * _DISCOUNT[0], denominator * _DISCOUNT[1]
    if received == "BNB":
        return gross * part // whole, received
    full = gross * numerator // denominator
    spec, grid = instrument.spec, instrument.grid
    in_quote = gross if received == spec.quote else gross // grid.lot * price * grid.tick_lot
    if spec.quote == "BNB":
        units = in_quote * part // whole
    else:
        bnb = instruments.get("BNB" + spec.quote)
        if bnb is None or not bnb.tape.last:
            return full, received
        units = in_quote * part * PER_ONE // (whole * bnb.tape.last * bnb.grid.tick)
    return (units, "BNB") if units <= free_bnb else (full, received)
