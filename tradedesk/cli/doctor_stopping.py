"""What the doctor says of stopping: whether a kill could open the vault, and who stands in for a desk that dies."""

import fcntl
import os
import time
from collections.abc import Iterator

from tradedesk.cli.unlocking import CREDENTIAL, passphrase_file
from tradedesk.config import Home, Settings
from tradedesk.desk.outside import watchdog_file
from tradedesk.desk.watchdog import chose_it
from tradedesk.domain.findings import Finding, ok, warn


def stopping(home: Home, settings: Settings) -> Iterator[Finding]:
    """Without touching the vault or any venue."""
    source = passphrase_file(home, None)
    if source is not None:
        yield ok("kill", f"it opens the vault by {source}, nobody needs to be there")
    elif home.vault.exists():
        yield warn(
            "kill",
            "it asks for the vault's passphrase, so nobody can be away",
            f"put the passphrase into {home.passphrase} (0600), or hand it over as a credential {CREDENTIAL}",
        )
    else:
        yield ok("kill", "it takes the keys from the system's keyring")
    chosen = chose_it(settings.accounts)
    others = [name for name in settings.accounts if name not in chosen]
    if chosen and watchdog_runs(home):
        yield ok("watchdog", f"it watches for {', '.join(chosen)}{_last_look(home)}")
    elif chosen:
        yield warn("watchdog", f"{', '.join(chosen)} chose one and none runs", "start `tradedesk watchdog`")
    if others:
        why = "their venues have no countdown and they chose no watchdog"
        yield ok("dead man", f"none for {', '.join(others)} ({why}): what is open stays if the desk dies")


def _last_look(home: Home) -> str:
    """When it last counted a look in its file; empty where the file system does not say."""
    try:
        return f"; its last look was {max(0, int(time.time() - watchdog_file(home).stat().st_mtime))} s ago"
    except OSError:
        return ""


def watchdog_runs(home: Home) -> bool:
    """Whether one holds its lock. Asked for as a reader, and let go at once."""
    try:
        descriptor = os.open(watchdog_file(home), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
