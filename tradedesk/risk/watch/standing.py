"""What must hold of an account whatever it trades: its key, its exit, its settings at the venue and its mandate."""

from datetime import UTC, datetime

from tradedesk.domain.alerts import Severity
from tradedesk.domain.findings import Level
from tradedesk.domain.keys import expiry_stage
from tradedesk.risk.mandate_watch import breaches
from tradedesk.risk.watch.finding import NS, Finding
from tradedesk.views.replica import AccountRow, Replica


def standing(replica: Replica, row: AccountRow, currency: str, now: int) -> list[Finding]:
    """Of one account."""
    return [*_key(row, now), *_exit(replica, row), *_mandate(replica, row, currency, now), *_profile(row)]


def _exit(replica: Replica, row: AccountRow) -> list[Finding]:
    """An exit in use that is not proved, or is seen where it must not be."""
    in_use, proof = replica.exit_of(row.account)
    if proof.exit != in_use or proof.problem is None:
        return []
    account = row.account.id
    return [
        Finding(key=f"exit:{account}", rule="exit", severity=Severity.Critical, account=account, text=proof.problem)
    ]


def _key(row: AccountRow, now: int) -> list[Finding]:
    """What is wrong with the account's key, as its newest look has it, and how near its end is, told at each stage once."""
    checked = row.key
    if checked is None:
        return []
    account = row.account.id
    found = [
        Finding(
            key=f"key-{wrong.what}:{account}",
            rule="key",
            severity=Severity.Critical if wrong.level is Level.Fail else Severity.Warning,
            account=account,
            text=f"{wrong.text}: {wrong.remedy}",
        )
        for wrong in checked.findings
        if wrong.level is not Level.Ok and wrong.what != "expiry"  # which goes on without a look, by its stages
    ]
    expires_at = checked.report.rights.expires_at if checked.report.rights is not None else None
    stage = expiry_stage(expires_at, now) if expires_at is not None else None
    if expires_at is not None and stage is not None:
        days, severity = stage
        when = datetime.fromtimestamp(expires_at // NS, UTC)
        left = f"within {days} d" if days else "and is over"
        text = f"the key's right to trade ends {when:%Y-%m-%d %H:%MZ}, {left}: make a new key and put it in"
        key = f"key-expiry:{account}"
        found.append(Finding(key=key, rule="key-expiry", severity=severity, account=account, text=text))
    return found


def _mandate(replica: Replica, row: AccountRow, currency: str, now: int) -> list[Finding]:
    """Beyond what may be done for the client, without an order of ours; critical once the day to cure it is past."""
    account = row.account.id
    return [
        Finding(
            key=breach.key,
            rule="mandate",
            severity=Severity.Critical if breach.is_overdue else Severity.Warning,
            account=account,
            text=breach.text,
            value=breach.value,
            limit=breach.limit,
            cause=f"mandate:{account}",
        )
        for breach in breaches(replica, row, currency, now)
    ]


def _profile(row: AccountRow) -> list[Finding]:
    """Settings at the venue that are not as they must be."""
    account, checked = row.account.id, row.profile
    if checked is None or not checked.differences:
        return []
    text = f"not set at the venue as it must be, so only what reduces may go: {'; '.join(checked.differences)}"
    return [
        Finding(
            key=f"profile:{account}",
            rule="profile",
            severity=Severity.Critical,
            account=account,
            text=text,
            cause=f"profile:{account}",
        )
    ]
