"""Whole runs of the embedded default on one and two cards: they start, train, answer and end."""

from __future__ import annotations

import pytest

TRAIN = ("train.py", "--cfg-path", "train_configs/pefomed_stage2.yaml", "--options", "run.device=cuda")
SHORT = ("run.iters_per_epoch=3", "run.log_freq=2")


@pytest.fixture
def train(start, tmp_path):
    """``train(*options, ranks=1, **variables)``: a short run of stage 2."""

    def run(*options, ranks=1, **variables):
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", ranks] if ranks > 1 else []
        folder = f"run.output_dir={tmp_path / 'out'}"
        return start(*torchrun, *TRAIN, *SHORT, folder, *options, FAKEGPU_COUNT=str(ranks), **variables)

    return run


def said(done):
    return done.stdout[-1500:] + done.stderr[-1500:]


FEATURES = ("run.questions_per_image=4", "run.image_cache=features")
FSDP = ("run.precision=bf16", "run.strategy=fsdp", "run.test_splits=[]")


@pytest.mark.parametrize(
    ("ranks", "options"),
    [
        (1, ("run.precision=bf16",)),
        (1, ("run.amp=true", *FEATURES, "model.use_grad_checkpoint_llm=true")),
        (2, ("run.precision=bf16", "run.valid_splits=[train]", "run.max_grad_norm=1")),
        (2, FSDP),
        pytest.param(1, ("run.amp=false",), marks=pytest.mark.xfail(strict=True, reason="fp32 run, fp16 weights")),
        pytest.param(
            2,
            (*FSDP, "run.image_cache=features"),
            marks=pytest.mark.xfail(strict=True, reason="the encoder is on the CPU, k_bias in fp16"),
        ),
    ],
)
def test_a_whole_run(train, ranks, options):
    done = train(*options, ranks=ranks)
    assert done.returncode == 0, said(done)


def test_a_batch_that_does_not_fit_is_halved_while_answering(train):
    done = train("run.precision=bf16", "run.batch_size_eval=216", FAKEGPU_GIB="0.12")
    assert done.returncode == 0, said(done)
    assert "out of memory; going on with 108" in done.stdout


@pytest.mark.xfail(strict=True, reason="is_bf16_supported() counts emulation")
def test_a_card_without_bf16_of_its_own_gets_fp16(start):
    code = "from pefomed_plugin.adapters.devices import _own_precision as own; print(own(False))"
    assert start("-c", code, FAKEGPU_CC="75").stdout.split()[-1] == "fp16"
    assert start("-c", code, FAKEGPU_CC="80").stdout.split()[-1] == "bf16"
