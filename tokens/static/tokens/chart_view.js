// Which stretch of time is looked at, and which one has to be fetched for it. Plain arithmetic on { min, max } in seconds.

export const SHORTEST_SEC = 60;
const MARGIN = 0.25;      // of the view on either side, so that a small move shows no edge
const ROUGH = 4;          // what is fetched may be so many times as long as what is looked at, before finer points are fetched

// Inside what there is, no shorter than a minute, its width kept where that is possible.
export function within(view, limits) {
  const whole = Math.max(limits.newest - limits.oldest, 1);
  const width = Math.min(Math.max(view.max - view.min, Math.min(SHORTEST_SEC, whole)), whole);
  const centre = (view.min + view.max) / 2;
  const min = Math.min(Math.max(centre - width / 2, limits.oldest), limits.newest - width);
  return { min, max: min + width };
}

export const zoomed = (view, factor, at) => ({ min: at - (at - view.min) * factor, max: at + (view.max - at) * factor });
export const moved = (view, seconds) => ({ min: view.min + seconds, max: view.max + seconds });
export const reachesEnd = (view, limits) => view.max >= limits.newest - 1;
export const same = (one, other) => Math.abs(one.min - other.min) < 0.5 && Math.abs(one.max - other.max) < 0.5;

// Does what was fetched show this view, as finely as it can be shown?
export function shows(store, view) {
  const covered = view.min >= store.from - 1 && view.max <= store.to + 1;
  return covered && (!store.thinned || store.to - store.from <= ROUGH * (view.max - view.min));
}

// What to ask for: the view with a margin; without an end where it reaches the newest moment.
export function asking(view, limits) {
  const room = (view.max - view.min) * MARGIN;
  const from = Math.floor(Math.max(limits.oldest, view.min - room));
  const to = Math.ceil(view.max + room);
  return to >= limits.newest - 1 ? `from=${from}` : `from=${from}&to=${to}`;
}
