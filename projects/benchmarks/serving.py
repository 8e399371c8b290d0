"""Serving many clients beside serving one question at a time: ``python -m projects.benchmarks.serving``.

Sixteen clients ask eight questions of an image each over HTTP, of a model with the proportions of size P (a quarter of
everything; 64 visual tokens) and random weights, whose answers all have ``--tokens`` tokens. Two servers, each a
process of its own on one thread, take turns, round by round:

* ``one at a time``: as ``--max-batch 1 --no-prefix-sharing --image-cache 0``
* ``serve``: as ``pefomed serve`` is by itself

Each client asks its eight questions together, or one behind the other (``--order``). Each round has images of its own,
of which nothing is known. CPU time is what the server's process used; both must answer the same.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

CLIENTS, QUESTIONS = 16, 8
WAYS: dict[str, dict[str, Any]] = {
    "one at a time": {"rows": 1, "shares": False, "kept_images": 0},
    "one at a time, images kept": {"rows": 1, "shares": False},
    "serve": {"rows": 16},
}
ASKED = (
    "Is there a fracture?",
    "Is the heart enlarged?",
    "Which side is the tube on?",
    "What modality is this?",
    "Is there an effusion?",
    "Which organ is shown?",
    "Are the lungs clear?",
    "Where is the opacity?",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("output/serving"), help="folder of figures and inputs")
    parser.add_argument("--rounds", type=int, default=5, help="times that each server has its turn")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--tokens", type=int, default=5, help="of an answer; VQA-RAD's have 5 in the mean, ended")
    parser.add_argument("--order", choices=("together", "one by one"), default="together")
    parser.add_argument("--ways", nargs="+", default=["one at a time", "serve"], choices=list(WAYS))
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    servers = {}
    for way in given.ways:
        ours, theirs = context.Pipe()
        process = context.Process(
            target=serve, args=(WAYS[way], given.out / "inputs", given.tokens, theirs), daemon=True
        )
        process.start()
        servers[way] = (ours.recv(), process, ours)  # the second finds the inputs that the first wrote
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in servers}
    for number in range(given.rounds + 1):  # the first warms up
        said = {}
        for way, (port, _, pipe) in servers.items():
            pipe.send("cpu")
            before, wall = pipe.recv(), time.perf_counter()
            said[way] = asyncio.run(ask_all(port, number, given.clients, given.order))
            taken = time.perf_counter() - wall
            pipe.send("cpu")
            if number:
                found[way].append((pipe.recv() - before, taken))
            else:
                pipe.recv()
        if len({json.dumps(answers) for answers in said.values()}) != 1:
            print("the servers answer differently", file=sys.stderr)
            return 1
    for _, process, _ in servers.values():
        process.kill()
    medians = {way: [statistics.median(column) for column in zip(*pairs)] for way, pairs in found.items()}
    print(f"{given.clients} clients, {QUESTIONS} questions an image, {given.order}, {given.tokens} tokens an answer")
    for way, (used, wall) in medians.items():
        ratio = medians[given.ways[0]][0] / used, medians[given.ways[0]][1] / wall
        rate = given.clients * QUESTIONS / wall
        times = f"{ratio[0]:.2f} x ({ratio[1]:.2f} x by the clock)"
        print(f"{way}: {used:.2f} s of CPU, {wall:.2f} s, {rate:.1f} answers a second; {times}")
    (given.out / "serving.json").write_text(json.dumps({"cpu, wall": found, "order": given.order}, indent=1))
    return 0


async def ask_all(port: int, number: int, clients: int, order: str) -> list[list[str]]:
    """Answers of every client."""
    import openai  # late: the server's processes do not need it

    address = f"http://127.0.0.1:{port}/v1"

    async def one(client: Any, image: str, question: str) -> str:
        content = [{"type": "image_url", "image_url": {"url": image}}, {"type": "text", "text": f"[vqa] {question}"}]
        messages: Any = [{"role": "user", "content": content}]
        answer = await client.chat.completions.create(model="random", messages=messages)
        return answer.choices[0].message.content or ""

    async def each(image: str) -> list[str]:
        async with openai.AsyncOpenAI(base_url=address, api_key="none", max_retries=0, timeout=900) as client:
            if order == "together":
                return list(await asyncio.gather(*(one(client, image, question) for question in ASKED)))
            return [await one(client, image, question) for question in ASKED]

    images = [picture(number * clients + client_number) for client_number in range(clients)]
    return list(await asyncio.gather(*map(each, images)))


def picture(seed: int) -> str:
    """A grey image as a radiograph's size is after resizing, as a data URL."""
    import numpy as np
    from PIL import Image

    stream = BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (14, 14), dtype=np.uint8)
    Image.fromarray(pixels).resize((224, 224), Image.Resampling.BICUBIC).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def serve(settings: dict[str, Any], inputs: Path, tokens: int, pipe: Any) -> None:
    """One server, which tells its port, and then its CPU time whenever it is asked."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import threading

    import torch

    from pefomed_plugin.adapters.medical_model import MedicalModel
    from pefomed_plugin.adapters.serving.engine import SlotEngine
    from pefomed_plugin.registration import register_all
    from pefomed_plugin.services.images.decoding import DEFAULT_POLICY
    from pefomed_plugin.services.serving.app import Service, Settings
    from pefomed_plugin.services.serving.images import ImageReader
    from pefomed_plugin.services.serving.metrics import Metrics
    from pefomed_plugin.services.serving.server import Server, listen
    from pefomed_plugin.services.web_guard import closed_passage
    from projects.benchmarks.speed.inputs import spec_of, write_inputs
    from projects.benchmarks.speed.sizes import SIZES
    from projects.benchmarks.speed.worker import build

    torch.set_num_threads(1)
    register_all()
    write_inputs(inputs, "P")
    network = build(spec_of(inputs, "P", "cpu")).eval()
    network.llama_tokenizer.stop_token_ids = ()  # random weights end nowhere in particular
    model = MedicalModel(network, SIZES["P"].image, {})
    engine = SlotEngine(model, most_new_tokens=tokens, **settings)
    engine.start()
    metrics, host = Metrics(), "127.0.0.1"
    reader = ImageReader(None, 10**7, DEFAULT_POLICY)
    chosen = Settings("random", "", "vqa", 10**7, 10**6, reader, closed_passage(host))

    def tell() -> None:
        while pipe.recv():
            pipe.send(time.process_time())

    threading.Thread(target=tell, daemon=True).start()
    with listen(host, 0) as listening:
        port = listening.getsockname()[1]
        Server(Service(engine, chosen, metrics), 0, lambda: pipe.send(port)).serve_on(listening)


if __name__ == "__main__":
    sys.exit(main())
