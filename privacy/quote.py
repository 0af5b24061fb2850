"""What a quote says of a question before it is asked: errors to expect, the strategy, what a narrower bound means.

From the plan alone: no data is read and nothing is drawn, so a quote is free.
"""

import math
from dataclasses import replace
from typing import Any

from privacy.aggregates import Plain
from privacy.budget import plain_text
from privacy.exact import ExactKind, reachable_over
from privacy.hint_words import share_of
from privacy.measurement import CONFIDENCE, Measurement, widths_by_kind
from privacy.partition_selection import UndeclaredValueCount
from privacy.plan import Plan
from privacy.quantiles import Quantiles
from privacy.result_columns import labels_of, method_of, resolution_of
from privacy.schema import in_units
from privacy.words import Words

SIZES = (100, 1_000, 10_000, 100_000)
"""Numbers of rows for which a quote tells the error of what depends on them."""
TABLES_MEASURED = Words(
    ja="{number} 個の表を測定し、すべての表を重み付き最小二乗法で推定します。誤差は選んだ方法を 1 とした比です。",
    en=(
        "{number} table(s) are measured and all tables estimated from them by weighted least "
        "squares; errors are relative to the chosen way"
    ),
)
FEWER_ROWS = Words(
    ja=(
        "1 人につき {whole} 行ではなく {bound} 行までを数えます。件数や合計の誤差は "
        "約 {share} 倍になりますが、それを超える行は含まれず、値は小さめになります。"
        "share_kept を選ぶと、残る行の割合を（予算を使って）推定できます。"
    ),
    en=(
        "At most {bound} rows of each person count instead of {whole}: noise of counts and sums is "
        "{ratio} times narrower, but rows beyond are left out and pull counts and sums "
        "down. Select share_kept to learn, at a price, what share of the rows is kept."
    ),
)
PERSONS_BY_FEWER_ROWS = Words(
    ja=(
        "1 人につき {whole} 行ではなく {bound} 行までを使って人数を数えます。キーと条件の列が 1 人のどの行でも"
        "同じなら（どちらもない場合も）、人数は変わらず、誤差だけが約 {share} 倍になります（1 なら同じ）。"
        "異なる場合は、使われた行のあるセルだけで数えます。"
    ),
    en=(
        "Persons are counted by at most {bound} rows of each instead of {whole}. Where keys and conditions are the "
        "same in all rows of a person, or where there are none, the number of persons stays what it is and its "
        "noise is {ratio} times narrower (1: the same); elsewhere a person counts only in the cells of the rows that "
        "are used."
    ),
)


def expectation(plan: Plan) -> list[dict[str, Any]]:
    """The half-widths of the 95 % bounds to expect, from the plan alone.

    Those of counts and sums are certain. What depends on how many rows a cell holds is given for a few
    sizes, at its worst (a mean at one of the clamping bounds).
    """
    return [_expected_error(plan, part) for part in plan.measurements]


def _expected_error(plan: Plan, part: Measurement) -> dict[str, Any]:
    about: dict[str, Any] = {"of": part.name, "confidence": CONFIDENCE}
    if part.cells is not None:
        about["cells"] = labels_of(plan, part)
    estimator = part.estimator
    if isinstance(estimator, Quantiles):
        distribution = part.distributions[0] if part.distributions else None
        return {
            **about,
            "within_rows": estimator.rank_error(distribution, CONFIDENCE, part.mechanisms),
            "method": method_of(estimator),
            "resolution": resolution_of(estimator),
        }
    if isinstance(estimator, UndeclaredValueCount):
        width = part.distributions[0].half_width(CONFIDENCE)
        least = estimator.threshold(part.draws[0].mechanism)
        return {
            **about,
            "half_width": width,
            "threshold": least,
            # With so many rows only noise below minus the half-width keeps a value out.
            "told_at_least_95_percent_from": least + width,
            "delta": plain_text(estimator.delta),
        }
    about |= _choice_of_mechanism(plan, part)
    if plan.layout.direct:
        return {**about, **_widths(part, 0)}
    tables = [
        {"keys": [plan.axes[key].name for key in table.keys], **_widths(part, place)}
        for place, table in enumerate(plan.layout.tables)
    ]
    return {**about, "tables": tables}


