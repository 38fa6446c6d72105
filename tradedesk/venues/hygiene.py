"""Judging a key: whether an account may trade with it, from what the venue told of it. Pure; asking is the adapters' part.

Paper and live are judged alike: a key that is refused there would be refused here.
"""

from datetime import UTC, datetime

from tradedesk.domain.accounts import Account
from tradedesk.domain.findings import Finding, Level, fail, ok, warn
from tradedesk.domain.keys import AcceptedRisk, KeyReport, KeyRights, expiry_stage
from tradedesk.domain.words import AccountId

NOT_TOLD = "not told by the venue"


def judge(
    report: KeyReport,
    account: Account,
    *,
    twin: AccountId | None,
    exit_seen: str | None,
    accepted: AcceptedRisk | None,
    now: int,
) -> tuple[Finding, ...]:
    """All there is to say of a key, one finding a subject; one that fails keeps the account from trading.

    `twin` is another account of this desk that is the same one at the venue, `exit_seen` the address that the venue sees
    us come from, as far as it was proved.
    """
    found = [_account(report), _uid(report, account, twin)]
    rights = report.rights
    if rights is None:
        text = f"what the key may do, until when and from where is {NOT_TOLD}"
        return (*found, warn("rights", text, "look on the venue's own pages: it must not withdraw or transfer"))
    return (
        *found,
        _trading(rights, now),
        _money(rights, report, account, accepted),
        _expiry(rights, now),
        _addresses(rights, exit_seen),
    )


def refusals(findings: tuple[Finding, ...]) -> str:
    """Why the account may not trade, for its state and for the Gate; empty if it may."""
    return "; ".join(
        f"{finding.text}: {finding.remedy}" if finding.remedy else finding.text
        for finding in findings
        if finding.level is Level.Fail
    )


def date_of(at: int) -> str:
    """A moment (ns) to the minute, UTC."""
    return f"{datetime.fromtimestamp(at // 10**9, UTC):%Y-%m-%d %H:%MZ}"


def _account(report: KeyReport) -> Finding:
    if report.can_account_trade is None:
        return warn("account", f"whether it may trade is {NOT_TOLD}", "look on the venue's own pages")
    if not report.can_account_trade:
        return fail("account", "the venue does not let this account trade", "ask the venue why, then start again")
    return ok("account", "may trade")


def _uid(report: KeyReport, account: Account, twin: AccountId | None) -> Finding:
    if report.uid is None:
        return warn("uid", NOT_TOLD, "see to it that no two accounts of desk.toml are one at the venue")
    if account.uid is not None and account.uid != report.uid:
        return fail(
            "uid",
            f"the key belongs to venue account {report.uid}, and accounts.{account.id}.uid is {account.uid}",
            "put in the key of the right account, or correct the uid in desk.toml",
        )
    if twin is not None:
        return fail(
            "uid",
            f"venue account {report.uid} is that of account {twin} too",
            f"two accounts of a desk cannot be one at the venue; remove {account.id} or {twin}",
        )
    return ok("uid", report.uid)


def _trading(rights: KeyRights, now: int) -> Finding:
    if rights.expires_at is not None and now >= rights.expires_at:
        return fail(
            "trading",
            f"the key's right to trade expired at {date_of(rights.expires_at)}",
            "make a new key at the venue and put it in",
        )
    if not rights.can_trade:
        return fail("trading", "the key may not trade", "give it the right to trade at the venue")
    return ok("trading", "the key may trade")


def _money(rights: KeyRights, report: KeyReport, account: Account, accepted: AcceptedRisk | None) -> Finding:
    names = (("withdraw", rights.can_withdraw), ("transfer", rights.can_transfer))
    can = " and ".join(name for name, has_it in names if has_it)
    if not can:
        return ok("money", "the key can neither withdraw nor transfer")
    if accepted is not None and accepted.fingerprint == report.fingerprint:
        return warn(
            "money",
            f"the key may {can}; accepted by {accepted.by}: {accepted.reason}",
            "take the right from it at the venue all the same",
        )
    return fail(
        "money",
        f"the key may {can}",
        f"take that right from it at the venue, or have the risk role accept it: tradedesk accounts accept {account.id}",
    )


def _expiry(rights: KeyRights, now: int) -> Finding:
    if rights.expires_at is None:
        return ok("expiry", "does not expire")
    text = f"{date_of(rights.expires_at)}"
    stage = expiry_stage(rights.expires_at, now)
    if stage is None:
        return ok("expiry", text)
    days, _ = stage
    if days == 0:
        return warn("expiry", f"{text}, which is past", "make a new key at the venue and put it in")
    return warn("expiry", f"{text}, within {days} d", "make a new key at the venue before, and put it in")


def _addresses(rights: KeyRights, exit_seen: str | None) -> Finding:
    if not rights.is_address_bound:
        return warn("addresses", "the key may be used from any address", "bind it to the account's exit at the venue")
    if rights.addresses is None:
        return ok("addresses", "bound to addresses, this exit among them; the list is not told by the venue")
    listed = ", ".join(rights.addresses)
    if exit_seen is None:
        return warn("addresses", f"bound to {listed}; which of them this exit is, is not proved", "prove the exit")
    if exit_seen not in rights.addresses:
        return fail(
            "addresses",
            f"the key is bound to {listed}, and the account leaves by {exit_seen}",
            "correct the list at the venue, or the egress of the account in desk.toml",
        )
    if len(rights.addresses) > 1:
        return warn("addresses", f"bound to {listed}", f"only {exit_seen} is used; take the others off at the venue")
    return ok("addresses", f"bound to {listed}")
