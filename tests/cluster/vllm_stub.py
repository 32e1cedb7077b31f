"""A server that answers as vLLM's does, as far as the adapter asks: a small model of ours behind it, and faults on request."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file

from sanmai.cluster.canary import score_tokens
from sanmai.policies.text.asking import Request, SamplingConfig
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import sample


class VllmStub:
    """Like the real one it takes any field, and drops those that it does not know."""

    def __init__(self, *faults: str) -> None:
        self.faults, self.calls, self.is_stale = set(faults), [], False
        self.policy = load_policy(ModelConfig(threads=1))
        self._lock, self._ended = threading.Lock(), threading.Event()
        self.num_written = 0
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None: ...

            def do_GET(self) -> None:
                stub.freeze("frozen")
                self._say(200, {"data": [{"id": "served"}]} if self.path == "/v1/models" else {})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
                stub.calls.append((self.path, body))
                stub.freeze("frozen", "never_writes")
                if "drops" in stub.faults and len(stub.calls) % 3 == 0:
                    return self.connection.close()
                try:
                    with stub._lock:
                        status, answer = stub.answer(self.path, body)
                    self._say(status, answer)
                except OSError:
                    return

            def _say(self, status: int, answer: Any) -> None:
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        class Many(ThreadingHTTPServer):
            request_queue_size = 128  # of 5, a busy machine resets the connections of a wave

        self._server = Many(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def freeze(self, *faults: str) -> None:
        """Accept and never answer; from the call on that "frozen_later" counts to."""
        if self.faults & {*faults} or ("frozen_later" in self.faults and len(self.calls) > 5):
            self._ended.wait()

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path in ("/collective_rpc", "/reset_prefix_cache") and "no_dev_mode" in self.faults:
            return 404, {"detail": "Not Found"}
        if path == "/collective_rpc":
            assert body["method"] == "reload_weights"
            self._reload(Path(body["kwargs"]["weights_path"]))
            return 200, {"results": [None]}
        if path == "/reset_prefix_cache":
            return 200, {}
        if "down_once" in self.faults and "prompt_logprobs" not in body:
            self.faults.remove("down_once")
            return 500, {"error": {"message": "the engine is dead"}}
        if "hangs" in self.faults and "prompt_logprobs" not in body:
            time.sleep(1.5)
        return 200, self._complete(body)

    def _reload(self, folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        with torch.no_grad():
            for name, p in self.policy.weights.items():
                if "keeps_tied_head" in self.faults and "embed_tokens" in name:
                    continue
                p.copy_(tensors[name])

    def _complete(self, body: dict[str, Any]) -> dict[str, Any]:
        prompt, top_p = body["prompt"], 0.5 if "top_p" in self.faults else body.get("top_p", 1.0)
        temperature = body["temperature"]
        config = SamplingConfig(temperature=temperature, max_tokens=body["max_tokens"])
        [done] = sample(self.policy, [Request(prompt, [(body["seed"],)])], config)
        logp = list(done.logp)
        if top_p < 1:  # what is drawn from is a part of the distribution, made to sum to 1
            logp = [min(x - torch.log(torch.tensor(top_p)).item() * 0.5, 0.0) for x in logp]
        if "raw" in self.faults:
            [logp] = score_tokens(self.policy, [[*prompt, *done.tokens]], prompts_C=[len(prompt)])
        self.num_written += 1
        if "lies_later" in self.faults and self.num_written > 12:
            logp = [x - 0.5 for x in logp]
        if "another_later" in self.faults and self.num_written > 12:
            goes_on = [t for t in range(30) if t not in self.policy.stop_tokens]
            done = replace(done, tokens=[goes_on[(t + 1) % len(goes_on)] for t in done.tokens[:-1]] + done.tokens[-1:])
        if "no_token" in self.faults:
            done = replace(done, tokens=[*done.tokens[:-1], 10**6])
        if "no_logp" in self.faults:
            logp = [*logp[:-1], 0.5]
        choice: dict[str, Any] = {"text": "", "finish_reason": str(done.stop_reason), "logprobs": {"token_logprobs": logp}}
        if "unknown_field" not in self.faults and body.get("return_token_ids"):
            choice |= {"token_ids": done.tokens, "prompt_token_ids": prompt}
        if "reads_text" in self.faults:
            choice["prompt_token_ids"] = [1, *prompt]
        if body.get("prompt_logprobs") is not None:
            [found] = score_tokens(self.policy, [prompt])
            choice["prompt_logprobs"] = [None, *({str(t): {"logprob": x}} for t, x in zip(prompt[1:], found, strict=True))]
        return {"choices": [choice]}
