"""The small tables that the papers work through, typed in as published, and cases from others' bug trackers."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pytest

from privacy.deidentify import classes as cl
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.models import Distance as Ground
from privacy.deidentify.models import (
    DistinctDiversity,
    EntropyDiversity,
    KAnonymity,
    Model,
    RecursiveDiversity,
    SampleUniqueness,
    TCloseness,
)
from privacy.deidentify.proof import risk, verify
from privacy.deidentify.proof.verify import PublishedTable
from privacy.deidentify.search.engine import Recoded, Recoding, Task, recode
from privacy.deidentify.search.loss import LossAggregate, Measure, MeasureName
from privacy.deidentify.table import Column, Table

Rows = Sequence[tuple[str, ...]]


def tabled(names: str, rows: Rows) -> Table:
    return Table([Column.of(name, [row[j] for row in rows]) for j, name in enumerate(names.split())])


def shown(table: Table, *quasi: str, **more: object) -> PublishedTable:
    nobody = np.zeros(table.rows, np.bool_)
    return PublishedTable(table=table, quasi=quasi, **{"suppressed": nobody, **more})  # type: ignore[arg-type]


def run(
    table: Table,
    trees: Mapping[str, Hierarchy],
    *models: Model,
    suppression: float = 0.0,
    measure: Measure | None = None,
    recoding: Recoding = Recoding.FULL_DOMAIN,
    **more: object,
) -> Recoded:
    task = Task(
        table=table,
        quasi=trees,
        models=models,
        suppression=suppression,
        measure=measure or Measure(),
        recoding=recoding,
        **more,  # type: ignore[arg-type]
    )
    return recode(task, progress=lambda share, words: None, stop=lambda: False)


def masked(name: str, codes: Sequence[str], levels: int) -> Hierarchy:
    """Digits hidden from the right, one a level, then nothing told."""
    return Hierarchy.of(
        name,
        [(code, *(code[: len(code) - i] + "*" * i for i in range(1, levels)), "*") for code in codes],
    )


HEIGHT = Measure(name=MeasureName.HEIGHT, aggregate=LossAggregate.SUM)

# -- Sweeney 2002 and Samarati 2001 ---------------------------------------------------------------------------

# Sweeney, Achieving k-anonymity privacy protection using generalization and suppression (2002), figure 3: PT with
# its hierarchies of race (E0 < E1) and ZIP (Z0 < Z1 < Z2), here with a top label above each.
PT = tabled(
    "race zip",
    [
        ("black", "02138"),
        ("black", "02139"),
        ("black", "02141"),
        ("black", "02142"),
        ("white", "02138"),
        ("white", "02139"),
        ("white", "02141"),
        ("white", "02142"),
    ],
)
PT_TREES = {
    "race": Hierarchy.of("race", [("black", "person"), ("white", "person")]),
    "zip": Hierarchy.of(
        "zip", [(code, code[:4] + "*", "021**") for code in ("02138", "02139", "02141", "02142")]
    ),
}


def is_anonymous(levels: tuple[int, int], k: int) -> bool:
    told = {
        name: PT[name].recoded(
            [
                PT_TREES[name].labels[level][PT_TREES[name].maps[level][p]]
                for p in PT_TREES[name].places(PT[name])
            ]
        )
        for name, level in zip(PT, levels, strict=True)
    }
    return verify.met(KAnonymity(k), shown(PT.replacing(*told.values()), "race", "zip"))


def test_sweeneys_generalisations_of_pt() -> None:
    """The paper's GT[1,0], GT[1,1], GT[0,2], GT[0,1]: 2-, 4-, 4- and 2-anonymous."""
    found = {
        levels: max(k for k in range(1, 9) if is_anonymous(levels, k))
        for levels in [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]
    }
    assert found == {(0, 0): 1, (1, 0): 2, (0, 1): 2, (1, 1): 4, (0, 2): 4, (1, 2): 8}


def test_pt_by_precision_prefers_the_lower_share_of_a_taller_hierarchy() -> None:
    """GT[1,0] and GT[0,1] are both minimal for k = 2; the precision of the latter is 0.75, of the former 0.5."""
    by_precision = run(PT, PT_TREES, KAnonymity(2), measure=Measure(name=MeasureName.PRECISION))
    assert (by_precision.levels, by_precision.loss) == ({"race": 0, "zip": 1}, 0.25)
    by_height = run(PT, PT_TREES, KAnonymity(2), measure=HEIGHT)
    assert by_height.loss == 1
    assert run(PT, PT_TREES, KAnonymity(4), measure=HEIGHT).loss == 2


