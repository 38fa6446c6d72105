"""The tests of a setup, done for real: where keys are kept, each venue, each exit, each key. Nothing is kept or traded.

Everything blocks; a face with a screen runs it on a thread of its own. What the world does wrong becomes a finding.
"""

import asyncio
import ipaddress
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tradedesk.config import Home
from tradedesk.config.setup_draft import Draft
from tradedesk.config.setup_model import Check, Checked, State
from tradedesk.config.setup_plan import SetupPlan
from tradedesk.domain.accounts import Account, Mode
from tradedesk.domain.findings import Finding, Level, fail, ok, warn
from tradedesk.domain.limits import Limits
from tradedesk.domain.words import AccountId, VenueId

if TYPE_CHECKING:
    from tradedesk.access.secret import Secret
    from tradedesk.access.vault import Vault
    from tradedesk.clock import Clock

MOST_PEM_BYTES = 64 * 1024


class SetupChecker:
    """Implements the Checker of the model, on this machine."""

    def __init__(self, plan: SetupPlan, home: Home, clock: "Clock") -> None:
        self._plan = plan
        self._home = home
        self._clock = clock

    def run(self, check: Check, state: State) -> Checked:
        what, _, name = check.key.partition(":")
        draft = self._plan.draft(state)
        match what:
            case "vault":
                return Checked(findings=(self._vault(state),))
            case "venue":
                return asyncio.run(self._venue(draft, name))
            case "exit":
                return asyncio.run(self._exit(draft, name))
            case "key":
                return self._key(draft, name)
            case "webhook":
                return Checked(findings=(self._webhook(draft, name),))
        raise ValueError(f"there is no test {check.key}")

    # -- where keys are kept ----------------------------------------------------------------------------------------------

    def _vault(self, state: State) -> Finding:
        from tradedesk.access.vault import VaultError

        words = state.secret("vault.passphrase")
        try:
            if self._home.vault.exists():
                return _tried(opened(self._home, state))
            if words is not None:
                return self._new_file(words.text)
            where = opened(self._home, state).where  # a keyring is tried as it is opened
            return ok("keys", f"{where} keeps and deletes what it is given")
        except VaultError as error:
            return fail("keys", str(error), "correct it, then test again")

    def _new_file(self, passphrase: str) -> Finding:
        """A vault file like the one to be made, in a folder that goes again."""
        from tradedesk.access.vault import open_vault

        folder = _nearest_folder(self._home.config.parent)
        try:
            with tempfile.TemporaryDirectory(prefix=".tradedesk-trial-", dir=folder) as trial:
                found = _tried(open_vault(Path(trial) / "vault", passphrase, create=True))
        except OSError as error:
            remedy = "give the folder back to this user, or set TRADEDESK_HOME to a folder of yours"
            return fail("keys", f"{folder}: cannot be written to ({error.strerror})", remedy)
        is_kept = found.level is Level.Ok
        return ok("keys", f"an encrypted file can be kept in {self._home.config.parent}") if is_kept else found

    # -- a venue and an exit ----------------------------------------------------------------------------------------------

    async def _venue(self, draft: Draft, name: str) -> Checked:
        from tradedesk.cli.setup_probes import Unreached, clock_of, instruments_of, reached

        exit_ = draft.exit_of(name)
        try:
            async with reached(exit_, None, draft.site_of(name), self._clock) as exchange:
                findings = [await clock_of(exchange, self._clock, name, exit_)]
                if findings[0].level is not Level.Fail:
                    findings.append(await instruments_of(exchange, name, draft.symbols_of(name)))
        except Unreached as error:
            findings = [fail("exit", str(error), "choose another exit for its market data")]
        return Checked(findings=tuple(findings))

    async def _exit(self, draft: Draft, name: str) -> Checked:
        from tradedesk.cli.setup_probes import Unreached, clock_of, reached

        venue, exit_ = draft.venue_of(name), draft.egress_of(name)
        try:
            async with reached(exit_, _password(draft.state, name), draft.site_of(venue), self._clock) as exchange:
                clock = await clock_of(exchange, self._clock, venue, exit_)
        except Unreached as error:
            return Checked(findings=(fail("exit", str(error), "choose another exit"),))
        if clock.level is Level.Fail:
            return Checked(findings=(clock,))
        proof, told = await _proved(exit_, _password(draft.state, name), draft.check_of(name))
        answers = ok("exit", f"{venue} answers {name} by {exit_}")
        return Checked(findings=(answers, proof, clock), told=told)

    # -- where alerts go --------------------------------------------------------------------------------------------------

    def _webhook(self, draft: Draft, name: str) -> Finding:
        from tradedesk.desk.messenger import a_trial

        url, desk = draft.state.secret(f"alerts.{name}.url"), draft.state.text("desk.name") or draft.before.desk.name
        if url is None:
            return fail("alerts", "the URL is missing", "give it again")
        outcome = a_trial(draft.receiver_of(name), url.text.strip(), desk, self._clock.now())
        if outcome.problem is not None:
            return fail(
                "alerts", f"{name} took no message: {outcome.problem}", "look at the URL and what it belongs to"
            )
        return ok("alerts", f"{name} took a message; look whether it is there")

    # -- a key ------------------------------------------------------------------------------------------------------------

    def _key(self, draft: Draft, name: str) -> Checked:
        from tradedesk.access.secret import key_fingerprint
        from tradedesk.access.vault import VaultError

        try:
            secret = secret_of(draft.state, name)
        except ValueError as error:
            return Checked(findings=(fail("key", str(error), "give it again"),))
        try:
            same = self._same_key(draft, name, key_fingerprint(secret.api_key))
        except VaultError as error:
            return Checked(findings=(fail("keys", str(error), "look at the vault, then test again"),))
        if same is not None:
            text = f"account {same} has this very key"
            return Checked(
                findings=(fail("key", text, "two accounts cannot share one: make each its own at the venue"),)
            )
        return asyncio.run(self._signed(draft, name, secret))

    async def _signed(self, draft: Draft, name: str, secret: "Secret") -> Checked:
        from tradedesk.access.secret import key_fingerprint
        from tradedesk.cli.setup_probes import Unreached, clock_of, key_of, reached
        from tradedesk.domain.keys import FINGERPRINT_DIGITS

        venue, exit_ = draft.venue_of(name), draft.egress_of(name)
        account = Account(
            id=AccountId(name), venue=VenueId(venue), owner=name, groups=("all",), mode=Mode.Paper, egress=exit_,
            secret=name, limits=Limits(),
        )  # fmt: skip
        fingerprint = key_fingerprint(secret.api_key)[:FINGERPRINT_DIGITS]
        password, site = _password(draft.state, name), draft.site_of(venue)
        try:
            async with reached(exit_, password, site, self._clock, secret) as exchange:
                clock = await clock_of(exchange, self._clock, venue, exit_)
                if clock.level is Level.Fail:
                    return Checked(findings=(clock,))
                seen = await key_of(
                    exchange,
                    account,
                    fingerprint,
                    symbols=draft.symbols_of(venue),
                    exit_seen=draft.state.told(f"exit:{name}", "seen") or None,
                    twin_of=lambda uid: _same_uid(draft, name, venue, uid),
                    clock=self._clock,
                )
        except Unreached as error:
            return Checked(findings=(fail("exit", str(error), "choose another exit"),))
        told: dict[str, str] = {}
        if seen.report is not None and seen.report.uid is not None:
            told["uid"] = seen.report.uid
        told |= {what: f"{worth:.2f}" for what, worth in (("free", seen.free), ("held", seen.held)) if worth > 0}
        return Checked(findings=seen.findings, told=told)

    def _same_key(self, draft: Draft, name: str, fingerprint: str) -> str | None:
        """The account that has this key already: one of this setup, or one in the vault."""
        from tradedesk.access.secret import key_fingerprint

        for other in draft.account_names():
            known = draft.state.secret(f"accounts.{other}.api_key")
            if other == name:
                break
            if known is not None and key_fingerprint(known.text) == fingerprint:
                return other
        if not draft.before.accounts:
            return None
        vault = opened(self._home, draft.state)
        for entry in vault.names():
            if vault.fingerprint(entry.name, entry.venue) == fingerprint:
                return entry.name
        return None


