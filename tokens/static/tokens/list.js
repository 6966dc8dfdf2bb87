// Along the rows by keyboard: ↓ ↑ (or j k) from token to token, → ← through the figures of one, Enter opens, Escape goes back to the name.
(() => {
  const names = () => [...document.querySelectorAll("#list a.open")];
  const go = (element) => { if (!element) return; element.focus({ preventScroll: true }); element.scrollIntoView({ block: "nearest" }); };

  function rows(step) {
    const all = names();
    const here = document.activeElement?.closest?.("[data-token]")?.querySelector("a.open");
    const at = all.indexOf(here);
    go(all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1)]);
  }
  function cells(step) {
    const row = document.activeElement?.closest?.("[data-token]");
    if (!row) return false;
    const all = [row.querySelector("a.open"), ...row.querySelectorAll("td[title], td[data-tip]")];
    const at = all.indexOf(document.activeElement.closest("td[title], td[data-tip]") ?? all[0]);
    const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
    if (next.tagName === "TD") next.tabIndex = -1;
    go(next);
    return true;
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest?.("input, textarea, select");
    if (typing && !(typing.id === "q" && event.key === "ArrowDown")) return;
    const row = document.activeElement?.closest?.("[data-token]");
    if (event.key === "ArrowDown" || event.key === "j") rows(1);
    else if (event.key === "ArrowUp" || event.key === "k") rows(-1);
    else if (event.key === "ArrowRight" && row) cells(1);
    else if (event.key === "ArrowLeft" && row) cells(-1);
    else if (event.key === "Escape" && row) go(row.querySelector("a.open"));
    else if (event.key === "Enter" && row && document.activeElement.tagName === "TD") row.querySelector("a.open").click();
    else return;
    event.preventDefault();
  });
})();
