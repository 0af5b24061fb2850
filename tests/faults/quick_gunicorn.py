"""The server's own gunicorn settings, with a worker whose patience a test can wait for and whose memory it can fill."""

from api.server.gunicorn import *  # noqa: F403
from api.server.worker import BufferingWorker

worker_connections = 40


class QuickWorker(BufferingWorker):
    head_s_max = 1.0
    body_s_max = 1.0
    answer_s_max = 1.0
    farewell_s_max = 0.5
    held_bytes_max = 4 << 20


worker_class = QuickWorker
