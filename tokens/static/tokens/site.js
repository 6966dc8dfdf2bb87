// What every page has: ages that keep moving, figures that explain themselves, copying, and a word when the site is out of reach.
(() => {
  const words = document.getElementById("said").dataset;
  const [D, H, M, S] = words.units.split(" ");

  // Ages count from the server's clock, whatever this machine believes the time is. The page itself may have been kept for a while:
  // only the pulse, which is never kept, tells the time.
  let ahead = null;
  const setClock = () => {
    const asOf = Date.parse(document.getElementById("as-of")?.getAttribute("datetime") ?? "");
    if (!Number.isNaN(asOf)) ahead = Date.now() - asOf;
  };
  const whole = (value, size) => Math.floor(value / size);
  const short = (s) => s >= 172800 ? `${whole(s, 86400)} ${D}` : s >= 3600 ? `${whole(s, 3600)} ${H}` : s >= 60 ? `${whole(s, 60)} ${M}` : `${s} ${S}`;
  const span = (s) => {
    const d = whole(s, 86400), h = whole(s % 86400, 3600), m = whole(s % 3600, 60);
    if (d) return h ? `${d} ${D} ${h} ${H}` : `${d} ${D}`;
    if (h) return m ? `${h} ${H} ${String(m).padStart(2, "0")} ${M}` : `${h} ${H}`;
    return m ? `${m} ${M}` : `${s} ${S}`;
  };
  function age() {
    if (ahead === null) return;
    const now = Date.now() - ahead;
    for (const element of document.querySelectorAll("time[data-age]")) {
      const seconds = Math.max(0, Math.floor((now - Date.parse(element.dateTime)) / 1000));
      const text = element.dataset.age === "span" ? span(seconds) : element.dataset.age === "ago" ? words.ago.replace("…", short(seconds)) : short(seconds);
      if (element.textContent !== text) element.textContent = text;
    }
  }
  setInterval(age, 1000);
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "pulse") setClock();
    age();
  });

  // One tip for the whole page, on hover, focus and tap. It takes over the title attribute, which shows on hover alone. An element whose
  // tip is more than text fills it itself, when it hears of the event "tip".
  const TOLD = "[title], [data-tip], [data-line], [data-whole]";
  const tip = document.getElementById("tip");
  let owner = null, pointer = null;
  function fill(element) {
    tip.className = "";
    tip.replaceChildren();
    const event = new CustomEvent("tip", { bubbles: true, cancelable: true, detail: { tip, x: pointer } });
    if (!element.dispatchEvent(event)) return true;
    const cut = "whole" in element.dataset && element.scrollWidth + element.scrollHeight > element.clientWidth + element.clientHeight + 1;
    tip.textContent = element.getAttribute("title") || element.dataset.tip || (cut ? element.textContent.trim() : "");
    return tip.textContent !== "";
  }
  function show(element, x = null) {
    if (owner && owner !== element) hide();
    pointer = x;
    if (!element || !fill(element)) return hide();
    if (element.title) { element.dataset.tip = element.title; element.removeAttribute("title"); }
    owner = element;
    tip.hidden = false;
    const box = element.getBoundingClientRect();
    const left = Math.min(Math.max(8, box.left + box.width / 2 - tip.offsetWidth / 2), document.documentElement.clientWidth - tip.offsetWidth - 8);
    const below = box.bottom + 6 + tip.offsetHeight < innerHeight;
    tip.style.left = `${left}px`;
    tip.style.top = `${below ? box.bottom + 6 : box.top - tip.offsetHeight - 6}px`;
    element.setAttribute("aria-describedby", "tip");
  }
  function hide() {
    tip.hidden = true;
    if (!owner) return;
    owner.removeAttribute("aria-describedby");
    if (!owner.title && owner.dataset.tip) owner.title = owner.dataset.tip;
    delete owner.dataset.tip;
    owner = null;
  }
  const told = (event) => event.target instanceof Element ? event.target.closest(TOLD) : null;
  document.addEventListener("pointerover", (event) => { const element = told(event); if (element !== owner) element ? show(element, event.clientX) : hide(); });
  document.addEventListener("pointermove", (event) => { if (owner?.dataset.line !== undefined && told(event) === owner) show(owner, event.clientX); }, { passive: true });
  document.addEventListener("focusin", (event) => { const element = told(event); element ? show(element) : hide(); });
  document.addEventListener("click", (event) => { const element = told(event); if (element && !event.target.closest("a, button")) show(element, event.clientX); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("scroll", hide, { passive: true });
  document.addEventListener("htmx:afterSwap", () => { if (owner) owner.isConnected ? show(owner, pointer) : hide(); });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("button[data-copy]");
    if (!button) return;
    let said = words.copied;
    try { await navigator.clipboard.writeText(button.dataset.copy); } catch { said = words.notCopied; }
    button.dataset.said = said;
    setTimeout(() => delete button.dataset.said, 1500);
  });

  // "/" goes to the search from anywhere.
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && document.documentElement.dataset.keys !== "off" && !document.querySelector("dialog[open]") && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      document.getElementById("q")?.select();
      document.getElementById("q")?.focus();
    }
    if (event.key === "Escape" && typing?.id === "q") typing.blur();
  });

  // A page that cannot refresh must not look as if it did.
  const line = document.getElementById("offline");
  let since = null;
  const lost = () => {
    since ??= new Date(Date.now() - (ahead ?? 0));
    line.textContent = words.lost.replace("…", since.toISOString().slice(11, 19));
    line.hidden = false;
  };
  const back = () => { since = null; line.hidden = true; };
  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:timeout", lost);
  document.addEventListener("htmx:responseError", (event) => { if (event.detail.xhr.status >= 500) lost(); });
  document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.xhr.status > 0 && event.detail.xhr.status < 500) back(); });
})();
