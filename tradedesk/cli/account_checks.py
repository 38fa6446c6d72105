"""What `tradedesk accounts test` looks at without trading: key, rights, clock, exits and stream, asked of the venue itself."""

import asyncio
import contextlib
from collections.abc import Callable

from tradedesk.access.exit_proof import SOCKET, ExitProof
from tradedesk.domain.accounts import Account
from tradedesk.domain.exits import ExitRow, expected_address
from tradedesk.domain.findings import Finding, Level, fail, ok, warn
from tradedesk.domain.keys import AcceptedRisk
from tradedesk.domain.outcomes import StreamState, VenueInfo
from tradedesk.domain.profile import SeenProfile, differences
from tradedesk.venues.adapter import Adapter, PrivateNews, VenueFailed
from tradedesk.venues.hygiene import judge

STREAM_WITHIN_S = 15.0
CLOCK_OFF_MS = 500  # of ours from the venue's: the desk corrects it there, and our own records are still off
KEY_REMEDY = "check the key's secret, rights and addresses at the venue; then put it in anew"


async def looked_at(
    adapter: Adapter, account: Account, exit_: str, accepted: Callable[[], AcceptedRisk | None], now: int
) -> list[Finding]:
    """The rows of the table, in order, of the account that leaves by `exit_`. Leaves `adapter` open.

    `accepted` is asked for the operator's yes to a key that could move money, if it is one.
    """
    try:
        info = await adapter.start()
    except VenueFailed as error:
        remedy = KEY_REMEDY if error.is_auth else "see whether the venue and the exit are there"
        return [fail("venue", error.cause, remedy)]
    found = [ok("venue", f"{account.venue} answers"), _clock(adapter.clock_offset_ms)]
    try:
        report = await adapter.key_report()
    except VenueFailed as error:
        remedy = KEY_REMEDY if error.is_auth else "try again; the desk asks until it is told"
        return [*found, fail("key", error.cause, remedy)]
    found.append(ok("key", f"it works; fingerprint {report.fingerprint}"))
    stream, exits, seen = await _stream(adapter, account, exit_)
    can_move_money = report.rights is not None and (report.rights.can_withdraw or report.rights.can_transfer)
    risk = accepted() if can_move_money else None
    findings = judge(report, account, twin=None, exit_seen=seen, accepted=risk, now=now)
    return [*found, *findings, stream, *exits, *await _profile(adapter, account), _dead_man(info)]


def is_fit(findings: list[Finding]) -> bool:
    return all(finding.level is not Level.Fail for finding in findings)


def _clock(offset_ms: int | None) -> Finding:
    if offset_ms is None:
        return fail(
            "clock", "the venue answers too slowly for its clock to be measured", "try again, or look at the network"
        )
    text = f"{offset_ms:+d} ms to the venue's"
    if abs(offset_ms) > CLOCK_OFF_MS:
        return warn("clock", text, "let this machine's clock be set by NTP")
    return ok("clock", text)


def _dead_man(info: VenueInfo) -> Finding:
    if info.dead_man == "none":
        return warn(
            "dead-man", "the venue has none: orders stay when the desk is gone", "run a watchdog beside the desk"
        )
    return ok("dead-man", info.dead_man)


async def _profile(adapter: Adapter, account: Account) -> list[Finding]:
    """How the account is set at the venue, where desk.toml wants something of it: the desk lets it only reduce else."""
    if account.profile is None:
        return []
    try:
        state = await adapter.venue_state(None)
    except VenueFailed as error:
        return [fail("profile", error.cause, "try again; until it is told, only what reduces may go")]
    remedy = f"set it so at the venue, or correct accounts.{account.id}.profile in desk.toml"
    found = [fail("profile", text, remedy) for text in differences(account.profile, state.profile or SeenProfile())]
    return found or [ok("profile", "set at the venue as it must be")]


async def _stream(adapter: Adapter, account: Account, exit_: str) -> tuple[Finding, list[Finding], str | None]:
    """The private stream, opened for a moment; the exits of both ways while it is up, and the address they are seen at."""
    came_up = asyncio.Event()

    def hear(news: PrivateNews) -> None:
        if isinstance(news, StreamState) and news.is_up:
            came_up.set()

    running = asyncio.ensure_future(adapter.run_private(hear))
    waiting = asyncio.ensure_future(came_up.wait())
    try:
        await asyncio.wait({running, waiting}, timeout=STREAM_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        if came_up.is_set():
            socket = adapter.exit_seen()
            expected = expected_address(account, ExitRow(), exit_)
            proof = await adapter.prove_exit(expected, account.exit_check)
            return ok("stream", "comes up"), _exits(exit_, socket, proof), proof.seen
        error = running.exception() if running.done() else None
        late = f"it did not come up within {STREAM_WITHIN_S:.0f} s"
        cause = error.cause if isinstance(error, VenueFailed) else late
        return fail("stream", cause, "look at the log of the desk; without it fills arrive late"), [], None
    finally:
        for task in (running, waiting):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, VenueFailed):
            await running


def _exits(exit_: str, socket: str | None, proof: ExitProof) -> list[Finding]:
    """REST leaves by connections that are each looked at; the stream says where it is; the proof, how it looks from outside."""
    rest = ok("exit REST", f"{exit_}, looked at on each connection before a byte leaves")
    if socket == exit_:
        stream = ok("exit WebSocket", f"{socket}, as its socket says")
    else:
        stream = fail("exit WebSocket", f"its socket says {socket}", f"it has to be {exit_}; nothing may trade so")
    if proof.problem is not None:
        seen = fail("exit seen", proof.problem, "correct the exit, or exit_address or exit_check in desk.toml")
    elif proof.how == SOCKET:
        text = f"at {proof.seen} by this machine itself; what lies behind it may change that"
        seen = warn("exit seen", text, "set exit_check in desk.toml to have it looked at from outside")
    else:
        seen = ok("exit seen", f"at {proof.seen} by {proof.how}")
    return [rest, stream, seen]
