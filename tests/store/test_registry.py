"""Registration: what a version is kept as, and that its digest is that of the rows that were registered."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from town import VISITS, visits_csv

from datasets.catalog import Catalog, NoSuchDataset
from datasets.database.locks import alone
from datasets.database.store import Store
from datasets.descriptor.descriptor import Descriptor, parse
from datasets.engines.format import STATISTICS_FILE
from datasets.registration.errors import RegistrationRefused
from datasets.registration.ingest.errors import ImportProblem
from datasets.registration.lifecycle import retire
from datasets.registration.registry import Registered, register

DESCRIBED = parse(VISITS)
CSV = visits_csv().encode()


class ChangingStore(Store):
    """A store in whose first look something happens to the source: its digest has been taken by then."""

    meanwhile: Callable[[], object] | None = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        with super().reading() as connection:
            yield connection


@pytest.fixture
def store(store_url: str) -> Iterator[ChangingStore]:
    store = ChangingStore(store_url)
    yield store
    store.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source.csv"
    source.write_bytes(CSV)
    return source


def registered(store: Store, source: Path, descriptor: Descriptor = DESCRIBED) -> Registered:
    return register(
        store=store,
        data_dir=source.parent / "data",
        descriptor=descriptor,
        source=source,
        actor="tester",
        progress=lambda stage, share: None,
    )


def versions(store: Store) -> list[tuple[object, ...]]:
    with store.reading() as connection:
        found = connection.execute(
            text("SELECT number, engine, folder, source_digest FROM versions ORDER BY number")
        )
        return [tuple(row) for row in found]


def swap(source: Path) -> None:
    """Another file of the same size and time takes the source's place."""
    other, times = source.with_name("other"), source.stat()
    other.write_bytes(CSV.replace(b"1", b"2"))
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(source)


def rewrite(source: Path) -> None:
    """Other bytes of the same number in the same file, whose time is set back."""
    times = source.stat()
    source.write_bytes(CSV.replace(b"1", b"2"))
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_version_names_its_engine_its_folder_and_the_digest_of_its_source(
    store: ChangingStore, source: Path
) -> None:
    made = registered(store, source)
    id, digest = made.dataset, hashlib.sha256(CSV).hexdigest()
    ((number, engine, folder, kept),) = versions(store)
    assert (number, engine, kept) == (1, "duckdb", digest)
    assert re.fullmatch(f"{id}/v1-[0-9a-f]{{16}}", str(folder))
    data_dir = source.parent / "data"
    held = Catalog(store, data_dir).current(id)
    assert (held.place.engine, held.place.location) == ("duckdb", data_dir / str(folder))
    assert (held.place.location / STATISTICS_FILE).is_file()


def test_a_version_answers_from_the_engine_that_its_row_names(store: ChangingStore, source: Path) -> None:
    id = registered(store, source).dataset
    with store.writing() as tx:
        tx.execute(text("UPDATE versions SET engine = 'elsewhere'"))
    assert Catalog(store, source.parent / "data").current(id).place.engine == "elsewhere"


@pytest.mark.parametrize("change", [swap, rewrite, Path.unlink], ids=["swapped", "rewritten", "gone"])
def test_a_source_that_changes_after_its_digest_was_taken_is_refused(
    store: ChangingStore, source: Path, change: Callable[[Path], object]
) -> None:
    store.meanwhile = lambda: change(source)
    with pytest.raises(ImportProblem):
        registered(store, source)
    assert versions(store) == []
    assert [path.name for path in (source.parent / "data" / DESCRIBED.schema.id).iterdir()] == [
        ".registering"
    ]
    source.write_bytes(CSV)
    assert registered(store, source).version == 1


def test_a_second_version_keeps_the_first_ones_salt_and_answers_instead(
    store: ChangingStore, source: Path
) -> None:
    first = registered(store, source)
    source.write_bytes(CSV + CSV.splitlines(keepends=True)[-1])
    assert registered(store, source).version == 2
    assert [number for number, *_ in versions(store)] == [1, 2]
    assert Catalog(store, source.parent / "data").current(first.dataset).version == 2
    with store.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM lineages")).scalar_one() == 1


def test_a_dataset_is_registered_once_at_a_time(store: ChangingStore, source: Path) -> None:
    home = source.parent / "data" / DESCRIBED.schema.id
    home.mkdir(parents=True)
    with alone(home / ".registering"), pytest.raises(RegistrationRefused, match="another registration"):
        registered(store, source)


def test_a_dataset_is_retired_once_and_what_is_not_there_cannot_be(
    store: ChangingStore, source: Path
) -> None:
    id, catalog = registered(store, source).dataset, Catalog(store, source.parent / "data")
    retire(store, id, by="tester")
    with store.reading() as connection:
        first = connection.execute(text("SELECT retired_at FROM datasets")).scalar_one()
    retire(store, id, by="tester")
    with store.reading() as connection:
        assert connection.execute(text("SELECT retired_at FROM datasets")).scalar_one() == first
    assert catalog.current(id).retired
    with pytest.raises(NoSuchDataset):
        retire(store, "nothing", by="tester")
