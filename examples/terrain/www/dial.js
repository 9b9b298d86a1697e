// The sun over a hemisphere seen from above: its direction is the azimuth, and the rim is the horizon.

const RADIUS = 78;
const LOWEST = 3; // degrees above the horizon
const TURN = 30; // degrees per second while it is animated

const $ = (id) => document.getElementById(id);

export class Dial {
  azimuth = 315;
  altitude = 38;
  #changed;
  #turning = false;

  /** @param changed - called when somebody here moves the sun. */
  constructor(changed) {
    this.#changed = changed;
    $("ticks").innerHTML = [...Array(24).keys()].map((i) => `<line x1="78" x2="${i % 6 ? 81 : 83}" transform="rotate(${i * 15})"/>`).join("");
    $("dial").addEventListener("pointerdown", (event) => {
      $("dial").setPointerCapture(event.pointerId);
      this.#drag(event);
    });
    $("dial").addEventListener("pointermove", (event) => {
      if ($("dial").hasPointerCapture(event.pointerId)) this.#drag(event);
    });
    $("azimuth").addEventListener("input", () => this.#move(Number($("azimuth").value), this.altitude));
    $("altitude").addEventListener("input", () => this.#move(this.azimuth, Number($("altitude").value)));
    $("turn").addEventListener("click", () => (this.turning = !this.turning));
    this.#show();
  }

  get turning() {
    return this.#turning;
  }

  set turning(on) {
    this.#turning = on;
    $("turn").setAttribute("aria-pressed", on);
    $("turn").textContent = on ? "Stop" : "Animate";
  }

  /** Shows where the sun is, without telling anybody. */
  set({ azimuth, altitude }) {
    Object.assign(this, { azimuth, altitude });
    this.#show();
  }

  /** Lets the animated sun move on for so many seconds. */
  advance(seconds) {
    this.#move((this.azimuth + TURN * seconds) % 360, this.altitude);
  }

  #drag(event) {
    const box = $("dial").getBoundingClientRect();
    const unit = box.width / 200;
    const x = (event.clientX - box.left) / unit - 100;
    const y = (event.clientY - box.top) / unit - 100;
    const azimuth = (Math.atan2(x, -y) * 180) / Math.PI;
    this.#move((azimuth + 360) % 360, Math.max(LOWEST, 90 * (1 - Math.min(Math.hypot(x, y) / RADIUS, 1))));
  }

  #move(azimuth, altitude) {
    this.set({ azimuth, altitude });
    this.#changed();
  }

  #show() {
    const far = RADIUS * (1 - this.altitude / 90);
    const angle = (this.azimuth * Math.PI) / 180;
    const [x, y] = [far * Math.sin(angle), -far * Math.cos(angle)].map((value) => value.toFixed(1));
    $("sun").setAttribute("transform", `translate(${x} ${y})`);
    for (const [name, value] of [["cx", x], ["cy", y], ["fx", x], ["fy", y]]) $("sky").setAttribute(name, value);
    $("ray").setAttribute("x2", x);
    $("ray").setAttribute("y2", y);
    $("azimuth").value = this.azimuth;
    $("altitude").value = this.altitude;
    $("azimuth-value").textContent = `${Math.round(this.azimuth) % 360}° ${compass(this.azimuth)}`;
    $("altitude-value").textContent = `${Math.round(this.altitude)}°`;
  }
}

const compass = (degrees) => ["N", "NE", "E", "SE", "S", "SW", "W", "NW"][Math.round(degrees / 45) % 8];
