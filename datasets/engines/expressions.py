"""SQL expressions as plain tuples in which literals are marked, so that questions of one shape share one text.

`split` takes the literals out, in the order in which the text has their placeholders; `text` has sqlglot print what is
left, once a shape. Building and printing sqlglot's own tree costs more than a small question.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial

from sqlglot import exp

from datasets.engines.format import code_name

Node = tuple[object, ...]
"""A kind and its operands: nodes, `Bound` literals, names and types."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A literal that is bound, never written; a list is bound as its text, which is read much faster."""

    value: int | str


Operand = Node | Bound


def name(of: str) -> Node:
    return ("name", of)


def code(column: int) -> Node:
    """The code of the queryable column with this number."""
    return name(code_name(column))


def cast(value: Operand, kind: str) -> Node:
    return ("cast", value, kind)


def all_of(*tests: Operand) -> Operand:
    return _joined("and", tests)


def any_of(*tests: Operand) -> Operand:
    return _joined("or", tests)


def _joined(kind: str, tests: tuple[Operand, ...]) -> Operand:
    return tests[0] if len(tests) == 1 else (kind, *tests)


def mask(test: Operand, kind: str) -> Node:
    """-1, all bits set, where the test is true, else 0."""
    return ("negative", cast(test, kind))


def masked(value: Operand, test: Operand, kind: str) -> Node:
    """The value where the test is true, else 0, without a branch."""
    return ("&", value, mask(test, kind))


def listed(numbers: Iterable[int], kind: str) -> Node:
    """A list of numbers of that type, bound as a whole."""
    return cast(Bound(f"[{','.join(map(str, numbers))}]"), f"{kind}[]")


def count_if(test: Operand) -> Node:
    """How many rows pass the test, zero of no rows."""
    return cast(("count_if", test), "BIGINT")


def total(value: Operand) -> Node:
    """A sum as a 64-bit integer, zero of no rows."""
    return cast(("total", value), "BIGINT")


def split(node: Operand) -> tuple[object, tuple[int | str, ...]]:
    """A node without its literals, and these in the order of the text."""
    literals: list[int | str] = []
    return _blank(node, literals), tuple(literals)


def _blank(part: object, literals: list[int | str]) -> object:
    if isinstance(part, Bound):
        literals.append(part.value)
        return None
    return tuple([_blank(inner, literals) for inner in part]) if isinstance(part, tuple) else part


@lru_cache(maxsize=2048)
def text(blank: object, dialect: str) -> str:
    """The SQL of a node whose literals were taken out, with placeholders."""
    return _printable(blank).sql(dialect)


def _printable(part: object) -> exp.Expr:
    if part is None:
        return exp.Placeholder()
    assert isinstance(part, tuple)
    kind, *operands = part
    return _KINDS[kind](*operands)


# Operands are printed in the order in which `split` meets them, or literals would be bound to others' places.


def _binary(kind: type[exp.Binary], left: object, right: object) -> exp.Expr:
    return exp.paren(kind(this=_printable(left), expression=_printable(right)))


def _connected(combine: Callable[..., exp.Expr], *tests: object) -> exp.Expr:
    return exp.paren(combine(*map(_printable, tests)))


def _zero_of_no_rows(aggregate: exp.Expr) -> exp.Expr:
    return exp.func("COALESCE", aggregate, exp.Literal.number(0))


def _select(columns: tuple[tuple[object, str], ...], source: object, groups: tuple[str, ...]) -> exp.Select:
    shown = [exp.alias_(_printable(column), alias) for column, alias in columns]
    return exp.select(*shown).from_(_printable(source)).group_by(*groups)


def _beside(source: object, lists: tuple[object, ...]) -> exp.Expr:
    """The source with one row of lists (l0, …) beside each of its rows."""
    row = exp.select(*(exp.alias_(_printable(one), f"l{place}") for place, one in enumerate(lists)))
    return (
        exp.select("*")
        .from_(_printable(source))
        .join(row.subquery("lists"), join_type="cross")
        .subquery("listed")
    )


def _extended(columns: tuple[tuple[object, str], ...], source: object) -> exp.Expr:
    """All columns of the source and some more."""
    further = [exp.alias_(_printable(column), alias) for column, alias in columns]
    return exp.select("*", *further).from_(_printable(source)).subquery("extended")


_KINDS: dict[object, Callable[..., exp.Expr]] = {
    "name": exp.column,
    "number": exp.Literal.number,
    "true": exp.true,
    "false": exp.false,
    "cast": lambda value, kind: exp.cast(_printable(value), kind),
    "and": partial(_connected, exp.and_),
    "or": partial(_connected, exp.or_),
    "not": lambda test: exp.paren(exp.Not(this=_printable(test))),
    "between": lambda value, low, high: exp.paren(
        exp.Between(this=_printable(value), low=_printable(low), high=_printable(high))
    ),
    "=": partial(_binary, exp.EQ),
    "<": partial(_binary, exp.LT),
    ">": partial(_binary, exp.GT),
    "<=": partial(_binary, exp.LTE),
    ">=": partial(_binary, exp.GTE),
    "&": partial(_binary, exp.BitwiseAnd),
    "|": partial(_binary, exp.BitwiseOr),
    "-": partial(_binary, exp.Sub),
    "*": partial(_binary, exp.Mul),
    "//": partial(_binary, exp.IntDiv),
    "negative": lambda value: exp.paren(exp.Neg(this=_printable(value))),
    "entry": lambda table, place: exp.func("LIST_EXTRACT", _printable(table), _printable(place)),
    "count": lambda: exp.Count(this=exp.Star()),
    "count_if": lambda test: _zero_of_no_rows(exp.CountIf(this=_printable(test))),
    "total": lambda value: _zero_of_no_rows(exp.Sum(this=_printable(value))),
    "select": _select,
    "table": exp.to_table,
    "beside": _beside,
    "extended": _extended,
    "subquery": lambda select, alias: _printable(select).subquery(alias),  # type: ignore[attr-defined]
}
