"""What the doctor looks at of a desk: settings, keys, operators, themes, venues, accounts, journal, sockets, leases.

Of a running desk it says what that desk knows, read from its stream; else what the files and the machine tell.
"""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tradedesk.cli.doctor_stopping import stopping
from tradedesk.cli.reach import Watch
from tradedesk.cli.scopes import option_of
from tradedesk.cli.unlocking import passphrase_file as found_passphrase
from tradedesk.config import ConfigError, Home, Settings, load
from tradedesk.domain.accounts import Account, AccountState
from tradedesk.domain.exits import Exit, exits_of, parse_exit
from tradedesk.domain.findings import Finding, Level, fail, ok, warn
from tradedesk.domain.text import iso_time

if TYPE_CHECKING:
    from tradedesk.access.lease import Holder
    from tradedesk.access.vault import Vault
    from tradedesk.clock import Clock
    from tradedesk.config import VenueSettings
    from tradedesk.views.replica import Replica

ANSWER_S = 3.0  # for a running desk's first snapshot
VENUE_S = 6.0  # for one venue
PROXY_S = 3.0
QUICK_JOURNAL = 64 * 1024**2  # bytes that are read through in a few seconds; of more, only that it is there
OLD_PROOF_NS = 24 * 3600 * 10**9
Areas = Iterator[tuple[str, list[Finding]]]


def desk_areas(home: Home, passphrase_file: Path | None) -> Areas:
    """All of it, as far as there is a desk.toml."""
    from tradedesk.clock import SystemClock

    clock = SystemClock()
    settings, found = _settings(home)
    yield "settings", found
    yield "themes", list(themes(home))
    watch = _running(home)
    try:
        replica = None if watch is None else watch.replica
        yield "desk", [*sockets(home, replica), *leases(home)]
        if settings is not None:
            vault, keys = _vault(home, settings, passphrase_file)
            yield "keys", keys
            yield "operators", list(operators(home, settings))
            yield "venues", list(_venues(settings, clock))
            for account in settings.accounts.values():
                yield f"account {account.id}", list(_account(account, replica, vault, clock.now()))
            yield "stopping", list(stopping(home, settings))
        yield "journal", [journal(home)]
    finally:
        if watch is not None:
            watch.view.close()


def _settings(home: Home) -> tuple[Settings | None, list[Finding]]:
    try:
        home.config.stat()
    except FileNotFoundError:
        remedy = "`tradedesk setup` makes a desk, `tradedesk demo` one to look at"
        return None, [warn("desk.toml", f"{home.config} is not there", remedy)]
    except OSError as error:
        return None, [fail("desk.toml", f"{home.config} cannot be looked at ({error.strerror})", "run as its owner")]
    try:
        settings = load(home.config)
    except ConfigError as error:
        return None, [fail("desk.toml", mistake, f"correct it in {home.config}") for mistake in error.mistakes]
    live = [account.id for account in settings.accounts.values() if account.mode == "live"]
    text = f"desk {settings.desk.name}: {len(settings.accounts)} accounts at {len(settings.venues)} venues"
    found = [ok("desk.toml", f"{text}, live: {', '.join(live)}" if live else f"{text}, none of them live")]
    found += [
        warn("limits", f"accounts.{account.id} has no max_order_notional, so it is blocked", "set it in desk.toml")
        for account in settings.accounts.values()
        if account.limits.max_order_notional is None
    ]
    return settings, found


def themes(home: Home) -> Iterator[Finding]:
    from tradedesk.ui.themes import load_themes

    folder = home.config.parent / "themes"
    try:
        loaded = load_themes(folder)
    except OSError as error:
        yield warn("theme", f"{folder} cannot be looked at ({error.strerror})", "give it back to this user")
        loaded = load_themes()
    for problem in loaded.problems:
        yield warn("theme", problem, "correct the file, or remove it")
    yield ok("themes", ", ".join(sorted(loaded.by_name)))


# -- keys and operators ---------------------------------------------------------------------------------------------------


def _vault(home: Home, settings: Settings, passphrase_file: Path | None) -> "tuple[Vault | None, list[Finding]]":
    from tradedesk.access.vault import VaultError, open_vault
    from tradedesk.domain.webhooks import HOOK_SCOPE

    words = found_passphrase(home, passphrase_file)
    if os.path.exists(home.vault) and words is None:
        text = f"{home.vault} is locked: its passphrase is asked for at each start"
        return None, [
            ok("vault", text),
            ok("entries", "were not looked at; --passphrase-file opens the vault for that"),
        ]
    try:
        vault = open_vault(home.vault, words)
        kept = {(entry.name, entry.venue) for entry in vault.names()}
    except VaultError as error:
        return None, [fail("vault", str(error), "mend that, or run `tradedesk setup`")]
    found = [ok("vault", f"{vault.where} opens; {len(kept)} entries")]
    if "open to every program" in vault.where:
        found.append(
            warn("vault", "any program of this session can read it", "use the encrypted file on a shared machine")
        )
    for account in settings.accounts.values():
        found += _entries(account, vault, kept)
    for name in settings.alerts:
        if vault.text(name, HOOK_SCOPE) is None:
            text = f"the URL of alerts.{name} is missing: no alert is sent there"
            found.append(fail("entries", text, f"put it in with `tradedesk alerts-to add {name}`"))
    return vault, found


