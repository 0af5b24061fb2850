"""Command line of the sample city; everything it can do is `generate`."""

import argparse
import sys
import time
from pathlib import Path

from datasets.sample.write import FILES, generate


def parser() -> argparse.ArgumentParser:
    """Describe the arguments of `python -m datasets.sample`."""
    described = argparse.ArgumentParser(
        prog="python -m datasets.sample",
        description="Write the registers of a made-up Japanese city as Parquet.",
    )
    described.add_argument("folder", metavar="DIR", type=Path, help="where the files go; created if missing")
    described.add_argument(
        "--residents", type=int, default=200_000, help="how many people (default %(default)s)"
    )
    described.add_argument("--seed", type=int, default=1, help="same seed, same city (default %(default)s)")
    described.add_argument(
        "--files", nargs="+", choices=FILES, default=FILES, help="which registers (default all)"
    )
    described.add_argument("--quiet", action="store_true", help="show no progress")
    return described


def show(done: int, total: int) -> None:
    """Overwrite one line of the terminal with the share of residents written."""
    # On standard error, so that the paths on standard output stay usable by scripts.
    end = "\n" if done == total else ""
    print(
        f"\r{done:>11,} of {total:,} residents ({100 * done // total:3d} %)",
        end=end,
        file=sys.stderr,
        flush=True,
    )


def main() -> int:
    """Generate a city; exit with 2 and one sentence where the arguments ask for an impossible one."""
    described = parser()
    options = described.parse_args()
    began = time.monotonic()
    try:
        paths = generate(
            options.folder,
            residents=options.residents,
            seed=options.seed,
            files=options.files,
            progress=None if options.quiet else show,
        )
    except ValueError as error:
        # argparse prints the usage and exits with 2, as for any other bad argument.
        described.error(str(error))
    for path in paths.values():
        print(path)
    if not options.quiet:
        print(f"{time.monotonic() - began:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
