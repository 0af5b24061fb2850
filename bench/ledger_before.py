"""What clients of the earlier ledger do, told by that commit's own benchmark. Runs with its code, see bench/client.py.

python -P ledger_before.py fill|check URL FOLDER
"""

import sys
from pathlib import Path

from bench import ledger  # that of the earlier commit: of this checkout's benchmarks nothing is there
from datasets.database.store import Store

WORKS = {"settle 3": lambda url, number: ledger._ledger(Store(url), number)}

if __name__ == "__main__":
    what, url, folder = sys.argv[1:]
    if what == "fill":
        ledger._fill(url, Path(folder))
    else:
        ledger._check(url)
