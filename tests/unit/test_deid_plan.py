"""A processing plan is read strictly: whatever is wrong is told by line and key, before any work starts."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.records.plan.checks import grained
from datasets.records.plan.entries import PlanError
from datasets.records.plan.plan import LossSettings, RowCondition, Sampling
from datasets.records.plan.reading import parse, read
from datasets.records.prepare import Read, prepare, seed_of
from datasets.records.selection import chosen, sampled
from datasets.records.write import quoted, records
from datasets.sources.style import Style
from datasets.sources.table import Source, look
from datasets.sources.table import read_columns as read_source
from privacy.deidentify.errors import BadTable
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.models import (
    AverageRisk,
    BetaLikeness,
    DeltaDisclosure,
    DeltaPresence,
    Distance,
    DistinctDiversity,
    EntropyDiversity,
    KAnonymity,
    KMap,
    PopulationUniqueness,
    RecursiveDiversity,
    SampleUniqueness,
    TCloseness,
    UniquenessEstimator,
)
from privacy.deidentify.randomness import draws
from privacy.deidentify.table import Column, Role, Table

HEAD = """\
attributes:
  sex: {role: quasi, hierarchy: sex.csv}
  age: {role: quasi, hierarchy: {intervals: [5, 10], from: 0, to: 119}}
  illness: {role: sensitive}
  name: {role: identifier}
  number: {role: linkage}
