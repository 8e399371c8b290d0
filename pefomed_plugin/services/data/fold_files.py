"""Folds on disk: a prepared folder for each, a YAML that trains and evaluates on it, and ``folds.json`` last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...config.given import SHIPPED, load_yaml
from ...digests import file_sha256
from ...errors import ConfigError
from ...origins import data_origin
from ...provenance import samples_sha256
from ...readers import Release
from ...readers.prepared import FINGERPRINTS, SHARD_INDEX, is_prepared, is_remote, split_file
from ...records import Sample
from ...storage import write_json, write_text
from ..console import quote_words
from ..images.fingerprints import read_fingerprints
from .examination import Account, Examination, examine
from .folds import Fold, make_folds
from .prepare import write_prepared

FOLDS = "folds.json"
KIND = "folds of a data set"


def write_folds(
    release: Release,
    data: Path,
    out: Path,
    *,
    k: int,
    by: str,
    seed: int,
    options: Mapping[str, Any],
    examination: Examination,
    base: str = "",
) -> tuple[list[tuple[Fold, Account]], Mapping[str, int]]:
    """Part a release and write ``fold_<n>/`` and ``fold_<n>.yaml`` for each part.

    Args:
        release: all of its splits are taken together.
        data: where it was read from.
        options: the reader's.
        examination: whether images are opened, which is what tells copies under other names.
        base: the YAML that the folds' YAMLs are like; empty: the shipped one of the data set.

    Returns:
        Each fold with what the examination finds in it, leaks from its training into its test part among it; and why
        samples are in none -> how many.

    Raises:
        ConfigError: ``out`` is there, or the YAML cannot be used.
        DataError: the samples cannot be grouped, or images cannot be used.
    """
    there = [path for path in out.iterdir() if path.name != FINGERPRINTS] if out.exists() else []
    if there:  # what one that failed remembers of images is no fold
        raise ConfigError(f"{out}: not empty; write folds to a folder of their own, or move it away")
    config = _base(base, release.dataset)
    fingerprints_file = out / FINGERPRINTS
    out.mkdir(parents=True, exist_ok=True)
    if is_prepared(data) and (data / FINGERPRINTS).is_file():
        fingerprints_file.write_bytes((data / FINGERPRINTS).read_bytes())
    read = Counter(skip.reason for skip in release.skips)
    usable, whole = examine(release, examination, cache=fingerprints_file)
    known = read_fingerprints(fingerprints_file) if fingerprints_file.is_file() else {}
    about = {"k": k, "by": by, "seed": seed}
    found = []
    for fold in make_folds(usable.samples, k, by, seed, known):
        folder = out / f"fold_{fold.number}"
        folder.mkdir()
        if known:
            (folder / FINGERPRINTS).write_bytes(fingerprints_file.read_bytes())
        parted = replace(usable, samples=[*fold.train, *fold.test])
        _, account = examine(
            parted, examination, options=options, origin=data_origin(data), cache=folder / FINGERPRINTS
        )
        account = replace(account, verdicts=())  # what is known of the release is not true of a fold
        which = {"number": fold.number, "of": k, "by": by, "seed": seed, "groups": fold.groups}
        manifest = {**account.to_json(), "mismatch_allowed": False, "fold": which}
        write_prepared(parted, manifest, folder, examination)
        write_text(out / f"fold_{fold.number}.yaml", _yaml_of(config, release.dataset, folder, out, options, fold, k))
        found.append((fold, account))
    _write_index(out, release.dataset, about, usable.samples, [fold for fold, _ in found])
    return found, Counter(whole.skipped) - read


def _write_index(
    out: Path, dataset: str, about: Mapping[str, Any], samples: Sequence[Sample], folds: Sequence[Fold]
) -> None:
    """``folds.json``: that the folds are whole, and of which samples."""
    said = [_record(fold, out / f"fold_{fold.number}") for fold in folds]
    digest = samples_sha256(samples)
    write_json(out / FOLDS, {"kind": KIND, "dataset": dataset, **about, "samples_sha256": digest, "folds": said})


def _record(fold: Fold, folder: Path) -> dict[str, Any]:
    return {
        "number": fold.number,
        "train": len(fold.train),
        "test": len(fold.test),
        "groups": fold.groups,
        "test_sha256": file_sha256(folder / split_file("test")),
    }


def refuse_shards(data: Path) -> None:
    """Raises ConfigError where the data are shards: their samples lie in them as they were written."""
    if is_remote(str(data)) or data.suffix == ".tar" or (data / SHARD_INDEX).is_file():
        raise ConfigError(
            f"{data}: shards; make folds of the release or the prepared folder they were made from, and shard each "
            "fold (pefomed shard takes a fold's folder)"
        )


def _base(base: str, dataset: str) -> dict[str, Any]:
    name = base or f"projects/pefomed/stage2_{dataset}.yaml"
    if not base and not (SHIPPED / name).is_file() and not Path(name).is_file():
        name = "train_configs/pefomed_stage2.yaml"
    config = load_yaml(name)
    from omegaconf import OmegaConf  # late: heavy

    plain: Any = OmegaConf.to_container(config) if not isinstance(config, dict) else config
    if not isinstance(plain, dict):
        raise ConfigError(f"{name}: expected the sections model, datasets and run")
    return plain


def _yaml_of(
    config: Mapping[str, Any], dataset: str, folder: Path, out: Path, options: Mapping[str, Any], fold: Fold, k: int
) -> str:
    import yaml  # late: heavy

    section = dict((config.get("datasets") or {}).get(dataset) or {})
    section["build_info"] = {**(section.get("build_info") or {}), "storage": folder.as_posix()}
    if options:
        section["options"] = dict(options)
    output = (out / "runs" / f"fold_{fold.number}").as_posix()
    run = {**config["run"], "output_dir": output}
    run.update({"train_splits": ["train"], "valid_splits": [], "test_splits": ["test"]})
    content = {**config, "datasets": {dataset: section}, "run": run}
    embedded = dict(config.get("embedded") or {})
    if embedded:
        kept = (embedded.get("datasets") or {}).get(dataset)
        embedded["datasets"] = {dataset: kept} if kept else {}
        embedded["run"] = {**(embedded.get("run") or {}), "output_dir": output}
        content["embedded"] = embedded
    head = (
        f"# {quote_words(['pefomed', 'train', '--cfg-path', out / f'fold_{fold.number}.yaml'])}\n#\n"
        f"# Fold {fold.number} of {k}: trains on {len(fold.train):,} samples, answers {len(fold.test):,} that share no "
        "group with them.\n# Without validation: the last epoch is evaluated. Paths: as seen from where it was "
        "made.\n"
    )
    return head + str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120))
