"""``pefomed serve``: an OpenAI-compatible server of a model of yours."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..environment import EMBEDDED
from ..errors import ConfigError, near_names
from ..prompts import PROMPT_TEMPLATES
from ..requirements import Need, require
from ..services.console import say
from ..services.listening import listen
from ..services.local_names import is_this_machine
from ..services.outbound import WEIGHTS_PAGE, Passage, begin, open_passage
from ..services.terminal import lasting_output
from ._model import LEARNT, add_model_arguments, load_model
from .arguments import add_permission, any_number, port_number, whole_number
from .next_step import NextStep, again

if TYPE_CHECKING:
    from ..services.serving.workers import Link

KEY = "PEFOMED_SERVE_KEY"
NOTICE = "for research only, not for clinical use"
_PACKAGES = (
    Need("starlette", "a server", "starlette"),
    Need("uvicorn", "a server", "uvicorn"),
    Need("prometheus_client", "its /metrics", "prometheus-client"),
)
_MB = 1_000_000


class _Number(NamedTuple):
    """An argument that is a whole number."""

    option: str
    least: int
    default: int
    help: str
    unit: str = "N"


_NUMBERS = (
    _Number("--max-batch", 1, 16, "questions side by side (default 16)"),
    _Number("--max-waiting", 0, 256, "others that may wait (default 256)"),
    _Number("--max-body", 1, 32, "of a request, or a file (default 32)", "MB"),
    _Number("--max-text-tokens", 8, 256, "of a prompt beside its images (default 256)"),
    _Number("--image-cache", 0, 64, "images kept encoded (default 64; 0: none)"),
    _Number("--data-parallel", 1, 1, "processes behind the port, a GPU each (default 1)"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_model_arguments(parser, required=True)
    parser.add_argument("--served-name", metavar="NAME", help="as clients name it (default: the checkpoint's own name)")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="default 127.0.0.1, this machine alone")
    add_permission(parser, "other machines may ask a model that learnt from data that are not public")
    parser.add_argument("--port", type=port_number, default=8000, metavar="N", help="default 8000; 0: any free one")
    parser.add_argument(
        "--default-task",
        default="vqa",
        metavar="TASK",
        help="where a request names none: vqa (default), report, caption",
    )
    parser.add_argument(
        "--allow-files", type=Path, metavar="DIR", help="requests may name image files below DIR (default: none)"
    )
    for number in _NUMBERS:
        parser.add_argument(
            number.option, type=whole_number, default=number.default, metavar=number.unit, help=number.help
        )
    parser.add_argument(
        "--no-prefix-sharing", action="store_true", help="read the prefix of an image again for each question"
    )
    parser.add_argument(
        "--stop-timeout",
        type=any_number,
        default=60.0,
        metavar="S",
        help="for what is being answered at SIGTERM (default 60)",
    )
    parser.epilog = (
        "examples:\n  pefomed serve --ckpt output/stage2/checkpoint_last.pth\n"
        f"  {KEY}=long-and-secret pefomed serve --ckpt embedded --host 0.0.0.0\n\n{NOTICE}"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    require(_PACKAGES)
    _check(arguments)
    from ..services.serving.server import check_key  # late: loads uvicorn

    check_key(os.environ.get(KEY), arguments.host, KEY)
    _passage(arguments)
    if arguments.data_parallel == 1:
        with listen(arguments.host, arguments.port) as listening:
            return _serve(arguments, listening, None)
    return _serve_several(arguments)


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """It has ended; so it starts again."""
    return again(arguments)


def _check(arguments: argparse.Namespace) -> None:
    """Whatever can be known to be wrong before a model is loaded."""
    problems = []
    for number in _NUMBERS:
        given = getattr(arguments, number.option[2:].replace("-", "_"))
        if given < number.least:
            problems.append(f"{number.option} {given}: {number.least} or more")
    if arguments.stop_timeout < 0:
        problems.append(f"--stop-timeout {arguments.stop_timeout:g}: seconds, 0 or more")
    if arguments.default_task not in PROMPT_TEMPLATES:
        problems.append(
            f"--default-task {arguments.default_task}: {near_names(arguments.default_task, PROMPT_TEMPLATES)}"
        )
    if arguments.allow_files is not None and not arguments.allow_files.is_dir():
        problems.append(f"--allow-files {arguments.allow_files}: no such folder")
    if not re.fullmatch(r"[\w.:/-]{1,200}", _name(arguments), re.ASCII):
        problems.append("--served-name: letters, digits and . _ : / - alone, as clients put it into addresses")
    if arguments.data_parallel > 1 and ":" in arguments.device:
        problems.append(
            f"--device {arguments.device} with --data-parallel: each process has a GPU of its own; leave it out"
        )
    if problems:
        raise ConfigError("the server cannot start like this", problems)


def _passage(arguments: argparse.Namespace) -> Passage:
    """Of the gate: whether other machines may hear what the weights learnt."""
    return open_passage(
        WEIGHTS_PAGE,
        f"every machine that reaches --host {arguments.host}",
        [] if arguments.ckpt == EMBEDDED else [LEARNT],
        is_local=is_this_machine(arguments.host),
    )


def _name(arguments: argparse.Namespace) -> str:
    if arguments.served_name is not None:
        return str(arguments.served_name)
    path = Path(arguments.ckpt)
    name = path.stem if path.suffix in (".pth", ".safetensors", ".pt") else path.name
    return re.sub(r"[^\w.-]", "-", name, flags=re.ASCII) or "model"


def _serve(arguments: argparse.Namespace, listening: Any, link: Link | None) -> int:
    """One process: load, then answer."""
    from ..adapters.serving.engine import SlotEngine  # late: loads torch
    from ..services.serving.images import ImageReader
    from ..services.serving.metrics import Metrics
    from ..services.serving.server import Server, check_key
    from ..services.serving.service import Service, Settings

    model = load_model(arguments)
    metrics = Metrics()
    metrics.most_rows.set(arguments.max_batch)
    engine = SlotEngine(
        model,
        rows=arguments.max_batch,
        most_waiting=arguments.max_waiting,
        most_text_tokens=arguments.max_text_tokens,
        kept_images=arguments.image_cache,
        most_new_tokens=arguments.max_new_tokens,
        shares=not arguments.no_prefix_sharing,
        watch=metrics.watch(),
    )
    engine.start()
    settings = Settings(
        model=_name(arguments),
        fingerprint="pefomed-" + str(model.facts["checkpoint_sha256"])[:12],
        default_task=arguments.default_task,
        most_body=arguments.max_body * _MB,
        most_requests=arguments.max_batch + arguments.max_waiting,
        reader=ImageReader(arguments.allow_files, arguments.max_body * _MB, model.policy),
        key=check_key(os.environ.get(KEY), arguments.host, KEY),
        host=arguments.host,
        passage=_passage(arguments),
        notice=NOTICE,
    )
    if link is not None:
        settings.workers = link.counts
    port = listening.getsockname()[1]

    def ready() -> None:
        if link is None:
            _say_ready(arguments, port)
        else:
            link.say_ready()

    server = Server(Service(engine, settings, metrics), arguments.stop_timeout, ready, ignores_interrupts=bool(link))
    if link is not None:
        link.call_when_orphaned(server.stop)
    return server.serve_on(listening)


def _serve_several(arguments: argparse.Namespace) -> int:
    from ..services.serving.workers import Workers  # late: loads multiprocessing

    environments = _environments(arguments.data_parallel, arguments.device)
    with listen(arguments.host, arguments.port, shared=True) as reserved:  # never listens; it keeps the port
        port = reserved.getsockname()[1]
        return Workers(work, arguments, port, environments, lambda: _say_ready(arguments, port)).run()


def work(arguments: argparse.Namespace, link: Link) -> int:
    """One of several processes."""
    begin("serve", arguments.i_have_permission)
    with lasting_output(), listen(arguments.host, link.port, shared=True) as listening:
        return _serve(arguments, listening, link)


def _environments(count: int, device: str) -> list[dict[str, str]]:
    """Which GPU each process sees; none where the model is on the CPU.

    Raises:
        ConfigError: there are fewer GPUs.
    """
    import torch  # late: heavy

    there = 0 if device == "cpu" else torch.cuda.device_count()
    if device == "cuda" and not there:
        raise ConfigError("--device cuda: torch sees no GPU; leave it at auto, or check the driver")
    if not there:
        return [{"CUDA_VISIBLE_DEVICES": ""} for _ in range(count)]
    if count > there:
        raise ConfigError(f"--data-parallel {count}: torch sees {there} GPU(s), and each process needs one of its own")
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    names = named or [str(number) for number in range(there)]
    return [{"CUDA_VISIBLE_DEVICES": names[number]} for number in range(count)]


def _say_ready(arguments: argparse.Namespace, port: int) -> None:
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    name = _name(arguments)
    say(f"serving {name} at http://{host}:{port}/v1   (Ctrl-C or SIGTERM ends it)")
    key = f"clients need the key of {KEY}" if os.environ.get(KEY) else "no key is needed; this machine alone can ask"
    task = f"[{arguments.default_task}] where a request names no task"
    say(f"{key}; {task}; {NOTICE}")
    if os.environ.get(KEY) and not is_this_machine(arguments.host):
        say("warning: nothing is encrypted here; put a proxy with TLS in front, or use a network that you trust")