def test_suppressing_one_record_saves_a_generalisation() -> None:
    """Samarati's MaxSup: one Asian more, and either he goes or everybody's race does."""
    rows = [*zip(PT["race"].texts(), PT["zip"].texts(), strict=True), ("asian", "02138")]
    trees = PT_TREES | {
        "race": Hierarchy.of("race", [(race, "person") for race in ("asian", "black", "white")])
    }
    table = tabled("race zip", rows)
    kept = run(table, trees, KAnonymity(2), measure=HEIGHT)
    less = run(table, trees, KAnonymity(2), measure=Measure(name=MeasureName.PRECISION), suppression=1 / 9)
    assert kept.levels["race"] == 1
    assert less.levels == {"race": 0, "zip": 1}
    assert less.suppressed.tolist() == [False] * 8 + [True]
    assert [column.texts()[8] for column in less.table.values()] == ["*", "*"]


# -- Machanavajjhala et al. 2007 ------------------------------------------------------------------------------

# l-diversity (TKDD 1, 2007), figure 1: the patients; figures 2 and 3 publish them 4-anonymous and 3-diverse.
PATIENTS = tabled(
    "zip age nationality condition",
    [
        ("13053", "28", "Russian", "heart disease"),
        ("13068", "29", "American", "heart disease"),
        ("13068", "21", "Japanese", "viral infection"),
        ("13053", "23", "American", "viral infection"),
        ("14853", "50", "Indian", "cancer"),
        ("14853", "55", "Russian", "heart disease"),
        ("14850", "47", "American", "viral infection"),
        ("14850", "49", "American", "viral infection"),
        ("13053", "31", "American", "cancer"),
        ("13053", "37", "Indian", "cancer"),
        ("13068", "36", "Japanese", "cancer"),
        ("13068", "35", "American", "cancer"),
    ],
)
AGES = sorted({int(text) for text in PATIENTS["age"].values})
PATIENT_TREES = {
    "zip": Hierarchy.of(
        "zip",
        [(code, code[:4] + "*", code[:3] + "**", "1****") for code in sorted(PATIENTS["zip"].values)],
    ),
    "age": Hierarchy.of(
        "age",
        [
            (
                str(age),
                "<30" if age < 30 else "3*" if age < 40 else "≥40",
                "≤40" if age <= 40 else ">40",
                "*",
            )
            for age in AGES
        ],
    ),
    "nationality": Hierarchy.of("nationality", [(text, "*") for text in PATIENTS["nationality"].values]),
}
FOUR_ANONYMOUS = [("130**", "<30", "*")] * 4 + [("1485*", "≥40", "*")] * 4 + [("130**", "3*", "*")] * 4
THREE_DIVERSE = {"1305*": (0, 3, 8, 9), "1485*": (4, 5, 6, 7), "1306*": (1, 2, 10, 11)}


def patients(rows: Rows) -> Table:
    return Table([*tabled("zip age nationality", rows).values(), PATIENTS["condition"]])


def test_the_four_anonymous_patients_of_the_l_diversity_paper() -> None:
    """Half and half, three different, and four with cancer: 4-anonymous, but of diversity 1."""
    published = shown(patients(FOUR_ANONYMOUS), "zip", "age", "nationality")
    assert verify.value(KAnonymity(4), published) == 4
    assert verify.value(DistinctDiversity("condition", 1), published) == 1
    entropies = np.log(verify.values(EntropyDiversity("condition", 1), published))
    assert sorted(entropies) == pytest.approx([0.0, 0.6931, 1.0397], abs=1e-4)


def test_the_three_diverse_patients_of_the_l_diversity_paper() -> None:
    rows = [next((zip_, "", "*") for zip_, its in THREE_DIVERSE.items() if i in its) for i in range(12)]
    rows = [(zip_, ">40" if zip_ == "1485*" else "≤40", "*") for zip_, _, _ in rows]
    published = shown(patients(rows), "zip", "age", "nationality")
    assert verify.value(DistinctDiversity("condition", 3), published) == 3
    entropies = verify.values(EntropyDiversity("condition", 1), published)
    assert np.log(entropies) == pytest.approx([1.0397] * 3, abs=1e-4)
    assert entropies == pytest.approx([2.8284] * 3, abs=1e-4)
    assert verify.met(RecursiveDiversity("condition", 3, 3), published)
    assert not verify.met(RecursiveDiversity("condition", 2, 3), published), "2 < c · 1 is strict"


def test_the_search_finds_the_papers_three_diverse_table() -> None:
    found = run(PATIENTS, PATIENT_TREES, KAnonymity(4), DistinctDiversity("condition", 3))
    published = shown(Table([*found.table.values(), PATIENTS["condition"]]), "zip", "age", "nationality")
    assert verify.value(DistinctDiversity("condition", 3), published) >= 3
    assert found.levels == {"zip": 1, "age": 2, "nationality": 1}


