"""`python -m tests.crash --kills 200`: the long form of the crash test, from the root of the repository."""

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from crash_world import Failed, world  # noqa: E402 - found by the path above, as pytest finds it

KILLS_A_WORLD = 20


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, help="of the first world; the next ones count on from it")
    parser.add_argument("--keep", type=Path, help="leave the folders of the desks here")
    asked = parser.parse_args()
    first = asked.seed if asked.seed is not None else secrets.randbelow(1_000_000)
    done = 0
    while done < asked.kills:
        seed, kills = first + done // KILLS_A_WORLD, min(KILLS_A_WORLD, asked.kills - done)
        say(f"seed {seed}, {kills} kills; again with: python -m tests.crash --seed {seed} --kills {kills}")
        with tempfile.TemporaryDirectory(prefix="tradedesk-crash-") as folder:
            home = (asked.keep or Path(folder)) / f"seed-{seed}"
            home.mkdir(mode=0o700, parents=True)
            try:
                with world(home, seed, note=lambda line: say(f"  {line}")) as made:
                    made.run(kills)
            except Failed as failed:
                say(f"seed {seed}: {failed}")
                return 1
        done += kills
    say(f"{done} kills, and the desk was the exchange's each time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
