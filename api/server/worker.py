"""gunicorn's threaded worker, but threads never wait for clients: requests are gathered and answers sent by its loop.

Without this a few clients that send half a request, or do not read their answer, hold every thread, and nobody else
is answered. The worker's own loop waits for all clients at once: a request gets a thread when it is whole, head and
body, and what a client does not take at once of its answer is kept and sent when it does. Whatever waits has a
deadline; all that is held for clients together has a limit, beyond which the largest goes first.
"""

import errno
import math
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from api.server.gathering import ParseException, RequestGatherer
from api.server.metrics import REQUESTS
from api.server.refusals import PARSE_PROBLEM, STATUS, refusal_bytes

RECEIVE_BYTES = 64 << 10
# How often deadlines are looked at: there may be hundreds, and the loop turns at every event.
LOOK_S = 0.2
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
log = structlog.get_logger("sudare")


class ClientSocket:
    """A connection that nobody ever waits at: what cannot be sent now is kept in `unsent` until the loop sends it.

    Threads and the loop use it in turn, never at once. It has the methods of a socket that gunicorn calls.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.unsent, self.is_held_back = connection, bytearray(), False

    def hold_back(self) -> None:
        """Have the loop send what follows a moment later."""
        self.is_held_back = True

    def sendall(self, data: bytes) -> None:
        """Send, or keep. Raises OSError where the client has gone."""
        self.unsent += data
        if not self.is_held_back:
            self.flush()

    def flush(self) -> None:
        """Send what the client takes now of what is kept. Raises OSError where it has gone."""
        with suppress(BlockingIOError, InterruptedError):
            while self.unsent:
                # Of a copy: bytes that are being looked at cannot be taken away.
                sent = self.connection.send(bytes(self.unsent[:RECEIVE_BYTES]))
                del self.unsent[:sent]

    def recv(self, size: int) -> bytes | None:
        """What has come; None if nothing has, b"" where the client sends no more."""
        try:
            return self.connection.recv(size)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def fileno(self) -> int:
        return self.connection.fileno()

    def setblocking(self, flag: bool) -> None:
        """gunicorn's threads want to wait for the client; here they do not."""
        self.connection.setblocking(False)

    def settimeout(self, seconds: float | None) -> None:
        """No wait, hence none to limit."""

    def gettimeout(self) -> float:
        return 0.0

    def shutdown(self, how: int) -> None:
        """Tell the client that nothing more will be sent. Raises OSError where it has gone."""
        self.connection.shutdown(how)

    def close(self) -> None:
        self.connection.close()


