"""A data set is added to the package: one file and one YAML. Everything that names data sets then knows it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .test_extending import FILES, ROOT, here  # noqa: F401 (a fixture)

SOURCE = FILES["ward_notes/reader.py"].replace(
    '    specialty="radiology",\n',
    '    specialty="radiology",\n    sample_writer="pefomed_plugin.readers.ward_notes:write",\n    stage=2,\n'
    '    splits={"train": 2, "test": 3},\n    images=4,\n    page="docs/data/ward_notes.md",\n',
)
WRITER = """

def write(out: Path, rng: object) -> None:
    for name in ("train", "test"):
        (out / f"notes_{name}.csv").write_text("film,question,reply,ward\\n1.png,Why?,pain,B2\\n")
"""


@pytest.fixture(scope="module")
def grown(tmp_path_factory: Any) -> Path:
    """Folder of a copy of the package with the two files."""
    folder = tmp_path_factory.mktemp("grown")
    package = folder / "pefomed_plugin"
    shutil.copytree(ROOT / "pefomed_plugin", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "readers" / "ward_notes.py").write_text(SOURCE + WRITER, encoding="utf-8")
    configs = package / "configs" / "datasets"
    text = (configs / "vqa_rad.yaml").read_text(encoding="utf-8").replace("vqa_rad", "ward_notes")
    (configs / "ward_notes.yaml").write_text(text.rstrip() + "\n    batch_size: 5\n", encoding="utf-8")
    return folder


def python(grown: Path, folder: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(grown), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def pefomed(grown: Path, folder: Path, line: str, code: int = 0) -> str:
    return python(grown, folder, "-m", "pefomed_plugin.cli", *line.split(), code=code)


def test_prepare_doctor_and_card(grown: Path, here: Path) -> None:  # noqa: F811
    assert "ward_notes" in pefomed(grown, here, "prepare --help")
    assert "ward_notes, notes layout" in pefomed(
        grown, here, "prepare ward_notes --source downloads/ward_notes --out data/ward_notes"
    )
    card = (here / "data/ward_notes/README.md").read_text(encoding="utf-8")
    assert "# Ward notes (notes)" in card and "The hospital's own; not for others." in card
    assert "visual-question-answering" in card and "- radiology" in card
    shown = python(
        grown,
        here,
        "-c",
        "from pefomed_plugin.doctor.data import check_data\n"
        "for folder in ('downloads/ward_notes', 'data/ward_notes', '.'):\n"
        "    print(*[(finding.state, finding.found, finding.remedy) for finding in check_data('ward_notes', folder)])",
    )
    assert "downloads/ward_notes: notes layout" in shown and "data/ward_notes: prepared, notes layout" in shown
    assert "none of the known layouts" in shown and "docs/data/ward_notes.md" in shown


def test_builder_estimate_and_sample(grown: Path, here: Path) -> None:  # noqa: F811
    shown = python(
        grown,
        here,
        "-c",
        """
import os
os.environ.update(PEFOMED_LLAMA="unused", PEFOMED_VIT="unused", PEFOMED_CKPT="unused")
from pathlib import Path
from pefomed_plugin import embedded
from pefomed_plugin.readers import DATASETS
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit import registry
from pefomed_plugin.config.compose import compose_tree
register_all()
text = Path("ward_run.yaml").read_text().replace("ward_questions", "medical_vqa")
Path("run.yaml").write_text(text.replace("data/ward_notes", "downloads/ward_notes"))
cfg = compose_tree("run.yaml", [], registry)
splits = registry.get_builder_class("ward_notes")(cfg.datasets.ward_notes).build_datasets()
print("batch", splits["train"].batch_size, "of", len(splits["train"]))
Path("drawn").mkdir()
embedded.find_writer("ward_notes")(Path("drawn"), None)
print("drawn", len(DATASETS["ward_notes"].read(Path("drawn")).samples), "ward_notes" in embedded.PARTS)
""",
    )
    assert "ward_notes: notes layout, train 2, test 2" in shown and "batch 5 of 2" in shown
    assert "drawn 2 True" in shown
    estimate = pefomed(grown, here, "estimate --cfg-path run.yaml")
    assert "of ward_notes in" in estimate and "its longest text is not known" not in estimate


def test_permission_breakdown_and_report(grown: Path, here: Path) -> None:  # noqa: F811
    path = here / "predictions.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"metadata": {}', '"metadata": {"ward": "B2"}'))
    told = pefomed(grown, here, "score exact_match predictions.jsonl --by ward")
    assert "B2 (surgery)" in told
    assert "did you mean 'ward'" in pefomed(grown, here, "score exact_match predictions.jsonl --by wrad", code=2)
    told = python(
        grown,
        here,
        "-c",
        "from pefomed_plugin.services.outbound import CHAT, open_passage\n"
        "from pefomed_plugin.storage import read_predictions\n"
        "names = {answer.dataset for answer in read_predictions('predictions.jsonl')}\n"
        "open_passage(CHAT, 'api.example.org', names, is_local=False)",
        code=1,
    )
    assert "ward_notes: not a public data set, and its texts would go to api.example.org" in told
    pefomed(grown, here, "report . --no-images --out report.html")
    assert '"B2":"surgery"' in (here / "report.html").read_text(encoding="utf-8")
    card = python(
        grown,
        here,
        "-c",
        "from pefomed_plugin.reporting.cards.model_card import model_card\n"
        "from pefomed_plugin.reporting.cards.model_facts import ModelFacts, TrainedOn\n"
        "print(model_card(ModelFacts('x', trained_on=[TrainedOn('ward_notes', 2)])))",
    )
    assert "- Ward notes: the hospital's own; not for others." in card
