"""The registers that accuracy is measured on, registered by the real registration.

Adult (1994 US census extract) is read from `shared/data/adult` beside or above the project and skipped where
that is missing; the sample city is generated.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np

from datasets.descriptor.descriptor import parse
from datasets.engines.format import PERSON, STATISTICS_FILE, TABLE, code_name
from datasets.registration.ingest import SourceFile, ingest
from datasets.sample import generate
from privacy.budget import Price
from privacy.schema import Number, Schema

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLE = ROOT / "datasets" / "sample"
RESIDENTS = 50_000

ADULT_COLUMNS: dict[str, tuple[str, ...]] = {
    "sex": ("Female", "Male"),
    "race": ("White", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Other", "Black"),
    "marital_status": (
        *("Married-civ-spouse", "Divorced", "Never-married", "Separated", "Widowed"),
        *("Married-spouse-absent", "Married-AF-spouse"),
    ),
    "education": (
        *("Bachelors", "Some-college", "11th", "HS-grad", "Prof-school", "Assoc-acdm", "Assoc-voc", "9th"),
        *("7th-8th", "12th", "Masters", "1st-4th", "10th", "Doctorate", "5th-6th", "Preschool"),
    ),
    "native_country": (
        *("United-States", "Cambodia", "England", "Puerto-Rico", "Canada", "Germany", "India", "Japan"),
        *(
            "Outlying-US(Guam-USVI-etc)",
            "Greece",
            "South",
            "China",
            "Cuba",
            "Iran",
            "Honduras",
            "Philippines",
        ),
        *("Italy", "Poland", "Jamaica", "Vietnam", "Mexico", "Portugal", "Ireland", "France", "Laos"),
        *(
            "Dominican-Republic",
            "Ecuador",
            "Taiwan",
            "Haiti",
            "Columbia",
            "Hungary",
            "Guatemala",
            "Nicaragua",
        ),
        *("Scotland", "Thailand", "Yugoslavia", "El-Salvador", "Trinadad&Tobago", "Peru", "Hong"),
        "Holand-Netherlands",
    ),
    "workclass": (
        *("Private", "Self-emp-not-inc", "Self-emp-inc", "Federal-gov", "Local-gov", "State-gov"),
        *("Without-pay", "Never-worked"),
    ),
    "occupation": (
        *("Tech-support", "Craft-repair", "Other-service", "Sales", "Exec-managerial", "Prof-specialty"),
        *("Handlers-cleaners", "Machine-op-inspct", "Adm-clerical", "Farming-fishing", "Transport-moving"),
        *("Priv-house-serv", "Protective-serv", "Armed-Forces"),
    ),
    "salary_class": ("<=50K", ">50K"),
}
"""The categories of the extract's published codebook, "unknown" left out: no row of it here is unknown."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows behind one question: person, cell and value of each, whole numbers."""

    person: np.ndarray
    group: np.ndarray
    value: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A registered table and its public schema."""

    name: str
    title: str
    folder: Path
    schema: Schema

    @property
    def file(self) -> Path:
        """Its statistics file."""
        return self.folder / STATISTICS_FILE

    @property
    def fingerprint(self) -> str:
        """A digest of all statistics rows in any order."""
        with duckdb.connect(str(self.file), read_only=True) as engine:
            names = ", ".join(code_name(place) for place in range(len(self.schema.queryable)))
            found = engine.execute(f"SELECT {names} FROM {TABLE} ORDER BY ALL").fetchnumpy()
        digest = hashlib.sha256()
        for column in found.values():
            digest.update(np.ascontiguousarray(np.asarray(column, dtype=np.int64)).tobytes())
        return digest.hexdigest()[:16]

    def place(self, column: str) -> int:
        """Where a column stands in the statistics table."""
        return [known.name for known in self.schema.queryable].index(column)

    def cells(self, column: str | None) -> int:
        """How many values a grouping column has; 1 for none."""
        if column is None:
            return 1
        known = self.schema.queryable[self.place(column)]
        return known.high - known.low + 1

    def rows(self, value: str | None, group: str | None) -> Rows:
        """All rows whose value is not missing."""
        columns = ["row_number() OVER ()" if self.schema.rows_per_person == 1 else PERSON]
        for name in (group, value):
            columns.append("0" if name is None else f"c{self.place(name)} - {self._first(name)}")
        kept = "" if value is None else f"WHERE c{self.place(value)} >= {self._low(value)}"
        with duckdb.connect(str(self.file), read_only=True) as engine:
            asked = ", ".join(f"{text} AS x{place}" for place, text in enumerate(columns))
            found = engine.execute(f"SELECT {asked} FROM {TABLE} {kept}").fetchnumpy()
        person, cell, number = (np.asarray(found[f"x{place}"]) for place in range(3))
        _, person = np.unique(person, return_inverse=True)
        return Rows(*(column.astype(np.int64) for column in (person, cell, number)))

    def _low(self, column: str) -> int:
        return self.schema.queryable[self.place(column)].low

    def _first(self, column: str) -> int:
        """What is taken off a code: numbers stay as they are, other values count from zero."""
        known = self.schema.queryable[self.place(column)]
        return 0 if isinstance(known, Number) else known.low


def adult_folder() -> Path | None:
    """Where Adult lies, if anywhere: shared/data/adult in the folder above the project."""
    folder = ROOT.parent / "shared" / "data" / "adult"
    return folder if (folder / "adult.csv").is_file() else None


def registers(folder: Path, *, residents: int = RESIDENTS, with_adult: bool = True) -> Iterator[Register]:
    """Register what there is, in `folder`."""
    if with_adult and (found := adult_folder()) is not None:
        yield _adult(found / "adult.csv", folder)
    sources = generate(folder / "city", residents=residents, files=["residents", "care"])
    titles = {
        "residents": f"sample city, {residents:,} residents, one row a person",
        "care": f"sample city, care benefits of {residents:,} residents, at most 30 rows a person",
    }
    for name, title in titles.items():
        text = (SAMPLE / f"{name}.yaml").read_text("utf-8")
        yield registered(name, title, sources[name], text, folder)


def _adult(csv: Path, folder: Path) -> Register:
    source = folder / "adult.parquet"
    with duckdb.connect() as engine:
        table = engine.read_csv(str(csv), delimiter=";", header=True)
        renamed = ", ".join(f'"{name}" AS {name.replace("-", "_")}' for name in table.columns)
        table.project(renamed).write_parquet(str(source))
    return registered("adult", "Adult, 30,162 rows, one row a person", source, adult_descriptor(), folder)


def adult_descriptor() -> str:
    """Adult as an owner would declare it."""
    lists = "".join(
        f"  {name}: {{type: category, other: false, values: [{', '.join(map(repr, values))}]}}\n"
        for name, values in ADULT_COLUMNS.items()
    )
    return f"""
id: adult
title: {{ja: Adult, en: Adult}}
body: "131016"
privacy: {{unit: null, max_rows_per_person: 1, measure: pure, cap: "1000", max_per_query: "1"}}
columns:
  age: {{type: integer, min: 0, max: 99}}
{lists}"""


def registered(name: str, title: str, source: Path, descriptor: str, folder: Path) -> Register:
    """Import a source; no limit on the price of a question."""
    staging = folder / f"registered-{name}"
    staging.mkdir(parents=True)
    parsed = parse(descriptor)
    ingest(parsed, SourceFile.at(source), staging, b"accuracy" * 4, lambda stage, share: None)
    schema = replace(parsed.schema, price_per_query_max=Price.parse("1000"))
    return Register(name=name, title=title, folder=staging, schema=schema)
