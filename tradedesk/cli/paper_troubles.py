"""What `tradedesk paper` is asked to go through: faults, latency, and a state it goes on from and leaves."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradedesk.paper.faults import Fault
    from tradedesk.paper.futures.saved import SavedFutures
    from tradedesk.paper.saved import Saved
    from tradedesk.paper.server.latency import Latency
    from tradedesk.paper.server.state import State


class TroublesError(Exception):
    """What was asked for cannot be used; the message is for the operator."""


@dataclass(frozen=True, kw_only=True)
class TroublesAsked:
    """The options, as given."""

    faults: Path | None
    latency: str | None
    state: Path | None


@dataclass(frozen=True, kw_only=True)
class Troubles:
    """The same, read."""

    faults: "list[Fault]"
    seed: int | None  # of the faults' chances; None: the seed of everything else
    latency: "Latency | None"
    found: "State | None"  # what an earlier run left
    state: Path | None

    def leave(self, spot: "Saved", futures: "SavedFutures | None") -> None:
        """Write the state, if it was asked for; futures that were not served this time stay as they were found.

        Raises TroublesError.
        """
        from tradedesk.paper.server import state

        if self.state is None:
            return
        try:
            kept = futures if futures is not None or self.found is None else self.found.futures
            state.write(self.state, state.State(spot=spot, futures=kept))
        except state.StateError as error:
            raise TroublesError(f"--state: {error}") from None


def read(asked: TroublesAsked) -> Troubles:
    """Raises TroublesError."""
    from tradedesk.paper import faults
    from tradedesk.paper.server import latency, state

    try:
        seed, script = (None, []) if asked.faults is None else faults.read(asked.faults)
    except faults.FaultsError as error:
        raise TroublesError("\n".join(f"--faults: {line}" for line in str(error).split("\n"))) from None
    try:
        delay = None if asked.latency is None else latency.parse(asked.latency)
    except ValueError as error:
        raise TroublesError(f"--latency: {error}") from None
    try:
        found = None if asked.state is None else state.read(asked.state)
    except state.StateError as error:
        raise TroublesError(f"--state: {error}") from None
    return Troubles(faults=script, seed=seed, latency=delay, found=found, state=asked.state)
