"""What the doctor looks at of the machine: the terminal, the program and its libraries, this process, folders, room."""

import base64
import csv
import hashlib
import locale
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from tradedesk import __version__
from tradedesk.config import Home
from tradedesk.domain.findings import Finding, fail, ok, warn

LEAST_SIZE = (80, 24)
KEYS = {"kf2": "F2 (send)", "kf9": "F9 (arm)", "kf12": "F12 (halt)"}  # terminfo's names of the keys that matter most
LEAST_ROOM, LITTLE_ROOM = 100 * 1024**2, 1024**3  # bytes
SENSITIVE = (
    "ccxt",
    "cryptography",
    "keyring",
    "aiohttp",
)  # what sees secrets: its files are compared with what was installed
LISTED = ("textual", "msgspec", "httpx", "typer", "uvloop")
Areas = Iterator[tuple[str, list[Finding]]]


def machine_areas(home: Home, environ: Mapping[str, str]) -> Areas:
    yield "terminal", terminal(environ, is_terminal=sys.stdin.isatty() and sys.stdout.isatty())
    yield "program", [*program(), *map(library, SENSITIVE), *map(library, LISTED)]
    yield "process", process()
    yield "files", [*folders(home), *private_files(home), room(home)]


# -- the terminal ---------------------------------------------------------------------------------------------------------


def terminal(environ: Mapping[str, str], *, is_terminal: bool) -> list[Finding]:
    if not is_terminal:
        return [ok("terminal", "this is not one, so colours, size and keys were not looked at")]
    columns, lines = shutil.get_terminal_size()
    return [size(columns, lines), colours(environ), encoding(), *keys(environ.get("TERM", "")), clipboard(environ)]


def size(columns: int, lines: int) -> Finding:
    text = f"{columns} columns, {lines} lines"
    if columns >= LEAST_SIZE[0] and lines >= LEAST_SIZE[1]:
        return ok("size", text)
    return warn("size", text, "make it 80x24 or larger; below that only the header and the orders are shown")


def colours(environ: Mapping[str, str]) -> Finding:
    term = environ.get("TERM", "")
    if environ.get("NO_COLOR"):
        return ok("colours", "none, as NO_COLOR asks; words and glyphs carry all of it")
    if environ.get("COLORTERM") in ("truecolor", "24bit"):
        return ok("colours", "16 million")
    if "256color" in term:
        return ok("colours", f"256 ({term})")
    return warn(
        "colours", f"16 at most ({term or 'TERM is not set'})", "set TERM to what the terminal is, or --theme mono"
    )


def encoding() -> Finding:
    name = (sys.stdout.encoding or locale.getpreferredencoding()).lower().replace("_", "-")
    if name in ("utf-8", "utf8"):
        return ok("encoding", "UTF-8")
    return warn("encoding", name, "set LANG to a UTF-8 locale, e.g. C.UTF-8, or use --ascii")


def keys(term: str) -> Iterator[Finding]:
    import curses

    try:
        curses.setupterm(term or "dumb")
        missing = [name for key, name in KEYS.items() if curses.tigetstr(key) is None]
    except curses.error:
        yield warn("keys", f"nothing is known of a terminal {term!r}", "set TERM to what the terminal is")
        return
    if missing:
        yield warn("keys", f"{term} has no {', '.join(missing)}", "give the actions other keys in [keys] of desk.toml")
    else:
        yield ok("keys", ", ".join(KEYS.values()))


