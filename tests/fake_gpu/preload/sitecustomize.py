"""What the stand-in for CUDA cannot stand in for, put right in each Python process that has it preloaded."""

from __future__ import annotations

import os

if os.environ.get("LD_PRELOAD", "").endswith("libcuda.so.1"):
    import torch
    import torch.distributed
    import torch.nn.parallel.distributed as data_parallel
    import torch.profiler

    # its plans cannot be faked; which attentions it would get is asked of torch (measure.py)
    torch.backends.cudnn.enabled = False
    torch.backends.cuda.enable_cudnn_sdp(False)
    torch.Tensor.erfinv_ = lambda self: self  # nvrtc compiles it for the card when it is first used
    # it compares what the ranks sent each other, and nothing is sent
    data_parallel._verify_param_shape_across_processes = lambda *_, **__: True
    if torch.distributed.is_available():

        def barrier(*_, **__):
            """Through gloo, which does exchange."""
            torch.distributed.all_reduce(torch.zeros(1))

        torch.distributed.barrier = barrier
