// The line that the profile is taken along: west to east through the pointer, or between two points that were clicked.

const $ = (id) => document.getElementById(id);

export class Line {
  #view;
  #world;
  #pixel; // the pointer, in pixels; undefined while it is elsewhere
  #height; // the place that the west-east line goes through, in metres south
  #ends = []; // places that were clicked
  /** The elevation under the pointer, in metres, when it is known. */
  elevation;

  constructor(view, world) {
    this.#view = view;
    this.#world = world;
    this.#height = world.height * 0.45;
  }

  /** Whether the line stays where it is when the pointer moves. */
  get fixed() {
    return this.#ends.length === 2;
  }

  hover(x, y) {
    this.#pixel = [x, y];
    this.#height = this.#view.toPlace(x, y)[1];
  }

  leave() {
    this.#pixel = undefined;
    this.elevation = undefined;
  }

  click(x, y) {
    if (this.fixed) this.#ends = [];
    else this.#ends.push(this.#inside(this.#view.toPlace(x, y)));
    this.hover(x, y);
  }

  clear() {
    this.#ends = [];
  }

  /** The line's ends, and where along it the pointer is: 0 to 1, or undefined. */
  where() {
    const points = this.#points();
    return { points, at: this.#along(points) };
  }

  /** The place on the line that the pointer is at; undefined where it is not at it. */
  get pointer() {
    const { points, at } = this.where();
    if (at === undefined) return undefined;
    return [0, 1].map((axis) => points[0][axis] + (points[1][axis] - points[0][axis]) * at);
  }

  draw() {
    const { points } = this.where();
    const pointer = this.pointer && this.#view.toPixel(...this.pointer);
    const [from, to] = points.map((place) => this.#view.toPixel(...place));
    for (const id of ["line", "line-halo"]) put(id, this.#pixel || this.#ends.length, { x1: from[0], y1: from[1], x2: to[0], y2: to[1] });
    put("from", this.#ends.length > 0, { cx: from[0], cy: from[1] });
    put("to", this.fixed, { cx: to[0], cy: to[1] });
    put("pointer", pointer, pointer && { cx: pointer[0], cy: pointer[1] });
    this.#drawTag(pointer);
  }

  #drawTag(pointer) {
    const text = this.elevation === undefined ? "" : `${Math.round(this.elevation)} m`;
    const width = 14 + text.length * 7.2;
    put("tag", pointer && text, pointer && { transform: `translate(${Math.round(pointer[0])} ${Math.round(pointer[1]) - 34})` });
    const [box, label] = $("tag").children;
    box.setAttribute("x", -width / 2);
    box.setAttribute("width", width);
    label.textContent = text;
  }

  #points() {
    if (this.fixed) return this.#ends;
    if (this.#ends.length && this.#pixel) return [this.#ends[0], this.#inside(this.#view.toPlace(...this.#pixel))];
    const [left] = this.#inside(this.#view.toPlace(0, 0));
    const [right, y] = this.#inside([this.#view.toPlace(this.#view.width, 0)[0], this.#height]);
    return [[left, y], [right, y]];
  }

  #along([from, to]) {
    if (!this.#pixel) return undefined;
    const place = this.#inside(this.#view.toPlace(...this.#pixel));
    const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
    const share = ((place[0] - from[0]) * dx + (place[1] - from[1]) * dy) / (dx * dx + dy * dy || 1);
    return Math.min(Math.max(share, 0), 1);
  }

  #inside([x, y]) {
    return [Math.min(Math.max(x, 0), this.#world.width), Math.min(Math.max(y, 0), this.#world.height)];
  }
}

function put(id, on, attributes) {
  const element = $(id);
  element.classList.toggle("on", Boolean(on));
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
}
