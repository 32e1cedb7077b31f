"use strict";
// The system's theme until the reader chooses. Tells the document "themechange" when the colours are others.
(() => {
  const button = document.getElementById("theme");
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme || (systemDark.matches ? "dark" : "light")) === "dark";
  function remembered(value) {
    // A file opened from disk may have no storage.
    try {
      if (value) localStorage.setItem("sanmai-theme", value);
      return localStorage.getItem("sanmai-theme");
    } catch { return null; }
  }
  function apply() {
    button.textContent = isDark() ? "Light theme" : "Dark theme";
    document.dispatchEvent(new Event("themechange"));
  }
  const chosen = remembered();
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  button.hidden = false;
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    remembered(document.documentElement.dataset.theme);
    apply();
  });
  systemDark.addEventListener("change", apply);
  apply();
})();
