"""One bit of a file of weights is another one: every reader refuses it, by the digest beside it or by its checksums."""

from __future__ import annotations

import random

import pytest
import torch
from safetensors.torch import save_file

from pefomed_plugin.adapters.exports.contents import read_contents
from pefomed_plugin.adapters.training.checkpoints import CheckpointKeeper
from pefomed_plugin.digests import digest_file, file_sha256
from pefomed_plugin.doctor.findings import ERROR
from pefomed_plugin.doctor.weights import check_checkpoint
from pefomed_plugin.errors import CheckpointError
from pefomed_plugin.toolkit.checkpoint import read_checkpoint
from pefomed_plugin.toolkit.weights_file import read_file

READERS = {
    "evaluate": read_checkpoint,
    "doctor and stage 2": lambda path: read_checkpoint(path, lazily=True),
    "resume": CheckpointKeeper.read,
    "load, merge, export": read_contents,
    "bare": read_file,
}


def flip(path, seed):
    """Another bit among the tensors' values, which are by far the most of the file."""
    content = bytearray(path.read_bytes())
    place = random.Random(seed).randrange(len(content) // 4, 3 * len(content) // 4)
    content[place] ^= 1 << seed % 8
    path.write_bytes(content)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("has_digest", [True, False])
def test_a_bit_is_noticed(tmp_path, reader, has_digest):
    for seed in range(9):
        path = tmp_path / f"{seed}.pth"
        torch.save({"model": {"llama_proj.weight": torch.randn(40, 100)}, "epoch": 0}, path)
        if has_digest:
            digest_file(path).write_text(file_sha256(path) + "\n")
        READERS[reader](path)
        flip(path, seed)
        with pytest.raises(CheckpointError, match=f"{seed}.pth is damaged: .*copy it again"):
            READERS[reader](path)


def test_doctor_does_not_call_it_ready(tmp_path):
    path = tmp_path / "checkpoint.pth"
    torch.save({"model": {"llama_proj.weight": torch.randn(40, 100)}}, path)
    flip(path, 3)
    [finding] = check_checkpoint(path)
    assert finding.state == ERROR and "is damaged" in finding.found


def test_safetensors_are_checked_by_the_digest_beside_them(tmp_path):
    path = tmp_path / "adapter.safetensors"
    save_file({"llama_proj.weight": torch.randn(40, 100)}, path)
    digest_file(path).write_text(file_sha256(path))
    flip(path, 1)
    with pytest.raises(CheckpointError, match="is damaged: .*if you have put another file there, delete"):
        read_checkpoint(path)
