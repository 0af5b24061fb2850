"""The demonstration as a process: it takes nobody's address, and nothing of it stays behind when it is ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

sys.path.append(str(Path(__file__).parent.parent / "http"))

from real_server import free_port

from datasets.database.files import private_folder

WAIT_S_MAX = 120


def environment(folder: Path, bind: str) -> dict[str, str]:
    own = {
        "SUDARE_DATABASE_URL": f"sqlite:///{folder}/sudare.db",
        "SUDARE_DATA_DIR": str(folder / "data"),
        "SUDARE_BIND": bind,
        "SUDARE_LANGUAGE": "en",
    }
    return {name: value for name, value in os.environ.items() if not name.startswith("SUDARE_")} | own


def test_where_another_server_answers_nothing_is_made_and_no_key_is_rotated(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        ended = subprocess.run(
            [sys.executable, "-m", "api", "demo", "--once"],
            env=environment(tmp_path, bind),
            capture_output=True,
            text=True,
            timeout=WAIT_S_MAX,
            check=False,
        )
    assert ended.returncode == 1
    assert f"another server answers on {bind}" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_whoever_ends_the_demonstration_ends_its_server(tmp_path: Path, end: signal.Signals) -> None:
    folder = private_folder(tmp_path / "demo")
    bind = f"127.0.0.1:{free_port()}"
    demo = subprocess.Popen(
        [sys.executable, "-m", "api", "demo", "--residents", "2000"],
        env=environment(folder, bind),
        stdout=subprocess.PIPE,
        text=True,
        # As at a terminal: a shell lets what it starts in the background ignore the signal, and so its children.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    servers: list[psutil.Process] = []
    try:
        assert demo.stdout is not None
        while "Press Ctrl-C" not in demo.stdout.readline():
            assert demo.poll() is None, "the demonstration ended by itself"
        servers = psutil.Process(demo.pid).children(recursive=True)
        assert servers
        demo.send_signal(end)
        assert demo.wait(WAIT_S_MAX) == (0 if end == signal.SIGINT else 128 + end)
        assert [server for server in servers if _lives(server)] == []
    finally:
        for process in (demo, *servers):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def _lives(process: psutil.Process) -> bool:
    deadline = time.monotonic() + 10
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
