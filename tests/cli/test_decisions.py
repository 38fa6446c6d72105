"""What a script is told of a decision it asked an account's worker for: of that account's alone."""

from datetime import date

import pytest

from tradedesk.cli.reach import decision_in
from tradedesk.domain import events as ev
from tradedesk.domain.instruments import Product
from tradedesk.domain.mandate import ApprovedMandate, Mandate
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.views.feed import Numbered

ACME = AccountId("acme")
ROSA = OperatorId("rosa")


def approved(account: str) -> Numbered:
    mandate = Mandate(version=3, valid_from=date(2026, 1, 1), products=(Product.Spot,))
    yes = ApprovedMandate(mandate=mandate, by=ROSA, reason="signed", at=1)
    event = ev.MandateApproved(at=1, source=f"worker:{account}", account=AccountId(account), approved=yes)
    return Numbered(number=1, event=event)


def refused(account: str, what: str = "ApproveMandate") -> Numbered:
    event = ev.SubmissionRefused(
        at=1, source=f"worker:{account}", operator=ROSA, what=what, reason=f"account {account}: it has no mandate"
    )
    return Numbered(number=1, event=event)


@pytest.mark.parametrize(
    ("update", "said"),
    [
        (approved("acme"), ""),
        (refused("acme"), "account acme: it has no mandate"),
        (approved("birch"), None),
        (refused("birch"), None),
        (refused("acme", "AcceptKeyRisk"), None),
    ],
)
def test_only_what_is_told_of_the_account_and_the_command_is_the_answer(update: Numbered, said: str | None) -> None:
    assert decision_in([update], ACME, ev.MandateApproved, "ApproveMandate") == said
