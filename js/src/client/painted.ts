/**
 * Resolves when the browser has presented what was drawn before the call; at once where nothing is drawn, as in Node or in a worker. A callback that
 * returns it lets the server count a publication as dealt with when it can be seen.
 *
 * @example
 * link.subscribe("view.frame", (frame) => { draw(frame); return painted(); });
 */
export function painted(): Promise<void> {
  const { requestAnimationFrame } = globalThis as { requestAnimationFrame?: (callback: () => void) => void };
  if (!requestAnimationFrame) return Promise.resolve();
  // The frame is presented after its callbacks have run: a message that is sent from one of them arrives after that.
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}
