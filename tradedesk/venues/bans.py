"""Which exits a venue has banned, on disk: a desk that is started again within a ban sends nothing there to find out (F27)."""

import hashlib
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from tradedesk.log import Log
from tradedesk.venues.pools import SECOND_NS

LONGEST_NS = (
    3 * 86_400 * SECOND_NS
)  # a ban of Binance's; what a file says beyond it, a clock that was set is to blame for
MOST_BYTES = 10_000


class KnownBan(Struct, frozen=True, kw_only=True):
    place: str  # where the venue is reached
    exit: str
    until: int  # our clock, ns since the epoch


class BanFolder:
    """A file for each banned exit, replaced as a whole. Any thread.

    Not synced: it is written on an account's loop, which waits for no disk. If a power cut takes it, the venue will say
    it again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = Log()

    def keep(self, ban: KnownBan) -> None:
        name = hashlib.sha256(f"{ban.place}\0{ban.exit}".encode()).hexdigest()[:16]
        new = self._folder / f"{name}.{os.getpid()}.new"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            new.write_bytes(msgspec.json.encode(ban))
            new.replace(self._folder / f"{name}.json")
        except OSError as error:
            self._log.error("ban_not_kept", exit=ban.exit, why=error.strerror or type(error).__name__)

    def read(self, now: int) -> list[KnownBan]:
        """Those that hold at `now` (our clock, ns); the files of those that are over are removed."""
        found = []
        try:
            paths = sorted(self._folder.glob("*.json"))
        except OSError:
            paths = []
        for path in paths:
            try:
                ban = msgspec.json.decode(path.read_bytes()[:MOST_BYTES], type=KnownBan)
            except (OSError, msgspec.MsgspecError):
                self._log.error("ban_not_read", file=path.name)
                continue
            if now < ban.until <= now + LONGEST_NS:
                found.append(ban)
            else:
                path.unlink(missing_ok=True)
        return found
