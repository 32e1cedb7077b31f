(() => {
  const element = document.getElementById("data-trees");
  const select = document.getElementById("tree");
  const place = document.getElementById("nodes");
  if (!element || !select || !place) return;
  const trees = JSON.parse(element.textContent);
  const show = (value) => (value === null ? "–" : Number(value.toPrecision(3)).toString());
  const ends = { stop: "finished", length: "cut off", timeout: "cut off by time", paused: "step too long", step: "", repetition: "loop" };

  function draw(tree) {
    place.replaceChildren();
    const children = new Map();
    for (const node of tree.nodes) {
      const parent = node[0].slice(0, -1).join(".");
      if (!children.has(parent)) children.set(parent, []);
      children.get(parent).push(node);
    }
    const done = tree.nodes.filter((node) => node[2] === "stop" && node[3] !== null);
    const best = done.reduce((a, b) => (a === null || b[3] > a[3] ? b : a), null);
    const line = new Set();
    if (best) best[0].forEach((_, k) => line.add(best[0].slice(0, k + 1).join(".")));
    const make = (node) => {
      const key = node[0].join(".");
      const below = children.get(key) || [];
      const box = document.createElement(below.length ? "details" : "div");
      const head = below.length ? document.createElement("summary") : box;
      const says = document.createElement("span");
      says.className = "says";
      says.dir = "auto";
      says.textContent = node[1] || "(nothing)";
      const facts = document.createElement("span");
      facts.className = "facts-of" + (node[4] === 1 ? " right" : node[4] === 0 ? " wrong" : "");
      const last = node[0][node[0].length - 1];
      const parts = [last < 0 ? "~" + (-1 - last) : String(last), "guide " + show(node[3])];
      if (node[4] !== null) parts.push("gold " + show(node[4]));
      if (ends[node[2]]) parts.push(ends[node[2]]);
      parts.push(node[5] + " tokens");
      facts.textContent = parts.join(" · ");
      head.append(says, facts);
      if (below.length) {
        box.append(head);
        let drawn = false;
        const fill = () => { if (!drawn && box.open) { drawn = true; below.forEach((child) => box.append(make(child))); } };
        box.addEventListener("toggle", fill);
        if (line.has(key)) { box.open = true; fill(); }
      } else {
        box.classList.add("leaf");
      }
      if (line.has(key)) box.classList.add("chosen");
      return box;
    };
    (children.get("") || []).forEach((node) => place.append(make(node)));
    if (tree.more > 0) {
      const rest = document.createElement("p");
      rest.className = "note";
      rest.textContent = tree.more + " deeper nodes are not shown.";
      place.append(rest);
    }
  }

  trees.forEach((tree, number) => {
    const option = document.createElement("option");
    option.value = String(number);
    option.textContent = tree.problem + " · " + tree.strategy + " (" + (tree.nodes.length + tree.more) + " nodes)";
    select.append(option);
  });
  select.addEventListener("change", () => draw(trees[Number(select.value)]));
  if (trees.length) draw(trees[0]);
})();
