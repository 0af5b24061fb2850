"""The planner process: prepares what it is asked through a pipe, one question after another, at low priority.

Started by `PlannerProcess` as `python -m datasets.queries.planner_process FILE_DESCRIPTOR`. It ends when the other
end of the pipe does, in the middle of whatever it works at: nobody waits for that any more.
"""

import os
import pickle
import signal
import sys
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from datasets.queries.preparation import TASKS, Preparation, preparation
from privacy.refusal import Refusal

NICENESS = 10


def main() -> None:
    """Answer until the pipe ends."""
    # Whoever stops the server stops our parent; it may still want an answer from here.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, signal.SIG_IGN)
    os.nice(NICENESS)
    pipe = Connection(int(sys.argv[1]))
    asked: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, asked), daemon=True).start()
    preparing = preparation(pickle.loads(asked.get()))
    while True:
        answer = _answer(preparing, *pickle.loads(asked.get()))
        pipe.send_bytes(pickle.dumps(answer))


def _receive(pipe: Connection, asked: "SimpleQueue[bytes]") -> None:
    """Take what is asked; end the process where the parent has ended, whatever the main thread does."""
    while True:
        try:
            asked.put(pipe.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)


def _answer(preparing: Preparation, task: str, *question: Any) -> tuple[Any, ...]:
    try:
        return "done", TASKS[task](preparing, *question)
    except Refusal as refusal:
        return "refused", type(refusal), vars(refusal)
    # The last resort: the parent answers for it, and this process goes on.
    except Exception as failure:  # noqa: BLE001
        trace = failure.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
        return "failed", type(failure).__name__, place


if __name__ == "__main__":
    main()
