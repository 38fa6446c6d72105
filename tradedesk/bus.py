"""The bus: events from any thread to the threads that asked for them, bounded, and no publisher ever waits (5.13)."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """One reader's bounded queue with a single pending wake-up.

    Any thread may `offer`; one thread takes. Waking costs as much as many messages, so it happens once for all that
    arrive before the reader comes to take (PERFORMANCE.md, "From thread to thread"). A full inbox refuses: `offer`
    returns False and `is_cut` stays True until `reopen`, so that its reader knows it has missed something.
    """

    def __init__(self, bound: int, wake: Callable[[], None] | None = None) -> None:
        self._items: deque[T] = deque()
        self._bound = bound
        self._wake = wake
        self._is_woken = False
        self._lock = threading.Lock()
        self.is_cut = False

    def __len__(self) -> int:
        return len(self._items)

    def offer(self, item: T) -> bool:
        """Put one item; False if the inbox is full or cut off."""
        with self._lock:
            if self.is_cut or len(self._items) >= self._bound:
                self.is_cut = True
                return False
            self._items.append(item)
            must_wake = not self._is_woken
            self._is_woken = True
        if must_wake and self._wake is not None:
            self._wake()
        return True

    def take(self) -> list[T]:
        """All that has arrived, oldest first."""
        with self._lock:
            items = list(self._items)
            self._items.clear()
            self._is_woken = False
        return items

    def reopen(self) -> None:
        """Start anew after a cut: what was waiting is dropped, because the reader comes back from a snapshot."""
        with self._lock:
            self._items.clear()
            self.is_cut = False
            self._is_woken = False


class Bus(Generic[T]):
    """Hands every published item to every inbox that subscribed. The list is replaced, never changed, so reading needs no lock."""

    def __init__(self) -> None:
        self._inboxes: tuple[Inbox[T], ...] = ()
        self._lock = threading.Lock()

    def subscribe(self, inbox: Inbox[T]) -> None:
        with self._lock:
            self._inboxes = (*self._inboxes, inbox)

    def unsubscribe(self, inbox: Inbox[T]) -> None:
        with self._lock:
            self._inboxes = tuple(other for other in self._inboxes if other is not inbox)

    def publish(self, item: T) -> None:
        """Give the item to everyone; a reader that is behind is cut off by its own inbox, nobody waits."""
        for inbox in self._inboxes:
            inbox.offer(item)
