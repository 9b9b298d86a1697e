// Mouse, touch, pen and keyboard on the map, as moves of the view.

const CLICK = 4; // pixels that a pointer may move and still have clicked
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 120; // pixels

/**
 * @param map - the element.
 * @param view - the View to move.
 * @param on - what to call: moved(), hover(x, y) with pixels, leave(), click(x, y), escape().
 */
export function listen(map, view, on) {
  const pointers = new Map();
  let travelled = 0;

  map.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    map.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    if (pointers.size === 1) travelled = 0;
  });

  map.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (before) drag(event, before);
    on.hover(...at(event));
  });

  function drag(event, before) {
    const now = at(event);
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    pointers.set(event.pointerId, now);
    travelled += distance(before, now);
    if (others.length === 1) pinch(before, now, others[0]);
    else if (travelled > CLICK) {
      map.classList.add("dragging");
      view.pan(before[0] - now[0], before[1] - now[1]);
    }
    on.moved();
  }

  function pinch(before, now, other) {
    travelled = Infinity;
    const [x, y] = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
    view.pan((before[0] - now[0]) / 2, (before[1] - now[1]) / 2);
    view.zoom(distance(now, other) / Math.max(distance(before, other), 1), x, y, false);
  }

  for (const type of ["pointerup", "pointercancel"]) {
    map.addEventListener(type, (event) => {
      if (!pointers.delete(event.pointerId)) return;
      map.classList.remove("dragging");
      if (type === "pointerup" && travelled <= CLICK && !pointers.size) on.click(...at(event));
    });
  }

  map.addEventListener("pointerleave", () => on.leave());
  map.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
      view.zoom(2 ** (-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0022)), ...at(event));
      on.moved();
    },
    { passive: false },
  );

  map.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = KEYS[event.key];
    if (step) view.pan(step[0] * STEP, step[1] * STEP, true);
    else if (event.key === "+" || event.key === "=") view.zoom(1.6);
    else if (event.key === "-") view.zoom(1 / 1.6);
    else if (event.key === "0") view.home();
    else if (event.key === "Escape") on.escape();
    else return;
    event.preventDefault();
    on.moved();
  });
}

/** Pixels from the window's corner, where the map is too. */
const at = (event) => [event.clientX, event.clientY];
const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
