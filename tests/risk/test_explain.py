"""What every rule of the Gate says to one order: the same noes as the Gate's, and the figures of those that pass."""

import ast
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from order_builders import BTC, MS, an_order, d
from test_gate import LIMITS, a_quote, around

import tradedesk
from tradedesk.domain.accounts import AccountState, HaltLevel
from tradedesk.domain.day import Today
from tradedesk.domain.gate import Denial, Exposure, GateInputs, Together
from tradedesk.domain.limits import InstrumentLimits, Limits, Totals, effective, stacked
from tradedesk.domain.orders import Order
from tradedesk.domain.worst_case import Interval
from tradedesk.risk import gate
from tradedesk.risk.case import Case
from tradedesk.risk.explain import answers, figures_of
from tradedesk.risk.mandate_rules import MANDATE_RULES

TIGHT = msgspec.structs.replace(
    LIMITS, max_order_qty=d("0.5"), max_order_notional=d(100), max_position=d("0.5"), max_position_notional=d(100),
    price_collar_bps=d(1), price_drift_bps=d(1), max_open_orders=1, max_messages_per_minute=1,
    max_children_per_block=1, repeat_within_ms=1_000, max_exposure=d(100), max_net_exposure=d(100),
    max_leverage=d("0.1"), stale_after_ms=1, max_daily_loss=d(10), max_drawdown=d(10),
)  # fmt: skip
HELD = Exposure(gross=d(200), net=Interval(low=d(200), high=d(200)))
BAD_DAY = Today(loss=d(20), drawdown=d(30))
GROUP = Together(
    name="group growth",
    source="groups.growth.totals in desk.toml",
    totals=Totals(
        max_exposure=d(100), max_net_exposure=d(100), max_position_notional=d(100), max_daily_loss=d(10),
        max_drawdown=d(10),
    ),
    exposure=HELD,
    asset=HELD.net,
    today=BAD_DAY,
)  # fmt: skip


def asked(order: Order, given: GateInputs) -> Case:
    return Case(order=order, replaces=None, given=given)


def all_against() -> Case:
    """An order that every rule with a figure refuses."""
    order = msgspec.structs.replace(an_order(qty="1.000001", price="59000.001"), block="b1")
    given = around(
        limits=TIGHT, quote=msgspec.structs.replace(a_quote(), anchor=d(50_000)), quote_age_ns=10 * MS,
        open_orders=9, messages=9, children=9, repeats=9, equity=d(1_000), others=HELD, together=(GROUP,),
        available=d(1), today=BAD_DAY,
    )  # fmt: skip
    return asked(order, given)


def test_its_noes_are_the_gates_word_for_word() -> None:
    case = all_against()
    said = [(answer.rule, answer.text, answer.is_soft) for answer in answers(case) if not answer.passes]
    assert said == [(denial.rule, denial.text, denial.is_soft) for denial in gate.denials_of(case)]
    assert len(said) > 15


def test_the_figures_of_a_rule_that_passes_are_those_it_would_refuse_with() -> None:
    """The table of figures stands beside the rules: here the two meet, rule by rule."""
    case = all_against()
    instrument, limits = case.given.instrument, case.given.limits
    assert instrument is not None
    assert limits is not None
    compared = 0
    rules: list[tuple[object, Denial | None]] = [(rule, rule(case)) for rule in gate.RULES]
    rules += [(rule, rule(case, instrument)) for rule in gate.INSTRUMENT_RULES]
    rules += [(rule, rule(case, instrument, limits)) for rule in gate.LIMIT_RULES]
    for rule, denial in rules:
        if denial is None or not denial.limit or denial.rule in ("min_qty", "max_qty"):
            continue
        value, most, source = figures_of(rule, case)  # type: ignore[arg-type]
        assert (str(value), str(most)) == (denial.value, denial.limit), denial.rule
        assert not denial.source or source == denial.source
        compared += 1
    assert compared >= 15


def test_every_limit_there_is_is_named_in_an_answer_with_who_set_it() -> None:
    own = Limits(max_order_notional=d(120_000), instruments={BTC: InstrumentLimits(max_order_qty=d(3))})
    limits = effective(stacked([("accounts.acme in desk.toml", own), ("limits in desk.toml", LIMITS)]), BTC)
    rows = {
        answer.rule: answer for answer in answers(asked(an_order(), msgspec.structs.replace(around(), limits=limits)))
    }
    assert all(row.passes for row in rows.values())
    assert (rows["max_order_notional"].limit, rows["max_order_notional"].source) == (
        "120000", "accounts.acme in desk.toml",
    )  # fmt: skip
    assert rows["max_order_qty"].source == f"accounts.acme in desk.toml, for {BTC}"
    assert rows["max_open_orders"].source == "limits in desk.toml"
    assert rows["message_rate"].source == "built in"
    assert (rows["max_exposure"].limit, rows["max_exposure"].source) == ("", "")  # none is set


def test_without_limits_or_instrument_it_says_what_the_gate_says() -> None:
    for given in (around(limits=Limits()), around(instrument=None), around(account_state=AccountState.Offline)):
        case = asked(an_order(), msgspec.structs.replace(given, halt=HaltLevel.BlockNew))
        assert [row.text for row in answers(case) if not row.passes] == [no.text for no in gate.denials_of(case)]


def test_a_no_by_a_limit_names_value_limit_scope_and_who_set_it_in_its_words() -> None:
    case = all_against()
    sourced = [denial for denial in gate.denials_of(case) if denial.source]
    assert len(sourced) >= 15
    for denial in sourced:
        assert denial.text.endswith(f"({denial.source})")


@pytest.mark.parametrize("position", ["0", "3"])
def test_an_order_within_every_limit_passes_every_rule(position: str) -> None:
    given = around(position=position, together=(msgspec.structs.replace(GROUP, totals=Totals(max_exposure=d(10**6))),))
    rows = answers(asked(an_order(), given))
    assert [row for row in rows if not row.passes] == []
    (total,) = [row for row in rows if row.rule == "total_exposure"]
    assert (total.value, total.limit, total.source) == (
        str(Decimal("60200.00") + Decimal(position) * 60_000), "1000000", "groups.growth.totals in desk.toml",
    )  # fmt: skip


def test_every_rule_of_the_gate_is_asked_by_name() -> None:
    """A rule that is written and not in the Gate's tables protects nobody."""
    folder = Path(tradedesk.__file__).parent / "risk"
    written = set()
    for file in folder.glob("*_rules.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef) and ast.unparse(node.returns or ast.Constant(0)) == "Denial | None":
                written.add(node.name)
    in_gate = {rule.__name__ for rule in (*gate.RULES, *gate.INSTRUMENT_RULES, *gate.LIMIT_RULES, *MANDATE_RULES)}
    assert {name for name in written if not name.startswith("_")} == in_gate
