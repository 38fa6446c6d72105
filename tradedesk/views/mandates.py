"""What may be done for each client and how its account is set, as documents: a replica's row in, values out. Pure."""

from typing import Any

from tradedesk.domain.mandate import Mandate, lapse
from tradedesk.domain.money import plain
from tradedesk.domain.profile import SETTINGS, Profile
from tradedesk.domain.text import iso_time
from tradedesk.views.replica import AccountRow

Document = dict[str, Any]


def mandate_document(row: AccountRow, now: int) -> Document:
    """The mandate that desk.toml gives the account, and whether it is in force."""
    mandate, approved = row.account.mandate, row.mandate
    return {
        "account": row.account.id,
        "version": None if mandate is None else mandate.version,
        "is_in_force": mandate is not None and not lapse(mandate, approved, now),
        "lapse": "" if mandate is None else lapse(mandate, approved, now),
        "terms": {} if mandate is None else terms_of(mandate),
        "approved": None
        if approved is None
        else {
            "version": approved.mandate.version,
            "by": approved.by,
            "reason": approved.reason,
            "at": iso_time(approved.at),
            "terms": terms_of(approved.mandate),
        },
    }


def terms_of(mandate: Mandate) -> dict[str, str]:
    """Each term by its name in desk.toml, as a person reads it."""
    return {
        "valid_from": str(mandate.valid_from),
        "valid_until": "until it is replaced" if mandate.valid_until is None else str(mandate.valid_until),
        "products": ", ".join(mandate.products) or "none",
        "restricted": ", ".join(mandate.restricted) or "none",
        "max_concentration": "any" if mandate.max_concentration is None else plain(mandate.max_concentration),
        "cash_floor": "none" if mandate.cash_floor is None else plain(mandate.cash_floor),
        "may_short": "yes" if mandate.may_short else "no",
        "close_only": "yes" if mandate.close_only else "no",
        "cure_days": str(mandate.cure_days),
    }


def approval_line(document: Document) -> str:
    """Whether the mandate of the document is in force, in a sentence."""
    if document["version"] is None:
        return "no mandate: whatever its limits let pass"
    if not document["is_in_force"]:
        return f"NOT IN FORCE: {document['lapse']}; only what reduces may go"
    approved = document["approved"]
    return f"in force, approved by {approved['by']} at {approved['at']}: {approved['reason']}"


def reduces_because(row: AccountRow, now: int) -> str:
    """Why the account's mandate or its settings let only what reduces be sent; empty if they let more."""
    checked, mandate = row.profile, row.account.mandate
    found = list(checked.differences) if checked is not None else []
    if mandate is not None:
        found.append(lapse(mandate, row.mandate, now) or ("its mandate is close-only" if mandate.close_only else ""))
    return "; ".join(why for why in found if why)


def profile_document(row: AccountRow) -> Document:
    """What the account must be set to, what its venue told at the newest look, and what this venue does not have."""
    wanted, checked = row.account.profile or Profile(), row.profile
    settings: list[Document] = []
    names = [*SETTINGS, *(sorted({told.name for told in checked.seen.settings} - set(SETTINGS)) if checked else ())]
    for name in names:
        must = getattr(wanted, name, None)
        told = [setting for setting in checked.seen.settings if setting.name == name] if checked is not None else []
        if told:
            settings += [_setting(name, setting.of, must, setting.value) for setting in told]
            continue
        is_absent = checked is not None and name in checked.seen.absent
        settings.append(_setting(name, "", must, None, is_absent=is_absent))
    return {
        "account": row.account.id,
        "looked_at": None if checked is None else iso_time(checked.at),
        "differences": [] if checked is None else list(checked.differences),
        "settings": settings,
    }


def _setting(name: str, of: str, must: str | None, seen: str | None, *, is_absent: bool = False) -> Document:
    return {
        "setting": name,
        "of": of,
        "must_be": must,
        "is": seen,
        "exists": not is_absent,
        "differs": must is not None and seen != must,
    }
