"""LAVIS-style configuration: defaults of the model and of each data set < YAML < ``--options``. Holds no defaults."""

from __future__ import annotations

import logging
from typing import Any

from omegaconf import OmegaConf

from ...config.compose import compose_tree
from .registry import registry


class Config:
    """Configuration of one run; sections as attributes, as upstream's."""

    def __init__(self, args: Any) -> None:
        self.args = args
        self.config = compose_tree(args.cfg_path, getattr(args, "options", None) or [], registry)
        registry.register("configuration", self)

    def get_config(self) -> Any:
        """The whole merged configuration."""
        return self.config

    @property
    def run_cfg(self) -> Any:
        """Section ``run``."""
        return self.config.run

    @property
    def model_cfg(self) -> Any:
        """Section ``model``."""
        return self.config.model

    @property
    def datasets_cfg(self) -> Any:
        """Section ``datasets``."""
        return self.config.datasets

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionary; environment variables stay names, so that no path of this machine is written out."""
        return OmegaConf.to_container(self.config)  # type: ignore[return-value]

    def pretty_print(self) -> None:
        """Log the configuration as YAML."""
        logging.info("\n%s", OmegaConf.to_yaml(self.config))