def _entries(account: Account, vault: "Vault", kept: set[tuple[str, str]]) -> Iterator[Finding]:
    """What an account needs of the vault and it has not; and a new key that nobody finished putting in."""
    from tradedesk.access.egress import EXIT_SCOPE

    at = f"accounts.{account.id}"
    for name in (account.secret, account.cancel_secret):
        if name is not None and (name, account.venue) not in kept:
            text = f"{vault.where} has no secret {name!r}, which {at} names"
            yield fail("entries", text, "put it in with `tradedesk accounts add` or `tradedesk setup`")
    for text in exits_of(account):
        exit_ = parse_exit(text)
        if isinstance(exit_, Exit) and exit_.user and vault.text(text, EXIT_SCOPE) is None:
            yield fail("entries", f"the password of {at}'s proxy is missing", "tradedesk accounts exit-password")
    if (f"{account.secret}.next", account.venue) in kept:
        yield warn("entries", f"a new key of {at} waits to be taken", "finish it: `tradedesk accounts rotate`")


def operators(home: Home, settings: Settings) -> Iterator[Finding]:
    from tradedesk.access.passphrases import PassphraseError, Passphrases

    try:
        known = Passphrases(home.operators).names()
    except PassphraseError as error:
        yield fail("passphrases", str(error), "set them again")
        return
    for operator in settings.operators.values():
        who = "any user" if operator.uid is None else f"user id {operator.uid}"
        text = f"{', '.join(operator.roles)} for {', '.join(operator.accounts)}; {who}"
        if operator.name in known:
            yield ok(operator.name, f"{text}; has a passphrase")
        elif len(settings.operators) > 1:
            yield warn(operator.name, f"{text}; no passphrase", "`tradedesk operators passphrase` sets one")
        else:
            yield ok(operator.name, f"{text}; no passphrase, alone on this desk")
    roles = {role for operator in settings.operators.values() for role in operator.roles}
    if not settings.operators:
        yield fail("operators", "there is none, so nobody can trade", "`tradedesk setup` adds one")
    elif "risk" not in roles:
        yield warn("risk", "nobody has the role risk: a halt could not be lifted", 'give it to one, roles = ["risk"]')


# -- venues and accounts --------------------------------------------------------------------------------------------------


def _venues(settings: Settings, clock: "Clock") -> Iterator[Finding]:
    async def all_of_them() -> list[Finding]:
        return list(await asyncio.gather(*(_venue(venue, clock) for venue in settings.venues.values())))

    yield from asyncio.run(all_of_them())


async def _venue(venue: "VenueSettings", clock: "Clock") -> Finding:
    """How far its clock is from ours. A venue that is out of reach is no fault of this machine, so it only warns."""
    from tradedesk.cli.setup_probes import Unreached, clock_of, reached
    from tradedesk.desk.build import DEFAULT_EXIT

    exit_ = venue.egress or DEFAULT_EXIT
    try:
        async with asyncio.timeout(VENUE_S), reached(exit_, None, venue.url, clock) as exchange:
            found = await clock_of(exchange, clock, venue.id, exit_)
    except (Unreached, TimeoutError) as error:
        found = warn("venue", str(error) or f"{venue.id} does not answer within {VENUE_S:.0f} s", "look at its exit")
    return warn(venue.id, found.text, found.remedy) if found.level is Level.Fail else _named(found, venue.id)


def _named(finding: Finding, what: str) -> Finding:
    return Finding(what=what, level=finding.level, text=finding.text, remedy=finding.remedy)


def _account(account: Account, replica: "Replica | None", vault: "Vault | None", now: int) -> Iterator[Finding]:
    for name in exits_of(account):
        yield present(name)
    row = None if replica is None else replica.accounts.get(account.id)
    if row is None:
        yield ok("exit", "is proved when the desk starts")
        yield _entry(account, vault)
        return
    assert replica is not None
    halt = replica.halt_of(account.id)
    if halt is not None:
        what = "halted" if halt.account == account.id else f"halted with {halt.of}"
        remedy = f"`tradedesk rearm{option_of(halt.of)} --reason ...` lifts it"
        yield warn("state", f"{what} ({halt.level.value}) by {halt.by}: {halt.reason}", remedy)
    elif row.state is AccountState.Ready:
        yield ok("state", "ready")
    else:
        yield fail(
            "state", f"{row.state.value}: {row.reason}", "see the reason; `tradedesk worklist` lists differences"
        )
    yield proof(replica, account, now)
    if row.key is None:
        yield warn("key", "was not looked at yet", "wait for the desk to reach the venue")
    else:
        yield ok("key", f"fingerprint {row.key.report.fingerprint}, looked at {iso_time(row.key.at)[:19]}Z")
        yield from row.key.findings


