// The list under a reader's hands: keys, columns, menus, and what a refresh has changed.
(() => {
  const root = document.documentElement;
  const list = () => document.getElementById("list");
  const words = () => document.getElementById("words").dataset;

  // Along the rows: ↓ ↑ (or j k) from token to token, → ← through the figures of one, Enter opens, Escape goes back.
  const FIGURES = "td[title], td[data-tip], td[data-line]";
  const names = () => [...document.querySelectorAll("#list a.open")];
  const rowOf = (element) => element?.closest?.("#list [data-token]");
  const go = (element) => { if (!element) return; element.focus({ preventScroll: true }); element.scrollIntoView({ block: "nearest" }); };

  function rows(step) {
    const all = names();
    const at = all.indexOf(rowOf(document.activeElement)?.querySelector("a.open"));
    go(all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1)]);
  }
  function cells(row, step) {
    const all = [row.querySelector("a.open"), ...row.querySelectorAll(FIGURES)].filter((cell) => cell.checkVisibility({ visibilityProperty: true }));
    const at = all.indexOf(document.activeElement.closest(FIGURES) ?? all[0]);
    const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
    if (next.tagName === "TD") next.tabIndex = -1;
    go(next);
  }
  function leave(row) {
    const name = row.querySelector("a.open");
    if (document.activeElement === name) name.blur(); else go(name);
  }
  const LETTERS = new Set(["j", "k", "w", "?"]);
  function key(event) {
    const row = rowOf(document.activeElement), cell = document.activeElement.tagName === "TD";
    if (event.key === "ArrowDown" || event.key === "j") rows(1);
    else if (event.key === "ArrowUp" || event.key === "k") rows(-1);
    else if (event.key === "ArrowRight" && row) cells(row, 1);
    else if (event.key === "ArrowLeft" && row) cells(row, -1);
    else if (event.key === "Escape" && row) leave(row);
    else if (event.key === "Enter" && row && cell) row.querySelector("a.open").click();
    else if (event.key === "w" && row) row.querySelector("button.star").click();
    else if (event.key === "?") help();
    else return;
    event.preventDefault();
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const menu = document.querySelector("details.menu[open]");
    if (event.key === "Escape" && menu) return close(menu);
    if (document.querySelector("dialog[open]") || event.target.closest?.("details.menu")) return;
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (typing && !(typing.id === "q" && event.key === "ArrowDown")) return;
    if (LETTERS.has(event.key) && root.dataset.keys === "off") return;
    key(event);
  });

  // The help, and whether single letters are keys at all: who speaks to the computer turns them off.
  const dialog = document.getElementById("keys"), letters = document.getElementById("keys-on");
  const help = () => { if (!dialog.open) dialog.showModal(); };
  letters.checked = root.dataset.keys !== "off";
  letters.addEventListener("change", () => {
    if (letters.checked) delete root.dataset.keys; else root.dataset.keys = "off";
    try { localStorage.setItem("keys", letters.checked ? "on" : "off"); } catch { /* for this page only, then */ }
  });
  document.addEventListener("click", (event) => { if (event.target.closest?.("[data-keys]")) help(); });

  // Menus close by Escape, by a click elsewhere, and when what they asked for is there.
  function close(menu) {
    const within = menu.contains(document.activeElement);
    menu.open = false;
    if (within) menu.querySelector("summary").focus();
  }
  document.addEventListener("pointerdown", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  // The choice of columns is a class on the root, set again before the first paint of the next page.
  function columns(sheet) {
    const heads = [...document.querySelectorAll(".tokens thead th")].map((head) => [[...head.classList].find((name) => name.startsWith("c-")), head]);
    const offered = heads.filter(([name]) => name && name !== "c-token").map(([name, head]) => [name.slice(2), (head.querySelector("a") ?? head).firstChild.nodeValue]);
    sheet.replaceChildren(...[...offered, ["why", words().why]].map(([name, title]) => {
      const label = document.createElement("label"), box = document.createElement("input");
      Object.assign(box, { type: "checkbox", value: name, checked: !root.classList.contains("no-" + name) });
      label.append(box, title);
      return label;
    }));
  }
  document.addEventListener("toggle", (event) => { if (event.target.id === "columns" && event.target.open) columns(event.target.querySelector(".sheet")); }, true);
  document.addEventListener("change", (event) => {
    if (!event.target.closest?.("#columns")) return;
    root.classList.toggle("no-" + event.target.value, !event.target.checked);
    const away = [...root.classList].filter((name) => name.startsWith("no-")).map((name) => name.slice(3));
    try { localStorage.setItem("columns-away", JSON.stringify(away)); } catch { /* for this page only, then */ }
  });

  // A refusal of the filters is said beside them.
  document.addEventListener("htmx:responseError", ({ detail }) => {
    const place = detail.elt.querySelector?.(".refusal");
    if (place && detail.xhr.status === 400) place.textContent = detail.xhr.responseText;
  });

  // What a refresh has changed is washed for a moment, and a row that has moved says by how many places.
  let before = new Map(), written = [];
  const mark = (element, name, value, milliseconds) => {
    element.dataset[name] = value;
    clearTimeout(element[name + "Timer"]);
    element[name + "Timer"] = setTimeout(() => delete element.dataset[name], milliseconds);
  };
  const tops = () => new Map([...document.querySelectorAll("#list [data-token]")].map((row) => [row.id, row.getBoundingClientRect().top]));
  // A row glides from where it stood, so that the eye can follow; nothing is torn from under it.
  function glide(now) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    for (const [id, top] of now) {
      const way = (before.get(id) ?? top) - top;
      if (way && Math.abs(way) < 2 * innerHeight) document.getElementById(id).animate([{ transform: `translateY(${way}px)` }, { transform: "none" }], { duration: 350, easing: "ease-in-out" });
    }
  }
  document.addEventListener("htmx:beforeSwap", ({ detail }) => { if (detail.target.id === "list") before = tops(); });
  document.addEventListener("calm", (event) => { if (event.target.id === "list") written = event.detail; });
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target.id !== "list") return;
    if (detail.requestConfig.elt.id !== "list") return another();
    for (const text of written) {
      const cell = text.parentElement?.closest("[data-token] td.n");
      if (cell && text.parentElement.closest(".value, .change")) mark(cell, "changed", "", 1700);
    }
    const now = tops();
    glide(now);
    moved([...before.keys()], [...now.keys()]);
  });
  // A newcomer pushes everybody down and moves nobody: only those count who were there before and are there still.
  function moved(old, fresh) {
    const here = new Set(fresh), there = new Set(old);
    const places = new Map(old.filter((id) => here.has(id)).map((id, place) => [id, place]));
    let place = 0;
    for (const id of fresh) {
      const up = there.has(id) ? places.get(id) - place++ : 0;
      const text = !there.has(id) ? words().fresh : up > 0 ? `▲${up}` : up < 0 ? `▼${-up}` : "";
      if (text) mark(document.getElementById(id).querySelector(".place"), "moved", text, 8000);
    }
  }
  // Another view of the list: its form says what is asked for now.
  function another() {
    for (const menu of document.querySelectorAll("#list details.menu[open]")) close(menu);
    for (const form of list().querySelectorAll("form")) form.reset();
    for (const place of list().querySelectorAll(".refusal")) place.textContent = "";
    for (const marked of list().querySelectorAll("[data-moved]")) delete marked.dataset.moved;
  }
})();
