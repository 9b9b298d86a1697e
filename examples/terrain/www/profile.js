// The chart of elevations along a line.

const LEFT = 40; // pixels for the labels of the axis
const BOTTOM = 18;
const TOP = 5;
const GRID = [250, 500, 750, 1000];

const $ = (id) => document.getElementById(id);

export class Profile {
  #low;
  #high;
  #width = 1;
  #height = 1;
  #data; // { elevation, length }
  #at; // where the pointer is, from 0 to 1 of the line; or undefined

  constructor(world) {
    this.#low = Math.floor((world.elevation[0] - 40) / 50) * 50;
    this.#high = Math.ceil(world.elevation[1] / 100) * 100;
    this.#colours(world.ramp);
    new ResizeObserver(([entry]) => {
      this.#width = entry.contentRect.width;
      this.#height = entry.contentRect.height;
      this.#draw();
    }).observe($("chart"));
  }

  /** Takes what `terrain.profile` returned, and where along it the pointer is. */
  show(data, at) {
    this.#data = data;
    this.#at = at;
    this.#draw();
  }

  /** The elevation under the pointer; undefined where it is not on the line. */
  get elevation() {
    if (!this.#data || this.#at === undefined) return undefined;
    const values = this.#data.elevation.data;
    return values[Math.round(this.#at * (values.length - 1))];
  }

  #x(share) {
    return LEFT + share * (this.#width - LEFT - 2);
  }

  #y(metres) {
    return TOP + ((this.#high - metres) / (this.#high - this.#low)) * (this.#height - TOP - BOTTOM);
  }

  #draw() {
    if (!this.#data || this.#height < 30) return;
    this.#drawGrid();
    const { data } = this.#data.elevation;
    const points = Array.from(data, (metres, i) => `${this.#x(i / (data.length - 1)).toFixed(1)} ${this.#y(metres).toFixed(1)}`);
    const ground = this.#y(this.#low).toFixed(1);
    $("curve").setAttribute("d", `M${points.join("L")}`);
    $("area").setAttribute("d", `M${LEFT} ${ground}L${points.join("L")}L${this.#x(1).toFixed(1)} ${ground}Z`);
    this.#drawCursor();
  }

  #drawCursor() {
    const metres = this.elevation;
    $("cursor").classList.toggle("on", metres !== undefined);
    if (metres === undefined) return;
    const x = this.#x(this.#at);
    const [line, dot] = $("cursor").children;
    set(line, { x1: x, x2: x, y1: TOP, y2: this.#y(this.#low) });
    set(dot, { cx: x, cy: this.#y(metres) });
  }

  #drawGrid() {
    const lines = GRID.map((metres) => {
      const y = this.#y(metres).toFixed(1);
      return `<line x1="${LEFT}" x2="${this.#width}" y1="${y}" y2="${y}"/><text x="${LEFT - 8}" y="${y}" dy=".35em" text-anchor="end">${metres}</text>`;
    });
    const length = Math.max(this.#data.length, 1); // both ends may be one place
    const step = niceStep(length / 1000 / Math.max(2, Math.floor(this.#width / 110)));
    for (let km = 0; km * 1000 <= length; km = Number((km + step).toFixed(6))) {
      const share = (km * 1000) / length;
      const anchor = share < 0.03 ? "start" : share > 0.94 ? "end" : "middle";
      lines.push(`<text x="${this.#x(share).toFixed(1)}" y="${this.#height - 3}" text-anchor="${anchor}">${km}${km ? "" : " km"}</text>`);
    }
    const ground = this.#y(this.#low).toFixed(1);
    lines.push(`<line x1="${LEFT}" x2="${this.#width}" y1="${ground}" y2="${ground}"/>`);
    $("grid").innerHTML = lines.join("");
    set($("hypsometric"), { y1: this.#y(Number($("hypsometric").dataset.high)), y2: this.#y(Number($("hypsometric").dataset.low)) });
  }

  #colours(ramp) {
    const [low, high] = [ramp[0][0], ramp.at(-1)[0]];
    const stops = ramp.map(([metres, colour]) => `<stop offset="${(high - metres) / (high - low)}" stop-color="rgb(${colour})"/>`);
    $("hypsometric").innerHTML = stops.reverse().join("");
    Object.assign($("hypsometric").dataset, { low, high });
  }
}

/** The next number of 1, 2, 5, 10, 20, 50, ... that is at least `least`. */
export function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((digit) => digit * power).find((step) => step >= least * 0.999);
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}
