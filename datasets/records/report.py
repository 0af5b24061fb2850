"""What a run reports, as JSON: what was done, what remains, and what a person must judge.

It holds names, counts, shares and labels of hierarchies; no other value of the data, and no seed.
"""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from typing import Any

from datasets.records.evaluation import Evaluation, has_classifier, k_of, of_numbers
from datasets.records.plan.model_words import words_of_model
from datasets.records.plan.plan import ProcessingPlan
from datasets.records.prepare import Prepared, Read
from datasets.records.run_secrets import Secrets
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.models import name_of, title_of
from privacy.deidentify.operations.naming import TERMS
from privacy.deidentify.proof.attack import Linkage
from privacy.deidentify.search.engine import NoSolution, Recoded, Recoding
from privacy.deidentify.standard import Examination
from privacy.deidentify.standard.findings import ITEMS
from privacy.deidentify.utility.classifier import NOT_INSTALLED
from privacy.deidentify.utility.comparison import ColumnComparison

FORMAT = "sudare-deid-report/1"
# Whose version can change a draw, a loss or a byte of the output.
PACKAGES = ("numpy", "numba", "pyarrow", "scikit-learn", "sudare")
OPTIONAL_PACKAGES = ("scikit-learn",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report's body (what JSON says), the pictures of its pages, and whether there is a record set."""

    body: Mapping[str, Any]
    distributions: tuple[ColumnComparison, ...] = ()
    examination: Examination | None = None

    @property
    def is_solved(self) -> bool:
        """Whether a record set was made."""
        return bool(self.body["solved"])

    def as_json(self) -> str:
        """The body; a figure without a bound is null."""
        return json.dumps(_finite(self.body), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    # JSON knows no infinity; a bound that is missing is null.
    return None if isinstance(content, float) and not isfinite(content) else content


def _about(
    plan: ProcessingPlan, given: Read, prepared: Prepared, secrets: Secrets, seconds: Mapping[str, float]
) -> dict[str, Any]:
    """What every report says, with a record set or without one."""
    return {
        "format": FORMAT,
        "title": plan.title,
        "rows": {
            "read": prepared.rows_read,
            "asked_for": prepared.rows_asked,
            "published": prepared.table.rows,
        },
        "persons": prepared.persons,
        "unit": plan.unit,
        "recoding": plan.recoding,
        "measure": asdict(plan.loss),
        "attributes": _attributes(plan, given, prepared),
        "operations": [_operation(done) for done in prepared.applied],
        "not_read": list(given.unread),
        "seed": "given" if secrets.seed_given else "drawn",
        "key": _key(secrets, prepared),
        # What the plan asks for twice or beside something stricter.
        "notes": list(plan.notes),
        "versions": versions(),
        "seconds": {name: round(spent, 6) for name, spent in seconds.items()},
    }


def _attributes(plan: ProcessingPlan, given: Read, prepared: Prepared) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "role": attribute.role.value,
            "published": name in prepared.table,
            "grain": attribute.level if name in prepared.trees else None,
            "levels": prepared.whole[name].height - 1 if name in prepared.whole else None,
            # A count of values, never the values.
            "distinct": len(given.table[name].values) if name in given.table else None,
        }
        for name, attribute in plan.attributes.items()
    ]


def _operation(done: Any) -> dict[str, Any]:
    return {
        "attribute": done.column,
        "operation": done.operation,
        "term": done.term.words.as_json(),
        "cells": done.cells,
        "rows": done.rows,
        "figures": dict(done.figures),
    }


def _key(secrets: Secrets, prepared: Prepared) -> str:
    """What became of the key of pseudonyms: none was needed, kept apart by its owner, or destroyed with the run."""
    if not any(done.operation == "pseudonym" for done in prepared.applied):
        return "none"
    return "kept" if secrets.key_given else "destroyed"


def versions() -> dict[str, str]:
    """Programs that the result depends on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            # An extra that is not installed had no part in the result, so it is not named.
            if package not in OPTIONAL_PACKAGES:
                found[package] = "unknown"
    return found


def solved(
    plan: ProcessingPlan,
    given: Read,
    prepared: Prepared,
    recoded: Recoded,
    secrets: Secrets,
    result: Evaluation,
    sha256: str,
    seconds: Mapping[str, float],
) -> Report:
    """The report of a record set."""
    suppressed = int(recoded.suppressed.sum())
    body = {
        "solved": True,
        "optimal": bool(recoded.optimal),
        "loss": float(recoded.loss),
        "granularity_loss": float(recoded.granularity_loss),
        "gap": float(recoded.gap),
        "suppressed": suppressed,
        "suppression": {
            "share": suppressed / prepared.table.rows,
            "limit": plan.suppression,
            "term": TERMS["suppress_records"].words.as_json(),
        },
        # With local recoding the levels stand in schemes.csv, one line a scheme.
        "levels": None if recoded.levels is None else _levels(plan, recoded.levels),
        "schemes": 1 if recoded.levels is not None else len(recoded.schemes),
        "nodes": int(recoded.nodes),
        "checked": int(recoded.checked),
        "models": [
            {
                "name": verdict.name,
                "title": title_of(model).as_json(),
                "met": verdict.met,
                "value": verdict.value,
                "words": words_of_model(model).as_json(),
            }
            for verdict, model in zip(result.verdicts, plan.models, strict=True)
        ],
        "risks": _risks(result),
        "attack": _attack(result.linkage, prepared.table.rows, k_of(plan)),
        "utility": _utility(result),
        "classifier": _classifier(result),
        "classifier_note": _classifier_note(plan, result),
        "standard": standard(result.examination),
        "hashes": {"source": given.sha256, "plan": plan.digest, "records": sha256},
        "at": result.at,
        **_about(plan, given, prepared, secrets, seconds),
    }
    return Report(body=body, distributions=result.distributions, examination=result.examination)


def _levels(plan: ProcessingPlan, found: Mapping[str, int]) -> dict[str, int]:
    """Levels of the hierarchies as the plan has them: the search's begin at the grain asked for."""
    return {name: int(level) + plan.attributes[name].level for name, level in found.items()}


