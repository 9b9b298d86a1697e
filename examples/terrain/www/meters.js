// The figures about the link.

const WINDOW = 1000; // milliseconds that rates are taken over
const HISTORY = 80; // points of the curve
const EVERY = 250; // milliseconds between points

const $ = (id) => document.getElementById(id);

export class Meters {
  #events = []; // [time, frames, tiles, bytes]
  #trips = [];
  #history = [];
  /** Totals and current rates; also for tests. */
  stats = { frames: 0, tiles: 0, bytes: 0, framesPerSecond: 0, tilesPerSecond: 0, megabytesPerSecond: 0, roundTrip: NaN, overtaken: 0, quality: NaN, lag: NaN, window: 0 };

  constructor() {
    setInterval(() => this.#show(), EVERY);
    $("flow").addEventListener("click", () => {
      const on = $("flow").getAttribute("aria-pressed") !== "true";
      $("flow").setAttribute("aria-pressed", on);
      for (const figure of document.querySelectorAll("#meters .flow")) figure.hidden = !on;
    });
  }

  /** Takes a tile: its bytes, the quality that it was rendered at, the seconds that the one before took to the screen, and how many may be under way. */
  tile(bytes, { quality, lag, window }) {
    Object.assign(this.stats, { quality, lag: lag * 1000, window });
    this.#count(0, 1, bytes);
  }

  frame() {
    this.#count(1, 0, 0);
  }

  /** Takes how long a call took, in milliseconds. */
  trip(milliseconds) {
    this.#trips.push(milliseconds);
    if (this.#trips.length > 15) this.#trips.shift();
    this.stats.roundTrip = [...this.#trips].sort((a, b) => a - b)[this.#trips.length >> 1];
  }

  #count(frames, tiles, bytes) {
    this.#events.push([performance.now(), frames, tiles, bytes]);
    this.stats.frames += frames;
    this.stats.tiles += tiles;
    this.stats.bytes += bytes;
  }

  #show() {
    const since = performance.now() - WINDOW;
    this.#events = this.#events.filter(([time]) => time > since);
    const rate = (column) => this.#events.reduce((sum, event) => sum + event[column], 0) / (WINDOW / 1000);
    const stats = this.stats;
    Object.assign(stats, { framesPerSecond: rate(1), tilesPerSecond: rate(2), megabytesPerSecond: rate(3) / 1e6 });
    $("frames").textContent = Math.round(stats.framesPerSecond);
    $("tiles").textContent = Math.round(stats.tilesPerSecond);
    $("rate").textContent = short(stats.megabytesPerSecond);
    $("trip").textContent = Number.isNaN(stats.roundTrip) ? "–" : short(stats.roundTrip);
    $("quality").textContent = stats.tiles ? Math.round(stats.quality * 100) : "–";
    $("lag").textContent = stats.lag > 0 ? short(stats.lag) : "–";
    $("window").textContent = stats.window || "–";
    $("overtaken").textContent = stats.overtaken.toLocaleString("en");
    this.#history.push(stats.megabytesPerSecond);
    if (this.#history.length > HISTORY) this.#history.shift();
    this.#draw();
  }

  #draw() {
    const top = Math.max(20, ...this.#history);
    const start = HISTORY - this.#history.length;
    const points = this.#history.map((value, i) => `${(((start + i) / (HISTORY - 1)) * 100).toFixed(2)} ${(29 - (value / top) * 27).toFixed(2)}`);
    const [area, stroke] = $("spark").children;
    stroke.setAttribute("d", `M${points.join("L")}`);
    area.setAttribute("d", `M${((start / (HISTORY - 1)) * 100).toFixed(2)} 30L${points.join("L")}L100 30Z`);
  }
}

const short = (value) => (value >= 9.95 || value === 0 ? Math.round(value).toString() : value.toFixed(1));
