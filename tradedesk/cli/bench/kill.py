"""From `tradedesk kill` to the last open order gone, by the exchange's own clock: fifty accounts with twenty orders each."""

import time
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tradedesk.cli.bench import median, row

if TYPE_CHECKING:
    from tradedesk.cli.drill_desk import Ground

ACCOUNTS = 50
ORDERS = 20  # of each account
PLACED_S = 120.0


def measured(rounds: int) -> list[dict[str, Any]]:
    from tradedesk.cli.drill_desk import Differs
    from tradedesk.cli.endings import end

    try:
        return _measured(rounds)
    except Differs as error:
        end(f"bench kill: {error}")


def _measured(rounds: int) -> list[dict[str, Any]]:
    """The desk is frozen each time, so all of it is the kill's: a process that starts, reads, cancels and looks again."""
    from tradedesk.cli.demo import make_desk, new_vault, paper_exchange, start_desk, wait_until_ready
    from tradedesk.cli.drill_desk import Ground, as_a_process
    from tradedesk.config import find_home

    gone, done, alone = [], [], []
    with TemporaryDirectory(prefix="tradedesk-bench-") as folder:
        home = find_home({"TRADEDESK_HOME": folder})
        vault = new_vault(home)
        with paper_exchange(1, "--accounts", str(ACCOUNTS), log_file=home.log / "paper.log") as exchange:
            make_desk(home, exchange.described, vault)
            desk = start_desk(home)
            try:
                wait_until_ready(home, desk)
                ground = Ground(
                    home, exchange.described, desk_pid=desk.pid, paper_pid=exchange.pid, kills=as_a_process(home)
                )
                names = [account["name"] for account in exchange.described["accounts"]]
                for _ in range(rounds):
                    gone_ms, done_ms = _kill(ground, names, "--all")
                    gone.append(gone_ms)
                    done.append(done_ms)
                    alone.append(_kill(ground, names[:1], "--account", names[0])[0])
                ground.close()
            finally:
                desk.terminate()
                desk.wait()
    one = f"one account, {ORDERS} orders: to the last one gone"
    return [
        row(one, median(alone), "ms"),
        row(
            f"{ACCOUNTS} accounts, {ORDERS} orders each: to the last one gone",
            median(gone),
            "ms",
            beside=one,
            ratio=median(gone) / median(alone),
        ),
        row("until every venue showed none and the receipt was kept", median(done), "ms"),
    ]


def _kill(ground: "Ground", names: list[str], *whom: str) -> tuple[float, float]:
    """Milliseconds until the last order was gone, and until the receipt was there. Raises Differs."""
    from tradedesk.cli.drill_desk import Differs

    keys = {name: [_placed(ground, name) for _ in range(ORDERS)] for name in names}
    placed = [key for its in keys.values() for key in its]
    ground.until("every order rests", lambda: all(ground.state(key) == "New" for key in placed), PLACED_S)
    ground.freeze()
    seen, began, began_ns = ground.seen(), time.monotonic(), time.time_ns()
    receipt = ground.kill(*whom)
    done_ms = (time.monotonic() - began) * 1000
    for name, its in keys.items():
        ground.gone(its, name)
    ground.agrees(receipt)
    last = [row["time"] for row in ground.requests(seen) if row["method"] == "DELETE" and row["status"] == 200]
    if not last:
        raise Differs("the exchange saw no cancel of the kill")
    ground.calm()
    return (max(last) - began_ns) / 10**6, done_ms


def _placed(ground: "Ground", account: str) -> str:
    command = ground.order(account)
    ground.submit(command)
    return command.client_order_id
