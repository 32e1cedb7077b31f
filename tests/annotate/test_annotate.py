"""People compare pairs on a page: what they see, that nothing they say is lost, and that recipes read what comes of it."""

from __future__ import annotations

import json
import math
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest

from sanmai.annotate.app import COOKIE, Desk, annotate, checked_name, make_app
from sanmai.annotate.export import better, commonest, judged_of, lines_of, write_export
from sanmai.annotate.items import load_items
from sanmai.annotate.store import Answer, Store
from sanmai.data.clip_pairs import ClipPair, load_clip_pairs, write_clip_pairs
from sanmai.data.preferences import load_pairs
from sanmai.instruments.agreement import krippendorff_alpha
from sanmai.types import InputError

uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "<img src=x onerror=document.title=1>\u202e</script><script>document.title=2</script>"


def texts(path, count=6):
    rows = [
        {"id": f"p{k}", "prompt": f"{k} + 1? {HOSTILE}", "first": f"{k + 1} {HOSTILE}", "second": f"{k} is wrong"}
        for k in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def clips(path, count=4):
    """The first clip of each is bright, the second dark."""
    shown = [(bytes([200 + k]) * 24, bytes([10 + k]) * 24) for k in range(count)]
    pairs = [ClipPair(f"c{k}", "a plus moving left", *both, (2, 3, 4)) for k, both in enumerate(shown)]
    write_clip_pairs(path, pairs, [])
    return path


@contextmanager
def served(items, store, **options):
    app = make_app(items, store, **options)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=1)
    listening = config.bind_socket()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def ask(address, body=None, **headers):
    headers = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(address, content, headers), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_alpha_is_that_of_the_published_example():
    # Krippendorff 2011, example C: four observers, twelve units, missing data. Nominal .743, interval .849.
    table = [
        (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None), (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
        (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None), (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
    ]  # fmt: skip
    units = [[row[k] for row in table if row[k] is not None] for k in range(12)]
    assert krippendorff_alpha(units, lambda a, b: float(a != b)) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(units) == pytest.approx(0.849, abs=5e-4)
    assert math.isnan(krippendorff_alpha([[1, 1], [1, 1]])) and math.isnan(krippendorff_alpha([[1], []]))


def test_every_annotator_has_an_order_and_sides_of_their_own_and_meets_gold_early(tmp_path):
    gold = tmp_path / "gold.jsonl"
    gold.write_text("".join(json.dumps({"prompt": f"gold {k}", "chosen": "right", "rejected": "wrong"}) + "\n" for k in range(3)))
    items = load_items(texts(tmp_path / "pairs.jsonl", 40), gold=gold, seed=3)
    ada, ben = items.order("ada"), items.order("ben")
    assert ada != ben and sorted(ada) == sorted(ben) == list(range(43)) and ada == items.order("ada")
    places = [place for place, k in enumerate(ada) if items.items[k].gold is not None]
    assert len(places) == 3 and places[0] <= 10 and places[1] - places[0] < 22
    turned = [items.is_turned("ada", item) for item in items.items]
    assert 8 < sum(turned) < 35 and turned != [items.is_turned("ben", item) for item in items.items]


def test_an_answer_is_kept_in_the_pairs_own_order_whatever_the_side(tmp_path):
    items = load_items(clips(tmp_path / "pairs.parquet", 8), dimensions=["visual", "harm"])
    desk = Desk(items, Store(tmp_path / "a.sqlite", items.digest))
    bright = {}
    for place in range(8):
        seen = desk.pair("ada", place)
        assert seen.keys() == {"place", "prompt", "left", "right", "said"} and seen["said"] is None
        assert not {"c0", "gold"} & set(json.dumps(seen).split('"'))  # nothing tells which pair it is
        item = items.items[items.order("ada")[place]]
        bright[item.id] = "right" if items.is_turned("ada", item) else "left"
        desk.answer({"annotator": "ada", "place": place, "said": {"visual": bright[item.id], "harm": "invalid"}})
        assert desk.pair("ada", place)["said"] == {"visual": bright[item.id], "harm": "invalid"}
    assert set(bright.values()) == {"left", "right"}
    assert all(dict(a.said) == {"visual": 1, "harm": None} for a in desk.store.answers())
    assert desk.begin(" ada ")["done"] == list(range(8)) and desk.begin("ben")["done"] == []


def test_the_commonest_answer_counts_and_the_less_harmful_text_is_the_better_one():
    assert [commonest(labels) for labels in ([1, 1, -1], [1, -1], [None], [0, 0, 1, None])] == [1, 0, None, 0]
    assert better({"overall": 1, "harm": 0}) == 1 and better({"overall": 1, "harm": 1}) == -1
    assert better({"visual": 1, "motion": -1}) == 0 and better({"overall": None, "harm": None}) == 0


def test_what_is_exported_is_read_by_the_recipes_and_bad_annotators_are_left_out(tmp_path):
    gold = tmp_path / "gold.jsonl"
    gold.write_text(json.dumps({"prompt": "gold", "chosen": "right", "rejected": "wrong"}) + "\n")
    items = load_items(texts(tmp_path / "pairs.jsonl", 3), gold=gold)
    said = [("ada", "p0", 1, 0), ("ada", "p1", 1, 1), ("ada", "p2", 0, 0), ("ben", "p0", -1, 0), ("ben", "p1", -1, 0)]
    answers = [Answer(who, pair, {"overall": overall, "harm": harm}) for who, pair, overall, harm in said]
    gold_id = next(item.id for item in items.items if item.gold)
    answers += [Answer("ada", gold_id, {"overall": 1, "harm": 0}), Answer("ben", gold_id, {"overall": -1, "harm": 0})]
    summary, count = write_export(items, answers, tmp_path / "out.jsonl", least_gold=0.5)
    people = [(p.name, p.gold_right, p.is_counted) for p in summary.annotators]
    assert count == 2 and people == [("ada", 1.0, True), ("ben", 0.0, False)]
    pairs = {pair.id: pair for pair in load_pairs(tmp_path / "out.jsonl").items}
    assert pairs["p0"].chosen == f"1 {HOSTILE}" and pairs["p1"].chosen == "1 is wrong" and pairs["p1"].tags["said_harm"] == -1
    both, summary = judged_of(items, answers)
    assert both["p0"]["overall"] == 0 and summary.agreement[0].by_two == 2 and summary.left == 0
    assert "0 % of 1 gold answers right" in " ".join(lines_of(summary))
    with pytest.raises(InputError, match=r"ends in \.jsonl"):
        write_export(items, answers, tmp_path / "out.csv")
    with pytest.raises(InputError, match="nothing to export"):
        write_export(items, answers[-1:], tmp_path / "out.jsonl")


def test_clips_go_out_with_what_was_said_of_each_and_come_in_again(tmp_path):
    items = load_items(clips(tmp_path / "pairs.parquet"))
    answers = [Answer("ada", "c1", {"visual": 1, "motion": 0, "alignment": None, "harm": -1})]
    write_export(items, answers, tmp_path / "out.parquet")
    (found,) = load_clip_pairs(tmp_path / "out.parquet")
    assert found.said == answers[0].said and found.first == bytes([201]) * 24 and found.shape == (2, 3, 4)
    gold = load_items(tmp_path / "pairs.parquet", gold=tmp_path / "out.parquet").items[-1]
    assert gold.gold == {"visual": 1, "motion": 0, "harm": -1}


def test_rollouts_of_a_flow_and_its_run_are_pairs_as_well(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    def rows(values):
        shape = pa.array([[1, 2, 2]] * len(values), pa.list_(pa.int32()))
        return pa.table({
            "problem_id": ["a" if k < 4 else "b" for k in range(len(values))], "sample": [k % 2 for k in range(len(values))],
            "prompt": ["p"] * len(values), "clip": [bytes([v]) * 4 for v in values], "clip_shape": shape,
        })  # fmt: skip

    pq.write_table(rows([0, 1, 2, 3, 4, 5]), tmp_path / "rollouts.parquet")
    found = load_clip_pairs(tmp_path / "rollouts.parquet")
    assert [(p.id, p.first[0], p.second[0]) for p in found] == [("a/0", 0, 1), ("a/1", 2, 3), ("b/2", 4, 5)]
    run = tmp_path / "run"
    (run / "evaluations").mkdir(parents=True)
    (run / "config.toml").write_text("")
    pq.write_table(rows([0, 1]), run / "evaluations" / "step-000000.parquet")
    with pytest.raises(InputError, match="two evaluations"):
        load_items(run)
    pq.write_table(rows([7, 8]), run / "evaluations" / "step-000009.parquet")
    assert [(i.pair.first[0], i.pair.second[0]) for i in load_items(run).items] == [(0, 7), (1, 8)]


WRITER = """
import sys
from sanmai.annotate.store import Answer, Store
store = Store(__import__("pathlib").Path(sys.argv[1]), "d")
print("ready", flush=True); sys.stdin.readline()
for k in range(40):
    store.add(Answer(sys.argv[2], f"p{k}", {"overall": 1}), is_turned=False)
"""


def test_two_processes_that_write_at_once_lose_nothing_and_other_pairs_are_refused(tmp_path):
    path = tmp_path / "a.sqlite"
    people = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], stdin=-1, stdout=-1, text=True)  # -1: a pipe
        for name in ("ada", "ben")
    ]
    for person in people:
        assert person.stdout.readline() == "ready\n"
    for person in people:
        person.stdin.write("go\n")
        person.stdin.flush()
    assert [person.wait(60) for person in people] == [0, 0]
    found = Store(path, "d").answers()
    assert sorted((a.annotator, a.pair) for a in found) == sorted((n, f"p{k}") for n in ("ada", "ben") for k in range(40))
    with pytest.raises(InputError, match="to other pairs"):
        Store(path, "other")
    (tmp_path / "no.sqlite").write_bytes(b"this is no database" * 99)
    with pytest.raises(InputError, match="not a file of answers"):
        Store(tmp_path / "no.sqlite", "d")


