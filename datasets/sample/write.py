"""Write the city to Parquet a chunk of residents at a time, so that memory does not grow with its size.

Every chunk draws from its own seed: neither the order in which chunks are made nor the files asked for change
what a file holds. It never leaves half a file under its final name.
"""

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datasets.sample.care import care_table
from datasets.sample.childcare import childcare_table
from datasets.sample.income import draw_incomes
from datasets.sample.residents import draw_residents, resident_table

FILES = ("residents", "care", "childcare")

# Residents made together and written as one row group. A part of the city's definition, like the seed.
CHUNK_RESIDENTS = 1 << 18

# Chunks made while another is written; with it at most three are in memory.
CHUNKS_AHEAD = 2

# Identifiers have eight digits.
RESIDENTS_MAX = 100_000_000

Tables = dict[str, pa.Table]


def generate(
    folder: Path,
    *,
    residents: int = 200_000,
    seed: int = 1,
    files: Sequence[str] = FILES,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Path]:
    """Write the registers of a city of exactly `residents` people and return the path of each file.

    The same residents and seed give the same rows in the same order (the files' bytes may differ: compression
    does not promise them). `progress` is called
    with (residents written, all residents) after each chunk. Files appear under their names only when all
    are whole.
    """
    if not 1 <= residents <= RESIDENTS_MAX:
        raise ValueError(f"residents must be from 1 to {RESIDENTS_MAX:,}, not {residents:,}")
    if seed < 0:
        raise ValueError(f"seed must not be negative, not {seed}")
    if not files or not set(files) <= set(FILES):
        raise ValueError(f"files must name some of {', '.join(FILES)}")
    wanted = tuple(name for name in FILES if name in files)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.parquet" for name in wanted}
    with tempfile.TemporaryDirectory(prefix=".sample-", dir=folder) as unfinished:
        drafts = {name: Path(unfinished) / path.name for name, path in paths.items()}
        write_chunks(drafts, residents=residents, seed=seed, progress=progress)
        for name, path in paths.items():
            # Drafts lie in the same folder, so that each replacement is one atomic rename.
            os.replace(drafts[name], path)
    return paths


def write_chunks(
    paths: dict[str, Path], *, residents: int, seed: int, progress: Callable[[int, int], None] | None
) -> None:
    """Make and write all chunks in order."""
    done = 0
    with ExitStack() as open_files:
        writers: dict[str, pq.ParquetWriter] = {}
        for count, tables in made_ahead(tuple(paths), residents=residents, seed=seed):
            for name, table in tables.items():
                if name not in writers:
                    writers[name] = open_files.enter_context(parquet_writer(paths[name], table.schema))
                writers[name].write_table(table, row_group_size=max(table.num_rows, 1))
            done += count
            if progress is not None:
                progress(done, residents)


def parquet_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a file for tables of this schema; readers see plain text where we hold codes."""
    in_codes = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    repeated = [
        name for name in ("age", "class_age", "household_size", "month", "fee") if name in schema.names
    ]
    return pq.ParquetWriter(
        path,
        schema,
        compression="snappy",
        use_dictionary=in_codes + repeated,
        store_schema=False,
        store_decimal_as_integer=True,
        dictionary_pagesize_limit=4 << 20,
    )


def made_ahead(files: tuple[str, ...], *, residents: int, seed: int) -> Iterator[tuple[int, Tables]]:
    """Yield (number of residents, tables) of each chunk in order, making the next ones meanwhile."""
    waiting: deque[tuple[int, Future[Tables]]] = deque()
    with ThreadPoolExecutor(max_workers=CHUNKS_AHEAD) as pool:
        for number, first in enumerate(range(0, residents, CHUNK_RESIDENTS)):
            count = min(CHUNK_RESIDENTS, residents - first)
            made = pool.submit(make_chunk, files, seed=seed, number=number, first=first, count=count)
            waiting.append((count, made))
            # Taken in order, so that the files are the same however the threads ran.
            if len(waiting) > CHUNKS_AHEAD:
                yield finished(waiting)
        while waiting:
            yield finished(waiting)


def finished(waiting: deque[tuple[int, Future[Tables]]]) -> tuple[int, Tables]:
    """Take the oldest chunk, waiting until it is made."""
    count, made = waiting.popleft()
    return count, made.result()


def make_chunk(files: tuple[str, ...], *, seed: int, number: int, first: int, count: int) -> Tables:
    """Make the tables of one chunk; each part of it has its own stream, so that one file needs no other."""
    # Five streams, drawn or not: leaving out a file must not move the draws of another.
    streams = np.random.SeedSequence(seed, spawn_key=(number,)).spawn(5)
    of_people, of_incomes, of_register, of_care, of_childcare = map(np.random.default_rng, streams)
    residents = draw_residents(of_people, first=first, count=count)
    tables = {}
    if "residents" in files or "childcare" in files:
        incomes = draw_incomes(of_incomes, residents.people)
    if "residents" in files:
        tables["residents"] = resident_table(of_register, residents, incomes)
    if "care" in files:
        tables["care"] = care_table(of_care, residents)
    if "childcare" in files:
        tables["childcare"] = childcare_table(of_childcare, residents, incomes)
    return tables
