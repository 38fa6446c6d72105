"""Whether our books and the venue's balances agree: positions that drift, and moves that neither a fill nor its ledger explains."""

from decimal import Decimal

from tradedesk.domain.alerts import Severity
from tradedesk.domain.money import plain
from tradedesk.domain.words import AccountId
from tradedesk.risk.watch.finding import NS, Finding, moment
from tradedesk.risk.watch.memory import Memory
from tradedesk.views.replica import Replica

GRACE_NS = 90 * NS  # a balance may be told before its fill or the venue's ledger; by then a comparison has found either


def drift(replica: Replica, memory: Memory, account: AccountId, now: int) -> list[Finding]:
    """What differs for longer than a comparison with the venue takes. Reads the balances itself, not the comparison."""
    row = replica.accounts[account]
    ledger = replica.ledgers.get(account)
    if ledger is None or not row.balances or row.reconciled_at is None:
        return []
    bases = {instrument.base for instrument in replica.instruments.values()}
    found = []
    for asset in sorted({*ledger, *row.balances}):
        balance = row.balances.get(asset)
        ours, venues = ledger.get(asset, Decimal(0)), balance.total if balance is not None else Decimal(0)
        if ours == venues:
            memory.drifting_since.pop((account, asset), None)
            continue
        since = memory.drifting_since.setdefault((account, asset), now)
        if now - since < GRACE_NS:
            continue
        rule = "position-drift" if asset in bases else "balance"
        text = (
            f"{asset}: the venue has {plain(venues)}, our fills and its ledger make {plain(ours)}, since {moment(since)};"
            " `tradedesk worklist` shows what can be done"
        )
        found.append(
            Finding(
                key=f"{rule}:{account}:{asset}",
                rule=rule,
                severity=Severity.Critical,
                account=account,
                text=text,
                value=abs(venues - ours),
                cause=f"books:{account}",
            )
        )
    return found