class BufferingWorker(ThreadWorker):
    """Gathers requests, gives each a thread once it is whole, and sends the answers."""

    # Seconds for a head, for the body after it, for more of an answer to be taken, and for a client to close first.
    head_s_max = 10.0
    body_s_max = 30.0
    answer_s_max = 30.0
    farewell_s_max = 2.0
    # How long an answer to somebody in too much of a hurry is held back; a turn of the loop more, if nothing happens.
    held_back_s = 0.5
    # What is held for all clients of this worker together; no request alone may have more than 2 MiB.
    held_bytes_max = 64 << 20
    # A worker that stops does not wait for a request that may never be whole.
    stopping_s_max = 5.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Connections in the order in which they began to wait, each with what is done when its time is over.
        self._waiting: dict[Any, Callable[[Any], None]] = {}
        self._held_bytes = 0
        self._next_look, self._stops_at = 0.0, math.inf

    def accept(self, listener: Any) -> None:
        """Take a new connection into the loop; where there is no place for it, of those that wait the first goes."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as failure:
            if failure.errno not in OUT_OF_FILES:
                raise
            self._make_room()
            return
        # gunicorn counts this before it hands a connection to a thread, and stops accepting at the limit.
        self.nr_conns += 1
        connection = TConn(self.cfg, ClientSocket(client), address, listener.getsockname())
        # gunicorn's threads would begin to parse; what they shall handle is parsed already.
        connection.initialized, connection.counted, connection.callback = True, 0, None
        self._gather(connection, b"")
        if self.nr_conns >= self.worker_connections:
            self._make_room()

    def _make_room(self) -> None:
        """Let go of a connection: one that is idle, or else the one that has waited longest."""
        if self.keepalived_conns:
            idle = self.keepalived_conns.popleft()
            self._unregister(idle)
            self._close(idle)
        elif self._waiting:
            self._close(next(iter(self._waiting)))

    # requests

    def _gather(self, conn: Any, received: bytes) -> None:
        """Begin with a connection's next request, of which some may have come."""
        conn.gathered = RequestGatherer(self.cfg, conn.client, received)
        self._wait(conn, selectors.EVENT_READ, self._on_more, self.head_s_max, self._on_late_request)
        if received:
            self._advance(conn)

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        """A kept-alive connection sends its next request, or ends."""
        self._unregister(conn)
        self.keepalived_conns.remove(conn)
        self._gather(conn, b"")
        self._on_more(conn, client)

    def _on_more(self, conn: Any, client: ClientSocket) -> None:
        received = client.recv(RECEIVE_BYTES)
        if received is None:
            return
        if not received:
            self._ended_early(conn)
            return
        conn.gathered.received += received
        self._advance(conn)

    def _advance(self, conn: Any) -> None:
        """Go on with a request of which more has come; whole, it gets a thread."""
        request, had_head = conn.gathered, conn.gathered.message is not None
        try:
            is_whole = request.advance()
        except ParseException as fault:
            self._refuse(conn, PARSE_PROBLEM, fault)
            return
        if is_whole:
            self._stop_waiting(conn)
            self._count(conn)
            conn.parser = _Handed(request.message)
            self.enqueue_req(conn)
            return
        if request.message is not None and not had_head:
            conn.timeout = time.monotonic() + self.body_s_max
            if request.expects_continue and not self._is_told_to_continue(conn):
                return
        self._count(conn)
        if self._held_bytes > self.held_bytes_max:
            largest = max(self._waiting, key=lambda waiting: waiting.counted)
            # In the middle of an answer nothing else can be said.
            self._close(largest) if largest.sock.unsent else self._refuse(largest, "unavailable")

    def _is_told_to_continue(self, conn: Any) -> bool:
        try:
            conn.sock.sendall(CONTINUE)
        except OSError:
            self._close(conn)
            return False
        return True

    def _ended_early(self, conn: Any) -> None:
        """The client sends no more; of half a request it can still be told."""
        if conn.gathered.is_begun:
            self._refuse(conn, PARSE_PROBLEM)
        else:
            self._close(conn)

    def _on_late_request(self, conn: Any) -> None:
        if conn.gathered.is_begun:
            self._refuse(conn, "request_timeout")
        else:
            self._close(conn)

    def _refuse(self, conn: Any, problem: str, fault: Exception | None = None) -> None:
        """Answer what is no request, and close."""
        # Neither log nor metrics repeat what was sent: a header that is not well-formed may hold a key.
        log.info("request refused", code=problem, kind=type(fault).__name__ if fault else None)
        REQUESTS.labels("none", "none", STATUS[problem]).inc()
        self._stop_waiting(conn)
        message, conn.gathered = conn.gathered.message, None
        try:
            conn.sock.sendall(refusal_bytes(problem, message))
        except OSError:
            self._close(conn)
            return
        self._send(conn, keep=False)

    # answers

    def finish_request(self, conn: Any, fs: Any) -> None:
        """A thread has answered: send what is left of the answer, then keep or close the connection."""
        try:
            keep = not fs.cancelled() and bool(fs.result())
        # The thread is done with whatever it was: the connection is of no more use, and the worker goes on.
        except Exception as failure:  # noqa: BLE001
            log.error("request failed", kind=type(failure).__name__)
            keep = False
        conn.parser = None
        if not conn.sock.is_held_back:
            self._send(conn, keep=keep)
            return
        conn.sock.is_held_back = False
        self._count(conn)
        # No event ends this: whoever holds back an answer looks at nothing more that the client sends.
        conn.keep, conn.timeout = keep, time.monotonic() + self.held_back_s
        self._waiting[conn] = self._on_taken

    def _send(self, conn: Any, *, keep: bool) -> None:
        """Send what is kept of an answer, as the client takes it."""
        conn.keep = keep
        try:
            conn.sock.flush()
        except OSError:
            self._close(conn)
            return
        if conn.sock.unsent:
            if conn.callback is None:
                self._wait(conn, selectors.EVENT_WRITE, self._on_taken, self.answer_s_max, self._close)
            conn.timeout = time.monotonic() + self.answer_s_max
            self._count(conn)
            return
        self._stop_waiting(conn)
        self._answered(conn)

    def _on_taken(self, conn: Any, client: ClientSocket | None = None) -> None:
        self._send(conn, keep=conn.keep)

    def _answered(self, conn: Any) -> None:
        """An answer is with the client: its next request may have come behind the one that was answered."""
        rest = bytes(conn.gathered.received) if conn.gathered else b""
        if not conn.keep:
            self._say_farewell(conn)
        elif rest:
            self._gather(conn, rest)
        else:
            conn.gathered = None
            self._count(conn)
            conn.set_timeout()
            if not self.alive:
                conn.timeout = min(conn.timeout, time.monotonic() + self.farewell_s_max)
            self.keepalived_conns.append(conn)
            self._register(conn, selectors.EVENT_READ, self.on_client_socket_readable)

    def _say_farewell(self, conn: Any) -> None:
        """Close after the client did: closed with bytes unread, its system would drop an answer it has not read."""
        conn.gathered = None
        self._count(conn)
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
            return
        self._wait(conn, selectors.EVENT_READ, self._on_farewell, self.farewell_s_max, self._close)

    def _on_farewell(self, conn: Any, client: ClientSocket) -> None:
        if client.recv(RECEIVE_BYTES) == b"":
            self._close(conn)

    # what waits

    def _wait(
        self,
        conn: Any,
        event: int,
        callback: Callable[[Any, Any], None],
        seconds: float,
        late: Callable[[Any], None],
    ) -> None:
        """Call back at each event of the connection, and `late` once the time is over."""
        conn.timeout = time.monotonic() + seconds
        self._waiting[conn] = late
        self._register(conn, event, callback)

    def _register(self, conn: Any, event: int, callback: Callable[[Any, Any], None]) -> None:
        conn.callback = callback
        self.poller.register(conn.sock, event, partial(self._on_event, conn, callback))

    def _unregister(self, conn: Any) -> None:
        conn.callback = None
        self.poller.unregister(conn.sock)

    def _on_event(self, conn: Any, callback: Callable[[Any, Any], None], client: ClientSocket) -> None:
        # Of events that come together one may close the connection of the next.
        if conn.callback != callback:
            return
        try:
            callback(conn, client)
        # The last resort: whatever one client's bytes bring about, the worker goes on with all others.
        except Exception as failure:  # noqa: BLE001
            log.error("connection failed", kind=type(failure).__name__)
            self._close(conn)

    def _stop_waiting(self, conn: Any) -> None:
        self._waiting.pop(conn, None)
        if conn.callback is not None:
            self._unregister(conn)

    def _count(self, conn: Any) -> None:
        """Keep the number of bytes that are held for clients."""
        size = len(conn.sock.unsent) + (conn.gathered.size if conn.gathered else 0)
        self._held_bytes += size - conn.counted
        conn.counted = size

    def _close(self, conn: Any) -> None:
        self._stop_waiting(conn)
        self._held_bytes -= conn.counted
        self.nr_conns -= 1
        conn.close()

    def murder_pending(self) -> None:
        """gunicorn's loop asks at each turn for connections whose time is over."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_S
        if not self.alive:
            # Asked again and again while the worker stops: only the first time counts.
            self._stops_at = min(self._stops_at, now + self.stopping_s_max)
        for conn, late in list(self._waiting.items()):
            if min(conn.timeout, self._stops_at) < now and conn in self._waiting:
                late(conn)


class _Handed:
    """Stands where a thread looks for a parser: a request that was parsed, with its body in memory."""

    def __init__(self, message: Any) -> None:
        self._message = message

    def __next__(self) -> Any:
        return self._message

    def finish_body(self, deadline: float) -> bool:
        """Nothing is left on the connection, whatever the view did not read."""
        return True
