// The history of one token: panels over one time axis with one crosshair. What is drawn is fetched for the stretch looked at, as finely as
// it can be shown; a refresh brings only what is new and leaves the view where it is.
import { behind, above, colour, forgetColours, lastValue, marks } from "./chart_paint.js";
import { WRITERS, clock, logTicks, percent, span, tickTexts, ticks, timeTick } from "./chart_figures.js";
import { asking, moved, reachesEnd, same, shows, within, zoomed } from "./chart_view.js";
import { hands } from "./chart_hands.js";
import { overlay, said as pointsSay, widened } from "./chart_overlay.js";

const place = document.getElementById("charts");
const say = place.dataset, frame = place.querySelector(".panels"), message = place.querySelector("[data-message]");
const moment = place.querySelector("[data-at]"), spoken = place.querySelector("[data-spoken]");
const units = document.getElementById("said").dataset.units;
const ESTIMATED = 1, DAY = 86400, USUAL = 7200, REFRESH_MS = 10000, SETTLED_MS = 160, LEAST_AXIS = 56;

let data = null, view = null, following = true, range = USUAL, home = USUAL, asked = "", etag = "", pointer = null, logarithmic = false, late = 0, axis = LEAST_AXIS;

const panels = [...frame.querySelectorAll(".panel")].map((holder) => ({
  holder, key: holder.dataset.panel, bars: "bars" in holder.dataset, write: WRITERS[holder.dataset.write], plot: null,
  shown: holder.querySelector("[data-value]"), change: holder.querySelector("[data-change]"), title: holder.querySelector("[data-title]").textContent,
  get logs() { return this.key === "price" && logarithmic; },
}));
const last = panels.at(-1);
const drawn = () => panels.filter(({ plot }) => plot);
const draft = (value, panel) => (panel.logs ? (value > 0 ? Math.log10(value) : null) : value);
const value = (panel, index) => data[panel.key][index];

// —— drawing

function options(panel) {
  const common = {
    stroke: () => colour("faint"), font: "11px system-ui, sans-serif",
    grid: { stroke: () => colour("line"), width: 1 }, ticks: { stroke: () => colour("line"), width: 1, size: 4 },
  };
  const dense = (plot) => Math.max(2, Math.floor(plot.bbox.height / devicePixelRatio / 27));
  const line = (ink) => ({ stroke: () => colour(ink), width: 1.4, spanGaps: false, points: { show: false, size: 5, filter: alone } });
  const ink = panel.key === "score" ? "accent" : "ink";
  const edge = { stroke: null, width: 0, points: { show: false } };
  const series = [{}, ...(panel.key === "price" ? [edge, edge] : []), { ...line(ink), ...(panel.bars ? { fill: () => colour("line-strong"), paths: uPlot.paths.stepped({ align: 1 }) } : {}) }];
  if (panel.key === "score") series.push({ ...line(ink), dash: [4, 4] });
  return {
    width: frame.clientWidth, height: panel.holder.querySelector(".plot").clientHeight, padding: [7, 0, panel === last ? 0 : 7, 0],
    legend: { show: false }, tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"), series,
    bands: panel.key === "price" ? [{ series: [1, 2], fill: () => colour("line") }] : undefined,
    cursor: { y: true, drag: { x: false, y: false, setScale: false }, points: { size: 7, show: true }, dataIdx: nearest, bind: UNBOUND },
    scales: { x: { time: true }, y: { range: (_, low, high) => room(low, high, panel) } },
    axes: [
      { ...common, show: panel === last, size: 24, space: 70, values: (_, at, __, ___, step) => at.map((tick) => timeTick(tick, step)) },
      { ...common, side: 1, size: () => axis, splits: (plot, _, low, high) => panel.logs ? logTicks(low, high, dense(plot)) : ticks(low, high, dense(plot)),
        values: (plot, at) => besides(plot, panel, at, tickTexts(panel.logs ? at.map((tick) => 10 ** tick) : at, panel.write)) },
    ],
    hooks: { drawClear: [(plot) => behind(plot, data, panel.key === "price" ? say.simulated : "")], draw: [(plot) => over(plot, panel)] },
  };
}
// All hands are ours (chart_hands.js): mouse, touch and keys move one crosshair.
const UNBOUND = Object.fromEntries(["mousedown", "mouseup", "click", "dblclick", "mousemove", "mouseleave", "mouseenter"].map((name) => [name, () => null]));

