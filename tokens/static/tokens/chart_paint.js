// What is painted around the lines: bands where no figures came in, strips where the feed was silent, uprights for changes, the last value.

let palette = null;

export function colour(name) {
  if (!palette) {
    const style = getComputedStyle(document.documentElement);
    const names = ["ink", "soft", "faint", "line", "line-strong", "accent", "accent-wash", "paper", "band", "alarm", "up", "down"];
    palette = Object.fromEntries(names.map((each) => [each, style.getPropertyValue(`--${each}`).trim()]));
  }
  return palette[name];
}
export const forgetColours = () => { palette = null; };

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif";

function painting(plot, paint) {
  const { ctx, bbox } = plot;
  const x = (seconds) => Math.min(Math.max(plot.valToPos(seconds, "x", true), bbox.left), bbox.left + bbox.width);
  ctx.save();
  ctx.textBaseline = "top";
  ctx.font = `${11 * devicePixelRatio}px ${FONT}`;
  paint(ctx, bbox, x, devicePixelRatio);
  ctx.restore();
}

// Behind the lines. Hatched, so that a band is told from the page without its colour.
export function behind(plot, data, text) {
  painting(plot, (ctx, bbox, x, ratio) => {
    for (const [from, to] of data.outages) {
      const left = x(from), width = x(to) - left;
      if (width <= 0) continue;
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, bbox.top, Math.max(width, ratio), bbox.height);
      ctx.clip();
      ctx.fillStyle = colour("band");
      ctx.fillRect(left, bbox.top, Math.max(width, ratio), bbox.height);
      ctx.strokeStyle = colour("line-strong");
      ctx.lineWidth = ratio;
      ctx.beginPath();
      const step = 7 * ratio, start = left - left % step - bbox.height;
      for (let at = start; at < left + width; at += step) { ctx.moveTo(at, bbox.top + bbox.height); ctx.lineTo(at + bbox.height, bbox.top); }
      ctx.stroke();
      ctx.restore();
    }
    if (text) {
      ctx.fillStyle = colour("line-strong");
      ctx.font = `700 ${Math.min(34, bbox.width / ratio / 14) * ratio}px ${FONT}`;
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.globalAlpha = 0.5;
      ctx.fillText(text, bbox.left + bbox.width / 2, bbox.top + bbox.height / 2);
    }
  });
}

// Over the lines. `words`: only the first panel says what each upright is.
export function above(plot, data, words) {
  painting(plot, (ctx, bbox, x, ratio) => {
    ctx.fillStyle = colour("alarm");
    for (const { from, to } of data.blind) {
      if (x(to) > x(from)) ctx.fillRect(x(from), bbox.top + bbox.height - 3 * ratio, Math.max(x(to) - x(from), ratio), 3 * ratio);
    }
    const seen = marks(data).filter(({ ts }) => ts >= plot.scales.x.min && ts <= plot.scales.x.max);
    for (const mark of seen) upright(ctx, bbox, x(mark.ts), ratio, mark.kind);
    if (words) labels(ctx, bbox, seen.map((mark) => ({ at: x(mark.ts), text: words(mark), kind: mark.kind })), ratio);
  });
}

export function marks(data) {
  const all = [...data.changes.map((change) => ({ kind: "status", ...change })), ...data.revisions.map((change) => ({ kind: "settings", ...change }))];
  return all.sort((one, other) => one.ts - other.ts);
}

const INKS = { status: "accent", settings: "soft" };

function upright(ctx, bbox, at, ratio, kind) {
  ctx.strokeStyle = colour(INKS[kind]);
  ctx.lineWidth = ratio;
  ctx.setLineDash(kind === "settings" ? [4 * ratio, 3 * ratio] : []);
  ctx.beginPath();
  ctx.moveTo(Math.round(at) + 0.5, bbox.top);
  ctx.lineTo(Math.round(at) + 0.5, bbox.top + bbox.height);
  ctx.stroke();
  ctx.setLineDash([]);
}

// Two lines of words at the top; what has no room is left to the crosshair, which names every mark it stands on.
function labels(ctx, bbox, all, ratio) {
  const ends = [-Infinity, -Infinity], high = 14 * ratio, room = 4 * ratio;
  for (const { at, text, kind } of all) {
    const width = ctx.measureText(text).width;
    const left = at + width + 2 * room > bbox.left + bbox.width ? at - width - room : at + room;
    const row = ends.findIndex((end) => left > end + room);
    if (row < 0) continue;
    ends[row] = left + width;
    ctx.fillStyle = colour("paper");
    ctx.fillRect(left - room / 2, bbox.top + row * high, width + room, high);
    ctx.fillStyle = colour(INKS[kind]);
    ctx.fillText(text, left, bbox.top + row * high + 2 * ratio);
  }
}

// The last value on the axis, as trading sites have it.
export function lastValue(plot, value, text, ink) {
  if (value == null) return;
  painting(plot, (ctx, bbox, x, ratio) => {
    const y = plot.valToPos(value, "y", true), high = 15 * ratio;
    if (y < bbox.top || y > bbox.top + bbox.height) return;
    ctx.strokeStyle = colour(ink);
    ctx.globalAlpha = 0.6;
    ctx.setLineDash([2 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, Math.round(y) + 0.5);
    ctx.lineTo(bbox.left + bbox.width, Math.round(y) + 0.5);
    ctx.stroke();
    ctx.globalAlpha = 1;
    ctx.fillStyle = colour(ink);
    ctx.fillRect(bbox.left + bbox.width + 2 * ratio, y - high / 2, ctx.measureText(text).width + 10 * ratio, high);
    ctx.fillStyle = colour("paper");
    ctx.textBaseline = "middle";
    ctx.fillText(text, bbox.left + bbox.width + 7 * ratio, y + ratio);
  });
}
