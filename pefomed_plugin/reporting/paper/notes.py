"""What must stand beside the figures of some places: that they mean nothing, who judged, departures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path

from ...config.model import ModelConfig, VitConfig
from ...families import read_model_size
from ...origins import REAL, TINY, Origins
from ...scoring.spec import RUN, ScorerSpec
from ..comparison.compare_tables import format_stages
from ..comparison.lineage import deviations, stages_of
from ..comparison.paper_figures import EXACT_MATCH, GPT4_JUDGE, HUMAN
from ..comparison.paper_rivals import TRAINED
from ..results import Run
from .material import Material, Place

LEFT_OUT = " The paper's figures, which are of real data, are left out."
IN_BRACKETS = (
    "In brackets: the paper's figure; behind \u00b1 the SD over runs or raters. How our runs depart from the paper's: "
    "departures.md."
)


def beside_papers(material: Material, places: Iterable[Place]) -> Material:
    """The material for a table of these places: without the paper's figures where anything of them is generated."""
    return replace(material, papers=not notice_of(places))


def papers_note(material: Material, places: Iterable[Place]) -> list[str]:
    """Where the paper's figures stand, or why they do not."""
    return [IN_BRACKETS] if material.papers else [notice + LEFT_OUT for notice in notice_of(places)]


def notice_of(places: Iterable[Place]) -> list[str]:
    """That the figures of these places mean nothing, where anything of them is generated."""
    there = [(place, place.run) for place in places if place.run and place.answered]
    data: dict[str, str] = {}
    for place, run in there:
        data.update(run.origins.of(place.dataset).data)
    model = TINY if any(run.origins.model == TINY for _, run in there) else REAL
    notice = Origins(data, model).notice
    return [notice] if notice else []


def scorers_note(specs: Iterable[ScorerSpec | None]) -> list[str]:
    """By which scorers our figures are, with their versions."""
    names = dict.fromkeys(f"{spec.name} (version {spec.version})" for spec in specs if spec is not None)
    return [f"Ours by {', '.join(names)}."] if names else []


def departures_of(places: Sequence[Place]) -> list[str]:
    """How each place departs from the paper, a line each; those that do so alike share one."""
    departs: dict[str, list[str]] = {}
    for place in places:
        if place.run is None or place.answered is None:
            continue
        generated = place.run.origins.of(place.dataset).words
        found = [text for text in deviations(place.run, place.answered) if text != generated]
        found = [place.samples, *found] if place.samples else found
        own = stages_of(replace(place.run, name="")) if place.stages is not None else place.stages
        if own is not None and own != place.stages:
            found.insert(0, f"its own configuration says that its stages are {format_stages(own)}")
        departs.setdefault("; ".join(found) or "in nothing that is known", []).append(f"{place.label}, {place.dataset}")
    return [f"{' and '.join(names)}: {what}" for what, names in departs.items()]


def trained_parameters(run: Run) -> int | None:
    """How many numbers a run's model trains, by arithmetic from its configuration; None where that cannot tell."""
    section = run.config.get("model") or {}
    known = {one.name for one in fields(ModelConfig)}
    files = run.record.model.files if run.record else {}
    llama = Path(files["llama"].path) if "llama" in files else None
    if not section or (run.origins.model == TINY and (llama is None or not llama.is_dir())):
        return None
    given = {key: value for key, value in section.items() if key in known}
    vit = VitConfig(**section["vit"]) if section.get("vit") else None
    return read_model_size(ModelConfig(**{**given, "vit": vit, "llama_model": str(llama or "")})).trained


def trained_in_words(material: Material, places: Iterable[Place]) -> str:
    """The same for a table, with the paper's; of several runs each once."""
    counts = dict.fromkeys(trained_parameters(place.run) for place in places if place.run)
    ours = ", ".join("not known" if count is None else f"{count / 1e6:.2f}M" for count in counts)
    return f"{ours or 'no run'} ({TRAINED})" if material.papers else ours


def words_of(of: str, places: Iterable[Place]) -> str:
    """What an evaluation is called: the judge by its name where it is not GPT-4, as in the paper."""
    if of != GPT4_JUDGE:
        return {EXACT_MATCH: "exact match", HUMAN: "people"}[of]
    specs = [spec for place in places if (spec := place.scorer(of))]
    others = dict.fromkeys(spec.name.split("/", 2)[-1] for spec in specs if spec.paper != of)
    return f"{' / '.join(others)} (paper: GPT-4)" if others else "GPT-4"


def judge_note(material: Material, specs: Iterable[ScorerSpec | None]) -> list[str]:
    """Who judged, where it was not GPT-4 as in the paper, whose figures stand beside."""
    if not material.papers:
        return []
    others = dict.fromkeys(spec.title for spec in specs if spec and spec.repeated == RUN and spec.paper != GPT4_JUDGE)
    return [f"Ours {title}, the paper's by GPT-4: figures of different judges do not compare." for title in others]
