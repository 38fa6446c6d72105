"""The lease of a key: one desk at a time drives an account, on this machine, whatever home it runs from.

A lease is a lock on a small file named by the key's fingerprint, in a folder that all desks of the machine share. The
system frees the lock however its process ends. The file tells who holds it and carries a fencing number that only grows:
whoever must act in place of a desk that hangs takes the next number, and that desk's next look before a send says no.

The folder is open to every user of the machine, as /tmp is: a local user can keep a lease from us (the account then opens
read-only), but not learn a key from it. Across machines the venue's own records are what tells: see reconciliation.
"""

import contextlib
import fcntl
import os
import stat
from pathlib import Path

import msgspec
from msgspec import Struct

from tradedesk.access.vault import key_fingerprint
from tradedesk.domain.text import clean, iso_time

PLACES = (Path("/run/lock"), Path("/tmp"))  # noqa: S108 - never TMPDIR, of which two desks may see different ones
SIZE = 1_024  # bytes read of a lease file


class Holder(Struct, frozen=True):
    """What a lease file says."""

    fence: int
    pid: int
    home: str
    since: int  # ns since the epoch


_decoder = msgspec.json.Decoder(Holder)


def folder() -> Path:
    """Where the leases of this machine are: the first place open to all users; the first is not tidied up by age."""
    for place in PLACES:
        with contextlib.suppress(OSError):
            if place.stat().st_mode & 0o1777 == 0o1777:
                return place / "tradedesk-leases"
    return PLACES[-1] / "tradedesk-leases"


class LeaseError(Exception):
    """The lease folder cannot be used. The text is a sentence for the operator."""


class Lease:
    """The lease of one key at one venue. For one thread, but `is_ours` may be called from any."""

    def __init__(self, api_key: str, where: str, home: Path, place: Path | None = None) -> None:
        """`where` tells venues apart (its url or name): keys of two exchanges may spell the same."""
        self._where = where
        self._path = (place or folder()) / f"{key_fingerprint(f'{where} {api_key}')}.lease"
        self._home = str(home)
        self._descriptor = -1
        self.fence = 0

    def take(self, now: int) -> str | None:
        """None: it is ours, with a new `fence`. Else who holds it, as words. Raises LeaseError."""
        if self._descriptor >= 0:
            return None
        try:
            descriptor = _opened(self._path)
        except OSError as error:
            raise LeaseError(
                f"{self._path.parent}: cannot be used for leases ({error.strerror}); make it a folder that this user may"
                " write to (mode 1777)"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = _read(descriptor)
            os.close(descriptor)
            if holder is None:
                return "another desk on this machine"
            home = clean(holder.home, 200)
            return f"the desk of process {holder.pid} ({home}) since {iso_time(holder.since)[:19]}Z"
        self._descriptor = descriptor
        self._number(now)
        return None

    def overtake(self, now: int) -> None:
        """Take the next number also while another process holds the lock: a desk that hangs sends nothing any more, should it
        come back. For a kill that must place orders itself. Raises LeaseError.
        """
        if self.take(now) is None:
            return
        try:
            self._descriptor = _opened(self._path)
            self._number(now)
        except OSError as error:
            raise LeaseError(f"{self._path}: cannot be written ({error.strerror})") from None

    def renew(self, now: int) -> None:
        """Take the next number again where a kill took one meanwhile; a person has re-armed since. For who holds the lock."""
        if self._descriptor >= 0 and not self.is_ours():
            with contextlib.suppress(OSError):  # then it is not ours, and nothing is sent
                self._number(now)

    def _number(self, now: int) -> None:
        before = _read(self._descriptor)
        self.fence = (before.fence if before is not None else 0) + 1
        body = msgspec.json.encode(Holder(self.fence, os.getpid(), self._home[:500], now))
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, body, 0)
        os.fsync(self._descriptor)

    def change_key(self, api_key: str, now: int) -> str | None:
        """Hold the lease of another key of the account from now on. None: done. Else who holds that one, and nothing changed.

        Raises LeaseError.
        """
        other = Lease(api_key, self._where, Path(self._home), self._path.parent)
        if self._descriptor < 0 or other._path == self._path:
            self._path = other._path
            return None
        holder = other.take(now)
        if holder is None:
            old = self._descriptor
            self._path, self._descriptor, self.fence = other._path, other._descriptor, other.fence
            os.close(old)
        return holder

    def is_ours(self) -> bool:
        """Whether the file is there and nobody took a higher number since: looked at in the very task that writes an order's bytes."""
        descriptor = self._descriptor
        if descriptor < 0:
            return False
        holder = _read(descriptor)
        return holder is not None and holder.fence == self.fence and os.fstat(descriptor).st_nlink > 0

    def release(self) -> None:
        """Let the next desk have it. Doing it twice changes nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def holders() -> list[Holder]:
    """Who holds the leases of this machine now, once for each, as the files say.

    Takes no lock to find out: that would keep a desk that starts right then from its own key.
    """
    held = _locked_inodes()
    found = []
    for path in sorted(folder().glob("*.lease")):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                holder, inode = _read(descriptor), os.fstat(descriptor).st_ino
            finally:
                os.close(descriptor)
            if holder is not None and (inode in held if held is not None else _is_alive(holder.pid)):
                found.append(holder)
    return found


def _locked_inodes() -> frozenset[int] | None:
    """The inodes that are locked on this machine; None where the system does not tell."""
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    fields = (line.split() for line in lines if " FLOCK " in line and "->" not in line)  # an arrow waits for its lock
    return frozenset(int(field[5].rpartition(":")[2]) for field in fields)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # somebody else's
    return pid > 0


def _read(descriptor: int) -> Holder | None:
    try:
        return _decoder.decode(os.pread(descriptor, SIZE, 0))
    except (OSError, msgspec.MsgspecError):
        return None


def _opened(path: Path) -> int:
    """The lease file, made if it is not there; never through a link, and of whichever user made it first."""
    folder = path.parent
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        folder.chmod(0o1777)  # mkdir's mode is cut by the umask
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)  # without O_CREAT: kernels refuse that on another user's file here
    except FileNotFoundError:
        try:
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
            os.fchmod(descriptor, 0o666)
        except FileExistsError:  # made in between
            descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "a lease is no regular file")
    return descriptor