"""
PLAN = HEAD + "models:\n  - {k_anonymity: 2}\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sex.csv").write_text("f;*\nm;*\n", encoding="utf-8")
    (tmp_path / "city.csv").write_text("sex,age\nf,1\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def plan_of(folder):
    return lambda text: parse(text, folder=folder)


@pytest.fixture
def faults_of(folder):
    def faults(text):
        with pytest.raises(PlanError) as refusal:
            parse(text, folder=folder)
        return [f"{fault.line} {fault.path}: {fault.message.en}" for fault in refusal.value.faults]

    return faults


def test_a_short_plan_means_full_domain_recoding_without_suppression(plan_of):
    plan = plan_of(PLAN)
    assert (plan.recoding, plan.suppression, plan.loss, plan.seed) == (
        "full_domain",
        0.0,
        LossSettings(),
        None,
    )
    assert plan.models == (KAnonymity(2),)
    assert plan.of(Role.QUASI) == ("sex", "age")


def test_identifiers_and_links_are_removed_unless_told_otherwise(plan_of):
    plan = plan_of(PLAN.replace("role: linkage", "role: linkage, operation: renumber"))
    assert [plan.publishes(name) for name in plan.attributes] == [True, True, True, False, True]


def test_a_hierarchy_is_a_file_beside_the_plan_or_a_rule(plan_of):
    plan = plan_of(PLAN)
    assert plan.attributes["sex"].hierarchy.text == "f;*\nm;*\n"
    assert plan.attributes["age"].hierarchy == {"intervals": [5, 10], "from": 0, "to": 119}


def test_codes_with_leading_zeros_in_a_rule_stay_texts(plan_of):
    plan = plan_of(PLAN.replace("{intervals: [5, 10], from: 0, to: 119}", "{groups: {北: [01101, 0, -03]}}"))
    assert plan.attributes["age"].hierarchy == {"groups": {"北": ["01101", 0, "-03"]}}


SPELLED = [
    ("{k_anonymity: 5}", KAnonymity(5)),
    ("{k_anonymity: {k: 5}}", KAnonymity(5)),
    ("{l_diversity: {attribute: illness, l: 3}}", DistinctDiversity("illness", 3)),
    ("{l_diversity: {attribute: illness, kind: entropy, l: 2.5}}", EntropyDiversity("illness", 2.5)),
    ("{l_diversity: {attribute: illness, kind: recursive, c: 4, l: 3}}", RecursiveDiversity("illness", 4, 3)),
    ("{t_closeness: {attribute: illness, t: 0.2}}", TCloseness("illness", 0.2, Distance.EQUAL)),
    (
        "{t_closeness: {attribute: illness, t: 0.2, distance: ordered}}",
        TCloseness("illness", 0.2, Distance.ORDERED),
    ),
    ("{delta_disclosure: {attribute: illness, delta: 1.5}}", DeltaDisclosure("illness", 1.5)),
    ("{beta_likeness: {attribute: illness, beta: 2, enhanced: false}}", BetaLikeness("illness", 2, False)),
    ("{delta_presence: {min: 0, max: 0.5}}", DeltaPresence(0, 0.5)),
    ("{k_map: 5}", KMap(5)),
    ("{average_risk: 0.1}", AverageRisk(0.1)),
    ("{prosecutor_risk: 0.2}", KAnonymity(5)),
    ("{prosecutor_risk: {threshold: 0.3}}", KAnonymity(4)),
    ("{journalist_risk: 0.05}", KMap(20)),
    ("{sample_uniqueness: 0.01}", SampleUniqueness(0.01)),
    (
        "{population_uniqueness: {threshold: 0.01, population: 131016, estimator: snb}}",
        PopulationUniqueness(0.01, 131016, UniquenessEstimator.SNB),
    ),
]


@pytest.mark.parametrize(("text", "model"), SPELLED, ids=[text for text, _ in SPELLED])
def test_every_spelling_of_a_model_is_understood(plan_of, text, model):
    plan = plan_of(f"{HEAD}population: city.csv\nmodels:\n  - {text}\n")
    assert plan.models == (model,)


def test_of_two_k_the_larger_counts_and_the_report_says_so(plan_of):
    plan = plan_of(HEAD + "models: [{k_anonymity: 3}, {prosecutor_risk: 0.1}, {k_anonymity: 3}]")
    assert plan.models == (KAnonymity(10),)
    assert plan.notes == (
        "3-anonymity is asked for twice",
        "3-anonymity is asked for beside 10-anonymity, which holds it",
    )


@pytest.mark.parametrize(
    ("text", "recoding"),
    [
        ("full_domain", "full_domain"),
        ("local", "cells"),
        ("{local: few}", "few"),
        ("{local: ranges}", "ranges"),
    ],
)
def test_recoding_is_full_domain_or_local_with_a_dial(plan_of, text, recoding):
    assert plan_of(f"{PLAN}recoding: {text}\n").recoding == recoding


def test_what_a_proposal_asks_for_is_items_grain_rows_and_sampling(plan_of):
    plan = plan_of(
        PLAN
        + "items: [age, illness]\ngrain: {age: 1}\nsampling: {rows: 100}\n"
        + "where: {age: {from: 20, to: 64}, sex: [f], name: 007}\n"
    )
    assert plan.items == ("age", "illness")
    assert not plan.publishes("sex")
    assert plan.attributes["age"].level == 1
    assert plan.sampling == Sampling(rows=100)
    assert plan.where == (
        RowCondition(attribute="age", low="20", high="64"),
        RowCondition(attribute="sex", values=("f",)),
        RowCondition(attribute="name", values=("007",)),
    )


def test_other_tables_are_written_as_the_source_unless_said(plan_of):
    plan = plan_of(
        PLAN
        + 'source: {delimiter: ";", encoding: shift_jis}\npopulation: city.csv\n'
        + 'reference: {file: city.csv, delimiter: ","}\n'
    )
    assert plan.population.style == Style(delimiter=";", encoding="shift_jis")
    assert plan.reference.style == Style(delimiter=",", encoding="shift_jis")


def test_the_digest_is_of_the_meaning_and_not_of_the_layout_or_the_seed(plan_of, folder):
    first = plan_of(PLAN + "suppression: 0.1\nseed: 1\n").digest
    assert plan_of("suppression: 0.1\n# a remark\n" + PLAN).digest == first
    assert plan_of(PLAN + "suppression: 0.2\n").digest != first
    (folder / "sex.csv").write_text("f;*\nm;*\nx;*\n", encoding="utf-8")
    assert plan_of(PLAN + "suppression: 0.1\n").digest != first


WRONG = [
    ("colour: red\n", "9 colour: unknown key 'colour'"),
    ("suppression: 1.5\n", "9 suppression: must be between 0 and 1, not 1.5"),
    ("suppression: -0.1\n", "9 suppression: must be between 0 and 1, not -0.1"),
    ('suppression: "0.05"\n', "9 suppression: must be a number such as 0.05, not the text '0.05'"),
    ("suppression: 5 %\n", "9 suppression: must be a number such as 0.05, not the text '5 %'"),
    ("recoding: global\n", "9 recoding: must be one of full_domain, local"),
    ("recoding: {local: all}\n", "9 recoding.local: must be one of few, some, cells, ranges"),
    ("loss: {measure: joy}\n", "9 loss.measure: must be one of loss, height"),
    ("unit: person\n", "9 unit: there is no attribute 'person' in this plan"),
    ("unit: sex\n", "9 unit: the column that names the person is an identifier or a linkage code"),
    ("items: [age, shoe]\n", "9 items[1]: there is no attribute 'shoe' in this plan"),
    ("items: [age, name]\n", "9 items[1]: 'name' is to be published and to be removed"),
    ("items: [age, age]\n", "9 items[1]: stands twice"),
    ("grain: {illness: 1}\n", "9 grain.illness: a grain is a level of a quasi-identifier's hierarchy"),
    ("grain: {age: one}\n", "9 grain.age: must be a whole number, not the text 'one'"),
    ("where: {shoe: 1}\n", "9 where.shoe: there is no attribute 'shoe' in this plan"),
    ("where: {age: {above: 3}}\n", "9 where.age.above: unknown key 'above'"),
    ("sampling: 0\n", "9 sampling: must be above 0"),
    ("sampling: {share: 0.5, rows: 3}\n", "9 sampling: needs either share or rows"),
    ("limits: {seconds: 0}\n", "9 limits.seconds: must be above 0"),
    ("output: {shuffle: maybe}\n", "9 output.shuffle: must be true or false, not the text 'maybe'"),
    ("output: {language: fr}\n", "9 output.language: must be one of ja, en"),
    ("source: {delimiter: ab}\n", "9 source.delimiter: must be one character"),
    ("source: {encoding: latin-1}\n", "9 source.encoding: must be one of utf-8, utf-8-sig, cp932, shift_jis"),
    ("population: none.csv\n", "9 population: there is no file 'none.csv' beside the plan"),
    ("classify: name\n", "9 classify: this attribute is not published"),
    ("seed: {a: 1}\n", "9 seed: must be text"),
]


@pytest.mark.parametrize(("line", "fault"), WRONG, ids=[line.strip() for line, _ in WRONG])
def test_a_wrong_line_is_told_by_line_and_key(faults_of, line, fault):
    (told,) = faults_of(PLAN + line)
    assert told.startswith(fault)


MODELS_WRONG = [
    ('{k_anonymity: "5"}', "8 models[0].k_anonymity: must be a whole number, not the text '5'"),
    ("{k_anonymity: 2.5}", "8 models[0].k_anonymity: must be a whole number, not the text '2.5'"),
    ("{k_anonymity: 0}", "8 models[0].k_anonymity: must be at least 1, not 0"),
    ("{k_anonimity: 5}", "8 models[0].k_anonimity: unknown key 'k_anonimity'"),
    ("{l_diversity: {attribute: illness}}", "8 models[0].l_diversity: needs l"),
    ("{l_diversity: {attribute: illness, kind: recursive, l: 2}}", "8 models[0].l_diversity: needs c"),
    ("{l_diversity: {attribute: illness, l: 2, c: 3}}", "8 models[0].l_diversity.c: c belongs to recursive"),
    ("{l_diversity: {attribute: illness, kind: best, l: 2}}", "8 models[0].l_diversity.kind: must be one of"),
    (
        "{l_diversity: {attribute: age, l: 2}}",
        "8 models[0].l_diversity.attribute: 'age' is a quasi-identifier",
    ),
    (
        "{l_diversity: {attribute: name, l: 2}}",
        "8 models[0].l_diversity.attribute: 'name' has the role identifier",
    ),
    (
        "{l_diversity: {attribute: mood, l: 2}}",
        "8 models[0].l_diversity.attribute: there is no attribute 'mood'",
    ),
    (
        "{t_closeness: {attribute: illness, t: 2}}",
        "8 models[0].t_closeness.t: must be between 0 and 1, not 2",
    ),
    (
        "{t_closeness: {attribute: illness, t: 0.2, distance: hierarchical}}",
        "8 models[0].t_closeness: hierarchical distance needs a hierarchy of 'illness'",
    ),
    ("{delta_presence: {min: 0, max: 0.5}}", "8 models[0].delta_presence: needs the population"),
    ("{k_map: 3}", "8 models[0].k_map: needs the population"),
    ("{journalist_risk: 0.2}", "8 models[0].journalist_risk: needs the population"),
    ("{average_risk: 0}", "8 models[0].average_risk: average_risk must lie above 0"),
    (
        "{delta_presence: {min: 0.6, max: 0.5}}",
        "8 models[0].delta_presence: delta_presence needs 0 ≤ min ≤ max",
    ),
    ("5", "8 models[0]: must be a mapping"),
]


@pytest.mark.parametrize(("model", "fault"), MODELS_WRONG, ids=[model for model, _ in MODELS_WRONG])
def test_a_wrong_model_is_told_by_line_and_key(faults_of, model, fault):
    (told, *_) = faults_of(f"{HEAD}models:\n  - {model}\n")
    assert told.startswith(fault)


ATTRIBUTES_WRONG = [
    ("{role: quasi}", "2 attributes.a: a quasi-identifier needs a hierarchy"),
    (
        "{role: [quasi, sensitive]}",
        "2 attributes.a.role: an attribute has one role: a sensitive attribute cannot",
    ),
    ("{role: secret}", "2 attributes.a.role: must be one of identifier, code, linkage, quasi"),
    ("{hierarchy: sex.csv}", "2 attributes.a: has no role; roles: identifier"),
    (
        "{role: quasi, hierarchy: none.csv}",
        "2 attributes.a.hierarchy: there is no file 'none.csv' beside the plan",
    ),
    ("{role: insensitive, hierarchy: sex.csv}", "2 attributes.a.hierarchy: a hierarchy belongs to"),
    ("{role: code, operation: pseudonym}", "2 attributes.a.operation: an individual identification code"),
    ("{role: insensitive, colour: red}", "2 attributes.a.colour: unknown key 'colour'"),
    ("quasi", "2 attributes.a: must be a mapping"),
]


@pytest.mark.parametrize(("attribute", "fault"), ATTRIBUTES_WRONG, ids=[text for text, _ in ATTRIBUTES_WRONG])
def test_a_wrong_attribute_is_told_by_line_and_key(faults_of, attribute, fault):
    rest = PLAN.removeprefix("attributes:\n")
    (told, *_) = faults_of(f"attributes:\n  a: {attribute}\n{rest}")
    assert told.startswith(fault)


def test_all_faults_are_told_together_in_the_order_of_the_text(faults_of):
    faults = faults_of("colour: 1\n" + PLAN + "suppression: 2\n")
    assert [fault.split()[0] for fault in faults] == ["1", "10"]


@pytest.mark.parametrize("text", ["", "[]", "5", "models: [{k_anonymity: 2}]\n", HEAD])
def test_what_is_no_plan_at_all_is_refused(faults_of, text):
    assert faults_of(text)


def test_a_plan_with_nothing_to_generalise_is_refused(faults_of):
    assert faults_of("attributes: {a: {role: insensitive}}\nmodels: [{k_anonymity: 2}]\n") == [
        "1 attributes: no attribute has the role quasi; there is nothing to generalise"
    ]


def test_items_may_not_leave_out_what_a_model_guards(faults_of):
    text = PLAN + "  - {l_diversity: {attribute: illness, l: 2}}\nitems: [age]\n"
    assert faults_of(text) == ["10 items: leaves out 'illness', which a model guards"]


def test_a_hierarchy_in_another_encoding_is_told_by_its_line(faults_of, folder):
    (folder / "sex.csv").write_bytes("f;*\n男;*\n".encode("cp932"))
    (told,) = faults_of(PLAN)
    assert told == "2 attributes.sex.hierarchy: line 2 of sex.csv is not utf-8; name its encoding"


def test_a_hierarchy_may_name_its_encoding_and_delimiter(plan_of, folder):
    (folder / "sex.csv").write_bytes("f,*\n男,*\n".encode("cp932"))
    plan = plan_of(PLAN.replace("sex.csv", '{file: sex.csv, encoding: cp932, delimiter: ","}'))
    assert plan.attributes["sex"].hierarchy.text == "f,*\n男,*\n"
    assert plan.attributes["sex"].hierarchy.delimiter == ","


def test_a_plan_that_is_not_utf8_is_refused(folder):
    (folder / "plan.yaml").write_bytes("title: 男\n".encode("cp932"))
    with pytest.raises(PlanError, match="a plan is text in UTF-8"):
        read(folder / "plan.yaml")


def test_a_plan_that_is_not_there_is_refused():
    with pytest.raises(PlanError, match="cannot be read"):
        read(Path("/nowhere/plan.yaml"))


# Rows, grain and seed


def rows(column, **condition):
    return chosen(Table([column]), (RowCondition(attribute=column.name, **condition),)).tolist()


def test_ranges_of_numbers_hold_their_ends_and_nothing_that_is_no_number():
    ages = Column.of("age", ["9", "10", "64", "65", "", "x"])
    assert rows(ages, low="10", high="64") == [False, True, True, False, False, False]
    assert rows(ages, low="10") == [False, True, True, True, False, False]
    assert rows(ages, high="10") == [True, True, False, False, False, False]


def test_ranges_of_dates_are_compared_as_texts():
    days = Column.of("day", ["2024-03-31", "2024-04-01", "2025-03-31", "2025-04-01"])
    assert rows(days, low="2024-04-01", high="2025-03-31") == [False, True, True, False]


def test_all_conditions_hold_together_and_none_met_is_refused():
    table = Table([Column.of("a", ["1", "1", "2"]), Column.of("b", ["x", "y", "x"])])
    one, x = RowCondition(attribute="a", values=("1",)), RowCondition(attribute="b", values=("x",))
    assert chosen(table, (one, x)).tolist() == [True, False, False]
    with pytest.raises(BadTable, match="no row of the data meets"):
        chosen(table, (one, RowCondition(attribute="b", values=("z",))))


def test_a_sample_holds_whole_persons():
    persons = np.repeat(np.arange(50, dtype=np.int32), 3)
    taken = sampled(150, Sampling(share=0.2), unit=persons, draws=draws(b"seed", "sampling"))
    assert len(taken) == 30
    assert set(np.bincount(persons[taken], minlength=50)) == {0, 3}


def test_a_sample_larger_than_what_there_is_is_refused():
    with pytest.raises(BadTable, match="a sample of 5 is asked for, and there are 4"):
        sampled(4, Sampling(rows=5), unit=None, draws=draws(b"seed", "sampling"))


def test_a_grain_cuts_the_levels_below_it_off(plan_of):
    plan = plan_of(PLAN + "grain: {age: 1}\n")
    tree = Hierarchy.of("age", [("1", "0-4", "*"), ("2", "0-4", "*"), ("7", "5-9", "*")])
    table, cut = grained(plan, Table([Column.of("age", ["7", "1", "2"])]), {"age": tree})
    assert table["age"].texts().tolist() == ["5-9", "0-4", "0-4"]
    assert cut["age"].labels == (("0-4", "5-9"), ("*",))


def test_a_grain_that_the_hierarchy_has_not_is_refused_by_line(plan_of):
    plan = plan_of(PLAN + "grain: {age: 3}\n")
    tree = Hierarchy.of("age", [("1", "0-4", "*"), ("7", "5-9", "*")])
    with pytest.raises(PlanError, match=r"line 9, .*grain.age: the hierarchy has the levels 0 to 2"):
        grained(plan, Table([Column.of("age", ["7"])]), {"age": tree})


def test_the_seed_of_all_draws_depends_on_seed_plan_and_source(plan_of):
    plan, other = plan_of(PLAN), plan_of(PLAN + "suppression: 0.1\n")
    seeds = {
        seed_of(which, seed=seed, source_sha256=source * 32)
        for which in (plan, other)
        for seed in (b"1", b"2")
        for source in ("00", "ff")
    }
    assert len(seeds) == 8
    assert seed_of(plan, seed=b"1", source_sha256="00" * 32) in seeds


# Fields of a CSV


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("plain", "plain"),
        (" spaces ", " spaces "),
        ("", ""),
        ("a;b", '"a;b"'),
        ("a,b", "a,b"),
        ('"', '""""'),
        ("a\nb", '"a\nb"'),
        ("a\rb", '"a\rb"'),
    ],
)
def test_a_field_is_quoted_only_where_it_must_be(text, field):
    assert quoted(text, delimiter=";") == field


