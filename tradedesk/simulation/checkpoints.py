"""The journal read from a checkpoint: as a start finds it whose older records a checkpoint stands for."""

from random import Random

from tradedesk.desk.keeper import Keeper
from tradedesk.domain import events as ev
from tradedesk.domain.words import AccountId
from tradedesk.simulation.rows import INSTRUMENT


def from_checkpoint(account: AccountId, records: list[ev.DurableEvent], at: int) -> list[ev.Event]:
    """One account's records, the first `at` of them as the desk's own checkpoint keeps them."""
    keeper = Keeper()
    keeper.apply(ev.InstrumentListed(at=0, source="simulation", instrument=INSTRUMENT))
    for event in records[:at]:
        keeper.apply(event)
    kept = [event for event in keeper.events() if ev.account_of(event) == account]
    return [*kept, *records[at:]]


class Checkpoints:
    """Where the checkpoint stands at each start: at any record, or nowhere. Draws from a stream of its own."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance

    def shorten(self, account: AccountId, records: list[ev.DurableEvent]) -> list[ev.Event]:
        if self._chance.random() < 0.3:
            return list(records)
        return from_checkpoint(account, records, self._chance.randint(0, len(records)))
