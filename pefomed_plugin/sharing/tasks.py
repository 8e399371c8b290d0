"""What the folders of both harnesses' tasks share: the README."""

from __future__ import annotations

from pathlib import Path

from ..origins import GENERATED, Origins, manifest_origin
from ..reporting.cards import bullets, join, warning
from ..services.console import quote_words
from .figures import MAX_TOKENS
from .format import ShareFormat, ToShare, task_name


def readme(to_share: ToShare, form: ShareFormat) -> str:
    """What a task's folder says of itself."""
    is_generated = manifest_origin(to_share.manifest) == GENERATED
    spec, licence, harness = to_share.spec, to_share.spec.licence, form.name.replace("lmms_eval", "lmms-eval")
    counts = [
        f"`{task_name(to_share.dataset, split)}`: {len(rows):,} samples" for split, rows in to_share.splits.items()
    ]
    return join(
        [
            f"# {spec.title} for {harness}",
            warning(Origins({to_share.dataset: manifest_origin(to_share.manifest)})),
            "Written by `pefomed share`. In an environment with " + harness + " and pefomed_plugin:",
            f"```\n{quote_words(form.command(Path('.')))}\n```",
            bullets(counts),
            f"Asked with evaluation's instruction after the image, answered in up to {MAX_TOKENS} tokens, greedily, "
            f"and scored by {', '.join(found.name for found in to_share.scorers)} of pefomed_plugin: the figures are "
            "those of `pefomed score`, in its unit.",
            "## Licence",
            *(
                ["Generated; BSD 3-Clause."]
                if is_generated
                else [f"{licence[0].upper()}{licence[1:]}.", spec.passing_on]
            ),
            f"## How to cite\n\n- {spec.citation}",
        ]
    )