def test_an_empty_field_alone_on_its_line_is_quoted():
    assert quoted("", delimiter=";", alone=True) == '""'


cells = st.text(
    st.sampled_from('",;\t\n\r ab日髙\x00\ufeff') | st.characters(exclude_categories=["Cs"]), max_size=6
)


@given(data=st.data())
@settings(deadline=None)
def test_what_is_written_is_read_back(data, tmp_path_factory):
    width = data.draw(st.integers(1, 3))
    lines = data.draw(st.lists(st.tuples(*[cells] * width), min_size=1, max_size=8))
    columns = [Column.of(f"c{place}", texts) for place, texts in enumerate(zip(*lines, strict=True))]
    style = Style(delimiter=data.draw(st.sampled_from([",", ";", "\t"])))
    path = tmp_path_factory.mktemp("csv") / "records.csv"
    like = Source(path=path, style=style, columns=tuple(column.name for column in columns))
    nobody = np.zeros(len(lines), dtype=np.bool_)
    sha256 = records(
        path, Table(columns), like=like, suppressed=nobody, progress=lambda share: None, stop=bool
    )
    found = look(path, style)
    table, read_sha256 = read_source(found, columns=found.columns, progress=lambda share: None, stop=bool)
    assert [tuple(row) for row in zip(*(c.texts() for c in table.values()), strict=True)] == lines
    assert sha256 == read_sha256


def test_each_record_knows_its_source_row_after_conditions_and_operations(plan_of, folder):
    columns = {
        "sex": ["f", "m", "m", "f", "m", "m"],
        "age": ["1", "2", "3", "4", "5", "6"],
        "illness": ["flu", "cold", "rare", "flu", "flu", "flu"],
        "name": ["A", "B", "C", "D", "B", "C"],
        "number": ["9", "8", "7", "6", "5", "4"],
    }
    table = Table([Column.of(name, values) for name, values in columns.items()])
    source = Source(path=folder / "city.csv", style=Style(), columns=tuple(columns))
    plan = plan_of(
        PLAN.replace("role: sensitive", "role: sensitive, operation: {remove_rows: {values: [rare]}}")
        + "unit: name\nwhere: {sex: m}\n"
    )
    given = Read(source=source, table=table, sha256="00" * 32, unread=())
    made = prepare(plan, given, seed=b"seed", key=bytes(32), stop=bool)
    assert made.origin.tolist() == [1, 4, 5]
    assert made.table["age"].texts().tolist() == ["2", "5", "6"]
    assert table["name"].codes[made.origin].tolist() == made.units.tolist()
    assert (made.persons, made.rows_asked, made.rows_read) == (2, 4, 6)