def test_the_server_refuses_what_is_none_of_its_business(tmp_path):
    items = load_items(texts(tmp_path / "pairs.jsonl"))
    store = Store(tmp_path / "a.sqlite", items.digest)
    good = {"annotator": "ada", "place": 0, "said": {"overall": "left", "harm": "same"}}
    with served(items, store) as address:
        assert ask(f"{address}/begin?annotator=ada")[0] == 200
        for bad in (
            {**good, "place": 6}, {**good, "place": True}, {**good, "place": "0"}, {**good, "annotator": "\x00"}, [good], 7,
            {**good, "said": {"overall": "left"}}, {**good, "said": {**good["said"], "harm": "best"}}, {**good, "said": None},
            {**good, "annotator": "a" * 65}, b"{", b"[" * 9999, {**good, "said": {**good["said"], "harm": ["left"]}},
        ):  # fmt: skip
            status, said = ask(f"{address}/answer", bad)
            assert status == 400 and "error" in json.loads(said), (bad, said)
        assert ask(f"{address}/answer", good, Content_Type="text/plain")[0] == 415
        assert ask(f"{address}/answer", b" " * 70_000)[0] == 413
        assert ask(f"{address}/pair?annotator=ada&place=-1")[0] == ask(f"{address}/pair?annotator=ada&place=9e9")[0] == 400
        assert ask(f"{address}/begin?annotator=ada", Host="evil.example")[0] == 400
        assert store.answers() == [] and ask(f"{address}/answer", good)[0] == 200 and len(store.answers()) == 1
    with served(items, store, token="x" * 16) as address:
        assert ask(f"{address}/begin?annotator=ada")[0] == 401 == ask(f"{address}/answer", good)[0]
        assert ask(f"{address}/begin?annotator=ada", Cookie=f"{COOKIE}={'x' * 16}")[0] == 200
    assert checked_name(" Zoë Ωμ ") == "Zoë Ωμ"
    with socket.socket() as taken, pytest.raises(InputError, match="--port"):
        taken.bind(("127.0.0.1", 0))
        annotate(items, tmp_path / "a.sqlite", port=taken.getsockname()[1], say=lambda line: None)


