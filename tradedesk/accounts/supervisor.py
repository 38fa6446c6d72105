"""The supervisor of one account: it notices within seconds that a worker hangs or leaks, and puts another in its place.

A thread cannot be killed. So a worker that hangs is abandoned: from that moment it publishes nothing, records nothing and
sends no order, whenever it comes back; the one in its place starts from the journal, and what the other had in flight is
unknown until the venue was asked. One whose tasks pile up beyond all bounds is a leak, and goes the same way.
"""

from collections import deque
from collections.abc import Callable

from tradedesk.accounts.load import leak, strain
from tradedesk.accounts.mail import Post
from tradedesk.accounts.worker import Worker
from tradedesk.domain.words import AccountId
from tradedesk.log import Log

HANGS_NS = 4 * 10**9  # without a sign of life; looked at once a second, so it is noticed within five
MOST_REPLACED = 3  # within an hour; then a person must look
HOUR_NS = 3_600 * 10**9


class Supervisor:
    """One account's worker, whichever it is at the moment. `post`, `is_open` and `watches` from any thread.

    `make` builds a worker that has not started; `alarm` is told what happened, in words; `strained` what fills up, and
    None when nothing does any more.
    """

    def __init__(
        self,
        account: AccountId,
        make: Callable[[], Worker],
        alarm: Callable[[AccountId, str], None],
        strained: Callable[[AccountId, str | None], None],
        log: Log,
    ) -> None:
        self._account = account
        self._make = make
        self._alarm = alarm
        self._strained = strained
        self._log = log
        self._worker = make()
        self._replaced: deque[int] = deque(maxlen=MOST_REPLACED)  # when, monotonic ns
        self._is_given_up = False
        self._strain: str | None = None  # as told

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        self._worker.stop()

    def post(self, message: Post) -> bool:
        """Hand over a command, a halt or a question. False: the queue is full, and nothing was taken."""
        return self._worker.post(message)

    def exit_switched(self) -> None:
        """Its account leaves by another exit from now on."""
        self._worker.exit_switched()

    @property
    def is_open(self) -> bool:
        return self._worker.is_open

    @property
    def watches(self) -> str | None:
        return self._worker.watches

    def look(self, elapsed: int) -> None:
        """Once a second, on the desk thread; `elapsed` is monotonic ns."""
        if self._is_given_up:
            return
        silent, load = self._worker.silent_ns(elapsed), self._worker.load()
        if silent is not None and silent >= HANGS_NS:
            self._replace("hangs", f"gave no sign of life for {silent // 10**9} s", elapsed)
            return
        leaking = leak(load)
        if leaking is not None:
            self._replace("leaks", f"has {leaking}", elapsed)
            return
        now = strain(load)
        if now != self._strain:
            self._strain = now
            self._strained(self._account, now)

    def _replace(self, how: str, what: str, elapsed: int) -> None:
        is_too_often = len(self._replaced) == MOST_REPLACED and elapsed - self._replaced[0] < HOUR_NS
        if is_too_often:
            self._is_given_up = True
            text = (
                f"its worker {how} again: it {what}, after {MOST_REPLACED} were replaced within the hour; it is"
                " left alone and sends nothing; look at the log and start the desk again"
            )
            self._worker.abandon(text)
        else:
            text = f"its worker {what} and was replaced; what it had in flight is asked about"
            waiting = self._worker.abandon(text)
            self._replaced.append(elapsed)
            self._worker = self._make()
            for post in waiting:
                self._worker.post(post)
            self._worker.start()
        self._log.error(f"worker_{how}", account=self._account, what=what, replaced=not is_too_often)
        self._alarm(self._account, text)
