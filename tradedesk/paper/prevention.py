"""Self-trade prevention: what two orders of one trade group lose instead of trading (the venue's STP page, 2026-07)."""


def effective_mode(taker: str, maker: str, *, is_same_account: bool) -> str:
    """The taker's mode decides. TRANSFER needs both orders to ask for it and two accounts; else it is DECREMENT."""
    if taker == "TRANSFER" and (maker != "TRANSFER" or is_same_account):
        return "DECREMENT"
    return taker


def losses(mode: str, *, taker_leaves: int, maker_leaves: int, match: int) -> tuple[int, int]:
    """(taker, maker): the lots each loses. `match` is what they would have traded."""
    if mode in ("DECREMENT", "TRANSFER"):
        return match, match
    return (
        taker_leaves if mode in ("EXPIRE_TAKER", "EXPIRE_BOTH") else 0,
        maker_leaves if mode in ("EXPIRE_MAKER", "EXPIRE_BOTH") else 0,
    )
