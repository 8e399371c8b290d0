# PeFoMed for MiniGPT-v2 in a container: CPU or CUDA, not as root, and without the network once it is built.
#
#   docker build -t pefomed .                                  CPU
#   docker build -t pefomed:cuda --build-arg VARIANT=cuda .    NVIDIA GPUs; run with --gpus all
#
# TORCH_INDEX: index of torch's builds for the CPU or for another CUDA, as pytorch.org/get-started names it; empty: the usual
# one, whose Linux builds bring CUDA along and run on a CPU too, at some gigabytes more. docs/containers-and-clusters.md
FROM python:3.12-slim-bookworm

ARG VARIANT=cpu
ARG TORCH_INDEX=
ARG EXTRAS=bundled,meteor,parquet,dicom,report,rate

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

RUN case "$VARIANT" in cpu|cuda) ;; *) echo "VARIANT=$VARIANT: cpu or cuda"; exit 2;; esac \
    && apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "torch>=2.4" "torchvision>=0.19"

WORKDIR /opt/pefomed
COPY setup.py pyproject.toml README.md LICENSE ./
COPY pefomed_plugin pefomed_plugin
COPY train_configs train_configs
COPY eval_configs eval_configs
COPY projects projects
RUN pip install ".[$EXTRAS]" \
    && if [ "$VARIANT" = cuda ]; then pip install ".[quant]" \
    && python -c "import torch; assert torch.version.cuda, 'TORCH_INDEX has no CUDA build'"; fi

RUN useradd --create-home --uid 1000 pefomed && mkdir -p /pefomed /data /weights && chown pefomed /pefomed
USER pefomed
WORKDIR /pefomed

# Whatever is run here opens no connection but to itself: what it needs is mounted.
ENV HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 PEFOMED_OFFLINE=1

ENTRYPOINT ["pefomed"]
CMD ["--help"]
