"""Base classes that the plugin's classes inherit: model, task, data set builder. The bundled side of the seam."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import nn

from ...errors import ToolkitError, near_names
from ..checkpoint import LoadReport, load_checkpoint, read_checkpoint
from .processors import BaseProcessor
from .registry import registry

PACKAGE = Path(__file__).resolve().parents[2]


class BaseModel(nn.Module):
    """A model with default configurations and a checkpoint loader that never drops a trained tensor in silence."""

    PRETRAINED_MODEL_CONFIG_DICT: dict[str, str] = {}

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.parameters()).device

    @classmethod
    def default_config_path(cls, model_type: str) -> str:
        """Path of the defaults of one ``model_type``. Raises ToolkitError listing the known ones."""
        return _default_path(cls.PRETRAINED_MODEL_CONFIG_DICT, model_type, "model_type")

    def load_checkpoint(self, path: str | Path) -> LoadReport:
        """Load a MiniGPT-v2 or PeFoMed ``.pth``. Raises as ``toolkit.checkpoint.load_checkpoint``."""
        return load_checkpoint(self, read_checkpoint(Path(path)), str(path))


class BaseTask:
    """What a run does: builds model and data sets, and one step of each kind."""

    def __init__(self, **_: Any) -> None:
        self.cfg: Any = None

    @classmethod
    def setup_task(cls, **_: Any) -> BaseTask:
        """Task of a run; ``cfg`` is passed by keyword."""
        return cls()

    def build_model(self, cfg: Any) -> Any:
        """Model of the ``model`` section."""
        self.cfg = cfg
        return registry.get_model_class(cfg.model_cfg.arch).from_config(cfg.model_cfg)

    def build_datasets(self, cfg: Any) -> dict[str, dict[str, Any]]:
        """Data sets of the ``datasets`` section: name -> split -> torch data set."""
        return {
            name: registry.get_builder_class(name)(section).build_datasets()
            for name, section in cfg.datasets_cfg.items()
        }

    def train_step(self, model: Any, samples: Mapping[str, Any]) -> Any:
        """Loss of one batch."""
        return model(samples)["loss"]


class BaseDatasetBuilder:
    """Makes the splits of one data set from its YAML section."""

    DATASET_CONFIG_DICT: dict[str, str] = {}

    def __init__(self, cfg: Any = None) -> None:
        self.config = cfg if cfg is not None else load_dataset_config(self.default_config_path())
        self.data_type = self.config.get("data_type", "images")
        self.vis_processors: dict[str, Any] = {"train": BaseProcessor(), "eval": BaseProcessor()}
        self.text_processors: dict[str, Any] = {"train": BaseProcessor(), "eval": BaseProcessor()}

    def build_processors(self) -> None:
        """Processors of ``vis_processor`` and ``text_processor``, ``train`` and ``eval`` each."""
        for kind, processors in (("vis_processor", self.vis_processors), ("text_processor", self.text_processors)):
            for phase, section in (self.config.get(kind) or {}).items():
                processors[phase] = registry.get_processor_class(section.name).from_config(section)

    @classmethod
    def default_config_path(cls, type: str = "default") -> str:
        """Path of the defaults of one ``type``. Raises ToolkitError listing the known ones."""
        return _default_path(cls.DATASET_CONFIG_DICT, type, "type")


def load_dataset_config(path: str) -> Any:
    """The one data set section of a defaults file."""
    return next(iter(OmegaConf.load(path).datasets.values()))


def _default_path(paths: Mapping[str, str], key: str, what: str) -> str:
    if key not in paths:
        raise ToolkitError(f"unknown {what} {key!r}; {near_names(key, paths)}")
    return str(PACKAGE / paths[key])
