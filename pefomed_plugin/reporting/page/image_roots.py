"""Where the images of a run lie: as the user says, else as its ``config.yaml`` says. Opens none of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...environment import embedded_values, sample_folder
from ...errors import ConfigError, PefomedError, one_line
from ...readers import DATASETS, read_data
from ..results import Run


def find_image_roots(run: Run, given: Sequence[str] = ()) -> dict[str, Path]:
    """Data set -> folder that its ``Sample.images`` are below.

    Args:
        given: ``FOLDER`` (for a run of one data set) or ``DATASET=FOLDER``.

    Raises:
        ConfigError: for a data set nothing says where its images are; every one is named.
    """
    datasets = sorted({each.predictions[0].dataset for each in run.answered.values()})
    roots: dict[str, Path] = {}
    problems: list[str] = []
    for value in given:
        dataset, separator, folder = value.partition("=")
        if not separator and len(datasets) == 1:
            dataset, folder = datasets[0], value
        if dataset not in datasets or not Path(folder).is_dir():
            problems.append(
                f"--image-root {value}: write DATASET=FOLDER with an existing folder and a data set of this run, "
                f"{', '.join(datasets)}"
            )
        roots[dataset] = Path(folder)
    for dataset in datasets:
        if dataset not in roots:
            try:
                roots[dataset] = _configured(run, dataset)
            except PefomedError as error:
                problems.append(f"{dataset}: {one_line(error)}; give --image-root {dataset}=FOLDER, or --no-images")
    if problems:
        raise ConfigError("where are the images?", problems)
    return roots


def _configured(run: Run, dataset: str) -> Path:
    """The image root that the run itself used: its configuration read again, in today's environment."""
    from omegaconf import OmegaConf  # late: heavy
    from omegaconf.errors import OmegaConfBaseException  # late: heavy

    section = (run.config.get("datasets") or {}).get(dataset)
    if not section or dataset not in DATASETS:
        raise ConfigError("no config.yaml of the run says where its images are")
    given = {key: str(value) for key, value in (section.get("build_info") or {}).items() if value}
    if run.embedded:
        folder = embedded_values(sample_folder())["PEFOMED_DATA"]
        given = {key: value.replace("${oc.env:PEFOMED_DATA}", folder) for key, value in given.items()}
    try:
        build_info = OmegaConf.to_container(OmegaConf.create(given), resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"config.yaml does not tell ({one_line(error)})") from error
    assert isinstance(build_info, dict)
    if "images" in build_info:
        return Path(str(build_info["images"]))
    if "storage" not in build_info:
        raise ConfigError(f"config.yaml has no datasets.{dataset}.build_info.storage")
    return read_data(dataset, Path(str(build_info["storage"])), **(section.get("options") or {})).image_root