def _risks(result: Evaluation) -> dict[str, Any]:
    return {
        "classes": result.classes,
        "smallest_class": result.smallest,
        "prosecutor": asdict(result.prosecutor),
        # The expected share of hits when everybody is attacked is the mean of the single chances (El Emam,
        # 2013).
        "marketer": result.prosecutor.mean,
        "journalist": None if result.journalist is None else asdict(result.journalist),
        "sample_uniqueness": result.sample_unique,
        "population_uniqueness": None if result.uniqueness is None else result.uniqueness.share,
    }


def _attack(linkage: Linkage, rows: int, k: int) -> dict[str, Any]:
    """The linkage attack in counts and shares; which rows it singled out is left out."""
    targets = linkage.targets + linkage.suppressed_targets
    return {
        "k": k,
        "targets": targets,
        # Suppressed records are targets too: an attacker does not know that they are gone.
        "sampled": targets < rows,
        "least_candidates": linkage.least,
        "mean_candidates": linkage.mean,
        "narrowed_below_k": linkage.narrowed,
        "unique": linkage.unique,
        "correct": linkage.correct,
        "success": linkage.success,
        "suppressed_targets": linkage.suppressed_targets,
        "suppressed_narrowed_below_k": linkage.narrowed_suppressed,
    }


def _utility(result: Evaluation) -> dict[str, Any] | None:
    if result.utility is None:
        return None
    utility = asdict(result.utility)
    for attribute in utility["attributes"]:
        attribute["rows_by_level"] = list(attribute["rows_by_level"])
    return utility


def _classifier(result: Evaluation) -> dict[str, Any] | None:
    if result.accuracy is None:
        return None
    return {
        **asdict(result.accuracy),
        "sampled": result.accuracy.sampled,
        "relative": result.accuracy.relative,
    }


def _classifier_note(plan: ProcessingPlan, result: Evaluation) -> dict[str, str] | None:
    """Why there is no figure though the plan asks for one."""
    left_out = plan.classify is not None and result.accuracy is None and not has_classifier()
    return NOT_INSTALLED.as_json() if left_out else None


def standard(examination: Examination) -> dict[str, Any]:
    """The five items: how each check ended, what was found where, and what is left to the reviewer."""
    return {
        "words": asdict(examination.words),
        "items": [
            {
                "item": item,
                "passed": examination.passed(item),
                "checks": [_check(check) for check in examination.item(item).checks],
                "findings": [_finding(finding) for finding in examination.item(item).findings],
                "questions": [
                    {"key": question.key, "words": asdict(question.words)}
                    for question in examination.item(item).questions
                ],
            }
            for item in ITEMS
        ],
    }


def _check(check: Any) -> dict[str, Any]:
    return {
        "method": check.method,
        "tested": asdict(check.tested),
        "result": check.result.value,
        "figures": dict(check.figures),
    }


def _finding(finding: Any) -> dict[str, Any]:
    return {
        "code": finding.code,
        "columns": list(finding.columns),
        # Row numbers for the reviewer; what stands in them is not repeated.
        "rows": {"first": list(finding.rows.first), "total": finding.rows.total},
        "severity": finding.severity.value,
        "words": asdict(finding.words),
        "operation": finding.operation.value,
    }


def unsolved(
    plan: ProcessingPlan,
    given: Read,
    prepared: Prepared,
    secrets: Secrets,
    fault: NoSolution,
    seconds: Mapping[str, float],
) -> Report:
    """The report that there is no solution: which model and attribute block it, and what comes nearest."""
    body = {
        "solved": False,
        "reasons": [reason.en for reason in fault.reasons],
        "reasons_ja": [reason.ja for reason in fault.reasons],
        "nearest": None if fault.nearest is None else dict(fault.nearest),
        "models": [
            {
                "name": name_of(model),
                "title": title_of(model).as_json(),
                "met": False,
                "value": None,
                "words": words_of_model(model).as_json(),
            }
            for model in plan.models
        ],
        "suppression": {"limit": plan.suppression},
        "hashes": {"source": given.sha256, "plan": plan.digest},
        **_about(plan, given, prepared, secrets, seconds),
        # A drawn seed is written with a record set only; without one it is gone.
        "seed": "given" if secrets.seed_given else "discarded",
    }
    return Report(body=body)


def scheme_rows(plan: ProcessingPlan, recoded: Recoded, prepared: Prepared) -> list[list[str]]:
    """The table of schemes: for each the level of every quasi-identifier, and what kind of label that is."""
    head = ["scheme", *(f"{name}.{what}" for name in prepared.trees for what in ("level", "label"))]
    ranged = plan.recoding == Recoding.RANGES
    rows = [head]
    for scheme, levels in enumerate(recoded.schemes):
        cells = [
            part
            for level, (name, tree) in zip(levels, prepared.whole.items(), strict=True)
            # The search counts levels from the grain; the table counts them as the plan's hierarchies do.
            for part in _part(level + plan.attributes[name].level, tree, ranged=ranged)
        ]
        rows.append([str(scheme), *cells])
    return rows


def _part(level: int, tree: Hierarchy, *, ranged: bool) -> tuple[str, str]:
    """A level and its kind of label: value (as the source has it), group (of several), all (the one label of every

    value), or range (of numbers).
    """
    if ranged and of_numbers(tree):
        return str(level), "range"
    return str(level), "value" if level == 0 else "all" if level == tree.height - 1 else "group"
