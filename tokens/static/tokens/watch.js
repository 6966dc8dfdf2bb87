// The watch-list: addresses of tokens, kept in this browser and nowhere else. A star puts one in and takes it out.
(() => {
  const PLACE = "watch", MOST = 100;
  const sound = (address) => typeof address === "string" && /^[A-Za-z0-9]{1,64}$/.test(address);
  let watched = new Set();

  function read() {
    try { watched = new Set(JSON.parse(localStorage.getItem(PLACE) ?? "[]").filter(sound).slice(0, MOST)); } catch { /* for this page only, then */ }
  }
  function keep() {
    try { localStorage.setItem(PLACE, JSON.stringify([...watched])); } catch { /* for this page only, then */ }
  }
  const addressOf = (star) => star.closest("[data-token]")?.dataset.token;

  function draw() {
    for (const star of document.querySelectorAll("button.star")) {
      const pressed = String(watched.has(addressOf(star)));
      if (star.getAttribute("aria-pressed") !== pressed) star.setAttribute("aria-pressed", pressed);
    }
    const link = document.getElementById("watched");
    if (!link) return;
    link.search = "?watch=" + [...watched].sort().join(",") + (watched.size > 50 ? "&size=100" : "");
    link.querySelector(".number").textContent = watched.size;
  }

  function toggle(star) {
    const address = addressOf(star);
    if (!sound(address)) return;
    if (!watched.delete(address)) {
      if (watched.size >= MOST) return say(star);
      watched.add(address);
    }
    keep();
    draw();
  }
  function say(star) {
    star.dataset.said = document.getElementById("words")?.dataset.full ?? "100";
    setTimeout(() => delete star.dataset.said, 2500);
  }

  document.addEventListener("click", (event) => {
    const star = event.target.closest?.("button.star");
    if (star) toggle(star);
  });
  addEventListener("storage", (event) => { if (event.key === PLACE || event.key === null) { read(); draw(); } });
  addEventListener("pageshow", () => { read(); draw(); });
  document.addEventListener("htmx:afterSwap", draw);
  read();
  draw();
})();
