"use strict";
// A page that `sanmai watch` serves: told by the server when the folder has changed, it takes over the page as it is now.
(() => {
  const strip = document.getElementById("live");
  const part = (name) => strip.querySelector(`[data-part="${name}"]`);
  const LIVE = ".plot, #rollout-list, #pair-view";
  let shown = strip.dataset.version;
  let wanted = shown;
  let isBusy = false;
  let pause = 1000;

  function tell(state) {
    strip.dataset.state = state.state;
    part("line").textContent = state.line;
    part("alarm").textContent = state.alarm;
    const bar = part("bar");
    bar.hidden = state.share === null;
    if (state.share !== null) bar.value = state.share;
  }

  // Sections without charts or lists are replaced; what the reader has folded open stays open.
  function take(fresh) {
    const [old, now] = [document.getElementById("main"), fresh.getElementById("main")];
    const shape = (root) => [...root.querySelectorAll("section, figure h4, .plot, #rollout-list, #pair-view")].map((node) => node.id || node.tagName + (node.matches("h4") ? node.textContent : "")).join("|")
      + [...root.querySelectorAll(".legend")].map((node) => node.children.length).join("|");
    if (shape(old) !== shape(now)) {
      location.reload();
      return;
    }
    const sections = [...now.children];
    [...old.children].forEach((section, i) => {
      if (section.matches(LIVE) || section.querySelector(LIVE)) return;
      const next = document.importNode(sections[i], true);
      const folds = [...section.querySelectorAll("details")].map((one) => one.open);
      next.querySelectorAll("details").forEach((one, k) => { one.open = Boolean(folds[k]); });
      if (next.innerHTML !== section.innerHTML) section.replaceWith(next);
    });
    document.dispatchEvent(new CustomEvent("reportchange", { detail: fresh }));
  }

  async function refresh() {
    if (isBusy || wanted === shown || document.hidden) return;
    isBusy = true;
    const [aim, began] = [wanted, performance.now()];
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      take(new DOMParser().parseFromString(await answer.text(), "text/html"));
      shown = aim;
    } catch { /* the next event tries again */ }
    // A slow page (thousands of rollouts, a busy machine) is asked for less often.
    pause = Math.min(30000, Math.max(1000, 8 * (performance.now() - began)));
    setTimeout(() => { isBusy = false; refresh(); }, pause);
  }

  const source = new EventSource("events");
  source.onmessage = (event) => {
    const state = JSON.parse(event.data);
    tell(state);
    wanted = state.version;
    refresh();
  };
  source.onerror = () => {
    strip.dataset.state = "lost";
    part("line").textContent = "No connection to sanmai watch; what is here is the last that was seen.";
  };
  document.addEventListener("visibilitychange", refresh);
})();
