"""Defects of a MiniGPT-4 checkout (d94738a) that the plugin steps around, one function each, file and line cited.

Nothing of the checkout is edited; names of its modules are replaced in memory. Each function may be called again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import CheckpointError, ToolkitError, near_names
from ..vision_encoders import PROPORTIONS, encoder_of
from ..vision_encoders.eva import is_unused
from .checkpoint import load_checkpoint, read_checkpoint, read_weights, refuse_nonfinite
from .language_folder import open_language_folder
from .language_weights import fingerprint
from .start import lora_of_section, settle_model


def register_everything() -> None:
    """``minigpt4/models/__init__.py`` and others fill the registry only when imported; its ``train.py`` does that."""
    import minigpt4.common.optims  # late: optional
    import minigpt4.models  # late: optional
    import minigpt4.processors  # late: optional
    import minigpt4.runners  # late: optional
    import minigpt4.tasks  # noqa: F401


def keep_output_paths_changeable() -> None:
    """``common/registry.py:194`` refuses a path name that is already registered, so a process can run only once."""
    from minigpt4.common.registry import Registry  # late: optional

    def register_path(cls: type, name: str, path: str) -> None:
        Registry.mapping["paths"][name] = str(path)

    Registry.register_path = classmethod(register_path)


def build_model_from_local_files() -> None:
    """``models/eva_vit.py:429`` downloads the ViT from a fixed address and knows one size; ``models/minigpt_v2.py:137``
    loads ``ckpt`` with ``strict=False`` and drops what it does not find, and passes on neither dropout nor targets;
    ``models/base_model.py:180`` leaves what a LLaMA folder lacks random, and reads any family as LLaMA."""
    from minigpt4.models import base_model, minigpt_v2  # late: optional

    model_class = minigpt_v2.MiniGPTv2
    if getattr(model_class, "_pefomed_from_config", None) is not None:
        return
    model_class._pefomed_from_config = model_class.from_config.__func__
    init_llm = base_model.BaseModel.init_llm

    def from_config(cls: type, cfg: Mapping[str, Any]) -> Any:
        if not cfg.get("vit_weights"):  # a YAML that is not ours, in a linked checkout
            return model_class._pefomed_from_config(cls, cfg)
        cfg = {**cfg, **settle_model(cfg)}
        folder = open_language_folder(Path(str(cfg["llama_model"])))
        settings = lora_of_section(cfg)
        if settings is not None and not settings.is_plain():
            raise ToolkitError(
                "a MiniGPT-4 checkout knows LoRA of one rank and alpha only, and the checkpoint or the YAML asks for "
                f"{settings}; set PEFOMED_TOOLKIT=bundled"
            )
        create_vit = base_model.create_eva_vit_g
        base_model.create_eva_vit_g = _local_vit(cfg)

        def with_own_lora(self: Any, *arguments: Any, **options: Any) -> Any:
            if settings is not None:
                options.update(lora_dropout=settings.lora_dropout, lora_target_modules=list(settings.target_modules))
            return init_llm(self, *arguments, **options)

        base_model.BaseModel.init_llm = with_own_lora
        try:
            model = model_class._pefomed_from_config(cls, {**cfg, "ckpt": ""})
        finally:
            base_model.create_eva_vit_g, base_model.BaseModel.init_llm = create_vit, init_llm
        model.lora_settings, model.encoder = settings, encoder_of(cfg)
        model.language_weights = fingerprint(folder)
        if cfg.get("ckpt"):
            logging.info("%s", load_checkpoint(model, read_checkpoint(Path(cfg["ckpt"])), str(cfg["ckpt"])))
        return model

    model_class.from_config = classmethod(from_config)


def load_float32_without_a_gpu() -> None:
    """``models/base_model.py:180`` loads LLaMA in fp16 always and peft's cast of ``lm_head`` keeps that type; the CPU
    has no fp16 arithmetic; ``configs/models/minigpt_v2.yaml:9`` does the same to the ViT."""
    from minigpt4.models import base_model  # late: optional

    llama = base_model.LlamaForCausalLM
    if torch.cuda.is_available() or getattr(llama, "_pefomed_from_pretrained", None) is not None:
        return
    llama._pefomed_from_pretrained = llama.from_pretrained.__func__

    def from_pretrained(cls: type, *arguments: Any, **options: Any) -> Any:
        return llama._pefomed_from_pretrained(cls, *arguments, **{**options, "torch_dtype": torch.float32})

    llama.from_pretrained = classmethod(from_pretrained)


def _local_vit(cfg: Mapping[str, Any]) -> Any:
    """``create_eva_vit_g`` with the sizes of ``model.vit`` and the weights of ``model.vit_weights``."""
    from minigpt4.models import eva_vit  # late: optional

    encoder = encoder_of(cfg)
    size = {key: getattr(encoder, key) for key in PROPORTIONS if key != "group"}

    def create(
        img_size: int = 224, drop_path_rate: float = 0.4, use_checkpoint: bool = False, precision: str = "fp16"
    ) -> nn.Module:
        model = eva_vit.VisionTransformer(
            img_size=img_size,
            use_mean_pooling=False,
            qkv_bias=True,
            drop_path_rate=drop_path_rate,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_checkpoint=use_checkpoint,
            **size,
        )
        state = read_weights(Path(str(cfg["vit_weights"])))
        refuse_nonfinite(state, str(cfg["vit_weights"]))
        eva_vit.interpolate_pos_embed(model, state)
        found = model.load_state_dict(state, strict=False)
        problems = [f"{name}: not in the file" for name in found.missing_keys]
        problems += [
            f"{name}: the model has no such tensor"
            for name in found.unexpected_keys
            if not is_unused(name, encoder.depth)
        ]
        if problems:
            raise CheckpointError(
                f"{cfg['vit_weights']} does not fit the vision encoder (set model.vit to its size)", problems
            )
        if precision == "fp16" and torch.cuda.is_available():
            eva_vit.convert_weights_to_fp16(model)
        return model

    return create


def name_what_is_not_registered() -> None:
    """``common/registry.py:240-253`` returns None for a name that nobody registered; it dies elsewhere as NoneType."""
    from minigpt4.common.registry import Registry  # late: optional

    def finder(kind: str) -> Any:
        def find(cls: type, name: str) -> Any:
            names = Registry.mapping[kind + "_name_mapping"]
            if name not in names:
                raise ToolkitError(f"no {kind} is registered as {name!r}; {near_names(str(name), names)}")
            return names[name]

        return classmethod(find)

    for kind in ("task", "runner", "lr_scheduler", "processor"):
        setattr(Registry, f"get_{kind}_class", finder(kind))


# -- runner_base -----------------------------------------------------------------------------------------------------


def hand_out_the_model_on_any_device() -> None:
    """``runners/runner_base.py:84-96`` wraps the model only while it moves it: ``model`` of one that is where it
    should be, as every model on the CPU, is None."""
    from minigpt4.runners.runner_base import RunnerBase  # late: optional

    if getattr(RunnerBase, "_pefomed_model", None) is not None:
        return
    RunnerBase._pefomed_model = RunnerBase.model

    def model(self: Any) -> Any:
        if self._pefomed_model is None:
            self._wrapped_model = self._model
        return self._wrapped_model

    RunnerBase.model = property(model)


def load_without_a_gpu() -> None:
    """``datasets/datasets/dataloader_utils.py:56`` makes a CUDA stream for every loader
    (``runners/runner_base.py:545``); without a GPU there is nothing to fetch ahead to."""
    from minigpt4.runners import runner_base  # late: optional

    if not torch.cuda.is_available():
        runner_base.PrefetchLoader = _unchanged


def load_each_split_by_itself() -> None:
    """``runners/runner_base.py:558`` keeps the sampling ratios of the first split for all that follow;
    ``datasets/datasets/dataloader_utils.py:26-29`` refuses the finite loaders of the other splits, so that a data set
    with a test split cannot even be trained on."""
    from minigpt4.datasets.datasets.dataloader_utils import MultiIterLoader  # late: optional
    from minigpt4.runners import runner_base  # late: optional

    runner_class = runner_base.RunnerBase
    if getattr(runner_class, "_pefomed_create_loaders", None) is not None:
        return
    runner_class._pefomed_create_loaders = runner_class.create_loaders

    def create_loaders(
        self: Any,
        datasets: Sequence[Any],
        num_workers: int,
        batch_sizes: Sequence[Any],
        is_trains: Sequence[bool],
        collate_fns: Sequence[Any],
        dataset_ratios: Any = None,
    ) -> list[Any]:
        return [
            self._pefomed_create_loaders([dataset], num_workers, [size], [is_train], [collate], dataset_ratios)[0]
            for dataset, size, is_train, collate in zip(datasets, batch_sizes, is_trains, collate_fns)
        ]

    def join(loaders: Sequence[Any], ratios: Sequence[float] | None = None) -> Any:
        endless = all(hasattr(loader, "__next__") for loader in loaders)
        return MultiIterLoader(loaders, ratios) if endless else _InTurn(loaders)

    runner_class.create_loaders = create_loaders
    runner_base.MultiIterLoader = join


def count_a_pass() -> None:
    """``runners/runner_base.py:162-166`` takes 10,000 iterations for an epoch wherever ``iters_per_epoch`` is not
    set, because ``MultiIterLoader`` has no length; here it is one pass over the data, as for ``runner_pefomed``."""
    from minigpt4.datasets.datasets.dataloader_utils import MultiIterLoader  # late: optional

    MultiIterLoader.__len__ = _summed_length


class _InTurn:
    """Batches of several finite loaders, one loader after the other."""

    def __init__(self, loaders: Sequence[Any]) -> None:
        self.loaders = loaders

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.loaders)

    def __len__(self) -> int:
        return _summed_length(self)


def _summed_length(several: Any) -> int:
    return sum(len(loader) for loader in several.loaders)


def _unchanged(loader: Any) -> Any:
    return loader


def adapt_runner_base() -> None:
    """All of those about ``runner_base``, for a run of ours; safe to call again."""
    hand_out_the_model_on_any_device()
    load_without_a_gpu()
    load_each_split_by_itself()
    count_a_pass()


def apply_workarounds() -> None:
    """Those that a run of either runner needs and that leave other people's YAMLs as they were; safe to call again."""
    register_everything()
    name_what_is_not_registered()
    keep_output_paths_changeable()
    build_model_from_local_files()
    load_float32_without_a_gpu()
