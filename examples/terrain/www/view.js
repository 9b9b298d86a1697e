// What part of the land the window shows. Places are metres east (x) and south (y) of the land's north-west corner.

const CLOSEST = 5; // metres per pixel; the samples are 80 apart
const FURTHEST = 1.35; // times the scale at which the land just fits: there is room for the panels
const SHARPNESS = 1.4; // how much a tile may be enlarged before the next level takes over
const EASE = 0.22; // of the way to the target, per 60th of a second

const clamp = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));

export class View {
  #world;
  #target; // where an eased zoom or move is going, or null

  /** @param world - what `terrain.info` returned. */
  constructor(world) {
    this.#world = world;
    this.width = this.height = 1;
    this.x = world.width / 2;
    this.y = world.height / 2;
    this.scale = 1; // metres per CSS pixel
  }

  /** Takes the window's size; the first time, all of the window is filled with land. */
  resize(width, height) {
    const first = this.width === 1;
    this.width = width;
    this.height = height;
    if (first) this.home(true);
    this.#hold(this);
  }

  home(now = false) {
    const { width, height } = this.#world;
    this.#go({ x: width / 2, y: height / 2, scale: Math.min(width / this.width, height / this.height) }, now);
  }

  /** Moves by pixels. */
  pan(dx, dy, eased = false) {
    const from = (eased && this.#target) || this;
    this.#go({ x: from.x + dx * from.scale, y: from.y + dy * from.scale, scale: from.scale }, !eased);
  }

  /** Zooms by a factor, above 1 is closer, with the pixel (px, py) staying where it is. */
  zoom(factor, px = this.width / 2, py = this.height / 2, eased = true) {
    const from = (eased && this.#target) || this;
    const scale = clamp(from.scale / factor, CLOSEST, this.#widest());
    const shift = from.scale - scale;
    this.#go({ x: from.x + (px - this.width / 2) * shift, y: from.y + (py - this.height / 2) * shift, scale }, !eased);
  }

  /** Moves the middle of the window to a place. */
  centre(x, y) {
    this.#go({ x, y, scale: this.scale }, true);
  }

  /** Whether an eased movement is under way. */
  get moving() {
    return Boolean(this.#target);
  }

  /** Goes on with an eased movement for `seconds`; false when there is none. */
  step(seconds) {
    const to = this.#target;
    if (!to) return false;
    const share = 1 - (1 - EASE) ** (seconds * 60);
    const arrived = Math.abs(Math.log(to.scale / this.scale)) < 1e-3 && Math.hypot(to.x - this.x, to.y - this.y) < this.scale / 3;
    if (arrived) this.#target = null;
    // Scale in equal ratios, and position in step with it, so that the point under the pointer does not wander.
    const scale = arrived ? to.scale : this.scale * (to.scale / this.scale) ** share;
    const way = Math.abs(to.scale - this.scale) > 1e-9 && !arrived ? (scale - this.scale) / (to.scale - this.scale) : arrived ? 1 : share;
    this.x += (to.x - this.x) * way;
    this.y += (to.y - this.y) * way;
    this.scale = scale;
    return true;
  }

  toPlace(px, py) {
    return [this.x + (px - this.width / 2) * this.scale, this.y + (py - this.height / 2) * this.scale];
  }

  toPixel(x, y) {
    return [(x - this.x) / this.scale + this.width / 2, (y - this.y) / this.scale + this.height / 2];
  }

  /**
   * The level and the range of tiles that the window shows; what the subscription's filter asks for.
   *
   * @param ratio - device pixels per CSS pixel.
   * @param coarser - levels to do without.
   */
  region(ratio = 1, coarser = 0) {
    const { levels, tile } = this.#world;
    const enough = levels.findIndex(({ resolution }) => resolution <= (this.scale / ratio) * SHARPNESS);
    const level = Math.max((enough < 0 ? levels.length - 1 : enough) - coarser, 0);
    const [rows, cols] = levels[level].tiles;
    const side = tile * levels[level].resolution;
    const [left, top] = this.toPlace(0, 0);
    const [right, bottom] = this.toPlace(this.width, this.height);
    const range = (from, to, count) => [clamp(Math.floor(from / side), 0, count - 1), clamp(Math.ceil(to / side), 1, count)];
    return { level, rows: range(top, bottom, rows), cols: range(left, right, cols) };
  }

  #widest() {
    return Math.max(this.#world.width / this.width, this.#world.height / this.height) * FURTHEST;
  }

  #go(to, now) {
    this.#hold(to);
    this.#target = now ? null : to;
    if (now) Object.assign(this, { x: to.x, y: to.y, scale: to.scale });
  }

  /** Keeps the middle of the window on the land. */
  #hold(place) {
    place.scale = clamp(place.scale, CLOSEST, this.#widest());
    place.x = clamp(place.x, 0, this.#world.width);
    place.y = clamp(place.y, 0, this.#world.height);
  }
}

/** A region as the filter of a subscription. */
export function filterOf({ level, rows, cols }) {
  return { level, row: { gte: rows[0], lt: rows[1] }, col: { gte: cols[0], lt: cols[1] } };
}

/** A filter as a rectangle of places: [left, top, right, bottom]; undefined where it has no bounds. */
export function rectangleOf({ level, row, col }, world) {
  if (row?.gte === undefined || col?.gte === undefined || !world.levels[level]) return undefined;
  const side = world.tile * world.levels[level].resolution;
  return [col.gte * side, row.gte * side, Math.min(col.lt * side, world.width), Math.min(row.lt * side, world.height)];
}