// A point without neighbours would be no line at all.
function alone(plot, seriesIndex) {
  const values = plot.data[seriesIndex], found = [];
  for (let index = 0; index < values.length; index++)
    if (values[index] != null && values[index - 1] == null && values[index + 1] == null) found.push(index);
  return found;
}

function over(plot, panel) {
  above(plot, data, panel === panels[0] ? (mark) => (mark.kind === "status" ? `→ ${mark.new}` : `${say.settings} #${mark.revision}`) : null);
  if (panel.key === "price") overlay(plot, data, (price) => draft(price, panel));
  const newest = newestOf(panel);
  if (newest != null) lastValue(plot, draft(newest, panel), panel.write(newest), panel.key === "score" ? "accent" : "soft");
}
const newestOf = (panel) => (panel.bars ? null : data.last[panel.key]);

// The texts of the ticks, but for those that the label of the last value covers.
function besides(plot, panel, at, texts) {
  const newest = newestOf(panel), covered = newest == null ? null : plot.valToPos(draft(newest, panel), "y");
  return texts.map((text, index) => (covered !== null && Math.abs(plot.valToPos(at[index], "y") - covered) < 13 ? "" : text));
}

// All panels leave the same room for their figures, or their times would not stand under each other.
const measure = document.createElement("canvas").getContext("2d");
function widest() {
  measure.font = "11px system-ui, sans-serif";
  const texts = panels.flatMap((panel) => {
    const known = data[panel.key].filter((each) => each != null);
    return known.length ? [Math.min(...known), Math.max(...known), known.at(-1)].map((each) => panel.write(each, 3)) : [];
  });
  return Math.max(LEAST_AXIS, ...texts.map((text) => Math.ceil(measure.measureText(text).width) + 16));
}

// A flat line runs in the middle; bars stand on zero.
function room(low, high, panel) {
  if (low == null) return [0, 1];
  if (panel.bars) return [0, high > 0 ? high * 1.1 : 1];
  const least = panel.logs ? 0.02 : panel.key === "score" ? 0.05 : Math.abs(high) * 0.005 || 0.5;
  if (panel.key === "price" && view) [low, high] = panel.logs ? widened(10 ** low, 10 ** high, data, view).map(Math.log10) : widened(low, high, data, view);
  const spare = Math.max((high - low) * 0.1, least);
  return [low - spare, high + spare];
}

function columns(panel) {
  const all = data[panel.key].map((each) => (each == null ? null : draft(each, panel)));
  if (panel.key === "price") return [data.ts, ...["price_high", "price_low"].map((key) => data[key].map((each) => (each == null ? null : draft(each, panel)))), all];
  if (panel.key !== "score") return [data.ts, all];
  const guessed = data.notes.map((note) => (note & ESTIMATED) !== 0);
  return [data.ts, all.map((each, index) => (guessed[index] ? null : each)), all.map((each, index) => (guessed[index] || guessed[index - 1] || guessed[index + 1] ? each : null))];
}

function draw() {
  axis = widest();
  for (const panel of panels) {
    const known = data[panel.key].some((each) => each != null);
    panel.holder.classList.toggle("unknown", !known);
    if (known && !panel.plot) panel.plot = new uPlot(options(panel), columns(panel), panel.holder.querySelector(".plot"));
    else if (known) panel.plot.setData(columns(panel), false);
    else if (panel.plot) { panel.plot.destroy(); panel.plot = null; }
  }
  const nothing = !data.ts.length;
  message.hidden = !nothing;
  if (nothing) message.textContent = say.nothing;
  frame.hidden = false;
  place.querySelector("[data-blind-key]").hidden = !data.blind.length;
  place.querySelector("[data-mean]").textContent = data.thinned ? `${say.mean} ${span(data.step, units)}` : "";
  place.dataset.drawn = String(drawn().length);
  show();
}

// —— the view

function show() {
  view = within(view, data);
  following = reachesEnd(view, data);
  for (const { plot } of drawn()) plot.batch(() => { plot.setScale("x", view); });
  place.dataset.view = `${view.min.toFixed(1)} ${view.max.toFixed(1)}`;
  place.dataset.outages = JSON.stringify(data.outages);
  for (const button of place.querySelectorAll("[data-range]")) button.setAttribute("aria-pressed", String(range !== null && button.dataset.range === String(range)));
  for (const panel of panels) changeOf(panel);
  crosshair();
  clearTimeout(late);
  if (!shows(data, view)) late = setTimeout(() => load(asking(view, data)), SETTLED_MS);
}

