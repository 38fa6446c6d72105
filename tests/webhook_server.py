"""A receiver of alerts on loopback: a real HTTP server that keeps what it is sent and answers as it is told."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "Q7webhookTokenQ7webhookTokenQ7"  # in every URL here, and to be found nowhere
WITHIN_S = 20.0


class Webhook:
    """`statuses` are answered in turn and then 200; while `hangs` is set nothing is answered."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.hangs = threading.Event()
        self.ends = threading.Event()
        self.asked = threading.Semaphore(0)  # released at each request
        self._taken: queue.Queue[dict[str, Any]] = queue.Queue()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.asked.release()
                if hook.hangs.is_set():
                    hook.ends.wait(WITHIN_S)
                    return
                status = hook.statuses.pop(0) if hook.statuses else 200
                if status == 200:
                    hook._taken.put(body)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", hook.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/services/{TOKEN}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def next(self) -> dict[str, Any]:
        """The next body that was taken."""
        return self._taken.get(timeout=WITHIN_S)

    def was_asked(self) -> bool:
        """Wait for the next request."""
        return self.asked.acquire(timeout=WITHIN_S)

    @property
    def is_empty(self) -> bool:
        return self._taken.empty()

    def close(self) -> None:
        self.ends.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def webhook() -> Iterator[Webhook]:
    found = Webhook()
    try:
        yield found
    finally:
        found.close()
