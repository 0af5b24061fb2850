"""`make accuracy-peers`, first half: an environment a peer under .venv-peers, at the pinned versions.

One that cannot be installed is told and left out; the report then shows what was measured before.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent.parent / ".venv-peers"


def main() -> int:
    """Install what is not there yet."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ".gitignore").write_text("*\n", "utf-8")
    for pins in sorted(HERE.glob("*.txt")):
        ready = FOLDER / pins.stem / ".ready"
        if ready.exists() and ready.read_text("utf-8") == pins.read_text("utf-8"):
            continue
        print(f"installing {pins.stem}", flush=True)
        try:
            _install(FOLDER / pins.stem, pins)
        except subprocess.CalledProcessError:
            print(f"{pins.stem} cannot be installed here and is left out", file=sys.stderr)
            continue
        ready.write_text(pins.read_text("utf-8"), "utf-8")
    return 0


def _install(folder: Path, pins: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", pins], check=True)


if __name__ == "__main__":
    sys.exit(main())