// Another view of the same; false when there is nothing further.
function look(other, chosen = null) {
  if (!data) return false;
  const next = within(other, data);
  if (view && same(next, view) && chosen === range) return false;
  view = next;
  range = chosen;
  show();
  return true;
}
const whole = () => choose(home);   // the range chosen last
function choose(seconds) {
  if (!data) return;
  home = seconds;
  const width = seconds === "all" ? data.newest - data.oldest : seconds;
  look({ min: Math.max(data.oldest, data.newest - width), max: data.newest }, seconds);
}
const zoom = (factor, share) => view !== null && look(zoomed(view, factor, view.min + share * (view.max - view.min)));
const move = (share) => view !== null && look(moved(view, share === Infinity ? data.newest - view.max : share * (view.max - view.min)));

// —— the crosshair: { share of the width, y and panel under the hand } or { time } when moved by keys

const silent = (seconds) => data.outages.find(([from, to]) => seconds > from && seconds < to);
function nearest(plot, seriesIndex, index, at) {
  const gap = silent(at);
  if (!gap) return index;
  const hole = data.ts.findIndex((seconds) => seconds > gap[0] && seconds < gap[1]);
  return hole < 0 ? null : hole;
}

function crosshair() {
  for (const { plot, holder } of drawn()) {
    const under = pointer?.panel === holder;
    const left = pointer === null ? -10 : pointer.time !== undefined ? plot.valToPos(pointer.time, "x") : pointer.share * plot.over.clientWidth;
    const inside = left >= 0 && left <= plot.over.clientWidth;
    plot.setCursor({ left: inside ? left : -10, top: inside ? (under ? pointer.y : 0) : -10 }, false, false);
    plot.root.classList.toggle("under", under);
  }
  read();
}

function time() {
  const plot = drawn()[0]?.plot;
  if (!plot || pointer === null) return null;
  return pointer.time ?? plot.posToVal(pointer.share * plot.over.clientWidth, "x");
}

function indexAt(seconds) {
  if (seconds === null) return null;
  const index = drawn()[0]?.plot.cursor.idx;
  return index == null ? null : nearest(null, 0, index, seconds);
}

function read() {
  const at = time(), index = indexAt(at);
  for (const panel of panels) {
    const found = at === null ? data.last[panel.key] : index === null ? null : value(panel, index);
    panel.shown.textContent = found == null ? "–" : panel.write(found, at === null ? 3 : 4);
  }
  const gap = at === null ? null : silent(at);
  moment.textContent = at === null ? "" : [`${clock(gap || index === null ? at : data.ts[index], true, true)} UTC`, ...notes(at, index, gap)].join(" · ");
}

function notes(at, index, gap) {
  const near = (view.max - view.min) / Math.max(1, drawn()[0].plot.over.clientWidth) * 4;
  const words = [[1, say.estimated], [2, say.leftOut], [4, say.stale], [8, say.contradictory]];
  const said = gap ? [`${say.gap} ${span(gap[1] - gap[0], units)}`] : index === null ? [] : words.filter(([bit]) => data.notes[index] & bit).map(([, text]) => text);
  const blind = data.blind.find(({ from, to }) => at >= from && at <= to);
  if (blind) said.push(`${say.blind}: ${blind.why}`);
  said.push(...pointsSay(data, at, near / 4));
  for (const mark of marks(data).filter(({ ts }) => Math.abs(ts - at) <= near))
    said.push(mark.kind === "status" ? `${mark.old ? `${mark.old} ` : ""}→ ${mark.new}: ${mark.reason}` : `${say.settings} #${mark.revision}${mark.note ? ` “${mark.note}”` : ""}`);
  return said;
}

// By how much it moved from the first to the last value in view.
function changeOf(panel) {
  if (!panel.change) return;
  const seen = data[panel.key].filter((each, index) => each != null && data.ts[index] >= view.min && data.ts[index] <= view.max);
  const fraction = seen.length > 1 && seen[0] > 0 ? seen.at(-1) / seen[0] - 1 : null;
  const text = fraction === null ? "" : percent(fraction);
  panel.change.textContent = text && text !== "0 %" ? `${fraction > 0 ? "▲" : "▼"} ${text}` : text;
  panel.change.className = fraction === null || text === "0 %" ? "flat" : fraction > 0 ? "up" : "down";
}

