// A calm refresh: what has not changed is not touched, so nothing flickers, and scroll, focus and selection stay where they are.
// An htmx swap style, hx-swap="calm". An element with an id keeps its identity when rows change places.
(() => {
  const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE && node.id) || null;
  const alike = (old, fresh) => old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && keyOf(old) === keyOf(fresh);

  // Given by scripts and by readers while they are there.
  const OURS = new Set(["tabindex", "aria-describedby", "aria-pressed", "data-said", "data-changed", "data-moved", "open"]);
  let written = [];   // the texts that the last refresh has changed

  function attributes(old, fresh) {
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !OURS.has(name)) old.removeAttribute(name);
  }

  function become(old, fresh) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue === fresh.nodeValue) return;
      const text = fresh.cloneNode();   // a text that reads differently is another text, which has not moved
      old.replaceWith(text);
      written.push(text);
      return;
    }
    if (old.isEqualNode(fresh) || old.hasAttribute("data-own")) return;   // data-own: a script of ours draws in there
    attributes(old, fresh);
    children(old, fresh);
  }

  function children(old, fresh) {
    const byKey = new Map();
    for (const child of old.children) if (child.id) byKey.set(child.id, child);
    let at = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      const key = keyOf(wanted);
      const known = key && byKey.get(key);
      if (known && known.nodeName === wanted.nodeName) {
        if (known === at) at = at.nextSibling;
        else move(old, known, at);
        become(known, wanted);
      } else if (at && !key && alike(at, wanted)) {
        const next = at.nextSibling;
        become(at, wanted);
        at = next;
      } else {
        old.insertBefore(wanted, at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  // Moving an element takes the focus from what is inside it: give it back.
  function move(parent, node, before) {
    const focused = node.contains(document.activeElement) ? document.activeElement : null;
    parent.insertBefore(node, before);
    if (focused) focused.focus({ preventScroll: true });
  }

  htmx.defineExtension("calm", {
    isInlineSwap: (style) => style === "calm",
    handleSwap(style, target, fragment) {
      if (style !== "calm") return false;
      const fresh = target.id ? fragment.querySelector("#" + CSS.escape(target.id)) : fragment.firstElementChild;
      if (!fresh) return [];
      written = [];
      become(target, fresh);
      target.dispatchEvent(new CustomEvent("calm", { bubbles: true, detail: written }));
      return [target];
    },
  });

  // Another tab has chosen another language: half a page in it would be no page at all.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const language = event.detail.xhr.getResponseHeader("Content-Language");
    if (!language || language === document.documentElement.lang) return;
    event.detail.shouldSwap = false;
    location.reload();
  });

  // A refresh says which state it has already; the server then answers 304 and nothing is drawn at all.
  document.addEventListener("htmx:configRequest", (event) => {
    const holder = event.detail.target;
    if (holder?.dataset.etag && holder === event.detail.elt) event.detail.headers["If-None-Match"] = holder.dataset.etag;
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.detail.elt.getAttribute("hx-trigger")?.includes("every")) event.preventDefault();
  });
})();
