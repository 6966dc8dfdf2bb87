// Runs before the first paint, so that a remembered choice never flashes the other theme, or a column that was put away.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const kept = localStorage.getItem("theme");
    if (kept === "dark" || kept === "light") root.dataset.theme = kept;
    for (const name of JSON.parse(localStorage.getItem("columns-away") ?? "[]")) if (/^[a-z]+$/.test(name)) root.classList.add("no-" + name);
    if (localStorage.getItem("keys") === "off") root.dataset.keys = "off";
  } catch { /* storage is closed: the system's choice stands, and every column */ }

  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    const words = document.getElementById("said").dataset;
    const label = () => button.setAttribute("aria-label", isDark() ? words.light : words.dark);
    button.hidden = false;
    label();
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.theme); } catch { /* for this page only, then */ }
      label();
      document.dispatchEvent(new CustomEvent("theme"));
    });
  });
})();
