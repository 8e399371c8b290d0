"""Judging against a server on this machine: requests a second when it answers at once, and when it takes 200 ms.

    python projects/benchmarks/judge_throughput.py

The server is a process of its own that answers every question with the same verdict. The ledger is on the disk, synced.
Needs the extra ``judge``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from pefomed_plugin.records import Prediction
from pefomed_plugin.rubrics import VQA
from pefomed_plugin.services.judge.asking import ask_all
from pefomed_plugin.services.judge.judging import JudgePlan, judge_questions, usable_verdict
from pefomed_plugin.services.judge.ledger import Ledger
from pefomed_plugin.services.judge.openai_chat import OpenAIChat
from pefomed_plugin.services.judge.prompts import find_prompt
from pefomed_plugin.services.judge.settling import Limits

_BODY = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "invented",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Same.\nVERDICT: 1"}}
        ],
        "usage": {"prompt_tokens": 200, "completion_tokens": 10, "total_tokens": 210},
    }
).encode()
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)


def serve(latency_s: float, port: Any) -> None:
    """Answer every request after ``latency_s``; the port is put into the queue."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                await asyncio.sleep(latency_s)
                writer.write(_ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def measure(questions: int, concurrency: int, latency_s: float) -> float:
    """Requests a second, from an empty ledger to a full one."""
    port: Any = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(latency_s, port), daemon=True)
    server.start()
    os.environ.update(OPENAI_BASE_URL=f"http://127.0.0.1:{port.get()}/v1", OPENAI_API_KEY="unused")
    predictions = [
        Prediction(f"q{n}", "made_up", "test", "p.png", "vqa", f"Is finding {n} there?", "yes", prediction="it is")
        for n in range(questions)
    ]
    plan = JudgePlan("invented", find_prompt(VQA), runs=1)
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.jsonl") as ledger:
        start = time.monotonic()
        done = ask_all(
            judge_questions(predictions, plan),
            OpenAIChat(),
            ledger,
            usable_verdict(plan),
            Limits(concurrency=concurrency),
        )
        seconds = time.monotonic() - start
    server.terminate()
    if not done.is_complete or done.requests != questions:
        raise SystemExit(f"not every question was answered once: {done}")
    return questions / seconds


def main() -> None:
    """Print both rates beside what is asked of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=16)
    chosen = parser.parse_args()
    rate = measure(chosen.questions, chosen.concurrency, 0.0)
    print(f"answers at once: {rate:.0f} requests/s (at least 200)")
    rate, ideal = measure(chosen.questions, chosen.concurrency, 0.2), chosen.concurrency / 0.2
    print(f"takes 200 ms: {rate:.1f} requests/s, {100 * rate / ideal:.0f} % of {ideal:.0f} (at least 90 %)")


if __name__ == "__main__":
    main()
