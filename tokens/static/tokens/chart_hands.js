// Mouse, fingers and keys over the charts: drag to move, wheel or pinch to zoom, double click for the whole, arrows and + −.
// A finger that goes up or down scrolls the page; so does a wheel that has nothing left to zoom, or that came here scrolling.

const STEP = 1.25, KEY_MOVE = 0.2, SCROLLING_MS = 300, TAP_PX = 6;

export function hands(panels, { place, zoom, move, whole, point, step, leave }) {
  const fingers = new Map();
  let start = null, scrolledAt = -Infinity;

  addEventListener("scroll", () => { scrolledAt = performance.now(); }, { passive: true });

  panels.addEventListener("wheel", (event) => {
    if (performance.now() - scrolledAt < SCROLLING_MS) return;
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
    const amount = (sideways && !event.deltaX ? event.deltaY : sideways ? event.deltaX : event.deltaY) * (event.deltaMode === 1 ? 30 : 1);
    const at = place(event);
    const done = sideways ? move(amount / at.width) : zoom(Math.exp(amount / 500), at.share);
    if (done || event.ctrlKey) event.preventDefault();
    point(at);
  }, { passive: false });

  panels.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.target.closest(".u-over")) return;
    fingers.set(event.pointerId, event);
    start = fingers.size === 1 ? { x: event.clientX, moved: false } : null;
  });

  panels.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse") event.target.closest(".u-over") ? point(place(event)) : leave();
      return;
    }
    const at = place(event);
    if (fingers.size === 2) {
      const other = [...fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
      const apart = (finger) => Math.max(20, Math.abs(finger.clientX - other.clientX));
      zoom(apart(before) / apart(event), (place(other).share + at.share) / 2);
    } else if (start && (start.moved || Math.abs(event.clientX - start.x) > TAP_PX)) {
      if (!start.moved) panels.setPointerCapture(event.pointerId);   // not before: a click belongs to what was clicked
      move(-(event.clientX - (start.moved ? before.clientX : start.x)) / at.width);
      start.moved = true;
      panels.classList.add("dragging");
    } else return;
    fingers.set(event.pointerId, event);
    if (event.pointerType === "mouse") point(at);
  });

  const end = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    if (event.type === "pointerup" && event.pointerType !== "mouse" && start && !start.moved) point(place(event));
    if (!fingers.size) panels.classList.remove("dragging");
    start = null;
  };
  panels.addEventListener("pointerup", end);
  panels.addEventListener("pointercancel", end);
  panels.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && !fingers.size) leave(); });
  panels.addEventListener("dblclick", (event) => { if (event.target.closest(".u-over")) whole(); });

  const KEYS = {
    "+": () => zoom(1 / STEP, 0.5), "=": () => zoom(1 / STEP, 0.5), "-": () => zoom(STEP, 0.5), "0": whole, Home: whole,
    ArrowLeft: (event) => event.shiftKey ? step(-1) : move(-KEY_MOVE), ArrowRight: (event) => event.shiftKey ? step(1) : move(KEY_MOVE),
    End: () => move(Infinity), Escape: leave,
  };
  panels.addEventListener("keydown", (event) => {
    const carryOut = KEYS[event.key];
    if (!carryOut || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    carryOut(event);
  });
}
