// What is drawn over the price where there is more to tell: levels, plans of trades, and the points at which something was decided or done.
// `data.lines`: { kind, price, from, to (null: still), open, text }; `data.points`: { kind, ts, price, way, text }. A chart without them has none.
import { colour } from "./chart_paint.js";

const INKS = { level: "faint", entry: "ink", stop: "down", target: "up" };
const DASHES = { level: [1, 3], entry: [6, 3], stop: [], target: [5, 4] };
const FONT = "11px system-ui, sans-serif", ROW = 12, NEAR_PX = 7;

export function overlay(plot, data, draft) {
  const { ctx, bbox } = plot, ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = FONT.replace("11px", `${11 * ratio}px`);
  const x = (seconds) => plot.valToPos(seconds, "x", true), y = (price) => plot.valToPos(draft(price), "y", true);
  const taken = [];
  for (const line of [...(data.lines ?? [])].reverse()) stroke(ctx, bbox, line, x, y, ratio, taken);
  for (const point of data.points ?? []) dot(ctx, point, x(point.ts), y(point.price), ratio);
  ctx.restore();
}

function stroke(ctx, bbox, line, x, y, ratio, taken) {
  const left = Math.max(line.kind === "level" ? bbox.left : x(line.from), bbox.left), right = Math.min(line.to === null ? Infinity : x(line.to), bbox.left + bbox.width);
  const at = Math.round(y(line.price)) + 0.5;
  if (right <= left || at < bbox.top || at > bbox.top + bbox.height) return;
  ctx.strokeStyle = ctx.fillStyle = colour(INKS[line.kind]);
  ctx.globalAlpha = line.kind === "level" || line.open ? 1 : 0.45;
  ctx.lineWidth = (line.open ? 1.5 : 1) * ratio;
  ctx.setLineDash(DASHES[line.kind].map((each) => each * ratio));
  ctx.beginPath();
  ctx.moveTo(left, at);
  ctx.lineTo(right, at);
  ctx.stroke();
  if ((line.kind === "level" || line.open) && !taken.some((other) => Math.abs(other - at) < ROW * ratio)) {   // a word where there is room for it
    taken.push(at);
    const width = ctx.measureText(line.text).width, place = line.kind === "level" ? bbox.left + 4 * ratio : bbox.left + bbox.width - width - 6 * ratio;
    const above = at - bbox.top > 14 * ratio;
    ctx.textBaseline = above ? "bottom" : "top";
    ctx.fillText(line.text, place, at + (above ? -1 : 2) * ratio);
  }
  ctx.globalAlpha = 1;
}

function dot(ctx, point, x, y, ratio) {
  const size = 5.5 * ratio;
  ctx.setLineDash([]);
  ctx.lineWidth = 1.5 * ratio;
  ctx.strokeStyle = ctx.fillStyle = colour(point.way > 0 ? "up" : point.way < 0 ? "down" : "accent");
  ctx.beginPath();
  if (point.kind === "trigger") {
    ctx.strokeStyle = colour("accent");
    ctx.arc(x, y, 3 * ratio, 0, 2 * Math.PI);
    ctx.stroke();
    return;
  }
  if (point.kind === "unheard") {   // a hole in the line: there, but no more than that
    ctx.strokeStyle = colour("faint");
    ctx.fillStyle = colour("paper");
    ctx.lineWidth = ratio;
    ctx.arc(x, y, 2.6 * ratio, 0, 2 * Math.PI);
    ctx.fill();
    ctx.stroke();
    return;
  }
  ctx.moveTo(x, y - point.way * size);   // bought points up, sold points down
  ctx.lineTo(x + size, y + point.way * size);
  ctx.lineTo(x - size, y + point.way * size);
  ctx.closePath();
  ctx.fill();
  ctx.strokeStyle = colour("paper");
  ctx.lineWidth = ratio;
  ctx.stroke();
}

// The prices of what is open belong into the picture, as far as they do not press the curve flat.
export function widened(low, high, data, view) {
  const far = Math.max(high - low, Math.abs(high) * 0.01) * 4;
  for (const { price, open, to } of data.lines ?? []) {
    if (!open || (to !== null && to < view.min) || price < low - far || price > high + far) continue;
    low = Math.min(low, price);
    high = Math.max(high, price);
  }
  return [low, high];
}

// What the points near a moment say; of the many that came to nothing only the nearest.
export function said(data, at, secondsAPixel) {
  const near = (data.points ?? []).filter(({ ts }) => Math.abs(ts - at) <= Math.max(30, secondsAPixel * NEAR_PX));
  const unheard = near.filter(({ kind }) => kind === "unheard").sort((one, other) => Math.abs(one.ts - at) - Math.abs(other.ts - at));
  return [...near.filter(({ kind }) => kind !== "unheard"), ...unheard.slice(0, 1)].map(({ text }) => text);
}