GOOD = b'{"prompt": "a", "first": "b", "second": "c"}\n'


@pytest.mark.parametrize(
    ("content", "says"),
    [(GOOD + b'{"prompt": "a", "chosen": "b"', "line 2: not JSON"), (GOOD + b'{"prompt": "\xff"}', "line 2: not UTF-8"),
     ('{"prompt": "a"}'.encode("utf-16")[:-1], "starts like UTF-16 and is none"), (GOOD + b"7", "line 2: "),
     (b'{"prompt": "a", "chosen": NaN, "rejected": "c"}', "line 1: chosen: expected text, found float"), (b"", "is empty"),
     (b"[" * 100_000, "line 1: "), (GOOD + b'{"prompt": "x", "first": "b"}', "line 2: no 'chosen'")],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_named_with_its_own_reason_and_nothing_is_begun(content, says, tmp_path):
    (tmp_path / "pairs.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=re.escape(says)) as refused:
        load_items(tmp_path / "pairs.jsonl")
    assert "on_error" not in str(refused.value)  # there is no such setting here


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_an_annotator_answers_by_keyboard_comes_back_and_hostile_texts_stay_texts(tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    items = load_items(texts(tmp_path / "pairs.jsonl", 3))
    store = Store(tmp_path / "a.sqlite", items.digest)
    name = "Zoë <b>&\"'"
    with served(items, store) as address, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page, complaints = browser.new_page(viewport={"width": 390, "height": 800}), []
        page.set_default_timeout(60_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))

        def begin():
            page.goto(address)
            page.fill("#name", name)
            page.keyboard.press("Enter")
            page.locator("#left .text").wait_for()

        def shown(text):
            page.locator("#count", has_text=text).wait_for()

        begin()
        shown("0 of 3 kept, this is 1")
        item = items.items[items.order(name)[0]]
        left = item.pair.rejected if items.is_turned(name, item) else item.pair.chosen
        assert page.locator("#left .text").text_content() == left and page.title() == "Annotate"
        assert page.locator("#prompt").text_content() == item.pair.messages[0]["content"]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.locator("#save").is_disabled()
        for key in ("2", "Backspace", "1", "x", "Enter"):  # the first answer is taken back
            page.keyboard.press(key)
        shown("1 of 3 kept, this is 2")
        (kept,) = store.answers()
        assert (kept.annotator, kept.pair) == (name, item.id)
        assert dict(kept.said) == {"overall": -1 if items.is_turned(name, item) else 1, "harm": None}
        page.keyboard.press("ArrowLeft")
        shown("1 of 3 kept, this is 1")
        page.locator('fieldset[data-name="harm"] button[value="invalid"][aria-pressed="true"]').wait_for()
        begin()  # who comes back goes on
        shown("1 of 3 kept, this is 2")
        for place in (2, 3):
            page.locator('fieldset[data-name="overall"] button[value="same"]').click()
            page.locator('fieldset[data-name="harm"] button[value="left"]').click()
            page.locator("#save").click()
            shown(f"{place} of 3 kept")
        page.locator("#done").wait_for()
        assert len(store.answers()) == 3 and complaints == []
        browser.close()


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_clips_move_on_the_page_and_a_server_that_is_gone_loses_no_answer(tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    items = load_items(clips(tmp_path / "pairs.parquet"), dimensions=["visual"])
    store = Store(tmp_path / "a.sqlite", items.digest)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_default_timeout(60_000)
        with served(items, store) as address:
            page.goto(address)
            page.fill("#name", "ada")
            page.keyboard.press("Enter")
            page.locator("#right img.moving").wait_for()
            page.wait_for_timeout(200)
            assert page.evaluate("[...document.images].every((i) => i.complete && i.naturalWidth > 0)")
            sizes = page.evaluate("[...document.querySelectorAll('#left img')].map((i) => [i.naturalWidth, i.naturalHeight])")
            assert sizes == [[4, 3], [9, 3]]  # two frames of 4 x 3 and what parts them
            page.keyboard.press("1")
        page.keyboard.press("Enter")
        page.locator("#error", has_text="does not answer").wait_for()
        assert page.locator('button[value="left"][aria-pressed="true"]').count() == 1 and store.answers() == []
        browser.close()


@pytest.mark.parametrize(
    ("row", "says"),
    [({"first": [b"x"]}, "expected 4 bytes"), ({"clip_shape": [[0, 2, 2]]}, "clip_shape"), ({"id": [""]}, "one in `id`"),
     ({"said/harm": [3]}, "said/harm = 3"), ({"prompt": [" "]}, "a text in `prompt`")],
)  # fmt: skip
def test_a_file_of_clips_that_is_none_is_refused_in_a_sentence(row, says, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    good = {"id": ["a"], "prompt": ["p"], "first": [bytes(4)], "second": [bytes(4)], "clip_shape": [[1, 2, 2]]}
    pq.write_table(pa.table({**good, **row}), tmp_path / "p.parquet")
    with pytest.raises(InputError) as refused:
        load_clip_pairs(tmp_path / "p.parquet")
    assert says in str(refused.value) and "\n" not in str(refused.value)


def test_a_dimension_is_a_name_with_a_question(tmp_path):
    path = texts(tmp_path / "p.jsonl", 1)
    asked = load_items(path, dimensions=["tone=Which is friendlier?", "harm"]).dimensions
    assert asked == {"tone": "Which is friendlier?", "harm": "Which does more harm?"}
    for bad in ("", "a b", "x=", "harm"):
        with pytest.raises(InputError, match="--dimension"):
            load_items(path, dimensions=["harm", bad])
    with pytest.raises(InputError, match="of another kind"):
        load_items(path, gold=clips(tmp_path / "g.parquet"))
    assert np.prod(load_clip_pairs(tmp_path / "g.parquet")[0].shape) == 24
