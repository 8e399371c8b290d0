"""PeFoMed for MiniGPT-v2: data sets, tasks, prompts, runner and evaluation, registered by ``register_all()``."""

__version__ = "0.1.0"
