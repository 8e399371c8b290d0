"""Section ``memory``: the peak of a step against ``pefomed estimate``, on the cards that docs/memory.md speaks of."""

from __future__ import annotations

import torch

from projects.benchmarks.gpu_check.measure import free_memory
from projects.benchmarks.gpu_check.report import Report
from projects.benchmarks.gpu_check.state import Model
from projects.benchmarks.real_size import Steps, longest_batch, random_model, stage2


def memory(report: Report, model: Model) -> None:
    """Batches of 6 and the largest that a card of 24, 48 or 80 GB is promised, on a share of this card as large."""
    from pefomed_plugin.services.memory.advice import largest_batch
    from pefomed_plugin.services.memory.estimate import CARDS_GB, GIB, estimate, usable_bytes

    for name in ("own", "steps"):
        vars(model).pop(name, None)
    free_memory()
    steps = Steps(random_model(model.folder, "cuda", lora_dropout=0.05))
    total = torch.cuda.mem_get_info()[1]
    cards = [card for card in CARDS_GB if usable_bytes(card) <= total]
    for card, rows in [(None, 6), *[(card, largest_batch(stage2(6), card)) for card in cards[-1:]]]:
        found = estimate(stage2(rows))
        load, parts = found.training_load, found.training
        assert load is not None
        assert parts is not None
        free_memory()
        if card:  # the allocator gives back what lies idle only where the card is full
            torch.cuda.set_per_process_memory_fraction(min(1.0, (usable_bytes(card) - parts["CUDA"]) / total))
        try:
            for tokens in (load.row_tokens - 60, load.row_tokens - 7, load.row_tokens):
                steps.take(longest_batch(load.rows, tokens, load.answer_tokens // load.samples))
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
