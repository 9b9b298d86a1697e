// Words and figures about where this is.

import { niceStep } from "./profile.js";

const SCALE = 70; // pixels that the scale bar has at least

const $ = (id) => document.getElementById(id);

export class Place {
  #world;
  #total;

  constructor(world) {
    this.#world = world;
    this.#total = world.levels.reduce((sum, { tiles: [rows, cols] }) => sum + rows * cols, 0);
    const [low, high] = world.elevation;
    document.querySelector("h1").textContent = world.name;
    $("extent").textContent = `Tennessee · ${Math.round(world.width / 1000)} × ${Math.round(world.height / 1000)} km`;
    $("lowest").textContent = `${low} m`;
    $("highest").textContent = `${high} m`;
    const stops = world.ramp.map(([metres, colour]) => `rgb(${colour}) ${(((metres - low) / (high - low)) * 100).toFixed(1)}%`);
    $("ramp").style.background = `linear-gradient(90deg, ${stops})`;
  }

  showFilter({ level, row, col }, count) {
    const bounds = ({ gte, lt }) => `{ gte: <b>${gte}</b>, lt: <b>${lt}</b> }`;
    $("filter").innerHTML = `<em>terrain.tile</em> { level: <b>${level}</b>,\n  row: ${bounds(row)},\n  col: ${bounds(col)} }`;
    $("wanted").textContent = count;
    $("of").textContent = `of ${this.#total}`;
  }

  showScale({ scale }) {
    const metres = niceStep(SCALE * scale);
    const [label, bar] = $("scale").children;
    label.textContent = metres < 1000 ? `${metres} m` : `${metres / 1000} km`;
    bar.style.width = `${Math.round(metres / scale)}px`;
  }

  /** @param place - where the pointer is on the land; or undefined. */
  showPointer(place, fixed) {
    $("profile-hint").textContent = fixed ? "between two points · click or Esc to clear" : "through the pointer · click two points for a line";
    if (!place) {
      $("readout").textContent = "";
      return;
    }
    const [west, north] = this.#world.northWest;
    const [east, south] = this.#world.southEast;
    const longitude = west + (place[0] / this.#world.width) * (east - west);
    const latitude = north + (place[1] / this.#world.height) * (south - north);
    $("readout").textContent = `${Math.abs(latitude).toFixed(4)}° N  ${Math.abs(longitude).toFixed(4)}° W`;
  }
}
