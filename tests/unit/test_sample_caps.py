"""The descriptors that come with Sudare keep to what docs/epsilon advises, in both languages."""

import re
from pathlib import Path

import pytest

from api.commands.sample_city import ALLOTMENT
from datasets.descriptor.descriptor import Descriptor, View, read
from privacy.budget import NANO, epsilon_of

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = {
    "datasets/sample/residents.yaml": "residents",
    "datasets/sample/care.yaml": "welfare",
    "datasets/sample/childcare.yaml": "welfare",
    "examples/adult.yaml": "residents",
    "examples/employers.yaml": "residents",
}
RANGES = {
    "docs/epsilon.md": r"register of residents,\s+1\s+to\s+(\d+)\s.*?health\s+or\s+welfare,\s+1\s+to\s+(\d+)",
    "docs/epsilon.ja.md": r"住民の個人情報ファイルなら\s*1〜(\d+)、\s*医療や福祉なら\s*1〜(\d+)",
}
ROW = re.compile(r"^\| (\d+(?:\.\d+)?) \| [\d.]+ ?% \|", re.MULTILINE)


def advice(guide: str) -> dict[str, float]:
    """The highest cap that a guide calls usable, for each kind of register, in ε."""
    found = re.search(RANGES[guide], (ROOT / guide).read_text("utf-8"), re.DOTALL)
    assert found is not None, guide
    return {"residents": float(found[1]), "welfare": float(found[2])}


def described(file: str) -> Descriptor:
    found = read((ROOT / file).read_text("utf-8"))
    assert isinstance(found, Descriptor)
    return found


def in_epsilon(descriptor: Descriptor) -> float:
    """The cap as the guide counts it: ρ at the declared δ."""
    schema = descriptor.schema
    if schema.measure == "pure":
        return schema.cap.nano / NANO
    assert schema.delta is not None
    return float(epsilon_of(schema.cap, schema.delta))


def test_every_shipped_descriptor_with_a_cap_is_looked_at() -> None:
    files = [*(ROOT / "datasets" / "sample").glob("*.yaml"), *(ROOT / "examples").glob("*.yaml")]
    registers = {
        file.relative_to(ROOT).as_posix()
        for file in files
        if "\nprivacy:" in (text := file.read_text("utf-8")) and not isinstance(read(text), View)
    }
    assert registers == set(SHIPPED)


@pytest.mark.parametrize("guide", RANGES)
@pytest.mark.parametrize("file", SHIPPED)
def test_a_shipped_cap_is_at_most_what_the_guide_advises(file: str, guide: str) -> None:
    assert in_epsilon(described(file)) <= advice(guide)[SHIPPED[file]]


@pytest.mark.parametrize("guide", RANGES)
def test_the_guide_advises_no_cap_beyond_what_it_explains(guide: str) -> None:
    explained = [float(epsilon) for epsilon in ROW.findall((ROOT / guide).read_text("utf-8"))]
    assert max(advice(guide).values()) <= max(explained)


def test_the_descriptor_in_the_guide_to_datasets_keeps_to_the_advice() -> None:
    guide = (ROOT / "docs" / "datasets.md").read_text("utf-8")
    shown = read(guide.split("```yaml\n")[1].split("```")[0])
    assert isinstance(shown, Descriptor)
    assert in_epsilon(shown) <= advice("docs/epsilon.md")["residents"]


@pytest.mark.parametrize("file", [file for file in SHIPPED if file.startswith("datasets/")])
def test_a_slip_spends_no_more_than_a_part_of_a_cap_and_the_demonstration_fits(file: str) -> None:
    schema = described(file).schema
    assert schema.price_per_query_max <= ALLOTMENT < schema.cap


def test_the_balance_in_both_readmes_is_the_demonstrations() -> None:
    left = described("datasets/sample/residents.yaml").schema.cap.nano / NANO - 0.5
    for readme in ("README.md", "README.ja.md"):
        assert f"dataset:residents has {left:g} left" in (ROOT / readme).read_text("utf-8")
