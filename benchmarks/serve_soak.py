"""`sanmai serve tiny` under load: so many streams at once for so long, with slow readers and clients that hang up.

    python benchmarks/serve_soak.py --seconds 120 --streams 64

Prints one JSON object: requests by how they ended (`lost` must be 0), tokens a second, the server's memory at the start and its
most and last, and the rate of whole answers beside that of the sampler on the same prompts and slots.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2

PROMPTS = [f"what is {10 + k} plus {7 + 3 * k % 80} ?" for k in range(64)]


def memory_mb(pid: int) -> float:
    """Resident memory of a process, MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def stream(client: httpx2.AsyncClient, number: int, ended: Counter[str]) -> None:
    """One request: read to its end, slowly, or left."""
    rng = random.Random(number)
    manner = rng.choices(["quick", "slow", "leaves"], [0.8, 0.1, 0.1])[0]
    body = {
        "model": "tiny", "messages": [{"role": "user", "content": PROMPTS[number % len(PROMPTS)]}], "seed": number,
        "stream": True, "stream_options": {"include_usage": True}, "max_tokens": 100, "temperature": 1.0,
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


async def soak(base: str, pid: int, seconds: float, streams: int) -> dict[str, Any]:
    """Streams for so long; what became of them."""
    ended: Counter[str] = Counter()
    memory: list[float] = []
    end, numbers = time.monotonic() + seconds, iter(range(10**9))
    async with httpx2.AsyncClient(base_url=base, timeout=120, limits=httpx2.Limits(max_connections=None)) as client:

        async def keep_asking() -> None:
            while time.monotonic() < end:
                await stream(client, next(numbers), ended)

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


async def whole_rate(base: str, count: int, streams: int) -> float:
    """Tokens a second of whole answers, so many requests at once."""
    places, tokens = asyncio.Semaphore(streams), 0
    async with httpx2.AsyncClient(base_url=base, timeout=300, limits=httpx2.Limits(max_connections=None)) as client:

        async def ask(number: int) -> None:
            nonlocal tokens
            async with places:
                message = {"role": "user", "content": PROMPTS[number % len(PROMPTS)]}
                body = {"model": "tiny", "messages": [message], "seed": number, "max_tokens": 100}
                reply = (await client.post("/v1/chat/completions", json=body)).json()
                tokens += reply["usage"]["completion_tokens"]

        start = time.monotonic()
        await asyncio.gather(*(ask(number) for number in range(count)))
        return tokens / (time.monotonic() - start)


def sampler_rate(count: int, streams: int) -> float:
    """The sampler's own, on the same prompts, seeds and slots."""
    from sanmai.data.chat import render_prompt
    from sanmai.policies.text.config import ModelConfig
    from sanmai.policies.text.load import load_policy
    from sanmai.policies.text.sampler import Request, SamplingConfig, sample

    policy = load_policy(ModelConfig(name="tiny"), for_training=False)
    prompts = [render_prompt(policy.tokenizer, ({"role": "user", "content": text},)) for text in PROMPTS]
    requests = [Request(prompts[k % len(prompts)], [(k, "serve", 0)]) for k in range(count)]
    config = SamplingConfig(max_tokens=100, concurrent=streams)
    list(sample(policy, requests[:64], config))
    start = time.monotonic()
    tokens = sum(len(done.tokens) for done in sample(policy, requests, config))
    return tokens / (time.monotonic() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--requests", type=int, default=1024, help="of the comparison with the sampler")
    asked = parser.parse_args()
    command = [sys.executable, "-m", "sanmai.cli", "serve", "tiny", "--port", "0", "--concurrent", str(asked.streams)]
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
        rates = [asyncio.run(whole_rate(base, asked.requests, asked.streams)) for _ in range(2)]
        print(f"whole answers: {max(rates):.0f} tokens a second; {asked.seconds:g} s of streams begin", file=sys.stderr)
        found = asyncio.run(soak(base, server.pid, asked.seconds, asked.streams))
        print(json.dumps(found), file=sys.stderr)  # what follows takes minutes on a loaded machine
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(60)
    own = max(sampler_rate(asked.requests, asked.streams) for _ in range(2))
    found |= {"exit_code": code, "whole_tokens_per_second": round(max(rates)), "sampler_tokens_per_second": round(own),
              "share_of_sampler": round(max(rates) / own, 2)}  # fmt: skip
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
