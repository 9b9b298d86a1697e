// The tiles that have arrived, and how they are drawn.

const KEPT = 160; // tiles beside those in view, for the way back

const keyOf = (level, row, col) => `${level}/${row}/${col}`;

export class Land {
  #world;
  #canvas;
  #context;
  #tiles = new Map(); // oldest use first
  #region = { level: 0, rows: [0, 0], cols: [0, 0] };

  constructor(canvas, world) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { alpha: false });
    this.#world = world;
    /** Tiles that a newer one overtook on the way: gaps in the numbers of their frames. */
    this.overtaken = 0;
  }

  /** Sets which tiles are wanted. */
  set region(region) {
    for (const tile of this.#tiles.values()) if (!contains(region, tile)) tile.frame = undefined;
    this.#region = region;
  }

  /** Takes a publication. Its pixels are drawn with the next frame: one that is overtaken before costs nothing. */
  put({ level, row, col, light, frame, step, size, pixels }) {
    const key = keyOf(level, row, col);
    const tile = this.#tiles.get(key) ?? { level, row, col, canvas: undefined };
    if (tile.frame !== undefined && frame > tile.frame + 1) this.overtaken += frame - tile.frame - 1;
    Object.assign(tile, { light, step, size, frame: contains(this.#region, tile) ? frame : undefined, pixels });
    this.#tiles.delete(key);
    this.#tiles.set(key, tile);
    if (this.#tiles.size > KEPT) this.#evict();
  }

  /** Forgets what the server has sent: after a new connection it sends everything again. */
  forget() {
    for (const tile of this.#tiles.values()) Object.assign(tile, { light: -1, frame: undefined });
  }

  get(level, row, col) {
    return this.#tiles.get(keyOf(level, row, col));
  }

  /** The number of the light that every tile in view is at least in; -1 while one is missing. */
  get light() {
    return Math.min(...this.#wanted().map((tile) => tile?.light ?? -1));
  }

  /** Whether every tile in view has arrived, and all are of one frame. */
  get whole() {
    const wanted = this.#wanted();
    return wanted.every((tile) => tile && tile.frame === wanted[0].frame);
  }

  /** Whether every tile in view has all of its pixels. */
  get sharp() {
    return this.#wanted().every((tile) => tile?.step === 1);
  }

  /** How many of the tiles in view have arrived, and how many there are. */
  get progress() {
    const wanted = this.#wanted();
    return { have: wanted.filter(Boolean).length, of: wanted.length };
  }

  draw(view, ratio) {
    const context = this.#context;
    const [width, height] = [Math.round(view.width * ratio), Math.round(view.height * ratio)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    context.fillStyle = "#0b0d11";
    context.fillRect(0, 0, width, height);
    context.imageSmoothingQuality = "low";
    for (const tile of this.#inOrder()) this.#drawTile(tile, view, ratio);
  }

  /** Tiles of other levels, so that there are no holes before those in view have arrived, then those in view. */
  #inOrder() {
    const wanted = this.#wanted();
    if (wanted.every(Boolean)) return wanted;
    const others = [...this.#tiles.values()].filter(({ level }) => level !== this.#region.level);
    others.sort((a, b) => a.light - b.light || a.level - b.level);
    return [...others, ...wanted.filter(Boolean)];
  }

  #drawTile(tile, view, ratio) {
    const side = this.#world.tile * this.#world.levels[tile.level].resolution;
    const part = side / this.#world.tile;
    const image = paint(tile);
    const [left, top] = view.toPixel(tile.col * side, tile.row * side);
    const [right, bottom] = view.toPixel(tile.col * side + tile.size[1] * part, tile.row * side + tile.size[0] * part);
    if (right < 0 || bottom < 0 || left > view.width || top > view.height) return;
    // Edges on whole pixels: neighbours share them, and no seam shows.
    const [x, y] = [Math.round(left * ratio), Math.round(top * ratio)];
    this.#context.drawImage(image, x, y, Math.round(right * ratio) - x, Math.round(bottom * ratio) - y);
  }

  #wanted() {
    const { level, rows, cols } = this.#region;
    const found = [];
    for (let row = rows[0]; row < rows[1]; row++) for (let col = cols[0]; col < cols[1]; col++) found.push(this.get(level, row, col));
    return found;
  }

  #evict() {
    for (const [key, tile] of this.#tiles) {
      if (this.#tiles.size <= KEPT) return;
      if (tile.level > 0 && !contains(this.#region, tile)) this.#tiles.delete(key);
    }
  }
}

/** The tile as an image, brought up to date with the pixels that came last. */
export function paint(tile) {
  if (tile.pixels) {
    const { data, shape } = tile.pixels;
    const [height, width] = shape;
    tile.canvas ??= Object.assign(document.createElement("canvas"), { width, height });
    if (tile.canvas.width !== width || tile.canvas.height !== height) Object.assign(tile.canvas, { width, height });
    tile.context ??= tile.canvas.getContext("2d", { alpha: false });
    const bytes = new Uint8ClampedArray(data.buffer, data.byteOffset, data.byteLength);
    tile.context.putImageData(new ImageData(bytes, width, height), 0, 0);
    tile.pixels = undefined;
  }
  return tile.canvas;
}

function contains({ level, rows, cols }, tile) {
  return tile.level === level && tile.row >= rows[0] && tile.row < rows[1] && tile.col >= cols[0] && tile.col < cols[1];
}
