"""An operator's yes to the account's mandate, on the account's own worker: recorded word by word, in force from then on."""

from tradedesk.accounts.core import Core
from tradedesk.domain import events as ev
from tradedesk.domain.commands import ApproveMandate
from tradedesk.domain.mandate import ApprovedMandate, why_not_approved


def approve(core: Core, command: ApproveMandate, now: int) -> str | None:
    """Record the approval; why that cannot be, if it cannot."""
    account = core.account
    known = core.manager.books.accounts[account.id].mandate
    refusal = why_not_approved(account.mandate, command.version, known)
    if refusal is not None or account.mandate is None:
        return f"account {account.id}: {refusal}"
    approved = ApprovedMandate(mandate=account.mandate, by=command.operator, reason=command.reason, at=now)
    core.note(ev.MandateApproved(at=now, source=f"worker:{account.id}", account=account.id, approved=approved))
    return None
