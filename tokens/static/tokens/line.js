// The line of a score under the pointer: larger, with its time axis, and the score at that moment. Holes stay holes.
(() => {
  const SVG = "http://www.w3.org/2000/svg", WIDTH = 96, HEIGHT = 22;
  const two = (n) => String(n).padStart(2, "0");
  const clock = (seconds) => { const moment = new Date(seconds * 1000); return `${two(moment.getUTCHours())}:${two(moment.getUTCMinutes())}`; };
  const write = (value) => {
    const size = Math.abs(value), text = size.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
    return (value < 0 && Number(text) ? "−" : "") + text;
  };
  const make = (name, attributes) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const span = (className, ...inside) => {
    const element = document.createElement("span");
    element.className = className;
    element.append(...inside);
    return element;
  };

  function drawing(cell, at) {
    const drawn = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    drawn.append(make("path", { d: cell.querySelector("path")?.getAttribute("d") ?? "" }));
    drawn.append(make("line", { x1: at, x2: at, y1: 0, y2: HEIGHT }));
    return drawn;
  }

  document.addEventListener("tip", (event) => {
    const cell = event.target, list = document.getElementById("list");
    if (cell.dataset.line === undefined || !list) return;
    event.preventDefault();
    const words = document.getElementById("words").dataset;
    const values = cell.dataset.line.split(" ").map((text) => text === "-" ? null : Number(text) / 100);
    const known = values.filter((value) => value !== null);
    const from = Number(list.dataset.lineFrom), to = Number(list.dataset.lineTo), last = values.length - 1;
    const box = cell.querySelector("svg").getBoundingClientRect(), { tip, x } = event.detail;
    const newest = values.findLastIndex((value) => value !== null);
    const place = x === null ? Math.max(newest, 0) : Math.min(Math.max(Math.round((x - box.left) / box.width * last), 0), last);
    const said = values[place] === null ? words.gap : write(values[place]);
    tip.className = "line";
    tip.append(span("said", `${clock(from + (to - from) * place / last)} UTC · ${said}`), drawing(cell, place / last * WIDTH));
    const range = known.length ? `${write(Math.min(...known))} … ${write(Math.max(...known))}` : "";
    tip.append(span("axis", span("", clock(from)), span("", range), span("", clock(to))));
  });
})();
