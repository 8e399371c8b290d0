"""The Files and Batches corner of the API on 127.0.0.1, as far as judging uses it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable

Rule = Callable[[dict[str, Any], int], tuple[int, bytes, Any]]


class BatchServer:
    """Answers every request of a batch by a rule; a batch needs ``polls`` looks before it is completed."""

    def __init__(self, rule: Rule, polls: int = 1) -> None:
        self.rule, self.polls = rule, polls
        self.files: dict[str, bytes] = {}
        self.batches: list[dict[str, Any]] = []
        self.rounds: list[list[dict[str, Any]]] = []
        """Request lines of each batch."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        """For OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> BatchServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()

    def create(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Start a batch and work out its answers at once."""
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        good, bad = [], []
        for line in lines:
            status, body, _ = self.rule(line["body"], len(self.rounds))
            record = {"custom_id": line["custom_id"], "response": {"status_code": status, "body": json.loads(body)}}
            (good if status == 200 else bad).append(json.dumps(record).encode())
        number = len(self.batches)
        self.rounds.append(lines)
        self.files.update({f"good{number}": b"\n".join(good), f"bad{number}": b"\n".join(bad)})
        batch = {
            "id": f"batch{number}",
            "object": "batch",
            "status": "in_progress",
            "looks": 0,
            "endpoint": asked["endpoint"],
            "input_file_id": asked["input_file_id"],
            "created_at": 1,
            "completion_window": "24h",
            "metadata": asked["metadata"],
            "output_file_id": f"good{number}" if good else None,
            "error_file_id": f"bad{number}" if bad else None,
        }
        self.batches.append(batch)
        return batch

    def _handler(server) -> type:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path.endswith("/files"):
                    boundary = self.headers["Content-Type"].split("boundary=")[1].strip('"').encode()
                    part = next(part for part in data.split(b"--" + boundary) if b'name="file"' in part)
                    name = f"file{len(server.files)}"
                    server.files[name] = part.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n", 1)[0]
                    return self.answer(
                        {
                            "id": name,
                            "object": "file",
                            "bytes": 1,
                            "created_at": 1,
                            "filename": "judge.jsonl",
                            "purpose": "batch",
                            "status": "processed",
                        }
                    )
                return self.answer(server.create(json.loads(data)))

            def do_GET(self) -> None:
                parts = self.path.split("?")[0].strip("/").split("/")
                if parts[-1] == "content":
                    return self.answer(server.files[parts[-2]])
                if parts[-1] == "batches":
                    return self.answer({"object": "list", "data": server.batches, "has_more": False})
                batch = server.batches[int(parts[-1][5:])]
                batch["looks"] += 1
                if batch["looks"] > server.polls:
                    batch["status"] = "completed"
                return self.answer(batch)

            def answer(self, content: Any) -> None:
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                return

        return Handler
