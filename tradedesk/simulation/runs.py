"""One seed, one world: what broke in it, the command that replays it, and its story in order."""

from msgspec import Struct

from tradedesk.simulation.checks import RULES
from tradedesk.simulation.faults import drawn
from tradedesk.simulation.trace import Trace
from tradedesk.simulation.world import World

BUSY_S = 45  # how long things go wrong
ENOUGH = 5  # orders that left: a world in which nothing happens proves nothing


class Verdict(Struct, frozen=True, kw_only=True):
    """What came of one seed."""

    seed: int
    broken: dict[str, list[str]]  # by rule of DESIGN section 5; empty: all held
    orders: int  # that left
    digest: str

    @property
    def text(self) -> str:
        found = [f"  {rule}: {text}" for rule, texts in self.broken.items() for text in texts]
        return "\n".join([f"seed {self.seed} broke {', '.join(self.broken)}; replay: {command(self.seed)}", *found])


def command(seed: int) -> str:
    return f"python -m tests.simulation --seed {seed}"


def run(seed: int, trace: Trace | None = None) -> Verdict:
    """Let the world of this seed run and settle. The trace, if there is one, is told everything."""
    world = World(seed, drawn(seed), trace=trace)
    world.run(BUSY_S)
    world.settle()
    return verdict(seed, world)


def verdict(seed: int, world: World) -> Verdict:
    broken = {rule: found for rule in RULES if (found := world.broken(rule))}
    return Verdict(seed=seed, broken=broken, orders=len(world.watch.left_ids), digest=world.watch.digest)


def story(seed: int) -> str:
    """What the seed breaks, and what happened until then."""
    trace = Trace()
    found = run(seed, trace)
    first = next((text for texts in found.broken.values() for text in texts), None)
    return f"seed {seed}: everything held" if first is None else "\n".join([found.text, *trace.story(first)])
