"""Who may do what: the whole table of roles and verbs, and who acts."""

import pytest

from tradedesk.access.operators import (
    SYSTEM_RISK,
    Operator,
    Role,
    Verb,
    may,
    may_approve,
    may_rearm,
    peers,
)
from tradedesk.access.operators import operator_for as who


def an_operator(name="desk1", roles="trader", accounts="acme", uid=None):
    return Operator(
        name=name, roles=frozenset(Role(r) for r in roles.split()), accounts=frozenset(accounts.split()), uid=uid
    )


DESK = 4711  # the user that the desk runs as


def operator_for(name, uid, operators):
    return who(name, uid, operators, desk_uid=DESK)


TRADING = {Verb.Place, Verb.Amend, Verb.Cancel, Verb.CancelAll}
EITHER = {
    Verb.Check,
    Verb.Halt,
    Verb.Acknowledge,
    Verb.Settle,
    Verb.GoLive,
    Verb.SwitchExit,
    Verb.RotateKey,
    Verb.LockVault,
}
ALLOWED = {
    "trader": TRADING | EITHER,
    "risk": {Verb.SetLimits, Verb.Rearm, Verb.Approve, Verb.AcceptKeyRisk, Verb.ApproveMandate, Verb.Offboard} | EITHER,
    "support": set(),
    "": set(),
}


@pytest.mark.parametrize("roles", ALLOWED)
@pytest.mark.parametrize("verb", Verb)
def test_a_role_may_do_what_the_table_says_and_nothing_else(roles, verb):
    refused = may(an_operator(roles=roles), verb, "acme")
    assert (refused is None) == (verb in ALLOWED[roles])
    assert refused is None or refused.startswith("desk1 (")


def test_roles_add_up():
    both = an_operator(roles="trader risk")
    assert all(may(both, verb, "acme") is None for verb in Verb)


@pytest.mark.parametrize("verb", Verb)
def test_nobody_acts_on_an_account_that_is_not_theirs(verb):
    assert may(an_operator(roles="trader risk"), verb, "beta") == (
        f"desk1 may not {verb} on account beta; their accounts: acme"
    )


def test_the_whole_desk_takes_every_account():
    assert may(an_operator(accounts="acme beta"), Verb.Halt, None) is not None
    assert may(an_operator(accounts="*"), Verb.Halt, None) is None
    assert may(an_operator(accounts="*"), Verb.Place, "any") is None


@pytest.mark.parametrize("verb", Verb)
def test_the_risk_monitor_only_reduces(verb):
    allowed = verb in {Verb.Halt, Verb.Cancel, Verb.CancelAll}
    assert (may(SYSTEM_RISK, verb, "acme") is None) == allowed
    assert (may(SYSTEM_RISK, verb, None) is None) == allowed


def rearm(operator, halted_by, reason="checked with the client", account="acme"):
    return may_rearm(operator, account, halted_by=halted_by, reason=reason)


def test_a_rearm_takes_the_risk_role_and_a_reason():
    assert "takes the role risk" in rearm(an_operator(roles="trader"), "desk1")
    assert "needs a reason" in rearm(an_operator(roles="risk"), "desk1", reason="  ")
    assert rearm(an_operator(roles="risk"), "system:risk") is None
    assert "not rearm on account beta" in rearm(an_operator(roles="risk"), "desk1", account="beta")


def test_who_trades_an_account_does_not_rearm_its_breach():
    assert "another risk manager must" in rearm(an_operator(roles="trader risk"), "system:risk")
    assert "another risk manager must" in rearm(
        an_operator(roles="trader risk", accounts="*"), "system:risk", account=None
    )


def test_a_halt_set_by_hand_can_be_lifted_by_the_one_who_set_it():
    assert rearm(an_operator(roles="trader risk"), "desk1") is None


def test_the_risk_monitor_never_rearms():
    assert rearm(SYSTEM_RISK, "system:risk") is not None
    assert rearm(SYSTEM_RISK, "desk1") is not None


def test_without_a_name_the_peer_decides():
    anna, ben = an_operator("anna", uid=1000), an_operator("ben", uid=1001)
    assert operator_for(None, 1001, [anna, ben]) is ben
    assert "uid = 1002" in operator_for(None, 1002, [anna, ben])
    assert operator_for(None, 1000, [anna, an_operator("risk1", uid=1000)]) == (
        "user id 1000 is anna, risk1: say which with --operator NAME"
    )
    assert "known: none" in operator_for(None, 1000, [])


def test_a_name_with_a_uid_answers_to_that_user_alone():
    anna = an_operator("anna", uid=1000)
    assert operator_for("anna", 1000, [anna]) is anna
    assert "belongs to user id 1000" in operator_for("anna", 0, [anna])


def test_a_name_without_a_uid_answers_to_the_user_that_the_desk_runs_as():
    shared = an_operator("shared")
    assert operator_for("shared", DESK, [shared]) is shared
    assert "answers only to user id 4711, and you are 1000" in operator_for("shared", 1000, [shared])


def test_only_the_desks_own_user_and_those_of_its_operators_have_business_there():
    assert peers([an_operator("anna", uid=1000), an_operator("shared")], DESK) == {1000, DESK}


def test_a_second_person_is_another_one_with_the_risk_role():
    def approve(operator, asked_by="anna", breach=True, account="acme"):
        return may_approve(operator, account, asked_by=asked_by, is_about_a_breach=breach)

    assert approve(an_operator("ben", "risk")) is None
    assert "anna asked for this" in approve(an_operator("anna", "risk"))
    assert "takes the role risk" in approve(an_operator("ben", "trader"))
    assert "not approve on account beta" in approve(an_operator("ben", "risk"), account="beta")
    assert "the whole desk" in approve(an_operator("ben", "risk"), account=None)
    assert "trades acme and may not approve" in approve(an_operator("ben", "risk trader"))
    assert approve(an_operator("ben", "risk trader"), breach=False) is None
    assert approve(SYSTEM_RISK) is not None


def test_an_operator_sees_what_they_trade_unless_told_otherwise():
    assert an_operator(accounts="acme").seen == {"acme"}
    assert an_operator(accounts="*").seen is None
    wide = Operator(name="w", roles=frozenset(), accounts=frozenset(), uid=None, sees=frozenset({"*"}))
    assert wide.seen is None


def test_an_unknown_name_gets_the_nearest_one():
    anna = an_operator("anna", uid=1000)
    assert "did you mean anna?" in operator_for("ana", 1000, [anna])
    assert "known: anna" in operator_for("zzz", 1000, [anna])
    assert isinstance(operator_for("system:risk", 1000, [anna]), str)
