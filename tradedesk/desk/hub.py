"""The hub: events of every thread get one number each, are folded once, and go to every reader.

`publish` and `open_feed` may be called from any thread; `drain` belongs to the desk thread, and so does the replica.
"""

import threading
from collections.abc import Callable

from tradedesk.bus import Inbox
from tradedesk.domain.events import BookFrame, CandleFrame, Event, TapeFrame
from tradedesk.views.feed import Numbered, Update, encoder
from tradedesk.views.lens import EVERYTHING, Lens
from tradedesk.views.replica import Replica, Snapshot

EVENTS = 200_000  # waiting for the desk thread; market frames are left out from half of it on
UPDATES = 20_000  # waiting for one reader; beyond that it is cut off and comes back from a snapshot
FRAMES = (BookFrame, TapeFrame, CandleFrame)


class HubFeed:
    """A reader in this process. `take` and `close` belong to the reader's thread."""

    def __init__(self, hub: "Hub", lens: Lens) -> None:
        self._hub = hub
        self.lens = lens
        self.number = 0  # of its stream, which leaves out what the lens does not show; the hub's to count
        self.inbox: Inbox[Update] = Inbox(UPDATES)
        self.wants_snapshot = True  # the hub sees to it at its next drain
        self._is_blind = True  # until the snapshot is there

    def take(self) -> list[Update]:
        if self.inbox.is_cut:
            self._is_blind = self.wants_snapshot = True
            self.inbox.reopen()
        updates = self.inbox.take()
        if not self._is_blind:
            return updates
        # what is before it was put in by a drain under way when this reader came back: it would leave a hole
        for place, update in enumerate(updates):
            if isinstance(update, Snapshot):
                self._is_blind = False
                return updates[place:]
        return []

    def close(self) -> None:
        self._hub.close_feed(self)


class Stream:
    """One numbered stream to sockets: every event that its lens shows, to everybody who reads through the same."""

    def __init__(self, lens: Lens, number: int) -> None:
        self.lens = lens
        self.number = number
        self.writers: tuple[Callable[[bytes], None], ...] = ()


class Hub:
    def __init__(self, replica: Replica, wake: Callable[[], None], on_overflow: Callable[[], None]) -> None:
        """`wake` nudges the desk thread; `on_overflow` is told, once, that an event could not be kept: the desk must end."""
        self.replica = replica
        self.number = 0
        self._inbox: Inbox[Event] = Inbox(EVENTS, wake)
        self._on_overflow = on_overflow
        self._feeds: tuple[HubFeed, ...] = ()
        self._streams: tuple[Stream, ...] = ()  # those with a reader
        self._lock = threading.Lock()

    def publish(self, event: Event) -> None:
        """Hand over an event; never waits. Frames of a market are dropped under pressure: the next one brings all that counts."""
        if isinstance(event, FRAMES) and len(self._inbox) > EVENTS // 2:
            return
        was_cut = self._inbox.is_cut
        if not self._inbox.offer(event) and not was_cut:
            self._on_overflow()

    def open_feed(self, lens: Lens = EVERYTHING) -> HubFeed:
        feed = HubFeed(self, lens)
        with self._lock:
            self._feeds = (*self._feeds, feed)
        return feed

    def close_feed(self, feed: HubFeed) -> None:
        with self._lock:
            self._feeds = tuple(other for other in self._feeds if other is not feed)

    # -- desk thread only -----------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Number, fold and pass on what has arrived, and give a snapshot to every feed that wants one."""
        for feed in self._feeds:
            if feed.wants_snapshot and not feed.inbox.is_cut:
                feed.number = self.number
                feed.wants_snapshot = False
                feed.inbox.offer(feed.lens.of(self.replica, self.number))
        for event in self._inbox.take():
            self.number += 1
            self.replica.apply(event)
            for feed in self._feeds:
                if not feed.wants_snapshot and feed.lens.shows(event, self.replica):
                    feed.number += 1
                    feed.inbox.offer(Numbered(feed.number, event))
            for stream in self._streams:
                if stream.lens.shows(event, self.replica):
                    stream.number += 1
                    line = encoder.encode(Numbered(stream.number, event)) + b"\n"
                    for write in stream.writers:
                        write(line)

    def add_writer(self, write: Callable[[bytes], None], lens: Lens = EVERYTHING) -> None:
        """Write a snapshot, and then every event that is drained after it with the next number."""
        stream = next((stream for stream in self._streams if stream.lens == lens), None)
        if stream is None:
            stream = Stream(lens, self.number)
            self._streams = (*self._streams, stream)
        stream.writers = (*stream.writers, write)
        write(encoder.encode(lens.of(self.replica, stream.number)) + b"\n")

    def remove_writer(self, write: Callable[[bytes], None]) -> None:
        for stream in self._streams:
            stream.writers = tuple(other for other in stream.writers if other is not write)
        self._streams = tuple(stream for stream in self._streams if stream.writers)
