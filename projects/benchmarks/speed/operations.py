"""Operations of a step by torch's own counter, the CPU's attention kernel included."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count


def counting_operations() -> Any:
    """A context whose ``get_total_flops()`` counts products of matrices and attention, on the CPU as on a GPU.

    torch 2.14 counts attention on a GPU only: a step on the CPU seems 3 to 15 % lighter than it is. Its fused kernel
    multiplies queries and keys once more on the way back.
    """
    kernels = torch.ops.aten
    return FlopCounterMode(
        display=False,
        custom_mapping={
            kernels._scaled_dot_product_flash_attention_for_cpu: _forth,
            kernels._scaled_dot_product_flash_attention_for_cpu_backward: _back,
        },
    )


def _forth(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


def _back(gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_backward_flop_count(gradient, query, key, value))