async def _proved(exit_: str, password: str | None, check: str | None) -> tuple[Finding, dict[str, str]]:
    """Where the exit is seen from outside, and what of that the desk is to know."""
    from tradedesk.access.egress import parse_egress
    from tradedesk.access.exit_proof import prove_exit

    egress = parse_egress(exit_, password)
    if isinstance(egress, str):
        return fail("proof", egress, "choose another exit"), {}
    source = egress.source or None
    proof = await prove_exit(egress, None if check is not None else source, check, local=source)
    if proof.problem is not None or proof.seen is None:
        remedy = "look at the exit, and at the address echo"
        return fail("proof", proof.problem or f"{exit_} was seen nowhere", remedy), {}
    told = {"seen": proof.seen}
    if source is None or proof.seen == source:
        return ok("proof", f"{exit_} is seen at {proof.seen}, by {proof.how}"), told
    if not ipaddress.ip_address(source).is_private:
        return fail("proof", f"{exit_} is seen at {proof.seen}", "choose the exit that is seen at its own address"), {}
    text = f"{exit_} is seen at {proof.seen}, by {proof.how}: a gateway stands between"
    remedy = "that address is written down as the exit's (exit_address), and anything else will be refused"
    return warn("proof", text, remedy), told | {"exit_address": proof.seen}


