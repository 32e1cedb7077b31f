"""`sanmai watch`: the report's own page, served and followed; who may ask, what is answered, and what a browser sees."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from pipeline_folder import make_pipeline_folder
from run_folder import make_run_folder

from sanmai.report import live
from sanmai.report.doors import is_loopback
from sanmai.report.html import render
from sanmai.report.load import load_run
from sanmai.report.watch import make_app, watch
from sanmai.report.watch_index import index_page, index_state
from sanmai.types import InputError

uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def served(root: Path, **options):
    """The address of a server for the folder, in a thread of this process."""
    config = uvicorn.Config(make_app(root, **options), host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=1)
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


def ask(address: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def until(page, condition: str) -> None:
    """Wait for it; the page's policy forbids what playwright's own waiting needs."""
    end = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    make_run_folder(root / "zero-7", num_steps=20, planned=40)
    make_run_folder(root / "zero-8", num_steps=10)
    make_pipeline_folder(root / "r1-3", num=8)
    (root / "notes").mkdir()
    return root


def test_every_run_and_stage_is_found_and_nothing_else(folder):
    found = live.catalog(folder)
    assert {"zero-7", "zero-8", "r1-3"} <= found.keys() and "notes" not in found
    assert any(name.startswith("r1-3/stages/") for name in found)
    assert list(live.catalog(folder / "zero-7")) == [""]
    with pytest.raises(InputError, match="no such folder"):
        live.catalog(folder / "nowhere")


def test_the_page_is_the_reports_own_with_a_strip_and_a_script_more(folder):
    page = live.page_of(folder / "zero-7")
    assert page.partition("<main")[2].partition("</main>")[0] in live.made_live(page, live.state_of(folder / "zero-7"), "/")
    usual = render(load_run(folder / "zero-7"), None)
    assert usual.count("<section") == page.count("<section")
    shown = live.made_live(page, live.State("v", "running", "<b>&", 0.5), "/")
    assert "connect-src &#x27;self&#x27;" in shown and "&lt;b&gt;&amp;" in shown and "it loads nothing" not in shown


def test_a_state_tells_running_from_stopped_and_finished_by_the_lock_and_the_events(tmp_path):
    run = make_run_folder(tmp_path / "run", num_steps=20, planned=40)
    assert live.state_of(run).state == "stopped" and "goes on from the newest checkpoint" in live.state_of(run).line
    (run / "run.lock").write_text(str(os.getpid()))
    running = live.state_of(run)
    assert running.state == "running" and running.share == 0.5 and "left" in running.line and "step 20 of 40" in running.line
    (run / "run.lock").write_text("99999999")  # what a kill leaves: a process that is not there
    assert live.state_of(run).state == "stopped"
    (run / "run.lock").write_text(str(os.getpid()))
    os.utime(run / "run.lock", (0, time.time() - 30 * 86400))  # signed long before this process began: its number came round
    assert live.state_of(run).state == "stopped"
    before, was = live.version_of(run), int(live.state_of(run).alarm.split()[0])
    with (run / "events.jsonl").open("a") as file:
        file.write(json.dumps({"time": "2026-11-20T15:00:00Z", "event": "warning", "message": "look"}) + "\n")
        file.write('{"torn')
    assert live.version_of(run) != before and live.state_of(run).alarm == f"{was + 1} warnings"
    assert live.state_of(make_run_folder(tmp_path / "done", num_steps=10)).state == "finished"


def test_a_run_that_was_killed_between_a_steps_figures_and_its_event_is_at_that_step(tmp_path):
    run = make_run_folder(tmp_path / "run", num_steps=20, planned=40)
    events = (run / "events.jsonl").read_text().splitlines()
    at = max(k for k, line in enumerate(events) if '"step"' in line)
    (run / "events.jsonl").write_text("".join(f"{line}\n" for line in events[:at]))
    assert live.state_of(run).line.startswith("stopped: step 20 of 40")
    assert "20 of 40 steps on record" in render(load_run(run))


def test_pages_events_and_stages_are_served_and_nothing_outside_the_folder(folder):
    with served(folder) as address:
        status, page = ask(f"{address}/")
        assert status == 200 and "/run/zero-7/" in page and "Side by side" in page
        assert ask(f"{address}/?run=zero-8")[1].count("zero-7 <span class") == 0
        status, page = ask(f"{address}/run/zero-7/")
        assert status == 200 and "data-curves" in page and "step 20 of 40" in page
        stage = next(name for name in live.catalog(folder) if name.startswith("r1-3/stages/"))
        assert ask(f"{address}/run/{stage}/report.html")[0] == 200  # as the pipeline's page links it
        for path in ("/run/zero-7/config.toml", "/run/../../etc/passwd", "/run/notes/", "/run/%2e%2e/", "/nothing"):
            assert ask(address + path)[0] == 404, path
        with urllib.request.urlopen(f"{address}/run/zero-7/events", timeout=10) as stream:
            state = json.loads(stream.readline().decode().removeprefix("data: "))
        assert state["version"] == live.version_of(folder / "zero-7") and state["share"] == 0.5
        request = urllib.request.Request(address, data=b"x", method="POST")
        with pytest.raises(urllib.error.HTTPError, match="405"):
            urllib.request.urlopen(request, timeout=10)
        assert ask(address, Host="evil.example")[0] == 400


def test_a_token_is_asked_of_every_page_and_taken_from_the_address_or_a_cookie(folder):
    with served(folder, token="secret") as address:
        for path in ("/", "/events", "/run/zero-7/", "/?token=wrong", "/?token=%ff"):
            assert ask(address + path)[0] == 401, path
        assert ask(f"{address}/", Cookie="sanmai-watch=secret")[0] == 200
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(f"{address}/?token=secret", timeout=10) as answer:
            assert answer.status == 200 and "token" not in answer.url
    assert [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "10.0.0.1", "host.example")] == [
        True, True, True, False, False, False]  # fmt: skip


def test_a_port_that_is_taken_and_a_folder_that_is_not_there_are_one_sentence(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="cannot listen"):
            watch(folder, port=taken.getsockname()[1], say=print)
    with pytest.raises(InputError, match="no such folder"):
        watch(folder / "nowhere", port=0, say=print)
    with pytest.raises(InputError, match=r"--host nowhere\.invalid --port 0: cannot listen there"):
        watch(folder, host="nowhere.invalid", port=0, say=print)
    for short in ("x", "x" * 15, "with blanks in it, 16"):
        with pytest.raises(InputError, match="--token: expected at least 16 printable"):
            watch(folder, port=0, token=short, say=print)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_follows_a_run_that_grows_is_killed_and_resumed_without_losing_what_the_reader_chose(tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    run = make_run_folder(tmp_path / "run", num_steps=20, planned=40)
    heard: list[str] = []
    with served(tmp_path) as address, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
        page.on("request", lambda asked: None if asked.url.startswith((address, "data:")) else heard.append(asked.url))
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.goto(f"{address}/run/run/")
        page.evaluate("window.stays = true")
        page.fill("#search", "plus")
        page.locator("#rollout-list summary").first.click()
        opened = page.locator("#rollout-list details[open]").get_attribute("data-key")
        count = page.inner_text("#rollout-count")
        assert "stopped: step 20 of 40" in page.inner_text("[data-part=line]")
        tops = [page.locator(part).bounding_box()["y"] for part in (".live .beat", "[data-part=line]")]
        assert tops[0] > tops[1], "on a narrow page the mark stands beside its sentence"
        make_run_folder(run, num_steps=30, planned=40)
        (run / "run.lock").write_text(str(os.getpid()))
        until(page, "document.querySelector('.state').textContent.includes('30 of 40')")
        assert page.evaluate("window.stays") and page.input_value("#search") == "plus"
        assert page.inner_text("#rollout-count") != count
        assert page.locator(f"#rollout-list details[data-key='{opened}']").get_attribute("open") is not None
        until(page, "document.querySelector('[data-part=line]').textContent.includes('running: step 30 of 40')")
        (run / "run.lock").write_text("99999999")
        until(page, "document.getElementById('live').dataset.state === 'stopped'")
        make_run_folder(run, num_steps=40)
        until(page, "document.getElementById('live').dataset.state === 'finished'")
        until(page, "document.querySelector('.state').textContent.includes('Finished: 40')")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        browser.close()
    assert heard == []


CONTRAST = """() => {
  const light = text => { const [r, g, b] = text.match(/[0-9.]+/g).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const style = getComputedStyle(document.getElementById("live"));
  const [a, b] = [light(style.color), light(style.backgroundColor)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05); }"""
"""Of the strip's words to what they stand on, as WCAG 2 has it."""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_killed_and_resumed_run_fits_every_screen_and_can_be_read_in_both_themes(tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    run = make_run_folder(tmp_path / "run", num_steps=20, planned=40)
    screens = [(width, theme) for width in (1280, 390) for theme in ("light", "dark")]
    pictures = {}
    with served(tmp_path) as address, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for says, owner, steps in (("stopped: step 20 of 40", "99999999", 20), ("running: step 30 of 40", str(os.getpid()), 30)):
            make_run_folder(run, num_steps=steps, planned=40)
            (run / "run.lock").write_text(owner)
            for width, theme in screens:
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
                for path in ("/run/run/", "/"):
                    page.goto(f"{address}{path}")
                    until(page, f"document.body.textContent.includes('{says}')")
                    assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
                    assert page.evaluate(CONTRAST) >= 4.5, (path, theme)
                    pictures[path, says, width, theme] = page.screenshot()
                page.close()
        browser.close()
    assert len(set(pictures.values())) == 2 * 2 * len(screens)  # each theme, size and state looks another way


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_ten_thousand_rollouts_stay_smooth(tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    run = make_run_folder(tmp_path / "run", num_steps=100, planned=200, rollouts_per_step=100)
    with served(tmp_path) as address, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        began = time.monotonic()
        page.goto(f"{address}/run/run/")
        opened = time.monotonic() - began
        # The longest time that the page did not answer while it took over a new state.
        page.evaluate("""() => { window.worst = 0; let last = performance.now();
          setInterval(() => { const now = performance.now(); window.worst = Math.max(window.worst, now - last);
            last = now; }, 10); }""")
        with (run / "events.jsonl").open("a") as file:
            file.write(json.dumps({"time": "2026-11-20T15:00:00Z", "event": "warning", "message": "new"}) + "\n")
        until(page, "document.querySelector('#events').parentElement.textContent.includes('new')")
        worst = page.evaluate("window.worst")
        browser.close()
    print(f"opened in {opened:.1f} s, longest pause {worst:.0f} ms")
    assert opened < 20 and worst < 2000


def test_a_stage_is_no_run_of_its_own_in_what_is_counted_and_a_stopped_one_is_no_finished_one(tmp_path):
    make_pipeline_folder(tmp_path / "r1", until="zero", num=4)
    pipelines = live.catalog(tmp_path)
    state = index_state(pipelines)
    assert len(pipelines) > 1 and state.line == "1 stopped" and state.state == "stopped"
    assert "the same command goes on from there" in live.state_of(tmp_path / "r1").line
    run = make_run_folder(tmp_path / "zero", num_steps=20, planned=40)
    (run / "run.lock").write_text(str(os.getpid()))
    assert index_state({**pipelines, "zero": run}).state == "running"


def test_runs_of_clips_and_of_texts_have_the_columns_and_curves_of_what_they_measure(tmp_path):
    measured = {"clips": {"step": 0, "eval/win_rate": 0.5, "eval/harm": 0.25}, "texts": {"step": 0, "reward/mean": 0.7}}
    for name, line in measured.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    both = {name: tmp_path / name for name in ("clips", "texts")}
    heads = {name: re.findall(r'scope="col">([^<]+)<', index_page(tmp_path, found)[1]) for name, found in (
        ("both", both), ("clips", {"clips": both["clips"]}), ("none", {}),
    )}  # fmt: skip
    assert heads["both"] == ["Run", "Reward", "Beats its start", "Harm", "State"]
    assert heads["clips"] == ["Run", "Beats its start", "Harm", "State"]
    assert "25 %" in index_page(tmp_path, both)[1].replace("\N{THIN SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")
