// The history of one token: five panels over one time axis, one crosshair in step, outages shaded, changes of status and settings marked.
(() => {
  const place = document.getElementById("charts");
  if (!place) return;
  const message = place.querySelector("[data-message]");
  const PANELS = [
    { key: "score", title: "Score", height: 130, write: (v) => v.toFixed(2) },
    { key: "price", title: "Price", height: 130, write: (v) => "$" + digits(v) },
    { key: "volume_5m", title: "Volume 5 m", height: 100, write: (v) => "$" + digits(v), bars: true },
    { key: "liquidity", title: "Liquidity", height: 100, write: (v) => "$" + digits(v) },
    { key: "holders", title: "Holders", height: 100, write: (v) => Math.round(v).toLocaleString("en-US") },
  ];
  let data = null, etag = "", hours = 2, charts = [], zoomed = false;

  function digits(value) {
    if (!value) return "0";
    const sign = value < 0 ? "−" : "", size = Math.abs(value);
    for (const [step, letter] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]])
      if (size >= step) return sign + Number((size / step).toPrecision(3)) + letter;
    if (size >= 1e-6) return sign + Number(size.toPrecision(3)).toLocaleString("en-US", { maximumFractionDigits: 12, maximumSignificantDigits: 3 });
    const [mantissa, exponent] = size.toExponential(2).split("e");
    const zeros = String(-exponent - 1).replace(/\d/g, (d) => "₀₁₂₃₄₅₆₇₈₉"[d]);
    return sign + "0.0" + zeros + mantissa.replace(".", "").replace(/0+$/, "");
  }
  const two = (n) => String(n).padStart(2, "0");
  const at = (seconds, withSeconds = true) => {
    const moment = new Date(seconds * 1000);
    const clock = `${two(moment.getUTCHours())}:${two(moment.getUTCMinutes())}` + (withSeconds ? `:${two(moment.getUTCSeconds())}` : "");
    return hours > 24 ? `${two(moment.getUTCDate())}.${two(moment.getUTCMonth() + 1)}. ${clock}` : clock;
  };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const placing = ({ bbox, valToPos }) => (seconds) => Math.min(Math.max(valToPos(seconds, "x", true), bbox.left), bbox.left + bbox.width);

  // Behind the lines: a band for each outage.
  function bands(chart) {
    const { ctx, bbox } = chart, x = placing(chart);
    ctx.save();
    ctx.fillStyle = colour("--line");
    for (const [from, to] of data.outages) if (x(to) > x(from)) ctx.fillRect(x(from), bbox.top, x(to) - x(from), bbox.height);
    ctx.restore();
  }

  // Over the lines: an upright for each change, with a word at the top of the first panel.
  function marks(chart, first) {
    const { ctx, bbox } = chart, ratio = devicePixelRatio, x = placing(chart);
    ctx.save();
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.textBaseline = "top";
    const mark = (seconds, name, text) => {
      if (seconds < chart.scales.x.min || seconds > chart.scales.x.max) return;
      ctx.fillStyle = colour(name);
      ctx.fillRect(Math.round(x(seconds)), bbox.top, ratio, bbox.height);
      if (!first) return;
      const width = ctx.measureText(text).width, room = 4 * ratio;
      const left = x(seconds) + width + 2 * room > bbox.left + bbox.width ? x(seconds) - width - room : x(seconds) + room;
      ctx.fillStyle = colour("--paper");
      ctx.fillRect(left - 2 * ratio, bbox.top, width + room, 14 * ratio);
      ctx.fillStyle = colour(name);
      ctx.fillText(text, left, bbox.top + 2 * ratio);
    };
    for (const change of data.changes) mark(change.ts, "--accent", `→ ${change.new}`);
    for (const change of data.revisions) mark(change.ts, "--faint", `settings #${change.revision}`);
    ctx.restore();
  }

  function options(panel, index, last) {
    const ink = colour("--faint"), line = colour("--line");
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 }, font: "11px system-ui, sans-serif" };
    return {
      width: place.clientWidth,
      height: panel.height + (last ? 26 : 0),
      padding: [6, 4, last ? 0 : 7, 0],
      legend: { show: false },
      cursor: { sync: { key: "history", setSeries: false }, y: false, drag: { x: true, y: false, setScale: true }, points: { size: 6 } },
      scales: { x: { time: true }, y: { range: (u, low, high) => span(low, high, panel.bars) } },
      series: [{}, {
        stroke: colour(panel.key === "score" ? "--accent" : "--ink"), width: 1.25, points: { show: false }, spanGaps: false,
        fill: panel.bars ? colour("--line-strong") : undefined,
        paths: panel.bars ? uPlot.paths.stepped({ align: 1 }) : undefined,
      }],
      axes: [
        { ...axis, show: last, size: 26, values: (u, ticks, _, __, step) => ticks.map((tick) => at(tick, step < 60)), space: hours > 24 ? 110 : 60 },
        { ...axis, side: 1, size: 72, space: 34, values: (u, ticks) => ticks.map((tick) => panel.write(tick)) },
      ],
      hooks: {
        drawClear: [bands],
        draw: [(chart) => marks(chart, index === 0)],
        setCursor: [(chart) => read(chart)],
        setScale: [(chart, key) => { if (key === "x") together(chart); }],
      },
    };
  }
  // A flat line runs in the middle; bars stand on zero.
  function span(low, high, fromZero) {
    if (low == null) return [0, 1];
    if (fromZero) return [0, high > 0 ? high * 1.08 : 1];
    const room = (high - low) * 0.08 || Math.abs(high) * 0.05 || 1;
    return [low - room, high + room];
  }

  let spreading = false;
  function together(chart) {
    if (spreading || !charts.length) return;
    spreading = true;
    const { min, max } = chart.scales.x;
    zoomed = min > data.from + 1 || max < data.to - 1;
    for (const other of charts) if (other.plot !== chart) other.plot.setScale("x", { min, max });
    spreading = false;
  }

  function read(chart) {
    for (const { plot, panel, output, moment } of charts) {
      let index = chart.cursor.idx;
      const values = data[panel.key];
      const hovering = index != null;
      if (!hovering) index = values.findLastIndex((value) => value != null);
      output.textContent = values[index] == null ? "–" : panel.write(values[index]);
      if (moment) moment.textContent = hovering ? `${at(data.ts[index])} UTC` : "drag to zoom, double click to go back";
    }
  }

  function draw() {
    const range = zoomed && charts.length ? { ...charts[0].plot.scales.x } : { min: data.from, max: data.to };
    for (const { plot, holder } of charts) { plot.destroy(); holder.remove(); }
    charts = [];
    message.hidden = true;
    const panels = PANELS.filter((panel) => data[panel.key].some((value) => value != null));
    panels.forEach((panel, index) => {
      const holder = document.createElement("div");
      holder.className = "panel";
      const head = document.createElement("div");
      head.className = "panel-head";
      head.append(panel.title + " ");
      const output = head.appendChild(document.createElement("output"));
      const moment = index === 0 ? head.appendChild(document.createElement("span")) : null;
      if (moment) moment.className = "at";
      holder.append(head);
      place.append(holder);
      const plot = new uPlot(options(panel, index, index === panels.length - 1), [data.ts, data[panel.key]], holder);
      charts.push({ plot, panel, holder, output, moment });
    });
    charts.forEach(({ plot }) => plot.setScale("x", { min: range.min, max: range.max }));
    if (charts.length) read(charts[0].plot);
    place.dataset.drawn = String(charts.length);
    if (!charts.length) say(`No figures came in within the last ${hours} hours.`);
  }

  function say(text) { message.textContent = text; message.hidden = false; }

  async function load() {
    const asked = hours;
    let response;
    try {
      response = await fetch(`${place.dataset.url}?hours=${asked}`, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
    } catch { return data ? undefined : say("The history could not be loaded: the site does not answer."); }
    if (asked !== hours || response.status === 304) return;
    if (!response.ok) return data ? undefined : say(`The history could not be loaded (${response.status}).`);
    etag = response.headers.get("ETag") ?? "";
    data = await response.json();
    draw();
  }

  place.addEventListener("click", (event) => {
    const button = event.target.closest("[data-hours]");
    if (!button) return;
    for (const other of place.querySelectorAll("[data-hours]")) other.setAttribute("aria-pressed", String(other === button));
    hours = Number(button.dataset.hours);
    etag = "";
    zoomed = false;
    load();
  });
  document.addEventListener("theme", () => data && draw());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => data && draw());
  new ResizeObserver(() => { for (const { plot } of charts) if (plot.width !== place.clientWidth) plot.setSize({ width: place.clientWidth, height: plot.height }); }).observe(place);
  setInterval(() => { if (!document.hidden && !charts.some(({ plot }) => plot.cursor.idx != null)) load(); }, 10000);
  say("Loading the history …");
  load();
})();
