// Figures and moments as the charts write them: the page's own way (tokens/templatetags/figures.py), and ticks that never look alike.

const ZEROS_WRITTEN_OUT = 5;   // beyond, the zeros are counted: 0.0₉12
const STEPS = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];

// A number in so many significant digits, without an exponent: 15200 → 15.2k, 0.00118 → 0.00118.
export function digits(value, significant = 3) {
  if (!value) return "0";
  const sign = value < 0 ? "−" : "", size = Number(Math.abs(value).toPrecision(significant));
  for (const [step, letter] of STEPS) if (size >= step) return sign + plain(size / step, significant) + letter;
  return sign + (size >= 1 ? plain(size, significant) : small(size, significant));
}

function plain(size, significant) {
  return size.toLocaleString("en-US", { maximumFractionDigits: Math.max(0, significant - 1 - Math.floor(Math.log10(size))) });
}

function small(size, significant) {
  const [mantissa, exponent] = size.toExponential(significant - 1).split("e");
  const zeros = -exponent - 1;
  const lead = zeros <= ZEROS_WRITTEN_OUT ? "0".repeat(zeros) : "0" + String(zeros).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
  return `0.${lead}${mantissa.replace(".", "").replace(/0+$/, "")}`;
}

export const WRITERS = {
  money: (value, significant) => (value < 0 ? "−" : "") + "$" + digits(Math.abs(value), significant),
  score: (value, _, apart = 0.01) => (value < 0 ? "−" : "") + Math.abs(value).toFixed(Math.min(9, Math.max(0, Math.ceil(-Math.log10(apart) - 1e-9)))),
  count: (value) => (Math.abs(value) < 9999.5 ? Math.round(value).toLocaleString("en-US") : digits(value, 4)),
};

export const percent = (fraction) => {
  const size = Math.abs(fraction) * 100, text = size >= 9.95 ? Math.round(size).toLocaleString("en-US") : size.toFixed(1).replace(/\.0$/, "");
  return text === "0" ? "0 %" : `${fraction > 0 ? "+" : "−"}${text} %`;
};

// Round values between two ends, about `most` of them.
export function ticks(low, high, most) {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(1, most), size = 10 ** Math.floor(Math.log10(rough));
  const step = size * [1, 2, 5, 10].find((factor) => factor * size >= rough * 0.999);
  const found = [];
  for (let place = Math.ceil(low / step - 1e-9); place * step <= high * (1 + 1e-12) && found.length < 50; place++)
    found.push(Number((place * step).toPrecision(12)));
  return found;
}

// Round prices between two logarithms: as few powers of ten as fit, else 1-2-5, else equal steps.
export function logTicks(low, high, most) {
  const found = [], powers = Math.floor(high) - Math.ceil(low) + 1;
  for (const factors of [[1], [1, 3], [1, 2, 5]]) {
    if (powers < 1 || powers * factors.length > most * 1.5) continue;
    found.length = 0;
    for (let power = Math.floor(low); power <= high; power++)
      for (const factor of factors) {
        const at = Math.log10(factor) + power;
        if (at >= low && at <= high) found.push(at);
      }
  }
  return found.length >= 3 ? found : ticks(10 ** low, 10 ** high, most).filter((value) => value > 0).map(Math.log10);
}

// The texts of some ticks: as many digits as it takes to tell each from its neighbour.
export function tickTexts(values, write) {
  const apart = Math.min(...values.slice(1).map((value, index) => Math.abs(value - values[index])));
  return values.map((value) => {
    if (!value) return write(0, 3, 1);
    const needed = Number.isFinite(apart) && apart > 0 ? Math.floor(Math.log10(Math.abs(value))) - Math.floor(Math.log10(apart) + 1e-9) + 1 : 3;
    return write(value, Math.min(9, Math.max(1, needed)), Number.isFinite(apart) ? apart : undefined);
  });
}

const two = (whole) => String(whole).padStart(2, "0");

// 12:04:31, with the day before it where the stretch is longer than one.
export function clock(seconds, withSeconds, withDay) {
  const moment = new Date(seconds * 1000);
  const time = `${two(moment.getUTCHours())}:${two(moment.getUTCMinutes())}` + (withSeconds ? `:${two(moment.getUTCSeconds())}` : "");
  return withDay ? `${moment.getUTCFullYear()}-${two(moment.getUTCMonth() + 1)}-${two(moment.getUTCDate())} ${time}` : time;
}

// A tick of the time axis: the day at midnight, else the time.
export function timeTick(seconds, step) {
  const moment = new Date(seconds * 1000);
  const midnight = seconds % 86400 === 0;
  return midnight ? `${two(moment.getUTCMonth() + 1)}-${two(moment.getUTCDate())}` : clock(seconds, step < 60, false);
}

// `units`: those of days, hours, minutes and seconds in the reader's language.
export function span(seconds, units) {
  const whole = Math.round(seconds), hours = Math.floor(whole / 3600), minutes = Math.floor(whole % 3600 / 60), [, h, m, s] = units.split(" ");
  if (hours) return minutes ? `${hours} ${h} ${two(minutes)} ${m}` : `${hours} ${h}`;
  return minutes ? `${minutes} ${m}` : `${whole} ${s}`;
}
