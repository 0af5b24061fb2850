"""Filters: equal questions have equal trees, and a tree says what the question says."""

from decimal import Decimal
from itertools import pairwise

import pytest
from doubles import AGE, TOWN, comparisons, every_row, holds, literal, query, register, schemas, wheres
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.filters import (
    EVERYTHING,
    Member,
    Some,
    canonical,
    complement,
    every,
    intersection,
    some,
    union,
)
from privacy.plan import plan
from privacy.query import All, Any, Compare, Not, Where
from privacy.resolve import Resolver
from privacy.schema import Category, Number, Schema

SMALL = settings(deadline=None, derandomize=True, max_examples=50)
INTERVALS = st.lists(st.tuples(st.integers(-6, 6), st.integers(-6, 6)), max_size=5)
CODES = range(-8, 9)
TINY = register(Category(name="k", values=("a", "b")), Number(name="n", low=-1, high=1))


def inside(intervals: object) -> set[int]:
    return {code for code in CODES if any(low <= code <= high for low, high in intervals)}  # type: ignore[attr-defined]


def compare(column: str, op: str, *values: object) -> Compare:
    return Compare(column=column, op=op, values=values)  # type: ignore[arg-type]


def tree(where: Where, schema: Schema = TOWN) -> object:
    return plan(query(where=where), schema).filter


def satisfies(where: Where, schema: Schema, row: tuple[int, ...]) -> bool | None:
    """What a question means for a row, in three values: None where a missing cell decides nothing.

    The words of the language taken literally; `not` leaves None alone, so that missing matches neither a
    comparison nor its negation. A whole of many parts is settled by any part that settles it.
    """
    match where:
        case Not(term):
            found = satisfies(term, schema, row)
            return None if found is None else not found
        case All(terms) | Any(terms):
            parts = [satisfies(term, schema, row) for term in terms]
            settling = isinstance(where, Any)
            if settling in parts:
                return settling
            return None if None in parts else not settling
        case Compare(column=name, op=op, values=values):
            place = [column.name for column in schema.queryable].index(name)
            column, code = schema.queryable[place], row[place]
            if op == "is_missing":
                return code == column.missing
            if code == column.missing:
                return None
            own = literal(column, code)
            match op:
                case "in":
                    return own in values
                case "between":
                    return values[0] <= own <= values[1]  # type: ignore[operator]
                case _:
                    wanted = values[0]
                    return {
                        "=": own == wanted,
                        "!=": own != wanted,
                        "<": op != "<" or own < wanted,  # type: ignore[operator]
                        "<=": op != "<=" or own <= wanted,  # type: ignore[operator]
                        ">": op != ">" or own > wanted,  # type: ignore[operator]
                        ">=": op != ">=" or own >= wanted,  # type: ignore[operator]
                    }[op]


@SMALL
@given(INTERVALS)
def test_a_union_holds_the_same_codes_in_disjoint_ascending_intervals_that_do_not_touch(intervals) -> None:
    joined = union(intervals)
    assert inside(joined) == inside(intervals)
    assert all(left[1] + 1 < right[0] for left, right in pairwise(joined))


@SMALL
@given(INTERVALS, INTERVALS)
def test_an_intersection_holds_the_codes_of_both(left, right) -> None:
    assert inside(intersection(left, right)) == inside(left) & inside(right)


class Looked(int):
    """A code that counts how often it is compared."""

    count = 0

    def __lt__(self, other: object) -> bool:
        Looked.count += 1
        return int(self) < int(other)  # type: ignore[call-overload, no-any-return]

    def __gt__(self, other: object) -> bool:
        Looked.count += 1
        return int(self) > int(other)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("merge", [intersection, lambda *sets: every([Member(0, one) for one in sets])])
@pytest.mark.parametrize(
    "many",
    [
        [[(10 * place, 10 * place + 3 + number) for place in range(600)] for number in range(2)],
        [[(-1, 10 * place), (10 * place + 2, 10**6)] for place in range(400)],
    ],
    ids=["two sets of many", "many sets of two"],
)
def test_merging_looks_at_each_interval_some_times_and_not_at_each_pair(merge, many) -> None:
    sets = [tuple((Looked(low), Looked(high)) for low, high in one) for one in many]
    Looked.count = 0
    merge(*sets)
    assert 0 < Looked.count < 60 * sum(map(len, sets))


@SMALL
@given(st.lists(INTERVALS, min_size=1, max_size=4))
def test_an_intersection_of_several_holds_the_codes_of_all_in_canonical_form(sets) -> None:
    found = intersection(*sets)
    assert inside(found) == set.intersection(*map(inside, sets))
    assert found == union(found)


@SMALL
@given(INTERVALS)
def test_a_complement_holds_the_rest_of_the_domain_and_nothing_outside_it(intervals) -> None:
    clipped = intersection(intervals, [(-4, 4)])
    assert inside(complement(clipped, (-4, 4))) == set(range(-4, 5)) - inside(clipped)


