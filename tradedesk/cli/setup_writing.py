"""What a setup leaves behind, once all of it stands: keys in the vault first, desk.toml last and in one step.

Until desk.toml names an account its key is of no use to anybody; whatever fails before that is taken back.
"""

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tradedesk.cli.accounts_common import a_desk_runs
from tradedesk.cli.setup_checker import opened, secret_of
from tradedesk.config import Home, Settings, render
from tradedesk.config.setup_model import SetupFailed, State
from tradedesk.config.setup_plan import SetupPlan

if TYPE_CHECKING:
    from tradedesk.access.vault import Vault


class SetupWriter:
    """Writes the desk of one home. `before` is the text of desk.toml as the setup read it, None where there was none."""

    def __init__(self, plan: SetupPlan, home: Home, before: str | None) -> None:
        self._plan = plan
        self._home = home
        self._before = before

    def write(self, state: State, settings: Settings) -> tuple[str, ...]:
        """Put everything where it belongs; returns where that is. Raises SetupFailed, everything being as it was."""
        from tradedesk.access.passphrases import PassphraseError
        from tradedesk.access.vault import VaultError
        from tradedesk.config import ConfigError

        undo: list[Callable[[], object]] = []
        try:
            return self._written(state, settings, undo)
        except (VaultError, PassphraseError, ConfigError, ValueError) as error:
            why = str(error)
        except OSError as error:
            why = f"{error.filename or self._home.config.parent}: cannot be written ({error.strerror})"
        except BaseException:
            _take_back(undo)
            raise
        _take_back(undo)
        raise SetupFailed(f"{why}; nothing was saved")

    def _written(self, state: State, settings: Settings, undo: list[Callable[[], object]]) -> tuple[str, ...]:
        from tradedesk.access.egress import EXIT_SCOPE
        from tradedesk.access.passphrases import Passphrases
        from tradedesk.config import private_folder
        from tradedesk.domain.webhooks import HOOK_SCOPE
        from tradedesk.domain.words import OperatorId

        home = self._home
        private_folder(home.config.parent)
        if text_of(home.config) != self._before:
            raise SetupFailed(f"{home.config} was changed meanwhile; run the setup again")
        vault = self._vault(state, undo)
        draft = self._plan.draft(state)
        for name in draft.account_names():
            venue = draft.venue_of(name)
            secret = secret_of(state, name)
            undo.append(lambda name=name, venue=venue: vault.remove(name, venue))  # type: ignore[misc]
            vault.put(name, venue, secret)
            password, exit_ = state.secret(f"accounts.{name}.proxy_password"), draft.egress_of(name)
            if password is not None:
                undo.append(lambda exit_=exit_: vault.remove_text(exit_, EXIT_SCOPE))  # type: ignore[misc]
                vault.put_text(exit_, EXIT_SCOPE, password.text)
        for name in draft.receiver_names():
            url = state.secret(f"alerts.{name}.url")
            if url is not None:
                undo.append(lambda name=name: vault.remove_text(name, HOOK_SCOPE))  # type: ignore[misc]
                vault.put_text(name, HOOK_SCOPE, url.text.strip())
        passphrases, names = Passphrases(home.operators), draft.operator_names()
        for name in names:
            words = state.secret(f"operators.{name}.passphrase")
            if words is not None:
                undo.append(lambda name=name: passphrases.remove(OperatorId(name)))  # type: ignore[misc]
                passphrases.put(OperatorId(name), words.text)
        undo.append(lambda: _put_back(home.config, self._before))
        write_whole(home.config, render(settings), before=self._before)
        undo.clear()
        kept = [f"{home.config}: the desk", f"{vault.where}: the keys"]
        if self._before is not None:
            kept.append(f"{before_of(home.config)}: desk.toml as it was, with its comments")
        if a_desk_runs(home):
            kept.append("it for the next start: the desk that runs here goes on as it was")
        return tuple(kept)

    def _vault(self, state: State, undo: list[Callable[[], object]]) -> "Vault":
        from tradedesk.access.vault import open_vault

        home, words = self._home, state.secret("vault.passphrase")
        if home.vault.exists() or words is None:
            return opened(home, state)
        undo.append(lambda: home.vault.unlink(missing_ok=True))
        vault = open_vault(home.vault, words.text, create=True)
        if state.text("vault.unattended") == "yes":
            undo.append(lambda: home.passphrase.unlink(missing_ok=True))
            descriptor = os.open(home.passphrase, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(words.text)
        return vault


def text_of(path: Path) -> str | None:
    """What the file says; None if there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def before_of(path: Path) -> Path:
    return path.with_name(path.name + ".before")


def write_whole(path: Path, text: str, *, before: str | None) -> None:
    """Replace the file as a whole, on disk when this returns; what it said `before` is kept beside it."""
    if before is not None:
        _replaced(before_of(path), before)
    _replaced(path, text)


def _put_back(path: Path, before: str | None) -> None:
    if before is None:
        path.unlink(missing_ok=True)
    else:
        _replaced(path, before)


def _replaced(path: Path, text: str) -> None:
    """The file as a whole or not at all, with the rights that it had."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        with contextlib.suppress(FileNotFoundError):
            os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _take_back(undo: list[Callable[[], object]]) -> None:
    """Undo in reverse; what cannot be undone was not there, or stays as an entry that no desk.toml names."""
    for step in reversed(undo):
        with contextlib.suppress(Exception):
            step()