// From point to point by keys, said aloud.
function step(by) {
  if (!data?.ts.length) return;
  const near = time() ?? view.max;
  const inView = data.ts.flatMap((seconds, index) => (seconds >= view.min && seconds <= view.max && panels.some((panel) => value(panel, index) != null) ? [seconds] : []));
  if (!inView.length) return;
  const from = inView.reduce((best, seconds, index) => (Math.abs(seconds - near) < Math.abs(inView[best] - near) ? index : best), 0);
  pointer = { time: inView[Math.min(Math.max(from + (pointer === null ? 0 : by), 0), inView.length - 1)] };
  crosshair();
  spoken.textContent = `${moment.textContent}: ${panels.map((panel) => `${panel.title} ${panel.shown.textContent}`).join(", ")}`;
}

// —— fetching

async function load(query) {
  const fresh = query !== asked;
  const after = !fresh && data?.ts.length ? Math.floor(Math.max(data.from, data.ts.at(-1) - 120)) : null;
  asked = query;
  let response;
  try {
    const address = new URLSearchParams(query);
    if (after !== null) address.set("after", after);
    response = await fetch(`${say.url}?${address}`, { headers: !fresh && etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
  } catch { return data ? undefined : tell(say.away); }
  if (query !== asked || response.status === 304) return;
  if (!response.ok) return data ? undefined : tell(`${say.refused} (${response.status})`);
  etag = response.headers.get("ETag") ?? "";
  take(await response.json(), after);
}

function take(fetched, after) {
  const wasFollowing = following, before = data;
  data = after === null ? fetched : joined(data, fetched, after);
  if (before === null) view = { min: Math.max(data.oldest, data.newest - USUAL), max: data.newest };
  else if (range !== null) view = { min: Math.max(data.oldest, range === "all" ? data.oldest : data.newest - range), max: data.newest };
  else if (wasFollowing) view = moved(view, data.newest - view.max);
  draw();
}

// What was there before `after`, and what has come since. Outages and marks come whole each time.
function joined(old, fetched, after) {
  const first = old.ts.findIndex((seconds) => seconds >= after), kept = first < 0 ? old.ts.length : first;
  const columns = ["ts", "notes", "price_low", "price_high", ...panels.map((panel) => panel.key)];
  return { ...fetched, ...Object.fromEntries(columns.map((key) => [key, [...old[key].slice(0, kept), ...fetched[key]]])) };
}

function tell(text) { message.textContent = text; message.hidden = false; }
const refresh = () => { if (!document.hidden) load(asked); };

// —— wiring

const shareAt = (event) => {
  const box = (drawn()[0]?.plot.over ?? frame).getBoundingClientRect();
  const panel = event.target.closest?.(".panel"), over = panel?.querySelector(".u-over")?.getBoundingClientRect();
  return { share: Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1), width: box.width, y: over ? event.clientY - over.top : 0, panel };
};
hands(frame, {
  place: shareAt, zoom, move, whole, step,
  point: (at) => { if (data) { pointer = at; crosshair(); } },
  leave: () => { if (data && pointer !== null) { pointer = null; crosshair(); } },
});
const BUTTONS = { earlier: () => move(-0.5), later: () => move(0.5), in: () => zoom(1 / 1.6, 0.5), out: () => zoom(1.6, 0.5), whole };
place.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.range) choose(button.dataset.range === "all" ? "all" : Number(button.dataset.range));
  if (button.dataset.move) BUTTONS[button.dataset.move]();
  if ("log" in button.dataset) {
    logarithmic = !logarithmic;
    button.setAttribute("aria-pressed", String(logarithmic));
    if (data) draw();
  }
});
const recolour = () => { forgetColours(); for (const { plot } of drawn()) plot.redraw(false, true); };
document.addEventListener("theme", recolour);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
new ResizeObserver(() => {
  for (const { plot } of drawn()) if (plot.width !== frame.clientWidth) plot.setSize({ width: frame.clientWidth, height: plot.height });
  if (data) crosshair();
}).observe(frame);
document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.target.contains(place)) refresh(); });
setInterval(refresh, REFRESH_MS);
load("");