def clipboard(environ: Mapping[str, str]) -> Finding:
    if not environ.get("TMUX"):
        return ok("clipboard", "cannot be tested: some terminals do not let programs copy")
    try:
        done = subprocess.run(  # noqa: S603
            [shutil.which("tmux") or "tmux", "show-options", "-s", "-v", "set-clipboard"],
            capture_output=True,
            text=True,
            timeout=2,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ok("clipboard", "cannot be tested: tmux does not answer")
    if done.stdout.strip() == "on":
        return ok("clipboard", "tmux passes it on")
    return warn(
        "clipboard", f"tmux: set-clipboard is {done.stdout.strip() or 'not set'}", "tmux set -s set-clipboard on"
    )


# -- the program ----------------------------------------------------------------------------------------------------------


def program() -> list[Finding]:
    python = platform.python_version()
    return [
        ok("tradedesk", __version__),
        ok("python", f"{platform.python_implementation()} {python}")
        if sys.version_info >= (3, 11)
        else fail("python", python, "use Python 3.11 or newer"),
    ]


def library(name: str) -> Finding:
    """Its version, whether that is one this program asks for, and for the sensitive ones whether its files are as installed."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        if name == "uvloop":
            return ok(name, "not there; asyncio's own loop serves")
        return fail(name, "is not installed", f"install tradedesk anew: it brings {name}")
    wanted = _wanted(name)
    if wanted and not _meets(found.version, wanted):
        return fail(name, f"{found.version} is installed, {wanted} is wanted", "install tradedesk anew")
    if name not in SENSITIVE:
        return ok(name, found.version)
    return _as_installed(name, found)


def _as_installed(name: str, found: metadata.Distribution) -> Finding:
    record = found.read_text("RECORD")
    if record is None:
        return warn(
            name, f"{found.version}, without a list of its files", "install it with pip, so that they can be compared"
        )
    digest = hashlib.sha256(record.encode()).hexdigest()
    changed = []
    for row in csv.reader(record.splitlines()):
        path, said = row[0], row[1] if len(row) > 1 else ""
        if said and _digest(Path(str(found.locate_file(path)))) != said:
            changed.append(path)
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        text = f"{found.version}: {changed[0]}{more} is not as it was installed"
        return fail(name, text, f"find out who changed it, then install {name} anew")
    return ok(name, f"{found.version}, files as installed, list sha256 {digest}")


def _digest(path: Path) -> str:
    try:
        raw = hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return ""
    return f"sha256={base64.urlsafe_b64encode(raw).rstrip(b'=').decode()}"


def _wanted(name: str) -> str:
    """What tradedesk asks for: `>=4.5.90,<5`; empty where it is not installed as a package."""
    try:
        needed = metadata.requires("tradedesk") or []
    except metadata.PackageNotFoundError:
        return ""
    for line in needed:
        found = re.match(r"([A-Za-z0-9._-]+)\s*([<>=!~,.\d\s]*)(;.*)?$", line)
        if found is not None and found.group(1).lower() == name and "extra ==" not in line:
            return found.group(2).replace(" ", "")
    return ""


def _meets(version: str, wanted: str) -> bool:
    """Whether `version` is within `>=a,<b`; other signs are not asked for here."""
    for part in wanted.split(","):
        if part.startswith(">=") and _numbers(version) < _numbers(part[2:]):
            return False
        if part.startswith("<") and not part.startswith("<=") and _numbers(version) >= _numbers(part[1:]):
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:4])


# -- this process ---------------------------------------------------------------------------------------------------------


def process() -> list[Finding]:
    from tradedesk.hardening import harden

    missing = harden()
    found = [warn("memory", *_split(sentence)) for sentence in missing]
    if not missing:
        found.append(ok("memory", "no core files, and no look into it by other programs of this user"))
    if os.getuid() == 0:
        remedy = "run the desk as a user of its own: root can read and change anything it holds"
        found.append(warn("user", "this is root", remedy))
    else:
        found.append(ok("user", f"id {os.getuid()}"))
    return found


def _split(sentence: str) -> tuple[str, str]:
    """What could not be done, and what to do about it, as `harden` says both in one sentence."""
    at = next((place for sign in ("; ", ": ") if (place := sentence.find(sign)) >= 0), len(sentence))
    return sentence[:at], sentence[at + 2 :] or "see the README on what is protected"


# -- files ----------------------------------------------------------------------------------------------------------------


def folders(home: Home) -> Iterator[Finding]:
    for what, path in (("configuration", home.config.parent), ("state", home.state), ("log", home.log)):
        try:
            found = path.stat()
        except FileNotFoundError:
            yield ok(what, f"{path} is not there yet")
            continue
        except OSError as error:
            yield fail(what, f"{path} cannot be looked at ({error.strerror})", "give it back to this user")
            continue
        if found.st_uid != os.getuid():
            yield fail(what, f"{path} belongs to user id {found.st_uid}", "run as that user, or set TRADEDESK_HOME")
        elif found.st_mode & 0o022:
            yield fail(what, f"{path} can be written to by others", f"chmod go-w {path}")
        elif found.st_mode & 0o044 and what != "configuration":
            yield warn(what, f"{path} can be listed by others", f"chmod go-r {path}")
        else:
            yield ok(what, f"{path} (mode {stat.S_IMODE(found.st_mode):04o})")


def private_files(home: Home) -> Iterator[Finding]:
    """Those that hold secrets must be this user's alone, and nobody else may change what desk.toml says."""
    secret = (
        ("vault", home.vault),
        ("passphrase", home.passphrase),
        ("operators", home.operators),
        ("journal", home.journal),
    )
    for what, path in secret:
        if os.path.exists(path):  # false, and no error, where the folder is closed to us
            yield _private(what, path, 0o077)
    if os.path.exists(home.config):
        yield _private("desk.toml", home.config, 0o022)


def _private(what: str, path: Path, forbidden: int) -> Finding:
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.getuid() and not (found.st_uid == 0 and not forbidden & 0o044):  # root may keep the settings
        return fail(what, f"{path} belongs to user id {found.st_uid}", "it must be your own: have it given back")
    if mode & forbidden:
        verb, fix = ("read", "600") if forbidden & 0o044 else ("changed", "644")
        return fail(what, f"{path} can be {verb} by others (mode {mode:04o})", f"chmod {fix} {path}")
    return ok(what, f"{path} (mode {mode:04o})")


def room(home: Home) -> Finding:
    path = home.state
    while not os.path.exists(path) and path != path.parent:
        path = path.parent
    free = shutil.disk_usage(path).free
    text = f"{free // 1024**2} MiB free for {home.state}"
    if free < LEAST_ROOM:
        return fail("room", text, "make room: a journal that cannot be written stops new orders")
    return warn("room", text, "make room soon") if free < LITTLE_ROOM else ok("room", text)
