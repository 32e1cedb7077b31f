"""A scorer that behaves as it is told to: `python scorer_stub.py HOW FOLDER`; what it did stands in the folder."""

import json
import os
import random
import sys
import time
from pathlib import Path

HOW, FOLDER = sys.argv[1], Path(sys.argv[2])


def did(what: str) -> int:
    with (FOLDER / what).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return len((FOLDER / what).read_text().splitlines())


def say(line: object) -> None:
    print(line if isinstance(line, str) else json.dumps(line), flush=True)


starts = did("starts")
if HOW == "dies_at_load":
    sys.exit("no weights in checkpoint/model.pth")
if HOW == "loads_for_ever":
    time.sleep(60)
while HOW == "never_stops":
    say("y")
if HOW == "noisy":
    sys.stderr.write("progress\n" * 400_000)
    say("Loading checkpoint shards: 100%")
    say({"progress": 1.0})
dimensions = ["VQ", "harm"] if HOW == "harmful" else ["VQ", "TA"]
version = str(starts) if HOW == "other_after_death" else "1"
itself = {"scorer": "Stub", "version": version, "dimensions": "VQ" if HOW == "no_list" else dimensions}
say({} if HOW == "nothing_of_itself" else itself)
if HOW == "writes_first":
    sys.stdout.write("loaded shard\n" * 20_000)
for line in sys.stdin:
    request = json.loads(line)
    asked = did("batches")
    if HOW == "dies" or (HOW in ("dies_once", "other_after_death") and asked == 1):
        sys.exit("CUDA out of memory")
    if HOW == "hangs" or (HOW == "hangs_once" and asked == 1):
        time.sleep(60)
    rows = []
    for item in request["items"]:
        if "frames" in item:
            sizes = [os.path.getsize(path) for path in item["frames"]]
            value = float(sum(sizes)) / 1000
        else:
            value = float(len(item["completion"]))
        value = random.random() if HOW == "random" else value  # of no seed
        rows.append({"id": item["id"], "scores": dict.fromkeys(dimensions, value)})
        (FOLDER / "item.json").write_text(json.dumps(item))
    if HOW == "null":
        rows[0]["scores"]["TA"], rows[0]["reason"] = None, "too dark"
    first = rows[0]["scores"]
    if HOW == "fewer":
        rows.pop()
    if HOW == "lies":
        rows[0]["id"] = "9/9"
    if HOW == "twice":
        rows[-1]["id"] = rows[0]["id"]
    if HOW == "nan":
        first["TA"] = float("nan")
    if HOW == "huge":
        first["TA"] = 10**400
    if HOW == "unprintable":
        rows[0]["reason"] = "\ud800\x1b[2Jdark"
    if HOW == "text":
        first["TA"] = "0.5"
    if HOW == "true":
        first["TA"] = True
    if HOW == "lacks":
        del first["TA"]
    if HOW == "noisy":
        say("scoring ... done")
        sys.stderr.write("x" * 5_000_000)
    say({"batch": 0 if HOW == "stale" else request["batch"], "scores": rows})