@SMALL
@given(st.data())
def test_a_filter_matches_exactly_the_rows_that_its_words_describe(data) -> None:
    schema = data.draw(st.just(TINY) | schemas())
    where = data.draw(wheres(schema))
    resolved = Resolver(schema).where(where)
    for row in every_row(schema)[:300]:
        assert holds(resolved, row) == (satisfies(where, schema, row) is True)


@SMALL
@given(st.data())
def test_a_missing_cell_matches_no_comparison_nor_its_negation(data) -> None:
    where = data.draw(comparisons(TINY))
    place = [column.name for column in TINY.queryable].index(where.column)
    for row in every_row(TINY):
        if row[place] == TINY.queryable[place].missing and where.op != "is_missing":
            assert not holds(Resolver(TINY).where(where), row)
            assert not holds(Resolver(TINY).where(Not(where)), row)


@pytest.mark.parametrize("op", ["=", "!=", "<", "<=", ">", ">=", "in", "between"])
def test_only_is_missing_finds_a_missing_age(op: str) -> None:
    unknown = (0, AGE.missing, 0, 0)
    asked = compare("age", op, 20, 30) if op in ("in", "between") else compare("age", op, 20)
    assert not holds(tree(asked), unknown)
    assert not holds(tree(Not(asked)), unknown)
    assert holds(tree(compare("age", "is_missing")), unknown)
    assert not holds(tree(Not(compare("age", "is_missing"))), unknown)


@SMALL
@given(st.data())
def test_saying_not_twice_says_nothing(data) -> None:
    where = data.draw(wheres(TINY))
    assert Resolver(TINY).where(Not(Not(where))) == Resolver(TINY).where(where)


@SMALL
@given(st.data())
def test_order_and_repetition_and_nesting_of_terms_do_not_matter(data) -> None:
    terms = data.draw(st.lists(wheres(TINY), max_size=4))
    mixed = data.draw(st.permutations([*terms, *terms[:1]]))
    for kind in (All, Any):
        plain = Resolver(TINY).where(kind(tuple(terms)))
        assert Resolver(TINY).where(kind(tuple(mixed))) == plain
        assert Resolver(TINY).where(kind((kind(tuple(terms)), *terms[:1]))) == plain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (compare("age", "<", 20), compare("age", "<=", 19)),
        (compare("age", ">=", 20), Not(compare("age", "<", 20))),
        (compare("age", "between", 1, 3), compare("age", "in", 3, 2, 1, 2)),
        (compare("age", "=", 5), compare("age", "in", 5)),
        (compare("age", "!=", 5), Not(compare("age", "=", 5))),
        (compare("age", "=", 5), compare("age", "=", Decimal("5.0"))),
        (compare("sex", "in", "f", "m"), Not(compare("sex", "=", "x"))),
        (compare("born", "<", "1970-02-01"), compare("born", "<=", "1970-01-31")),
        (
            All((compare("age", ">=", 20), compare("age", "<", 30))),
            Not(Any((compare("age", "<", 20), compare("age", ">=", 30)))),
        ),
        (
            Not(All((compare("age", "<", 20), compare("sex", "=", "f")))),
            Any((Not(compare("sex", "=", "f")), compare("age", ">=", 20))),
        ),
        (All((compare("age", "=", 1), compare("age", "=", 2))), Any(())),
        (All(()), Not(Any(()))),
        (Any((compare("age", "<", 0), compare("sex", "=", "f"))), compare("sex", "=", "f")),
    ],
)
def test_equal_questions_have_equal_trees(one: Where, other: Where) -> None:
    assert tree(one) == tree(other)


def test_no_filter_is_every_row() -> None:
    assert plan(query(), TOWN).filter == EVERYTHING == tree(All(()))


def test_a_contradiction_anywhere_in_an_all_is_no_row() -> None:
    never = Member(1, ((5, 4),))
    assert every([Member(0, ((0, 0),)), some([]), never]) == Some()


def test_membership_in_no_interval_is_no_row() -> None:
    assert every([Member(1, ())]) == Some() == some([Member(1, ())])


def test_a_tree_tells_columns_and_codes_apart() -> None:
    plain = canonical(every([Member(0, ((1, 2),)), some([Member(1, ((0, 0),)), Member(2, ((3, 3),))])]))
    assert plain == ["every", ["in", 0, [[1, 2]]], ["some", ["in", 1, [[0, 0]]], ["in", 2, [[3, 3]]]]]


def test_a_thousand_terms_merge_into_one_membership() -> None:
    many = Any(tuple(compare("age", "=", code) for code in range(0, 121, 2)) * 16)
    assert tree(many) == Member(1, tuple((code, code) for code in range(0, 121, 2)))
