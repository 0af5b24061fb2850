"""gunicorn's threaded worker, but for one thing: a request gets a thread only once its head is there.

Without this a few clients that send half a request hold every thread, and nobody else is answered. Heads
are gathered in the worker's own loop, which waits for all of them at once. Bodies are read by the threads:
against clients that send those slowly a reverse proxy has to stand in front.
"""

import selectors
import time
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

HEAD_S_MAX = 10.0
HEAD_BYTES_MAX = 64 << 10
CHUNK_BYTES = 8 << 10
HEAD_END = b"\r\n\r\n"


class HeadFirstWorker(ThreadWorker):
    """Gathers heads, then hands connections to threads."""

    def accept(self, listener: Any) -> None:
        """Take a new connection into the loop."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        # gunicorn counts this before it hands a connection to a thread, and stops accepting at the limit.
        self.nr_conns += 1
        self._wait_for_head(TConn(self.cfg, client, address, listener.getsockname()))

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        """A kept-alive connection sends its next request."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._wait_for_head(conn)

    def _wait_for_head(self, conn: Any) -> None:
        conn.head = b""
        # gunicorn's loop closes what stands here beyond its time, as it does with idle connections.
        conn.timeout = time.monotonic() + HEAD_S_MAX
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """Some of a head has come; with its end, or too much of it, a thread goes on."""
        try:
            received = client.recv(CHUNK_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            received = b""
        conn.head += received
        if received and HEAD_END not in conn.head and len(conn.head) < HEAD_BYTES_MAX:
            return
        self.poller.unregister(client)
        self.pending_conns.remove(conn)
        if not received:
            self.nr_conns -= 1
            conn.close()
            return
        # The parser reads the socket itself: what was taken from it has to be given back first.
        conn.init()
        conn.parser.unreader.unread(conn.head)
        self.enqueue_req(conn)
