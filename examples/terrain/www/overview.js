// The whole land in small, with what this page and others look at.

import { paint } from "./land.js";
import { rectangleOf } from "./view.js";

const HUES = [196, 320, 140, 265, 95];

export class Overview {
  #canvas = document.querySelector("#overview canvas");
  #world;

  /** @param go - called with the place that somebody points at. */
  constructor(world, go) {
    this.#world = world;
    const point = (event) => {
      const box = this.#canvas.getBoundingClientRect();
      go(((event.clientX - box.left) / box.width) * world.width, ((event.clientY - box.top) / box.height) * world.height);
    };
    this.#canvas.addEventListener("pointerdown", (event) => {
      this.#canvas.setPointerCapture(event.pointerId);
      point(event);
    });
    this.#canvas.addEventListener("pointermove", (event) => {
      if (this.#canvas.hasPointerCapture(event.pointerId)) point(event);
    });
  }

  /**
   * @param tile - level 0, which is a single tile; undefined before it has arrived.
   * @param view - this page's View.
   * @param others - the filters of other pages' subscriptions.
   */
  draw(tile, view, ratio, others) {
    const canvas = this.#canvas;
    const context = canvas.getContext("2d");
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context.clearRect(0, 0, width, height);
    if (tile) context.drawImage(paint(tile), 0, 0, width, height);
    const frame = ([left, top, right, bottom], colour) => {
      const [sx, sy] = [width / this.#world.width, height / this.#world.height];
      context.lineWidth = 1.5 * ratio;
      context.strokeStyle = colour;
      context.strokeRect(left * sx, top * sy, (right - left) * sx, (bottom - top) * sy);
    };
    for (const [i, { filter }] of others.entries()) {
      const rectangle = rectangleOf(filter, this.#world);
      if (rectangle) frame(rectangle, `hsl(${HUES[i % HUES.length]} 90% 72%)`);
    }
    const clip = (value, high) => Math.min(Math.max(value, 0), high);
    const corners = [...view.toPlace(0, 0), ...view.toPlace(view.width, view.height)];
    frame(corners.map((value, i) => clip(value, i % 2 ? this.#world.height : this.#world.width)), "#fff");
  }
}