def opened(home: Home, state: State) -> "Vault":
    """The vault that this home has; for a new one see `setup_writing`. Raises VaultError."""
    from tradedesk.access.vault import open_vault
    from tradedesk.cli.unlocking import passphrase_file

    words = state.secret("vault.passphrase")
    return open_vault(home.vault, passphrase_file(home, None) if words is None else words.text)


def secret_of(state: State, name: str) -> "Secret":
    """The secret of a new account. Raises ValueError with a sentence."""
    from tradedesk.access.secret import KeyKind, Secret

    kind = KeyKind(state.text(f"accounts.{name}.kind"))
    api_key, shared = state.secret(f"accounts.{name}.api_key"), state.secret(f"accounts.{name}.secret")
    if api_key is None:
        raise ValueError("the API key is missing")
    if kind is not KeyKind.Hmac:
        private = _private_key(Path(state.text(f"accounts.{name}.secret_file")).expanduser())
        return Secret(api_key.text.strip(), private, kind)
    if shared is None:
        raise ValueError("the secret is missing")
    return Secret(api_key.text.strip(), shared.text.strip(), kind)


def _private_key(file: Path) -> str:
    """What stands in a file that nobody else may read."""
    from tradedesk.access.encrypted_file import VaultError, read_private

    try:
        return read_private(file, MOST_PEM_BYTES).decode("ascii")
    except VaultError as error:
        why = str(error)
    except UnicodeDecodeError:
        why = f"{file} is no private key in PEM form"
    raise ValueError(why)


def _same_uid(draft: Draft, name: str, venue: str, uid: str) -> AccountId | None:
    """The account of this desk that is the same one at the venue, as far as it is known."""
    for account in draft.before.accounts.values():
        if account.venue == venue and account.uid == uid:
            return account.id
    for other in draft.account_names():
        if other == name:
            return None
        if draft.venue_of(other) == venue and draft.state.told(f"key:{other}", "uid") == uid:
            return AccountId(other)
    return None


def _password(state: State, name: str) -> str | None:
    found = state.secret(f"accounts.{name}.proxy_password")
    return None if found is None else found.text


def _tried(vault: "Vault") -> Finding:
    """Write, read back and delete a trial entry."""
    name, trial = f"trial-{secrets.token_hex(8)}", secrets.token_hex(16)
    vault.put_text(name, "setup", trial)
    kept = vault.text(name, "setup")
    vault.remove_text(name, "setup")
    if kept != trial or vault.text(name, "setup") is not None:
        return fail(
            "keys", f"{vault.where} does not keep or does not delete what it is given", "use the encrypted file"
        )
    return ok("keys", f"{vault.where} keeps and deletes what it is given")


def _nearest_folder(path: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path
