"""The report of a record set as one page to read, print and sign; it loads nothing from anywhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.records import charts
from api.records.report_words import say
from datasets.records.report import Report
from privacy.words import LANGUAGES, Language

TEMPLATES = Path(__file__).parent / "templates"


def page(report: Report, languages: Sequence[Language]) -> str:
    """The page in one language, or in several one after the other."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.globals |= {"say": say, "percent": percent, "number": number, "whole": whole, "plain": plain}
    drawn = {
        language: [charts.svg(picture, language=language) for picture in report.distributions]
        for language in languages
    }
    return environment.get_template("report.html").render(
        body=_lenient(report.body), languages=languages, pictures=drawn, attributes=_attributes(report.body)
    )


def _lenient(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body with what an unsolved report has no word for."""
    return {"at": "", **body, "hashes": {"records": "", **body["hashes"]}}


def _attributes(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each attribute: what was done to it, and what that cost."""
    useful = {one["name"]: one for one in (body.get("utility") or {}).get("attributes", ())}
    return [_attribute(one, useful.get(one["name"]), body) for one in body["attributes"]]


def _attribute(
    attribute: Mapping[str, Any], useful: Mapping[str, Any] | None, body: Mapping[str, Any]
) -> dict[str, Any]:
    is_quasi = attribute["grain"] is not None
    level: int | str | None = None
    if is_quasi and body.get("solved"):
        levels = body["levels"]
        level = "by_row" if levels is None else levels[attribute["name"]]
    return {
        "name": attribute["name"],
        "role": attribute["role"],
        "operations": {language: _operations(attribute, body, language) for language in LANGUAGES},
        "level": level,
        "top": attribute["levels"],
        "changed": None if useful is None else useful["changed"],
        "loss": None if useful is None else useful["loss"],
    }


def _operations(attribute: Mapping[str, Any], body: Mapping[str, Any], language: Language) -> str:
    """The operations in the words of the PPC secretariat's list."""
    name = attribute["name"]
    done = [
        f"{one['term'][language]} ({one['operation']})"
        for one in body["operations"]
        if one["attribute"] == name and one["operation"] != "remove"
    ]
    if not attribute["published"]:
        removed = any(one["attribute"] == name for one in body["operations"] if one["operation"] == "remove")
        return say("removed" if removed or name in body["not_read"] else "left_out", language)
    levels = body.get("levels")
    if attribute["grain"] is not None and (attribute["grain"] or levels is None or levels[name]):
        done.append(say("generalised", language))
    return ", ".join(done) or say("kept", language)


def percent(share: float | None) -> str:
    """A share of one; what is not none is never told as 0 %."""
    if share is None:
        return ""
    if 0 < share < 0.00005:
        return "< 0.01 %"
    digits = 2 if 0 < share < 0.01 else 1
    return f"{share * 100:.{digits}f} %"


def number(figure: float | None) -> str:
    """A figure with up to six digits."""
    return "" if figure is None else f"{figure:,.6g}"


def whole(count: int) -> str:
    """A count with its digits grouped."""
    return f"{count:,}"


def plain(value: Any) -> str:
    """A value of the nearest solution: figures and names, one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {plain(inner)}" for name, inner in value.items())
    if isinstance(value, float):
        return number(value)
    return ", ".join(map(plain, value)) if isinstance(value, list | tuple) else str(value)