def test_the_search_finds_the_papers_four_anonymous_classes() -> None:
    """The paper tells one ZIP a digit longer than the others; one level a column cannot, so 1485* is 148**."""
    found = run(PATIENTS, PATIENT_TREES, KAnonymity(4))
    rows = [("148**" if zip_ == "1485*" else zip_, *others) for zip_, *others in FOUR_ANONYMOUS]
    assert list(zip(*(column.texts() for column in found.table.values()), strict=True)) == rows
    by_cells = run(PATIENTS, PATIENT_TREES, KAnonymity(4), recoding=Recoding.CELLS)
    assert by_cells.loss < found.loss
    assert verify.met(KAnonymity(4), shown(by_cells.table, *by_cells.table))


# -- Li, Li and Venkatasubramanian 2007 -----------------------------------------------------------------------

# t-closeness (ICDE 2007), tables 3 and 5: salaries of 3K to 11K and diseases, and their 0.167- and 0.278-close
# publication; figure 2 is the hierarchy of diseases.
CLOSE_SOURCE = tabled(
    "zip age salary disease",
    [
        ("47677", "29", "3K", "gastric ulcer"),
        ("47602", "22", "4K", "gastritis"),
        ("47678", "27", "5K", "stomach cancer"),
        ("47905", "43", "6K", "gastritis"),
        ("47909", "52", "11K", "flu"),
        ("47906", "47", "8K", "bronchitis"),
        ("47605", "30", "7K", "bronchitis"),
        ("47673", "36", "9K", "pneumonia"),
        ("47607", "32", "10K", "stomach cancer"),
    ],
)
SALARIES = [f"{i}K" for i in range(3, 12)]
# Each disease with its group, its system and the top: figure 2 of the paper.
DISEASES = Hierarchy.of(
    "disease",
    [
        (disease, group, system, "respiratory and digestive")
        for disease, group, system in [
            ("flu", "respiratory infection", "vascular lung"),
            ("pneumonia", "respiratory infection", "vascular lung"),
            ("bronchitis", "respiratory infection", "vascular lung"),
            ("gastric ulcer", "stomach disease", "digestive system"),
            ("gastritis", "stomach disease", "digestive system"),
            ("stomach cancer", "stomach disease", "digestive system"),
        ]
    ],
)
CLOSE_ROWS = [
    ("4767*", "≤40"),
    ("4760*", "≤40"),
    ("4767*", "≤40"),
    ("4790*", "≥40"),
    ("4790*", "≥40"),
    ("4790*", "≥40"),
    ("4760*", "≤40"),
    ("4767*", "≤40"),
    ("4760*", "≤40"),
]


def close(rows: Rows) -> PublishedTable:
    table = Table([*tabled("zip age", rows).values(), CLOSE_SOURCE["salary"], CLOSE_SOURCE["disease"]])
    return shown(table, "zip", "age", orders={"salary": SALARIES}, hierarchies={"disease": DISEASES})


def test_the_earth_movers_distances_of_the_t_closeness_paper() -> None:
    """Of {3K, 4K, 5K} and {6K, 8K, 11K} from all nine salaries: 0.375 and 0.167."""
    rows = [("476**", "2*")] * 3 + [("4790*", "≥40")] * 3 + [("476**", "3*")] * 3
    found = verify.values(TCloseness("salary", 1, Ground.ORDERED), close(rows))
    assert sorted(found) == pytest.approx([1 / 6, 17 / 72, 0.375])


def test_the_published_table_of_the_t_closeness_paper() -> None:
    """0.167-close in salary; in disease 8/27, by hand and by the paper's own formula.

    Gastritis, flu, bronchitis: 2/9 must cross the top, and 1/9 within each of two groups at a third of the way. The
    paper prints 0.278, which is 5/18: what a quarter of the way would give.
    """
    published = close(CLOSE_ROWS)
    salary = verify.value(TCloseness("salary", 1, Ground.ORDERED), published)
    disease = verify.value(TCloseness("disease", 1, Ground.HIERARCHICAL), published)
    assert (salary, disease) == (pytest.approx(1 / 6), pytest.approx(8 / 27))
    assert verify.value(KAnonymity(3), published) == 3


