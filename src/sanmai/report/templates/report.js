"use strict";
// Text from the run is only ever set as textContent or as an attribute that cannot execute.
(() => {
  const byId = (id) => document.getElementById(id);
  const data = (name) => JSON.parse(byId("data-" + name).textContent);
  const PAGE = 20;
  const MIXED = 0.05;
  const NONE = "–";

  function element(tag, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function number(value, digits = 3) {
    if (value === null || value === undefined) return NONE;
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-4 || size >= 1e9)) {
      const [mantissa, exponent] = value.toExponential(1).split("e");
      const raised = [...exponent.replace("+", "")].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join("");
      return `${mantissa.replace("-", "−")} × 10${raised}`;
    }
    const shown = Number.isInteger(value) || size >= 10 ** digits ? Math.round(value) : Number(value.toPrecision(digits));
    return shown.toLocaleString("en-US", { maximumFractionDigits: 8 }).replace("-", "−");
  }
  const percent = (value) => (value === null || value === undefined ? NONE : number(100 * value) + "\u202f%");

  // Charts are drawn already; the step under the pointer is read off in all of them at once.
  const charts = [...document.querySelectorAll(".plot")].map((host) => ({ host, ...chartOf(host, data("curves")) }));
  function chartOf(host, curves) {
    const readings = [...host.closest("figure").querySelectorAll(".reading")];
    return { curve: curves[Number(host.dataset.curve)], readings, still: readings.map((node) => node.textContent) };
  }
  function readAll(step) {
    for (const { host, curve, readings, still } of charts) {
      const { left, right, last } = host.dataset;
      const near = step === null ? null : curve.x.reduce((best, x) => (Math.abs(x - step) < Math.abs(best - step) ? x : best), curve.x[0]);
      const at = Number(left) + (near / Number(last)) * (Number(right) - Number(left));
      host.querySelector(".cursor").setAttribute("d", near === null ? "" : `M${at},8V146`);
      readings.forEach((node, i) => {
        const value = near === null ? null : curve.series[i].y[curve.x.indexOf(near)];
        node.textContent = value === null ? still[i] : `step ${number(near, 6)}: ${(curve.share ? percent : number)(value)}`;
      });
    }
  }
  for (const { host } of charts) {
    host.addEventListener("pointermove", (event) => {
      const box = host.firstElementChild.getBoundingClientRect();
      const { left, right, last } = host.dataset;
      const unit = ((event.clientX - box.left) / box.width) * host.firstElementChild.viewBox.baseVal.width;
      readAll(((unit - Number(left)) / (Number(right) - Number(left))) * Number(last));
    });
    host.addEventListener("pointerleave", () => readAll(null));
  }

  // A rollout in full: prompt, completion, what each grader said.
  const OUTCOMES = { correct: "✓ correct", wrong: "✗ wrong", partial: "◐ partial", ungradable: "? ungradable", failed: "! failed" };
  const outcome = (row) => element("span", "outcome " + row.outcome, OUTCOMES[row.outcome]);

  function completion(text) {
    const block = element("pre");
    block.dir = "auto";
    block.tabIndex = 0;
    const end = text.lastIndexOf("</think>");
    if (end >= 0) block.append(element("span", "thought", text.slice(0, end + 8)), text.slice(end + 8));
    else block.textContent = text || "(empty)";
    return block;
  }
  function facts(entries) {
    const line = element("div", "meta");
    for (const [name, value] of entries) {
      if (value === "" || value === NONE) continue;
      const item = element("span", "", name + " ");
      item.append(element("b", "", value));
      line.append(item);
    }
    return line;
  }
  function scores(row) {
    if (!row.scores.length) return "";
    const table = element("table");
    const head = table.createTHead().insertRow();
    for (const title of ["Component", "Score", "Label", "Reason"]) {
      const cell = element("th", "", title);
      cell.scope = "col";
      head.append(cell);
    }
    const body = table.createTBody();
    for (const [name, score, label, reason] of row.scores) {
      const line = body.insertRow();
      const title = element("th", "", name);
      title.scope = "row";
      line.append(title);
      for (const text of [number(score), label || NONE, reason || NONE]) line.append(element("td", "", text));
    }
    return table;
  }
  const details = (row) => facts([
    ["reward", number(row.reward)], ["advantage", number(row.advantage)], ["tokens", number(row.tokens)],
    ["stop", row.stop], ["language mixing", percent(row.off_language)], ["mean log-ratio", number(row.log_ratio)],
    ["policy version", number(row.version)], ["language", row.language], ["tags", row.tags], ["failure", row.failure],
  ]);

  function fill(select, values, shown = (value) => value) {
    select.append(new Option("any", ""));
    for (const value of values) select.append(new Option(shown(value), value));
  }
  const distinct = (rows, key) => [...new Set(rows.map((row) => row[key]))];

  let freshRollouts = () => {};
  function browser(rows) {
    const list = byId("rollout-list");
    const more = byId("more");
    const controls = byId("rollout-controls");
    fill(byId("filter-step"), distinct(rows, "step").sort((a, b) => a - b));
    fill(byId("filter-outcome"), Object.keys(OUTCOMES).filter((name) => rows.some((row) => row.outcome === name)));
    fill(byId("filter-stop"), distinct(rows, "stop").filter(Boolean).sort());
    const searched = () => new Map(rows.map((row) => [row, `${row.prompt}\n${row.text}\n${row.problem}`.toLowerCase()]));
    let haystack = searched();
    let found = [];
    let shown = 0;

    function speaks(row, wanted) {
      if (row.off_language === null) return wanted === "unknown";
      return wanted === (row.off_language > MIXED ? "mixed" : "clean");
    }
    function entry(row) {
      const box = element("details", "rollout");
      box.dataset.key = keyOf(row);
      const head = element("summary");
      const excerpt = element("span", "excerpt", row.prompt.replace(/\s+/g, " ").slice(0, 200));
      excerpt.dir = "auto";
      head.append(outcome(row), element("span", "", "step " + number(row.step, 6)), element("span", "", "reward " + number(row.reward)),
        element("span", "", number(row.tokens) + " tokens"), excerpt);
      box.append(head);
      // Two thousand completions at once would be slow: the body is made when it is opened.
      box.addEventListener("toggle", () => {
        if (!box.open || box.children.length > 1) return;
        const body = element("div", "body");
        const prompt = element("pre", "", row.prompt);
        prompt.dir = "auto";
        body.append(facts([["problem", row.problem], ["sample", number(row.sample)]]), element("h4", "", "Prompt"), prompt,
          element("h4", "", "Completion"), completion(row.text));
        if (row.answer) body.append(facts([["reference answer", row.answer]]));
        body.append(details(row), scores(row));
        box.append(body);
      });
      return box;
    }
    function showMore() {
      list.append(...found.slice(shown, shown + PAGE).map(entry));
      shown = Math.min(found.length, shown + PAGE);
      more.hidden = shown >= found.length;
    }
    const keyOf = (row) => `${row.step} ${row.problem} ${row.sample}`;
    freshRollouts = (next) => {
      const seen = new Set(distinct(rows, "step"));
      for (const step of distinct(next, "step").filter((one) => !seen.has(one)).sort((a, b) => a - b)) byId("filter-step").append(new Option(step, step));
      const open = new Set([...list.children].filter((box) => box.open).map((box) => box.dataset.key));
      const wanted = shown;
      rows = next;
      haystack = searched();
      update();
      while (shown < Math.min(wanted, found.length)) showMore();
      for (const box of list.children) box.open = open.has(box.dataset.key);
    };
    function update() {
      const step = byId("filter-step").value;
      const kind = byId("filter-outcome").value;
      const stop = byId("filter-stop").value;
      const language = byId("filter-language").value;
      const text = byId("search").value.trim().toLowerCase();
      const sort = byId("sort").value;
      const key = sort.replace("-", "");
      const sign = sort.startsWith("-") ? -1 : 1;
      found = rows.filter((row) => (!step || String(row.step) === step) && (!kind || row.outcome === kind)
        && (!stop || row.stop === stop) && (!language || speaks(row, language)) && (!text || haystack.get(row).includes(text)));
      // A rollout without the number comes last either way.
      found.sort((a, b) => (a[key] === null) - (b[key] === null) || sign * (a[key] - b[key]));
      byId("rollout-count").textContent = `${number(found.length, 9)} of ${number(rows.length, 9)} rollouts`;
      list.replaceChildren();
      shown = 0;
      showMore();
    }
    controls.addEventListener("input", update);
    controls.addEventListener("submit", (event) => event.preventDefault());
    more.addEventListener("click", showMore);
    update();
  }

  let freshPairs = () => {};
  function sideBySide(pairs) {
    const view = byId("pair-view");
    const problem = byId("pair-problem");
    let found = [];
    const change = ({ early, late }) => {
      const [before, after] = [early.outcome === "correct", late.outcome === "correct"];
      return before ? (after ? "right" : "broken") : after ? "fixed" : "other";
    };
    function side(title, row) {
      const box = element("article");
      const head = element("h3", "", title);
      box.append(head, outcome(row), completion(row.text), details(row), scores(row));
      return box;
    }
    function show() {
      const index = problem.selectedIndex;
      const pair = found[index];
      byId("pair-previous").disabled = index <= 0;
      byId("pair-next").disabled = index < 0 || index >= found.length - 1;
      byId("pair-count").textContent = found.length ? `${index + 1} of ${number(found.length)} problems` : "No problem changed like that.";
      if (!pair) return view.replaceChildren();
      const prompt = element("p", "prompt", pair.late.prompt);
      prompt.dir = "auto";
      const sides = element("div", "sides");
      sides.append(side(view.dataset.early, pair.early), side(view.dataset.late, pair.late));
      view.replaceChildren(prompt, facts([["reference answer", pair.late.answer], ["problem", pair.late.problem]]), sides);
    }
    freshPairs = (next, late) => {
      const at = problem.selectedIndex;
      pairs = next;
      view.dataset.late = late;
      choose();
      problem.selectedIndex = Math.min(at, problem.options.length - 1);
      show();
    };
    function choose() {
      const wanted = byId("pair-change").value;
      found = pairs.filter((pair) => !wanted || change(pair) === wanted);
      problem.replaceChildren(...found.map(({ late }) => new Option(late.prompt.replace(/\s+/g, " ").slice(0, 90))));
      show();
    }
    const move = (by) => () => { problem.selectedIndex += by; show(); };
    byId("pair-controls").addEventListener("submit", (event) => event.preventDefault());
    byId("pair-change").addEventListener("input", choose);
    problem.addEventListener("input", show);
    byId("pair-previous").addEventListener("click", move(-1));
    byId("pair-next").addEventListener("click", move(1));
    choose();
  }

  const [rollouts, pairs] = [data("rollouts"), data("pairs")];
  if (rollouts.length) browser(rollouts);
  if (pairs.length) sideBySide(pairs);
  // A live page (sanmai watch): the same page as it is now, of which charts, rollouts and pairs take the data.
  document.addEventListener("reportchange", ({ detail: fresh }) => {
    const next = (name) => JSON.parse(fresh.getElementById("data-" + name).textContent);
    const curves = next("curves");
    [...fresh.querySelectorAll(".plot")].forEach((host, i) => {
      const { curve, still } = chartOf(host, curves);
      Object.assign(charts[i], { curve, still });
      Object.assign(charts[i].host.dataset, host.dataset);
      charts[i].host.replaceChildren(document.importNode(host.firstElementChild, true));
    });
    readAll(null);
    freshRollouts(next("rollouts"));
    const view = fresh.getElementById("pair-view");
    if (view) freshPairs(next("pairs"), view.dataset.late);
  });
})();
