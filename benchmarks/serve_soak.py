"""`sanmai serve` under load: so many streams at once for so long, with slow readers and clients that hang up.

    python benchmarks/serve_soak.py --seconds 120 --streams 64
    python benchmarks/serve_soak.py --seconds 0 --model smollm2 --requests 128

Prints one JSON object: requests by how they ended (`lost` must be 0), tokens a second, the server's memory at the start and its
most and last, and the rate of whole answers beside that of the sampler on the same prompts, seeds and slots.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2

MAX_TOKENS = 100
THOUGHT = {"role": "assistant", "content": "<think>"}
"""Begins an answer that works the sum out: some 50 tokens in place of some 12."""
PROMPTS = [f"what is {10 + k} plus {7 + 3 * k % 80} ?" for k in range(64)]


def memory_mb(pid: int) -> float:
    """Memory of a process and its children, MB; what they share is counted once."""
    found = 0
    for one in [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]:
        lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        found += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return found * 1024 / 1e6


async def stream(client: httpx2.AsyncClient, model: str, number: int, ended: Counter[str]) -> None:
    """One request: read to its end, slowly, or left."""
    rng = random.Random(number)
    manner = rng.choices(["quick", "slow", "leaves"], [0.8, 0.1, 0.1])[0]
    body = {
        "model": model, "messages": [{"role": "user", "content": PROMPTS[number % len(PROMPTS)]}], "seed": number,
        "stream": True, "stream_options": {"include_usage": True}, "max_tokens": MAX_TOKENS, "temperature": 1.0,
    }  # fmt: skip
    is_done, usage, seen = False, None, 0
    try:
        async with client.stream("POST", "/v1/chat/completions", json=body) as response:
            if response.status_code != 200:
                ended[f"http {response.status_code}"] += 1
                return
            async for line in response.aiter_lines():
                if not line.startswith("data: "):
                    continue
                if line == "data: [DONE]":
                    is_done = True
                    break
                part = json.loads(line[6:])
                usage = part.get("usage") or usage
                seen += 1
                if manner == "leaves" and seen == 5:
                    ended["left"] += 1
                    return
                if manner == "slow":
                    await asyncio.sleep(0.05)
    except httpx2.HTTPError as error:
        ended[f"lost: {type(error).__name__}"] += 1
        return
    ended["whole" if is_done and usage else "lost"] += 1
    ended["tokens"] += usage["completion_tokens"] if usage else 0


async def soak(base: str, model: str, pid: int, seconds: float, streams: int) -> dict[str, Any]:
    """Streams for so long; what became of them."""
    ended: Counter[str] = Counter()
    memory: list[float] = []
    end, numbers = time.monotonic() + seconds, iter(range(10**9))
    async with httpx2.AsyncClient(base_url=base, timeout=120, limits=httpx2.Limits(max_connections=None)) as client:

        async def keep_asking() -> None:
            while time.monotonic() < end:
                await stream(client, model, next(numbers), ended)

        async def watch() -> None:
            while time.monotonic() < end:
                memory.append(memory_mb(pid))
                await asyncio.sleep(1.0)

        start = time.monotonic()
        await asyncio.gather(watch(), *(keep_asking() for _ in range(streams)))
        took = time.monotonic() - start
        await asyncio.sleep(1.0)
        health = (await client.get("/health")).json()
    tokens = ended.pop("tokens", 0)
    warm = memory[min(len(memory) - 1, 10)]
    return {
        "seconds": round(took, 1), "streams": streams, "ended": dict(ended), "asked": next(numbers),
        "lost": sum(count for name, count in ended.items() if name.startswith("lost")), "tokens_per_second": round(tokens / took),
        "memory_mb": {"after_10_s": round(warm), "most": round(max(memory)), "last": round(memory[-1])}, "health": health,
    }  # fmt: skip


def conversation(number: int, thinks: bool) -> tuple[dict[str, str], ...]:
    """What request `number` of the comparison with the sampler asks."""
    asked = {"role": "user", "content": PROMPTS[number % len(PROMPTS)]}
    if not thinks:
        return (asked,)
    return {**asked, "content": f"what is {100 + 13 * number % 900} plus {100 + 29 * number % 900} ?"}, THOUGHT


async def whole_rate(base: str, model: str, count: int, connections: int, thinks: bool, n: int) -> float:
    """Tokens a second of whole answers, so many requests at once.

    The client shares the machine with what it measures: bodies are made beforehand, and HTTP is spoken by hand.
    """
    host, port = base.removeprefix("http://").rsplit(":", 1)
    bodies = []
    for number in range(count):
        messages = conversation(number, thinks)
        text = json.dumps({"model": model, "messages": messages, "seed": number, "max_tokens": MAX_TOKENS, "n": n}).encode()
        start = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
        bodies.append(f"{start}content-length: {len(text)}\r\n\r\n".encode() + text)
    numbers, tokens = iter(range(count)), 0

    async def keep_asking() -> None:
        nonlocal tokens
        reader, writer = await asyncio.open_connection(host, int(port))
        for number in numbers:
            writer.write(bodies[number])
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            [length] = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            tokens += json.loads(await reader.readexactly(length))["usage"]["completion_tokens"]
        writer.close()

    begin = time.monotonic()
    await asyncio.gather(*(keep_asking() for _ in range(connections)))
    return tokens / (time.monotonic() - begin)


class Sampler:
    """The server's model in this process, on the same prompts, seeds and slots."""

    def __init__(self, model: str, streams: int) -> None:
        from sanmai.policies.text.config import ModelConfig
        from sanmai.policies.text.load import load_policy
        from sanmai.policies.text.sampler import SamplingConfig

        self.policy = load_policy(ModelConfig(name=model), for_training=False)
        self.config = SamplingConfig(max_tokens=MAX_TOKENS, concurrent=streams)

    def rate(self, count: int, thinks: bool, n: int) -> tuple[float, int]:
        """Tokens a second, and tokens."""
        from sanmai.data.chat import render_prompt
        from sanmai.policies.text.sampler import Request, sample

        requests = [
            Request(render_prompt(self.policy.tokenizer, conversation(k, thinks)), [(k, "serve", j) for j in range(n)])
            for k in range(count)
        ]
        start = time.monotonic()
        tokens = sum(len(done.tokens) for done in sample(self.policy, requests, self.config))
        return tokens / (time.monotonic() - start), tokens