def test_the_search_is_as_close_as_the_t_closeness_paper() -> None:
    trees = {
        "zip": masked("zip", CLOSE_SOURCE["zip"].values, 5),
        "age": Hierarchy.of(
            "age",
            [(age, "≤40" if int(age) <= 40 else "≥40", "*") for age in CLOSE_SOURCE["age"].values],
        ),
    }
    more = {"sensitive_order": {"salary": SALARIES}, "sensitive_hierarchies": {"disease": DISEASES}}
    models = (
        KAnonymity(3),
        TCloseness("salary", 0.167, Ground.ORDERED),
        TCloseness("disease", 0.297, Ground.HIERARCHICAL),
    )
    found = run(CLOSE_SOURCE, trees, *models, **more)
    assert found.levels == {"zip": 1, "age": 1}
    assert list(zip(*(column.texts() for column in found.table.values()), strict=True)) == CLOSE_ROWS
    nearer = run(CLOSE_SOURCE, trees, *models[:2], TCloseness("disease", 0.29, Ground.HIERARCHICAL), **more)
    assert nearer.loss > found.loss


# -- ARX's example 29 -----------------------------------------------------------------------------------------

PEOPLE = tabled(
    "age gender zipcode",
    [
        ("34", "male", "81667"),
        ("45", "female", "81675"),
        ("66", "male", "81925"),
        ("70", "female", "81931"),
        ("34", "female", "81931"),
        ("70", "male", "81931"),
        ("45", "male", "81931"),
    ],
)
PEOPLE_TREES = {
    "age": Hierarchy.of(
        "age", [(age, "<50" if int(age) < 50 else "≥50", "*") for age in ("34", "45", "66", "70")]
    ),
    "gender": Hierarchy.of("gender", [("male", "*"), ("female", "*")]),
    "zipcode": masked("zipcode", ["81667", "81675", "81925", "81931"], 5),
}


def test_the_suppressed_person_of_arxs_example_is_no_class_of_his_own() -> None:
    """Three pairs and one suppressed: the prosecutor's risk is 1/2, and nobody is unique."""
    found = run(PEOPLE, PEOPLE_TREES, KAnonymity(2), suppression=1 / 7)
    published = PublishedTable(table=found.table, quasi=tuple(PEOPLE), suppressed=found.suppressed)
    assert found.suppressed.sum() == 1
    assert sorted(published.sizes.tolist()) == [2, 2, 2]
    assert verify.value(SampleUniqueness(1), published) == 0
    chances = risk.prosecutor(published.sizes, threshold=0.5)
    assert (chances.highest, chances.mean) == (0.5, 0.5)
    for i in np.flatnonzero(found.suppressed):
        assert [column.texts()[i] for column in found.table.values()] == ["*"] * 3


# -- sdcMicro's bug tracker -----------------------------------------------------------------------------------


def test_a_suppressed_cell_is_a_label_of_its_own() -> None:
    """sdcMicro 225: five persons of one area and age; hiding the widow's state would do if `*` fitted everybody.

    Here it is a label that nobody else has, so her whole record goes.
    """
    states = ["Single", "Married", "Married", "Single", "Widow"]
    table = tabled("area age state", [("A", "30-49", state) for state in states])
    half = table.replacing(
        table["state"].recoded([s if s != "Widow" else "*" for s in table["state"].values])
    )
    assert not verify.met(KAnonymity(2), shown(half, *table))
    trees = {
        "area": Hierarchy.of("area", [("A",)]),
        "age": Hierarchy.of("age", [("30-49",)]),
        "state": Hierarchy.of("state", [(state, "*") for state in table["state"].values]),
    }
    for recoding in (Recoding.FULL_DOMAIN, Recoding.FEW, Recoding.CELLS):
        found = run(table, trees, KAnonymity(2), suppression=0.2, recoding=recoding)
        assert found.suppressed.tolist() == [False] * 4 + [True]
        assert found.table["state"].texts().tolist() == [*states[:4], "*"]


def test_every_pair_of_columns_reaches_k() -> None:
    """sdcMicro 352: pairs made safe one after the other left "2, A" with two records; whole records never do."""
    table = tabled(
        "province activity sex income",
        [
            ("2", "A", "female", "high"),
            ("3", "A", "female", "low"),
            ("3", "A", "female", "low"),
            ("2", "A", "male", "low"),
            ("4", "B", "female", "high"),
            ("2", "B", "female", "medium"),
            ("4", "B", "female", "high"),
            ("2", "B", "female", "low"),
            ("2", "A", "male", "high"),
            ("3", "A", "male", "medium"),
        ],
    )
    trees = {name: Hierarchy.of(name, [(value, "*") for value in table[name].values]) for name in table}
    for recoding in Recoding:
        found = run(table, trees, KAnonymity(3), suppression=0.1, recoding=recoding)
        for pair in combinations(table, 2):
            assert cl.classes(found.table, pair, rows=~found.suppressed).sizes.min() >= 3