def _widths(part: Measurement, place: int) -> dict[str, Any]:
    """The expected half-widths in one table."""
    estimator, distribution = part.additive, part.distributions[place]
    if isinstance(estimator, Plain):
        return {"half_width": in_units(distribution.half_width(CONFIDENCE), estimator.step)}
    # All others divide by how many rows a cell holds, which is data: examples must do.
    widths = [
        {"rows": rows, "half_width": round(estimator.half_width(distribution, CONFIDENCE, rows), 6)}
        for rows in SIZES
    ]
    return {"half_width_by_rows": widths}


def _choice_of_mechanism(plan: Plan, part: Measurement) -> dict[str, Any]:
    """Under zCDP: what each mechanism would give for the same price, and why one is used."""
    # Pure ε knows Laplace noise only, so there was nothing to choose.
    if plan.schema.measure == "pure":
        return {}
    draw = part.draws[0]
    # The cells that were priced: those that one person can reach, the rest buckets among them.
    cells = reachable_over(plan.axes, draw.subset)
    widths = widths_by_kind(part.estimator, cells, draw.mechanism.price, plan.schema.measure)
    estimator = part.estimator
    return {
        "mechanism": draw.mechanism.kind,
        "half_width_by_mechanism": {
            kind: in_units(width, estimator.step) if isinstance(estimator, Plain) else width
            for kind, width in widths.items()
        },
        "why": (
            f"one person moves the vector by {estimator.l1(cells)} in L1 and by the root of "
            f"{estimator.squared(cells)} in L2; at the same ρ "
            "the mechanism with the narrower bounds is used, unless you insist on the other"
        ),
    }


def strategy_comparison(plan: Plan) -> dict[str, Any]:
    """How several tables are measured, and what other ways would err; empty for a single table."""
    chosen = plan.layout.chosen
    if chosen is None:
        return {}
    measured = [
        {"keys": [plan.axes[place].name for place in subset], "share": str(round(float(share), 6))}
        for subset, share in zip(plan.layout.grids, plan.layout.shares, strict=True)
    ]
    errors = {
        "chosen": chosen.error,
        "each_table_alone": chosen.error_alone,
        "each_table_alone_best_split": chosen.error_alone_best,
        "one_common_table": chosen.error_common,
    }
    # Relative to the way taken: absolute variances depend on the price and help nobody to choose.
    least = chosen.error
    return {
        "strategy": {
            "measured": measured,
            "total_squared_error": {
                name: None if error is None else round(error / least, 4) for name, error in errors.items()
            },
            **TABLES_MEASURED.filled(number=len(measured)).as_texts(),
        }
    }


def narrower_bound(plan: Plan) -> dict[str, Any]:
    """What a narrower bound on the rows of a person means; empty where none was asked for."""
    whole, bound = plan.schema.rows_per_person, plan.bound
    if bound == whole:
        return {}
    # By one row a person, rows are persons.
    by_persons = ("count_persons", "count") if bound == 1 else ("count_persons",)
    persons = all(part.agg in by_persons for part in plan.measurements)
    # Counts of rows and sums lose what is beyond the bound; of persons, one row is enough to be counted.
    words, ratio = (PERSONS_BY_FEWER_ROWS, _narrowing(plan)) if persons else (FEWER_ROWS, whole / bound)
    return {
        "rows_per_person": {
            "dataset": whole,
            "asked": bound,
            **words.filled(bound=bound, whole=whole, ratio=f"{ratio:.3g}", share=share_of(ratio)).as_texts(),
        }
    }


def _narrowing(plan: Plan) -> float:
    """How many times narrower a narrower bound makes the first count: a person moves so many fewer cells."""
    part = plan.measurements[0]
    estimator, whole = part.estimator, plan.schema.rows_per_person
    if isinstance(estimator, Plain):
        # By one row a person, persons are counted as rows.
        kind: ExactKind = "persons" if part.agg == "count_persons" else "rows"
        before = replace(estimator, rows=whole, exact=replace(estimator.exact, kind=kind))
        cells = reachable_over(plan.axes, part.draws[0].subset)
        if part.draws[0].mechanism.kind == "discrete_gaussian":
            return math.sqrt(before.squared(cells) / estimator.squared(cells))
        return before.l1(cells) / estimator.l1(cells)
    return whole / plan.bound