def cpu_seconds(pid: int) -> float:
    """Of a process and its children, so far."""
    found = 0
    for one in [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]:
        used = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:13]
        found += sum(map(int, used))
    return found / os.sysconf("SC_CLK_TCK")


def compared(base: str, pid: int, sampler: Sampler, asked: argparse.Namespace, thinks: bool, n: int) -> dict[str, Any]:
    """The server's rate of whole answers beside the sampler's: in turn, as what else the machine does slows both.

    Shares are the median's over the tries; `cpu` is what the sampler used of CPU time for what the server used.
    """
    rates, cpus, tokens = [], [], 0
    for _ in range(asked.tries):
        start = cpu_seconds(pid)
        served = asyncio.run(whole_rate(base, asked.model, asked.requests // n, asked.connections, thinks, n))
        used, start = cpu_seconds(pid) - start, time.process_time()
        own, tokens = sampler.rate(asked.requests // n, thinks, n)
        rates.append((served, own))
        cpus.append((time.process_time() - start) / used)
    shares = [served / own for served, own in rates]
    return {
        "tokens_an_answer": round(tokens / asked.requests, 1),
        "tokens_a_second": {"served": [round(a) for a, _ in rates], "sampler": [round(b) for _, b in rates]},
        "share_of_sampler": round(statistics.median(shares), 2), "share_by_cpu": round(statistics.median(cpus), 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tiny")
    parser.add_argument(
        "--seconds", type=float, default=600.0, help="of streams; 0: the comparison with the sampler alone"
    )
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--requests", type=int, default=512, help="of the comparison with the sampler")
    parser.add_argument(
        "--connections", type=int, default=128, help="of the comparison: more than slots, so that some wait"
    )
    parser.add_argument("--tries", type=int, default=3, help="of each rate")
    asked = parser.parse_args()
    command = [
        sys.executable,
        "-m",
        "sanmai.cli",
        "serve",
        asked.model,
        "--port",
        "0",
        "--concurrent",
        str(asked.streams),
    ]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        base = line.split()[-1].removesuffix("/v1")
        for _ in range(600):
            try:
                httpx2.get(f"{base}/health", timeout=1)
                break
            except httpx2.HTTPError:
                time.sleep(0.1)
        sampler = Sampler(asked.model, asked.streams)
        shared = {}
        warm_up = argparse.Namespace(**{**vars(asked), "requests": 64, "tries": 1})
        for name, thinks, n in (
            ("short answers", False, 1), ("worked answers", True, 1), ("8 worked answers a request", True, 8),
        ):  # fmt: skip
            compared(base, server.pid, sampler, warm_up, thinks, n)
            shared[name] = compared(base, server.pid, sampler, asked, thinks, n)
            print(json.dumps({name: shared[name]}), file=sys.stderr)
        found = asyncio.run(soak(base, asked.model, server.pid, asked.seconds, asked.streams)) if asked.seconds else {}
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(60)
    print(json.dumps({**found, **shared, "exit_code": code}, indent=1))


if __name__ == "__main__":
    main()
