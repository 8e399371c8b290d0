"""Whole runs of the embedded default on one and two cards: they start, train, answer and end."""

from __future__ import annotations

import pytest

FEATURES = ("run.questions_per_image=4", "run.image_cache=features")
FSDP = ("run.precision=bf16", "run.strategy=fsdp", "run.test_splits=[]")


@pytest.mark.parametrize(
    ("ranks", "options"),
    [
        (1, ("model.compile_layers=true", "run.test_splits=[]")),
        (1, ("run.precision=fp16", *FEATURES, "model.use_grad_checkpoint_llm=true")),
        (2, ("run.precision=bf16", "run.valid_splits=[train]", "run.max_grad_norm=1")),
        (2, FSDP),
        (1, ("run.precision=fp32", "run.drafts=training_answers")),
        (2, (*FSDP, "run.image_cache=features")),
    ],
)
def test_a_whole_run(train, said, ranks, options):
    done = train(*options, ranks=ranks)
    assert done.returncode == 0, said(done)
    assert "recompile" not in done.stderr  # torch's word at its limit


@pytest.mark.parametrize(
    ("capability", "words"),
    [
        ("90", "1 x cuda in bf16, which this GPU has, the vision encoder in float16"),
        ("75", "1 x cuda in fp16 (this GPU has no bf16 of its own)"),
    ],
)
def test_a_run_that_names_no_precision_says_which_it_takes_and_why(train, said, capability, words):
    done = train(FAKEGPU_CC=capability)
    assert done.returncode == 0, said(done)
    assert words in done.stdout


def test_a_precision_that_the_card_has_not_is_refused(train, said):
    refused = train("run.precision=bf16", FAKEGPU_CC="75")
    assert refused.returncode != 0 and "has no bf16 of its own; use fp16" in said(refused)


def test_a_batch_that_does_not_fit_is_halved_while_answering(train, said):
    done = train("run.precision=bf16", "run.batch_size_eval=216", FAKEGPU_GIB="0.12")
    assert done.returncode == 0, said(done)
    assert "out of memory; going on with 108" in done.stdout