def present(exit_: str) -> Finding:
    """Whether this machine has the exit: the address can be bound, or the proxy takes connections."""
    from tradedesk.access.egress import usable_source

    found = parse_exit(exit_)
    if not isinstance(found, Exit):
        return fail("exit", found, "correct it in desk.toml")
    if not found.is_proxy:
        if usable_source(found.host):
            return ok("exit", f"{found} is an address of this machine")
        return fail(
            "exit", f"{found} is no address of this machine", "give the machine that address, or correct desk.toml"
        )
    try:
        with socket.create_connection((found.host, found.port), timeout=PROXY_S):
            return ok("exit", f"{found} takes connections")
    except OSError as error:
        text = f"{found} takes no connection ({error.strerror or type(error).__name__})"
        return fail("exit", text, "look at the proxy; until it is back the account sends nothing")


def proof(replica: "Replica", account: Account, now: int) -> Finding:
    """What the running desk proved of the exit in use."""
    name, row = replica.exit_of(account)
    if row.problem is not None:
        return fail("proof", f"{name}: {row.problem}", "the account sends nothing until it is proved")
    if row.at is None:
        return warn("proof", f"{name} was not proved yet", "wait for the desk to reach the venue")
    age = max(0, now - row.at)
    text = f"{name} seen as {row.seen or 'itself'} ({row.how}), {age // (60 * 10**9)} min ago"
    return ok("proof", text) if age < OLD_PROOF_NS else warn("proof", text, "it is proved again on the next reconnect")


def _entry(account: Account, vault: "Vault | None") -> Finding:
    from tradedesk.access.vault import VaultError
    from tradedesk.domain.keys import FINGERPRINT_DIGITS

    if vault is None:
        return ok("key", "is in the vault, which is not open")
    try:
        fingerprint = vault.fingerprint(account.secret, account.venue)[:FINGERPRINT_DIGITS]
    except VaultError as error:
        return fail("key", str(error), "`tradedesk accounts add` it")
    return ok("key", f"fingerprint {fingerprint}; `tradedesk accounts test {account.id}` asks what it may do")


# -- the running desk -----------------------------------------------------------------------------------------------------


def _running(home: Home) -> Watch | None:
    if not os.path.exists(home.read_socket):
        return None
    watch = Watch(home)
    if watch.until(lambda: watch.view.is_fed or watch.view.lost is not None, ANSWER_S) and watch.view.is_fed:
        return watch
    watch.view.close()
    return None


def sockets(home: Home, replica: "Replica | None") -> Iterator[Finding]:
    desk = None if replica is None else replica.desk
    if desk is not None:
        yield ok("desk", f"{desk.desk} {desk.version} runs as process {desk.pid}")
    elif os.path.exists(home.read_socket) or os.path.exists(home.control_socket):
        text = f"no desk answers at {home.read_socket}"
        yield warn("desk", text, "start one with `tradedesk run`; what a desk that was killed left there does no harm")
    else:
        yield ok("desk", "none runs in this home")
    for what, path in (("control socket", home.control_socket), ("read socket", home.read_socket)):
        if os.path.exists(path):
            mode = path.stat().st_mode
            if mode & 0o002 and not _is_shut(path):
                yield warn(
                    what, f"{path} can be opened by anybody on this machine", "the desk asks who it is all the same"
                )
            else:
                yield ok(what, f"{path}")


def _is_shut(path: Path) -> bool:
    """Whether the folder keeps others from it."""
    return not path.parent.stat().st_mode & 0o011


def leases(home: Home) -> Iterator[Finding]:
    """Which desks of this machine hold keys, by what they wrote down; a dead one's lease is free again."""
    from tradedesk.access.lease import holders

    desks: dict[tuple[int, str], list[Holder]] = {}
    for holder in holders():
        desks.setdefault((holder.pid, holder.home), []).append(holder)
    for (pid, place), held in desks.items():
        whose = "this home" if place == str(home.state) else place
        since = iso_time(min(holder.since for holder in held))[:19]
        yield ok("leases", f"process {pid} ({whose}) holds {len(held)} keys since {since}Z")


def journal(home: Home) -> Finding:
    from tradedesk.journal.segments import verify
    from tradedesk.journal.store import JournalError

    if not os.path.exists(home.journal):
        return ok("journal", "there is none yet")
    size = sum(file.stat().st_size for file in home.journal.parent.glob(f"{home.journal.name}*"))
    if size > QUICK_JOURNAL:
        return ok("journal", f"{size // 1024**2} MiB; `tradedesk audit verify` reads it through")
    try:
        found = verify(home.journal)
    except JournalError as error:
        return fail("journal", str(error), "keep the files, and look with `tradedesk audit verify`")
    if found.damaged:
        first = found.damaged[0]
        text = f"record {first.row} of {first.account or 'the desk'} is broken: {first.reason}"
        return fail("journal", text, "keep the files, and look with `tradedesk audit verify`")
    return ok("journal", f"{found.records} records, every checksum and chain is sound")
