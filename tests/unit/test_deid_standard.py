"""The five items of the processing standard: each planted defect is found, and a clean output passes."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.standard import (
    BadExamination,
    Check,
    CheckResult,
    Examination,
    Finding,
    Remedy,
    Severity,
    Thresholds,
    examine,
)
from privacy.deidentify.standard.findings import ITEMS, ROWS_NAMED_MAX
from privacy.deidentify.standard.item3 import correlation
from privacy.deidentify.table import Column, Role, Table

PERSONS = 400
CANARY = "カナリアCANARY"
ROLES = {
    "number": Role.LINKAGE,
    "person": Role.IDENTIFIER,
    "code": Role.CODE,
    "age": Role.QUASI,
    "ward": Role.QUASI,
    "benefit": Role.SENSITIVE,
    "year": Role.INSENSITIVE,
}
AGES = ("0-19", "20-39", "40-59", "60+")
ORDER = np.random.default_rng(3).permutation(PERSONS)


def source() -> Table:
    texts = {
        "number": [str(5000 + 3 * row) for row in range(PERSONS)],
        "person": [f"{CANARY}{row * 7919 % PERSONS} " for row in range(PERSONS)],
        "code": [f"TK{1_000_000 + row * 6007 % 10_007}" for row in range(PERSONS)],
        "age": [str(row * 37 % 80) for row in range(PERSONS)],
        "ward": ["NSEW"[row * 53 % 101 % 4] for row in range(PERSONS)],
        "benefit": ["ABC"[row * 29 % 97 % 3] for row in range(PERSONS)],
        "year": [str(2020 + row * 31 % 89 % 2) for row in range(PERSONS)],
    }
    return Table([Column.of(name, values) for name, values in texts.items()])


def clean() -> Table:
    table = source().without("number", "person", "code")
    age = table["age"]
    return table.replacing(age.recoded([AGES[min(3, int(value) // 20)] for value in age.values])).take(ORDER)


def adding(table: Table, name: str, texts: Sequence[str]) -> Table:
    return Table([*table.values(), Column.of(name, texts)])


def with_cells(table: Table, name: str, cells: dict[int, str]) -> Table:
    texts = list(table[name].texts())
    for row, text in cells.items():
        texts[row] = text
    return table.replacing(Column.of(name, texts))


def examined(published: Table, **more: object) -> Examination:
    arguments = {"roles": ROLES, "origin": ORDER, **more}
    return examine(source(), published, **arguments)  # type: ignore[arg-type]


def codes(found: Examination) -> set[str]:
    return {finding.code for finding in found.findings}


def the(found: Examination, code: str) -> Finding:
    [finding] = [finding for finding in found.findings if finding.code == code]
    return finding


def check(found: Examination, method: str, item: int | None = None) -> Check:
    [one] = [one for one in found.checks if one.method == method and item in (None, one.item)]
    return one


def figure(found: Examination, method: str, name: str) -> int:
    return dict(check(found, method).figures)[name]


def shuffled(name: str) -> list[str]:
    """A source column in the order of the output."""
    return list(source()[name].take(ORDER).texts())


def test_a_clean_output_has_no_finding_and_leaves_questions_on_every_item() -> None:
    found = examined(clean())
    assert found.findings == ()
    assert {question.item for question in found.questions} == set(ITEMS)
    assert {one.item for one in found.checks} == set(ITEMS)
    assert all(found.passed(item) for item in (1, 2, 3))


def test_the_words_say_how_many_checks_passed_and_nothing_about_the_law() -> None:
    found = examined(clean())
    passed = sum(one.result is CheckResult.PASSED for one in found.checks)
    assert found.words.en.startswith(f"{passed} of {len(found.checks)} checks passed")
    assert "匿名" not in found.words.ja
    assert "anonym" not in found.words.en


def test_an_attribute_without_a_role_is_found() -> None:
    found = examined(adding(clean(), "scheme", ["1"] * PERSONS))
    assert the(found, "no_role").columns == ("scheme",)
    assert not found.passed(1)


def test_an_identifier_left_as_it_was_is_found_in_its_rows() -> None:
    names = [f"P{row}" for row in range(PERSONS)]
    names[7], names[300] = shuffled("person")[7], shuffled("person")[0]
    found = the(examined(adding(clean(), "person", names)), "original_kept")
    assert found.rows.first == (8, 301)
    assert found.operation is Remedy.REMOVE


def test_a_kept_code_is_found_even_when_it_was_replaced() -> None:
    found = examined(adding(clean(), "code", [f"x{row * 7 % 400}" for row in range(PERSONS)]))
    assert the(found, "code_kept").severity is Severity.HIGH
    assert check(found, "codes_removed").result is CheckResult.FINDING


def test_a_passport_number_in_any_attribute_is_found() -> None:
    found = examined(with_cells(clean(), "year", {0: "*", 11: "2021 TK1234567"}))
    finding = the(found, "detected_passport")
    assert (finding.item, finding.columns, finding.rows.first) == (2, ("year",), (12,))
    assert not found.passed(2)


def test_an_address_in_a_sensitive_attribute_is_found_under_item_one() -> None:
    found = examined(with_cells(clean(), "benefit", {0: "東京都千代田区霞が関1-3-1"}))
    assert the(found, "detected_address").item == 1
    assert check(found, "detectors", 2).result is CheckResult.PASSED


def test_numbers_at_the_rate_of_chance_are_a_question() -> None:
    numbers = [f"{number:012d}" for number in np.random.default_rng(1).integers(0, 10**12, PERSONS)]
    roles = {**ROLES, "receipt": Role.INSENSITIVE}
    found = examined(adding(clean(), "receipt", numbers), roles=roles)
    assert check(found, "detectors", 2).result is CheckResult.QUESTION
    assert "detected_my_number" not in codes(found)


def test_a_value_that_no_row_holds_any_more_is_not_searched() -> None:
    leaking = with_cells(clean(), "year", {0: "TK1234567"})
    rest = np.arange(1, PERSONS)
    found = examine(source(), leaking.take(rest), ROLES, origin=ORDER[1:])
    assert "detected_passport" not in codes(found)


TELLINGS: dict[str, Callable[[str], str]] = {
    "md5": lambda text: hashlib.md5(text.encode()).hexdigest(),
    "sha1 upper case": lambda text: hashlib.sha1(text.encode()).hexdigest().upper(),
    "sha256": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "sha256 cut": lambda text: hashlib.sha256(text.encode()).hexdigest()[:16],
    "sha256 of lower case": lambda text: hashlib.sha256(text.lower().encode()).hexdigest(),
    "sha256 trimmed": lambda text: hashlib.sha256(text.strip().encode()).hexdigest(),
    "sha256 trimmed, lower case": lambda text: hashlib.sha256(text.strip().lower().encode()).hexdigest(),
    "sha256 base64": lambda text: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode(),
    "md5 url base64": lambda text: base64.urlsafe_b64encode(hashlib.md5(text.encode()).digest()).decode(),
    "base64 alone": lambda text: base64.b64encode(text.encode()).decode(),
    "hex alone": lambda text: text.encode().hex(),
}


@pytest.mark.parametrize("telling", TELLINGS)
def test_a_plain_hash_of_an_original_is_found(telling: str) -> None:
    hashed = [TELLINGS[telling](text) for text in shuffled("person")]
    found = the(examined(adding(clean(), "person", hashed)), "plain_hash")
    assert (found.item, found.columns, found.rows.total) == (3, ("person",), PERSONS)
    assert found.operation is Remedy.PSEUDONYM


def test_a_keyed_hash_is_not_taken_for_a_plain_one() -> None:
    keyed = [hashlib.sha256(b"secret" + text.encode()).hexdigest() for text in shuffled("person")]
    found = examined(adding(clean(), "person", keyed))
    assert codes(found) == set()
    assert check(found, "one_to_one").result is CheckResult.QUESTION


def test_a_source_key_under_another_name_is_found() -> None:
    roles = {**ROLES, "ref": Role.INSENSITIVE}
    found = the(examined(adding(clean(), "ref", shuffled("number")), roles=roles), "equals_key")
    assert (found.columns, found.rows.total, found.severity) == (("ref",), PERSONS, Severity.HIGH)
    assert len(found.rows.first) == ROWS_NAMED_MAX


@pytest.mark.parametrize("tell", [lambda n: 2 * n + 1, lambda n: -n, lambda n: n // 5 * 5 + 100_000])
def test_a_code_that_rises_or_falls_with_the_key_is_found(tell: Callable[[int], int]) -> None:
    texts = [str(tell(int(text))) for text in shuffled("number")]
    roles = {**ROLES, "ref": Role.INSENSITIVE}
    assert the(examined(adding(clean(), "ref", texts), roles=roles), "monotone_of_key").columns == ("ref",)


def test_numbers_dealt_anew_at_random_are_no_link() -> None:
    dealt = [str(number) for number in 5000 + 3 * np.random.default_rng(9).permutation(PERSONS)]
    found = examined(adding(clean(), "number", dealt))
    assert "equals_key" not in codes(found)
    assert "monotone_of_key" not in codes(found)
    assert check(found, "codes_dealt_anew").result is CheckResult.PASSED
    unplaced = examined(adding(clean(), "number", dealt), origin=None)
    assert check(unplaced, "codes_dealt_anew").result is CheckResult.QUESTION


def test_a_key_kept_in_a_shuffled_output_whose_rows_nobody_placed_is_never_passed() -> None:
    roles = {**ROLES, "ref": Role.INSENSITIVE}
    found = examined(adding(clean(), "ref", shuffled("number")), roles=roles, origin=None)
    assert check(found, "codes_dealt_anew").result is CheckResult.QUESTION
    assert check(found, "key_functions").result is CheckResult.QUESTION
    assert figure(found, "codes_dealt_anew", "in_common") == 1


def test_the_unit_is_a_key_whatever_its_role() -> None:
    roles = {**ROLES, "ward": Role.INSENSITIVE}
    table = source()
    persons = Column.of("household", [str(row // 4 * 11 + 10**6) for row in range(PERSONS)])
    kept = Table([*clean().values(), persons.take(ORDER)])
    found = examine(
        Table([*table.values(), persons]),
        kept,
        {**roles, "household": Role.INSENSITIVE},
        origin=ORDER,
        unit="household",
    )
    assert the(found, "equals_key").severity is Severity.HIGH


def test_a_running_number_of_the_rows_is_found() -> None:
    roles = {**ROLES, "row": Role.INSENSITIVE}
    found = examined(adding(clean(), "row", [str(row + 1) for row in range(PERSONS)]), roles=roles)
    assert the(found, "running_number").operation is Remedy.SHUFFLE


@pytest.mark.parametrize("told", [True, False])
def test_the_order_of_the_source_is_a_light_finding_that_suggests_shuffling(told: bool) -> None:
    ordered = clean().take(np.argsort(ORDER))
    found = the(examined(ordered, origin=np.arange(PERSONS) if told else None), "order_kept")
    assert (found.severity, found.operation) == (Severity.LOW, Remedy.SHUFFLE)


def test_the_order_of_a_key_is_found_when_the_rows_are_sorted_by_it() -> None:
    by_name = np.argsort(np.array(source()["person"].texts(), dtype=str), kind="stable")
    ordered = clean().take(np.argsort(ORDER)).take(by_name)
    assert "order_kept" in codes(examined(ordered, origin=by_name))
    assert abs(spearmanr(by_name, np.arange(PERSONS)).statistic) < 0.2


def test_without_the_origin_a_shuffled_output_is_not_taken_for_ordered() -> None:
    found = examined(clean(), origin=None)
    assert check(found, "row_order").result is CheckResult.PASSED


def test_an_output_whose_rows_cannot_be_placed_leaves_the_key_check_open() -> None:
    found = examined(clean().take(np.arange(100)), origin=None)
    assert check(found, "key_functions").result is CheckResult.QUESTION


def test_suppressed_rows_place_the_others() -> None:
    suppressed = np.arange(PERSONS) % 10 == 0
    kept = source().without("person", "code").take(~suppressed)
    found = examine(source(), kept, ROLES, suppressed=suppressed)
    finding = the(found, "equals_key")
    assert (finding.columns, finding.rows.total) == (("number",), PERSONS - 40)


def test_a_value_of_few_persons_is_found_in_its_rows() -> None:
    found = the(examined(with_cells(clean(), "benefit", {3: CANARY, 40: CANARY})), "rare_value")
    assert (found.columns, found.rows.first, found.operation) == (
        ("benefit",),
        (4, 41),
        Remedy.SUPPRESS_RARE,
    )


def test_many_rows_of_few_persons_are_few() -> None:
    table = source()
    unit = Column.of("unit", [str(max(0, row - 100)) for row in range(PERSONS)])
    roles = {**ROLES, "unit": Role.LINKAGE}
    told = with_cells(clean(), "benefit", {int(place): "Z" for place in np.flatnonzero(ORDER < 100)})
    both = Table([*table.values(), unit])
    by_persons = examine(both, told, roles, origin=ORDER, unit="unit")
    by_rows = examine(both, told, roles, origin=ORDER)
    assert the(by_persons, "rare_value").rows.total == 100
    assert "rare_value" not in codes(by_rows)


def test_suppressed_cells_are_no_rare_value() -> None:
    assert "rare_value" not in codes(examined(with_cells(clean(), "benefit", {3: "*", 4: ""})))


def test_a_few_very_old_persons_are_found_and_many_are_not() -> None:
    ages = source()["age"].take(ORDER)
    old = with_cells(clean().replacing(ages), "age", {2: "116", 9: "90"})
    assert the(examined(old), "few_aged").rows.first == (3, 10)
    just = with_cells(clean().replacing(ages), "age", {9: "90"})
    assert the(examined(just), "few_aged").rows.first == (10,)
    many = with_cells(old, "age", dict.fromkeys(range(20), "95"))
    assert "few_aged" not in codes(examined(many))


def test_extreme_amounts_at_both_ends_are_found() -> None:
    amounts = [str(300 + row * 17 % 200) for row in range(PERSONS)]
    amounts[5], amounts[6] = "99999", "-88888"
    roles = {**ROLES, "amount": Role.SENSITIVE}
    found = examined(adding(clean(), "amount", amounts), roles=roles)
    assert the(found, "few_at_top").rows.first == (6,)
    assert the(found, "few_at_bottom").rows.first == (7,)
    assert the(found, "few_at_bottom").operation is Remedy.BOTTOM_CODE


def pairs_brute(table: Table, names: Sequence[str], size: int) -> set[int]:
    columns = {name: list(table[name].texts()) for name in names}

    def lone(chosen: Sequence[str]) -> set[int]:
        rows = list(zip(*(columns[name] for name in chosen), strict=True))
        return {row for row, values in enumerate(rows) if rows.count(values) == 1}

    found = set()
    for chosen in combinations(names, size):
        smaller = [lone(part) for less in range(1, size) for part in combinations(chosen, less)]
        found |= lone(chosen) - set().union(*smaller)
    return found


@given(st.integers(0, 10_000))
def test_singled_out_records_are_those_of_brute_force(seed: int) -> None:
    draws = np.random.default_rng(seed)
    rows = 24
    names = ("a", "b", "c", "d")
    table = Table([Column.of(name, [str(value) for value in draws.integers(0, 4, rows)]) for name in names])
    found = examine(table, table, dict.fromkeys(names, Role.INSENSITIVE))
    assert figure(found, "combinations_of_2", "unique_records") == len(pairs_brute(table, names, 2))
    assert figure(found, "combinations_of_3", "unique_records") == len(pairs_brute(table, names, 3))


def test_few_singled_out_records_are_a_question_and_many_a_finding() -> None:
    some = with_cells(clean(), "year", dict.fromkeys(range(40), "2022"))
    lenient = Thresholds(unique_pairs_micro=1_000_000, unique_triples_micro=1_000_000)
    strict = Thresholds(unique_pairs_micro=0, unique_triples_micro=0)
    assert figure(examined(some), "combinations_of_3", "unique_records") > 0
    assert check(examined(some, thresholds=lenient), "combinations_of_3").result is CheckResult.QUESTION
    assert "singled_out_by_3" in codes(examined(some, thresholds=strict))


def test_combinations_beyond_the_limit_are_left_open_not_passed() -> None:
    found = examined(clean(), thresholds=Thresholds(combination_cells=PERSONS * 6))
    assert check(found, "combinations_of_2").result is not CheckResult.QUESTION
    found = examined(clean(), thresholds=Thresholds(combination_cells=PERSONS))
    assert check(found, "combinations_of_2").result is CheckResult.QUESTION
    assert figure(found, "combinations_of_3", "combinations_examined") == 0


def test_a_household_of_nine_is_found_by_a_column_of_its_size() -> None:
    roles = {**ROLES, "世帯人員数": Role.INSENSITIVE}
    sizes = [str(1 + row % 4) for row in range(PERSONS)]
    sizes[100:109] = ["9"] * 9
    found = examined(adding(clean(), "世帯人員数", sizes), roles=roles)
    assert the(found, "large_household").rows.first == tuple(range(101, 110))


def test_a_household_of_nine_is_found_by_the_rows_of_its_code() -> None:
    homes = [f"H{row * 7 % 199}" for row in range(PERSONS)]
    homes[20:29] = ["HX"] * 9
    roles = {**ROLES, "home": Role.LINKAGE}
    found = examined(adding(clean(), "home", homes), roles=roles)
    assert the(found, "large_household").rows.total == 9


def test_a_class_below_k_is_found_and_a_record_suppressed_whole_is_not() -> None:
    lone = with_cells(clean(), "age", {5: "100"})
    assert the(examined(lone), "small_class").rows.first == (6,)
    assert figure(examined(lone), "class_sizes", "smallest_class") == 1
    gone = with_cells(with_cells(clean(), "age", {5: "*"}), "ward", {5: "*"})
    assert "small_class" not in codes(examined(gone))


def test_a_class_of_one_person_with_many_rows_is_a_class_of_one() -> None:
    unit = Column.of("unit", [str(0 if row < 30 else row) for row in range(PERSONS)])
    told = with_cells(clean(), "ward", {int(place): "Q" for place in np.flatnonzero(ORDER < 30)})
    told = with_cells(told, "age", {int(place): "0-19" for place in np.flatnonzero(ORDER < 30)})
    found = examine(
        Table([*source().values(), unit]), told, {**ROLES, "unit": Role.LINKAGE}, origin=ORDER, unit="unit"
    )
    assert the(found, "small_class").rows.total == 30
    assert figure(found, "class_sizes", "smallest_class") == 1


def test_no_quasi_identifier_is_a_question() -> None:
    roles = {name: Role.INSENSITIVE if role is Role.QUASI else role for name, role in ROLES.items()}
    assert check(examined(clean(), roles=roles), "class_sizes").result is CheckResult.QUESTION


def test_a_person_with_far_more_rows_than_the_others_is_found() -> None:
    unit = Column.of("unit", [str(0 if row < 25 else row // 4) for row in range(PERSONS)])
    found = examine(
        Table([*source().values(), unit]), clean(), {**ROLES, "unit": Role.LINKAGE}, origin=ORDER, unit="unit"
    )
    assert the(found, "long_history").rows.total == 25
    assert figure(found, "long_histories", "most_rows_usual") == 4


def test_records_with_one_partner_in_a_register_are_found() -> None:
    lone = with_cells(clean(), "age", {5: "100", 6: "101", 7: "102"})
    register = Table(
        [
            Column.of("age", ["100", "101", "101", "60+"]),
            Column.of("ward", [str(lone["ward"].texts()[row]) for row in (5, 6, 6, 0)]),
            Column.of("name", list("abcd")),
        ]
    )
    found = examined(lone, reference=register)
    sixties = {
        row
        for row in range(PERSONS)
        if (lone["age"].texts()[row], lone["ward"].texts()[row]) == ("60+", lone["ward"].texts()[0])
    }
    assert the(found, "linked_to_reference").columns == ("age", "ward")
    assert the(found, "linked_to_reference").rows.total == 1 + len(sixties)
    assert "linked_to_reference" not in codes(examined(lone))


def test_a_class_that_agrees_on_a_sensitive_value_is_found() -> None:
    table = clean()
    place = (table["age"].texts() == "60+") & (table["ward"].texts() == "N")
    told = with_cells(table, "benefit", {int(row): "A" for row in np.flatnonzero(place)})
    found = the(examined(told), "homogeneous_class")
    assert (found.columns, found.rows.total) == (("benefit",), int(place.sum()))
    other = with_cells(told, "benefit", {int(np.flatnonzero(place)[0]): "B"})
    assert "homogeneous_class" not in codes(examined(other))


def test_a_rare_pattern_of_empty_cells_is_found() -> None:
    told = with_cells(clean(), "ward", dict.fromkeys(range(50), "*"))
    told = with_cells(told, "year", {4: "", 5: ""})
    assert the(examined(told), "rare_missing_pattern").rows.first == (5, 6)


def test_a_value_that_slipped_past_generalisation_is_found() -> None:
    ages = Hierarchy.of("age", [(str(age), AGES[min(3, age // 20)], "*") for age in range(80)])
    told = with_cells(clean(), "age", {8: "eleven"})
    assert the(examined(told, hierarchies={"age": ages}), "not_a_label").rows.first == (9,)
    assert check(examined(clean(), hierarchies={"age": ages}), "labels").result is CheckResult.PASSED


def test_no_value_of_the_data_is_ever_told() -> None:
    leaking = source().replacing(Column.of("ward", [f"{CANARY}{row}" for row in range(PERSONS)]))
    hidden = {str(text) for name in ("person", "code", "number") for text in source()[name].values}
    register = Table([leaking["ward"], leaking["age"]])
    found = examine(source(), leaking, ROLES, unit="person", reference=register)
    told = repr(found)
    assert len(codes(found)) > 5
    assert CANARY not in told
    assert not any(value in told for value in hidden if len(value) > 4)


def test_errors_tell_no_value_of_the_data() -> None:
    for bad in (
        lambda: examine(source(), clean(), {**ROLES, "nowhere": Role.QUASI}),
        lambda: examine(source(), clean(), ROLES, unit="nobody"),
        lambda: examine(source(), clean(), ROLES, origin=np.arange(3)),
        lambda: examine(source(), clean(), ROLES, origin=ORDER + 1),
        lambda: examine(source(), clean(), ROLES, suppressed=np.zeros(3, np.bool_)),
        lambda: examine(source(), clean().take(ORDER[:7]), ROLES, suppressed=np.zeros(PERSONS, np.bool_)),
        lambda: examine(source(), Table([]), ROLES),
        lambda: examine(source().take(np.arange(0)), clean(), ROLES),
        lambda: Thresholds(k=-1),
    ):
        with pytest.raises(BadExamination) as fault:
            bad()
        assert CANARY not in str(fault.value)


def test_one_row_can_be_examined() -> None:
    found = examine(source().take(np.arange(1)), clean().take(np.arange(1)), ROLES)
    assert "small_class" in codes(found)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=40))
def test_the_rank_correlation_is_spearmans(pairs: list[tuple[int, int]]) -> None:
    left, right = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
    expected = 0.0
    if len(set(left)) > 1 and len(set(right)) > 1:
        expected = float(spearmanr(left, right).statistic)
    assert correlation(left, right) == pytest.approx(expected, abs=1e-9)
