"""Section ``memory``: the peak of a step against ``pefomed estimate``, on the cards that docs/memory.md speaks of."""

from __future__ import annotations

from typing import Any

import torch

from projects.benchmarks.gpu_check.measure import free_memory
from projects.benchmarks.gpu_check.report import Report
from projects.benchmarks.gpu_check.state import Model
from projects.benchmarks.real_size import Steps, random_model

ROWS = {24: 4, 48: 18, 80: 37}
"""Card in GB -> rows of the largest batch of docs/memory.md, without recomputation."""


def memory(report: Report, model: Model) -> None:
    """Batches of 6 and the largest that a card of 24, 48 or 80 GB is promised, on a share of this card as large."""
    from pefomed_plugin.config.compose import read_configuration
    from pefomed_plugin.services.memory.estimate import GIB, USABLE, estimate

    for name in ("own", "steps"):
        vars(model).pop(name, None)
    free_memory()
    steps = Steps(random_model(model.folder, "cuda", lora_dropout=0.05))
    total = torch.cuda.mem_get_info()[1]
    cards = {card: rows for card, rows in ROWS.items() if card * GIB * USABLE <= total}
    for card, rows in [(None, 6), *list(cards.items())[-1:]]:
        found = estimate(
            read_configuration(
                {
                    "model": {"lora_dropout": 0.05},
                    "datasets": {"vqa_rad": {"batch_size": rows}},
                    "run": {"task": "medical_vqa", "output_dir": ".", "precision": "bf16"},
                }
            )
        )
        load, parts = found.training_load, found.training
        assert load is not None
        assert parts is not None
        free_memory()
        if card:  # the allocator gives back what lies idle only where the card is full
            torch.cuda.set_per_process_memory_fraction(min(1.0, (card * GIB * USABLE - parts["CUDA"]) / total))
        try:
            for tokens in (load.row_tokens - 60, load.row_tokens - 7, load.row_tokens):
                steps.take(_longest(load.rows, tokens, load.answer_tokens // load.samples))
        except torch.cuda.OutOfMemoryError:
            report.verdict(False, f"a batch of {rows} fits on a card of {card} GB")
            continue
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        net = (sum(parts.values()) - parts["CUDA"] - parts["allocator's slack"]) / GIB
        taken, reserved = torch.cuda.max_memory_allocated() / GIB, torch.cuda.max_memory_reserved() / GIB
        report.verdict(
            0.9 * net < taken < 1.02 * net,
            f"a batch of {rows}{f' fits on a card of {card} GB and' if card else ''} takes what is estimated",
            estimated_GiB=sum(parts.values()) / GIB,
            without_slack=net,
            allocated=taken,
            reserved=reserved,
        )
    model.own, model.steps = steps.own, steps


def _longest(rows: int, tokens: int, answer: int) -> dict[str, Any]:
    """A batch of so many rows, all of the same length."""
    from pefomed_plugin.toolkit.bundled.packing import Packed

    ids = torch.full((rows, tokens), 5)
    wanted = torch.arange(tokens - answer, tokens).repeat(rows, 1)
    flat = torch.arange(rows * answer)
    layout = Packed(
        token_ids=ids,
        positions=torch.arange(tokens).repeat(rows, 1),
        segments=torch.zeros_like(ids),
        filled=torch.arange(rows * tokens),
        visual_starts=torch.full((rows,), 5),
        wanted=wanted,
        flat=flat,
        sources=(wanted + tokens * torch.arange(rows)[:, None]).flatten(),
        targets=torch.full((rows * answer,), 7),
        owners=flat // answer,
        samples=rows,
        separately_padded_length=tokens,
        truncated_answers=0,
    )
    names = ["x"] * rows
    return {"image": torch.zeros(rows, 3, 448, 448), "layout": layout, "answer": names, "image_id": names}
