"""Where a desk keeps its files, and whose they must be."""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec
import platformdirs
from msgspec import Struct

from tradedesk.config.settings import ConfigError

MAX_SOCKET_PATH = 100  # bytes; the kernels take 104 to 108


class Home(Struct, frozen=True, kw_only=True):
    """The files and folders of one desk."""

    config: Path
    state: Path
    log: Path

    @property
    def journal(self) -> Path:
        return self.state / "journal.sqlite"

    @property
    def vault(self) -> Path:
        """The encrypted vault, where the system's keyring does not serve."""
        return self.config.parent / "vault"

    @property
    def passphrase(self) -> Path:
        """Where an unattended desk finds the passphrase of its vault (0600), if it has one."""
        return self.config.parent / "passphrase"

    @property
    def operators(self) -> Path:
        """The hashes of the operators' passphrases (0600)."""
        return self.config.parent / "operators"

    @property
    def control_socket(self) -> Path:
        return self.sockets / "control.sock"

    @property
    def read_socket(self) -> Path:
        return self.sockets / "read.sock"

    @property
    def sockets(self) -> Path:
        """The state folder, or where that makes too long a path, a folder whose short name follows from it.

        Always /tmp and neither TMPDIR nor XDG_RUNTIME_DIR: the desk and who looks for it may see different ones.
        """
        if len(os.fsencode(self.state / "control.sock")) <= MAX_SOCKET_PATH:
            return self.state
        digest = hashlib.blake2b(os.fsencode(self.state), digest_size=8).hexdigest()
        return Path(f"/tmp/tradedesk-{_owner(self.state)}-{digest}")  # noqa: S108 `private_folder` checks whose it is


def find_home(environ: Mapping[str, str], config: Path | None = None) -> Home:
    """Where this desk is: TRADEDESK_HOME if it is set, else the system's folders; `config` (--config) names the file."""
    home = environ.get("TRADEDESK_HOME")
    if home:
        root = Path(home).expanduser().resolve()
        folders = Home(config=root / "desk.toml", state=root / "state", log=root / "log")
    else:
        folders = Home(
            config=platformdirs.user_config_path("tradedesk", appauthor=False) / "desk.toml",
            state=platformdirs.user_state_path("tradedesk", appauthor=False),
            log=platformdirs.user_log_path("tradedesk", appauthor=False),
        )
    return folders if config is None else msgspec.structs.replace(folders, config=config.expanduser().resolve())


def _owner(state: Path) -> int:
    """Whose desk this is: another user's, where an operator comes from an account of their own."""
    try:
        return state.stat().st_uid
    except OSError:
        return os.getuid()


def private_folder(path: Path, *, is_passable: bool | None = None) -> Path:
    """Make `path` a folder that this user alone can list and write. Raises ConfigError if somebody else's stands there.

    `is_passable`: others may reach through it what they know the name of, and may open; None leaves that as it is.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise ConfigError(
            [f"{path}: cannot be made ({error.strerror}); set TRADEDESK_HOME to a folder of yours"]
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ConfigError([f"{path}: is not a folder of yours; have its owner remove it, or set TRADEDESK_HOME"])
    mode = stat.S_IMODE(found.st_mode)
    if is_passable is None and mode & 0o077 != 0o011:
        is_passable = False
    if is_passable is not None and mode & 0o077 != (0o011 if is_passable else 0):
        path.chmod(0o711 if is_passable else 0o700)
    return path
