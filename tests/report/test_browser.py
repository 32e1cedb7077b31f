"""The report in a real browser: light and dark, phone and desktop."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pipeline_folder import make_pipeline_folder
from run_folder import make_run_folder

from sanmai.report import write_report

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]
# How long the lines of each chart are, in its own units; a line of one point is its dot.
INK = """() => [...document.querySelectorAll('.plot')].map((plot) => plot.querySelectorAll('.point').length
  + [...plot.querySelectorAll('.trace')].reduce((sum, line) => sum + line.getTotalLength(), 0))"""


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    return write_report(make_run_folder(tmp_path_factory.mktemp("runs") / "zero-7"))


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pipeline_report(tmp_path_factory) -> Path:
    return write_report(make_pipeline_folder(tmp_path_factory.mktemp("pipelines") / "r1-3", num=20))


@pytest.fixture
def opened(browser, request):
    """Opens a report and, at the end, checks that nothing was said on the console and nothing else was asked for."""
    complaints: list[str] = []
    contexts = []

    def open_page(scheme: str = "light", width: int = 1280, which: str = "report"):
        report = request.getfixturevalue(which)
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: asked.url == report.as_uri() or complaints.append(asked.url[:100]))
        page.goto(report.as_uri())
        page.wait_for_selector(".plot svg" if which == "report" else ".box")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_is_drawn_within_the_window_in_both_themes(opened, scheme, width):
    page = opened(scheme, width)
    page.wait_for_timeout(200)
    ink = page.evaluate(INK)
    assert len(ink) == page.locator(".plot svg").count() >= 12 and min(ink) > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("details.rollout summary").first.click()
    for summary in page.locator("details.fold > summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(shade[4:].split(",")[0]) < 60) == (scheme == "dark")


def contrast(first: str, second: str) -> float:
    """WCAG contrast of two colours such as "rgb(1, 2, 3)"."""

    def luminance(color: str) -> float:
        channels = [int(c) / 255 for c in color.removeprefix("rgb(").removesuffix(")").split(",")]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_stand_out_from_both_backgrounds(opened, scheme):
    colors = opened(scheme).evaluate("""() => Object.fromEntries(
      ['page', 'card', 'ink', 'quiet', 'link', 'good', 'bad', 's1', 's2', 's3', 's4', 's5', 's6'].map((name) => {
        const probe = document.body.appendChild(document.createElement('span'));
        probe.style.color = `var(--${name})`;
        return [name, getComputedStyle(probe).color];
      }))""")
    for ground in (colors["page"], colors["card"]):
        # 4.5 for text and 3 for lines, by WCAG 2.2 (1.4.3 and 1.4.11).
        assert all(contrast(colors[name], ground) >= 4.5 for name in ("ink", "quiet", "link", "good", "bad"))
        assert all(contrast(colors[f"s{i}"], ground) >= 3 for i in range(1, 7))


def test_the_theme_button_changes_the_theme_and_the_charts(opened):
    page = opened("light")
    stroke = "getComputedStyle(document.querySelector('.plot .trace')).stroke"
    before = page.evaluate(stroke)
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate(stroke) != before != "none"
    assert page.get_by_role("button", name="Light theme").is_visible()


def test_the_step_under_the_pointer_is_read_off_in_every_chart(opened):
    page = opened()
    before = page.locator(".reading").all_text_contents()
    page.locator(".plot").first.hover(position={"x": 300, "y": 60})
    readings = page.locator(".reading").all_text_contents()
    assert sum(text.startswith("step ") for text in readings) > len(readings) / 2
    assert page.locator('.plot .cursor:not([d=""])').count() == page.locator(".plot").count()
    page.mouse.move(0, 0)
    assert page.locator(".reading").all_text_contents() == before


def test_filters_search_and_sorting_choose_rollouts(opened):
    page = opened()
    count = page.locator("#rollout-count")
    assert count.text_content() == "640 of 640 rollouts"
    page.locator("#filter-outcome").select_option("correct")
    page.locator("#filter-step").select_option("40")
    shown = page.locator("#rollout-list summary").all_text_contents()
    assert shown and all("✓ correct" in line and "step 40" in line for line in shown)
    assert count.text_content() == f"{len(shown)} of 640 rollouts"
    page.locator("#filter-language").select_option("mixed")
    page.locator("#rollout-list summary").first.click()
    assert "加" in (page.locator("#rollout-list pre").nth(1).text_content() or "")
    assert "graded" in page.locator("#rollout-list table").first.inner_text()
    for name in ("outcome", "step", "language"):
        page.locator(f"#filter-{name}").select_option("")
    page.get_by_label("Sort by").select_option("-tokens")
    cells = page.locator("#rollout-list summary span:nth-child(4)").all_text_contents()
    lengths = [int(text.split()[0]) for text in cells]
    assert lengths == sorted(lengths, reverse=True) and len(lengths) == 20
    page.get_by_role("button", name="Show more").click()
    assert page.locator("#rollout-list details").count() == 40
    page.get_by_label("Search text").fill("no such words")
    assert count.text_content() == "0 of 640 rollouts"


def test_the_same_problem_is_shown_early_and_late(opened):
    page = opened()
    assert page.locator(".sides article h3").all_text_contents() == ["Before training", "After step 40"]
    page.get_by_label("Change").select_option("fixed")
    assert page.locator(".sides .outcome").all_text_contents() == ["✗ wrong", "✓ correct"]
    first = page.locator("#pair-count").text_content()
    page.get_by_role("button", name="Next").press("Enter")
    assert page.locator("#pair-count").text_content() != first


def test_structure_can_be_read_without_sight(opened):
    page = opened(width=390)
    assert page.locator("h1").count() == 1 and page.locator("main").count() == 1
    assert page.get_by_role("table", name="Before and after").get_by_role("row").count() >= 6
    unnamed = page.evaluate("""() => [...document.querySelectorAll('select, input, button')]
      .filter((node) => !(node.labels?.length || node.textContent.trim())).length""")
    assert unnamed == 0 and page.locator(".plot svg:not([aria-label])").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_a_pipelines_page_is_within_the_window_and_its_wide_tables_scroll_inside(opened, scheme, width):
    page = opened(scheme, width, "pipeline_report")
    for summary in page.locator("details.fold > summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    table = page.locator(".wide:has(table.stages)")
    table.evaluate("(node) => { node.scrollLeft = node.scrollWidth; }")
    name = page.get_by_role("rowheader", name="student_rl").first.bounding_box()
    assert name and name["x"] >= 0
    cost = page.locator("table.stages thead th").last.bounding_box()
    assert cost and cost["x"] + cost["width"] <= width + 1
    shade = page.evaluate("getComputedStyle(document.querySelector('table.stages tbody th')).backgroundColor")
    assert (int(shade[4:].split(",")[0]) < 60) == (scheme == "dark")


def test_every_name_of_a_pipelines_graph_fits_its_box(opened):
    page = opened(which="pipeline_report")
    gaps = page.evaluate("""() => [...document.querySelectorAll('.box')].flatMap((box) => {
      const edge = box.querySelector('rect').getBoundingClientRect().right;
      return [...box.querySelectorAll('text')].map((text) => edge - text.getBoundingClientRect().right);
    })""")
    assert len(gaps) == 39 and min(gaps) > 0
    page.get_by_role("button", name="Dark theme").click()
    assert page.get_by_role("button", name="Light theme").is_visible()
