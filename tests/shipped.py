"""The YAMLs that are shipped."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
YAMLS = sorted(
    path
    for folder in ("train_configs", "eval_configs", "projects")
    for path in (ROOT / folder).rglob("*.yaml")
    if "model:" in path.read_text(encoding="utf-8")
)
"""Those of runs."""
