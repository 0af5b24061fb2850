"""How well a column can be predicted from the others, learnt from the source and learnt from the published table.

It refuses to tune: one plain model on both sides, so that the difference is what publishing took away. The model is
scikit-learn's, an optional extra: where it is not installed the figure is left out, and the report says why.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.errors import BadTable
from privacy.deidentify.randomness import Draws
from privacy.deidentify.table import Codes, Column, Table
from privacy.words import Words

ROWS_MAX = 20_000
"""Of more rows a sample is drawn: seconds, and shares that are off by less than one in a hundred."""
FOLDS = 3
STEPS_MAX = 100
NOT_INSTALLED = Words(
    ja="追加機能「classifier」（scikit-learn）が導入されていないため、予測の正答率は算出していません。",
    en="How well it is predicted is left out: the optional extra “classifier” (scikit-learn) is not installed.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierAccuracy:
    """Shares of rows predicted rightly in cross-validation, each row by a model that has not seen it."""

    target: str
    features: tuple[str, ...]
    rows: int
    """Rows that were looked at: all of them, or a seeded sample."""
    rows_of: int
    """Rows of the table."""
    folds: int
    baseline: float
    """Of always saying the commonest value (ZeroR)."""
    original: float
    """Of logistic regression on the source."""
    published: float
    """Of logistic regression on the published table; the truth is the source's."""

    @property
    def sampled(self) -> bool:
        """Whether the figures are of a sample."""
        return self.rows < self.rows_of

    @property
    def relative(self) -> float | None:
        """What is left of the source's lead over the baseline: 1 all, 0 none, None where it leads by nothing."""
        lead = self.original - self.baseline
        return (self.published - self.baseline) / lead if lead > 0 else None


def accuracy(
    *,
    source: Table,
    published: Table,
    target: str,
    features: Sequence[str],
    draws: Draws,
    folds: int = FOLDS,
    rows_max: int = ROWS_MAX,
) -> ClassifierAccuracy:
    """Predict the source's `target` from `features` of either table, row i of both being the same person.

    Labels are categories, one-hot; a suppressed row keeps its place, its text "*" being a category like any.
    The rows and folds come from `draws`, and are the same for both tables. A wrong name or too few rows are a
    `BadTable`. Needs the optional extra: look whether it is there first.
    """
    assert source.rows == published.rows, "row i of both tables is the same person"
    assert folds >= 2
    _check(source, published, target, features)
    rows = _sample(source.rows, rows_max, draws)
    if len(rows) < folds:
        raise BadTable(
            Words(
                ja=f"{len(rows)} 行では、{folds} 分割で分類器を試すには足りません。",
                en=f"{len(rows)} rows are too few for a classifier tried on {folds} folds",
            )
        )
    # Rows are in random order by now, so dealing them out in turn makes random folds of equal size.
    fold = np.arange(len(rows)) % folds
    truth = source[target].codes[rows]
    return ClassifierAccuracy(
        target=target,
        features=tuple(features),
        rows=len(rows),
        rows_of=source.rows,
        folds=folds,
        baseline=_commonest(truth, fold),
        original=_regression(source, features, rows, truth, fold),
        published=_regression(published, features, rows, truth, fold),
    )


def _check(source: Table, published: Table, target: str, features: Sequence[str]) -> None:
    if not features:
        raise BadTable(
            Words(
                ja=f"「{target}」を予測するための項目がありません。",
                en=f"no column is given to predict {target} from",
            )
        )
    if target in features:
        raise BadTable(
            Words(
                ja=f"「{target}」をその項目自身から予測することはできません。",
                en=f"{target} cannot be predicted from itself",
            )
        )
    # The target is read from the source alone, so it need not be published.
    absent = [name for name in (target, *features) if name not in source]
    absent += [name for name in features if name not in published and name not in absent]
    if absent:
        names = ", ".join(absent)
        raise BadTable(
            Words(
                ja=f"分類器に使う項目がデータにありません：{names}。",
                en=f"the table has no column {names} for the classifier",
            )
        )


def _sample(rows: int, rows_max: int, draws: Draws) -> NDArray[np.intp]:
    """At most so many rows in random order, so that consecutive folds are random too."""
    if rows <= rows_max:
        return draws.permutation(rows).astype(np.intp)
    return draws.choice(rows, rows_max, replace=False).astype(np.intp)


def _commonest(truth: Codes, fold: NDArray[np.intp]) -> float:
    right = 0
    # The commonest value is learnt from the other folds too: the baseline gets no look at the rows it is tried on.
    for each in range(int(fold.max()) + 1):
        guess = np.bincount(truth[fold != each]).argmax()
        right += int((truth[fold == each] == guess).sum())
    return right / len(truth)


def _regression(
    table: Table, features: Sequence[str], rows: NDArray[np.intp], truth: Codes, fold: NDArray[np.intp]
) -> float:
    known = _one_hot([table[name] for name in features], rows)
    right = 0
    for each in range(int(fold.max()) + 1):
        tried = fold == each
        right += int((_predicted(known[~tried], truth[~tried], known[tried]) == truth[tried]).sum())
    return right / len(truth)


def _one_hot(columns: Sequence[Column], rows: NDArray[np.intp]) -> Any:
    """A sparse matrix of rows x categories that occur, 1 where the row has the category."""
    from scipy.sparse import csr_array

    places, width = np.empty((len(rows), len(columns)), dtype=np.int64), 0
    for number, column in enumerate(columns):
        used, codes = np.unique(column.codes[rows], return_inverse=True)
        places[:, number] = codes + width
        width += len(used)
    # Every row has one category a column, so the ends of its entries are equally far apart.
    ends = np.arange(len(rows) + 1) * len(columns)
    return csr_array((np.ones(places.size), places.ravel(), ends), shape=(len(rows), width))


def _predicted(known: Any, truth: Codes, asked: Any) -> Codes:
    """What logistic regression learnt from some rows says of others; the one value where there is only one."""
    from sklearn.linear_model import LogisticRegression

    # scikit-learn refuses to fit one class, which a fold of a rare value can be.
    if (truth == truth[0]).all():
        return np.full(asked.shape[0], truth[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of steps run out, and of many values
        model = LogisticRegression(max_iter=STEPS_MAX, tol=1e-3).fit(known, truth)
    predicted: Codes = model.predict(asked)
    return predicted
