"""Opening the vault where nobody may be at the keyboard: a kill, a watchdog, an offboarding."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tradedesk.cli.asking import asked

if TYPE_CHECKING:
    from tradedesk.access.vault import Vault
    from tradedesk.config import Home

CREDENTIAL = "tradedesk-passphrase"  # what a service manager is to call it: LoadCredential=tradedesk-passphrase:/path


def passphrase_file(home: "Home", named: Path | None) -> Path | None:
    """Where the vault's passphrase stands: as named, else beside desk.toml, else with the service manager; None: nowhere."""
    handed = os.environ.get("CREDENTIALS_DIRECTORY")
    places = [named, home.passphrase, Path(handed) / CREDENTIAL if handed else None]
    return next((place for place in places if place is not None and (place == named or place.exists())), None)


def unlocked(home: "Home", named: Path | None) -> "Vault":
    """The vault, its passphrase read or, at a terminal, asked for. Raises VaultError."""
    from tradedesk.access.vault import open_vault

    words: Path | str | None = passphrase_file(home, named)
    if words is None and home.vault.exists() and sys.stdin.isatty():
        words = asked("passphrase of the vault")
    return open_vault(home.vault, words)
