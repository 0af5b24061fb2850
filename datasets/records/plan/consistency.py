"""What must belong together in a plan, as far as that shows without the data: roles, models, items, classify."""

from collections.abc import Mapping

from datasets.descriptor.yamltext import Path_, shown
from datasets.records.plan.entries import PlanEntry, no_attribute
from datasets.records.plan.plan import ProcessingPlan
from datasets.records.plan.plan_models import ModelEntry
from privacy.deidentify.models import DeltaPresence, Distance, KMap, TCloseness
from privacy.deidentify.table import Role
from privacy.words import Words


def check(plan: ProcessingPlan, given: Mapping[str, PlanEntry]) -> None:
    """Note every contradiction in the plan's tree, at the member of `given` that it is about."""
    if plan.attributes and not plan.of(Role.QUASI):
        message = Words(
            ja="役割が quasi の属性がありません。一般化する対象がありません",
            en="no attribute has the role quasi; there is nothing to generalise",
        )
        given["attributes"].fault(message)
    unit = plan.attributes.get(plan.unit or "")
    if unit is not None and unit.role in (Role.QUASI, Role.SENSITIVE):
        message = Words(
            ja="個人を示す列の役割は identifier または linkage です",
            en="the column that names the person is an identifier or a linkage code",
        )
        given["unit"].fault(message)
    for entry in plan.model_entries:
        _check_model(plan, entry)
    for name in plan.items and [entry.attribute for entry in plan.model_entries if entry.attribute]:
        if name not in plan.items:
            message = Words(
                ja=f"モデルが保護する {shown(str(name))} が含まれていません",
                en=f"leaves out {shown(str(name))}, which a model guards",
            )
            given["items"].fault(message)
    if plan.classify is not None and plan.classify in plan.attributes and not plan.publishes(plan.classify):
        message = Words(ja="この属性は公表されません", en="this attribute is not published")
        given["classify"].fault(message)


def _check_model(plan: ProcessingPlan, entry: ModelEntry) -> None:
    path, model = entry.path, entry.model
    if entry.attribute is not None:
        _check_guarded(plan, entry.attribute, path)
    if isinstance(model, DeltaPresence | KMap) and plan.population is None:
        message = Words(
            ja="母集団（同じ準識別子を持つファイル）が必要です",
            en="needs the population: a file with the same quasi-identifiers",
        )
        plan.tree.fault(path, message, key=True)
    if isinstance(model, DeltaPresence | KMap) and plan.recoding != "full_domain":
        # Local recoding sees the records alone; who of the population shares a label is known by level
        # only.
        message = Words(
            ja="recoding: full_domain の場合にのみ探索できます",
            en="is searched for with recoding: full_domain only",
        )
        plan.tree.fault(path, message, key=True)
    if isinstance(model, TCloseness) and model.distance is Distance.HIERARCHICAL:
        guarded = plan.attributes.get(model.attribute)
        if guarded is not None and guarded.hierarchy is None:
            message = Words(
                ja=f"階層距離には {shown(guarded.name)} の階層が必要です",
                en=f"hierarchical distance needs a hierarchy of {shown(guarded.name)}",
            )
            plan.tree.fault(path, message, key=True)


def _check_guarded(plan: ProcessingPlan, name: str, path: Path_) -> None:
    at = (*path, "attribute")
    if name not in plan.attributes:
        plan.tree.fault(at, no_attribute(name))
        return
    # A quasi-identifier is what others know already; guarding it as a secret would promise what cannot be
    # kept.
    role = plan.attributes[name].role
    if role is Role.QUASI:
        message = Words(
            ja=f"{shown(name)} は準識別子です。属性を同時に sensitive と quasi にはできません",
            en=f"{shown(name)} is a quasi-identifier; an attribute cannot be sensitive and quasi at once",
        )
        plan.tree.fault(at, message)
    elif role is not Role.SENSITIVE:
        message = Words(
            ja=f"{shown(name)} の役割は {role} です。このモデルは機微な属性を保護します",
            en=f"{shown(name)} has the role {role}; this model guards a sensitive attribute",
        )
        plan.tree.fault(at, message)
