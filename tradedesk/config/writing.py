"""Settings written as desk.toml."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

import msgspec
from msgspec import Struct

from tradedesk.config.risk_tables import ALERT_ONLY
from tradedesk.config.settings import Settings, VenueSettings
from tradedesk.config.tables import NAME
from tradedesk.domain.alert_rules import AlertRule
from tradedesk.domain.instruments import instrument_id
from tradedesk.domain.limits import Limits
from tradedesk.domain.money import plain


def render(settings: Settings) -> str:
    """The desk.toml that `parse` reads as `settings`. What has its default is left out."""
    tables = [_table(("desk",), _set_fields(settings.desk))]
    for venue in settings.venues.values():
        tables.append(_table(("venues", venue.id), _set_fields(venue, leave_out=("id",))))
    for account in settings.accounts.values():
        where = ("accounts", account.id)
        tables.append(_table(where, _set_fields(account, leave_out=("id", "limits", "mandate", "profile"))))
        tables += _limits(where, account.limits, [settings.venues[account.venue]])
        if account.mandate is not None:
            tables.append(_table((*where, "mandate"), _set_fields(account.mandate)))
        if account.profile is not None:
            figures = _set_fields(account.profile)
            figures |= {name: int(str(figures[name])) for name in ("leverage", "trade_group") if name in figures}
            tables.append(_table((*where, "profile"), figures))
    tables += _limits((), settings.limits, settings.venues.values())
    tables += _filled(("totals",), settings.totals)
    for name, group in settings.groups.items():
        tables += _limits(("groups", name), group.limits, settings.venues.values())
        tables += _filled(("groups", name, "totals"), group.totals)
    for operator in settings.operators.values():
        tables.append(_table(("operators", operator.name), _set_fields(operator, leave_out=("name",))))
    for name, receiver in settings.alerts.items():
        tables.append(_table(("alerts", name), _set_fields(receiver, leave_out=("name",))))
    tables += [_rule(name, rule) for name, rule in settings.rules.items()]
    if settings.keys:
        tables.append(_table(("keys",), settings.keys))
    return "\n".join(tables)


def _rule(name: str, rule: AlertRule) -> str:
    """Whole: what is built in may change with a new version, and what was written down may not."""
    return _table(("risk", "rules", name), msgspec.structs.asdict(rule) | {"action": rule.action or ALERT_ONLY})


def _limits(where: tuple[str, ...], limits: Limits, venues: Iterable[VenueSettings]) -> list[str]:
    """The tables of one scope's limits."""
    symbols = {instrument_id(venue.id, symbol): symbol for venue in venues for symbol in venue.instruments}
    figures = _set_fields(limits, leave_out=("instruments", "sources"))
    for name in ("allowed", "restricted"):
        if name in figures:
            figures[name] = tuple(dict.fromkeys(symbols[instrument] for instrument in getattr(limits, name)))
    tables = [_table((*where, "limits"), figures)] if figures else []
    written = {}
    for instrument, own in limits.instruments.items():
        written[symbols[instrument]] = _table((*where, "limits", "instruments", symbols[instrument]), _set_fields(own))
    return [*tables, *written.values()]


def _filled(where: tuple[str, ...], value: Struct) -> list[str]:
    figures = _set_fields(value)
    return [_table(where, figures)] if figures else []


def _set_fields(value: Struct, leave_out: tuple[str, ...] = ()) -> dict[str, object]:
    """The fields that differ from their default."""
    return {
        field.name: getattr(value, field.name)
        for field in msgspec.structs.fields(type(value))
        if field.name not in leave_out and getattr(value, field.name) != field.default
    }


def _table(where: tuple[str, ...], values: Mapping[str, object]) -> str:
    lines = [f"[{'.'.join(_toml_key(part) for part in where)}]"]
    return "\n".join([*lines, *(f"{_toml_key(key)} = {_toml(value)}" for key, value in values.items()), ""])


def _toml_key(key: str) -> str:
    return key if NAME.fullmatch(key) else _toml(key)


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False)  # a TOML string too: no text here has control characters
        case date():
            return _toml(value.isoformat())
        case Decimal():
            return _toml(plain(value))
        case tuple():
            return f"[{', '.join(_toml(item) for item in value)}]"
        case _:
            return str(value)
