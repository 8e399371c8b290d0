"""The project on a GPU that computes nothing: what torch is asked for, in which precision, what waits, what it takes.

``cuda/`` stands in for CUDA's runtime, driver, cuBLAS and NCCL, and ``build.py`` makes a ``libcuda.so.1`` of it.
Preloaded, it makes the real CUDA build of torch believe in a card: an H100, or what ``FAKEGPU_CC`` (75, 80, 90),
``FAKEGPU_GIB`` and ``FAKEGPU_COUNT`` say.

* **Real**: torch's dispatcher, autocast, caching allocator (addresses, no memory behind them), choice of the attention
  kernel, DDP, FSDP, Inductor and Triton down to the binary, bitsandbytes.
* **Not real**: numbers (all zero), time, cuDNN (off), the profiler's CUPTI, what NCCL exchanges. transformers' own
  ``generate`` never ends, because it reads on the device whether it should.

``watch.py`` reads the counters; ``measure.py`` is the process that takes steps of the real size under the stand-in, as
``projects.benchmarks.real_size`` makes them. To look at something by hand, from the repository's root::

    python tests/fake_gpu/build.py /tmp/fake_cuda
    LD_PRELOAD=/tmp/fake_cuda/libcuda.so.1 LD_LIBRARY_PATH=/tmp/fake_cuda PYTHONPATH=tests/fake_gpu/preload:. \\
        python -c "import torch; print(torch.cuda.get_device_name())"

What only a card can show (numbers, times) is ``projects.benchmarks.gpu_check``'s.
"""
