import { UsageError } from "../errors.js";

/** `Float16Array` where the TypeScript library in use has it; raw half-precision bits where the runtime lacks it. */
export type HalfArray = typeof globalThis extends { Float16Array: { readonly prototype: infer Float16Array } }
  ? Float16Array | Uint16Array
  : Uint16Array;

/** The element types that travel (ARR-3), written as NumPy's `dtype.str`, and the typed array that holds each. */
export interface DTypes {
  /** Booleans: 0 or 1. */
  "|b1": Uint8Array;
  "|i1": Int8Array;
  "|u1": Uint8Array;
  "<i2": Int16Array;
  "<u2": Uint16Array;
  "<i4": Int32Array;
  "<u4": Uint32Array;
  "<i8": BigInt64Array;
  "<u8": BigUint64Array;
  "<f2": HalfArray;
  "<f4": Float32Array;
  "<f8": Float64Array;
  /** Complex numbers: real and imaginary parts, alternating. */
  "<c8": Float32Array;
  "<c16": Float64Array;
}

export type DType = keyof DTypes;

/** The most dimensions that an array may have (ARR-5). */
const MAX_DIMENSIONS = 32;

/** What the wire layer needs to know of an element type. */
export interface Layout {
  readonly array: {
    readonly name: string;
    readonly BYTES_PER_ELEMENT: number;
    new (buffer: ArrayBufferLike, byteOffset: number, length: number): DTypes[DType];
  };
  /** How many entries of the typed array make one element: 2 for complex numbers. */
  readonly entries: number;
  /** In bytes. */
  readonly itemSize: number;
}

/**
 * A typed array with a shape and an element type: what a NumPy array becomes, and what becomes one.
 *
 * @typeParam S - the shape, where more is known of it: `NDArray<"<f4", [number, 3]>` is a list of points.
 *
 * @example
 * const heights = new NDArray(new Float32Array(6), [2, 3]);
 * heights.data[1 * 3 + 2];     // row 1, column 2
 */
export class NDArray<D extends DType = DType, S extends readonly number[] = readonly number[]> {
  /** By which it is known, also where it comes from another frame or another copy of this module. Vue wraps no such object. */
  readonly [Symbol.toStringTag] = "NDArray";
  /** The elements in C order: the last index runs fastest. A received array is a view of the message it came in. */
  readonly data: DTypes[D];
  /** The length of each dimension; empty for a single element. */
  readonly shape: Readonly<S>;
  /** The element type, as NumPy writes it: `"<f4"` is a 32-bit float. */
  readonly dtype: D;

  /**
   * @param data - kept, not copied.
   * @param shape - one dimension by default.
   * @param dtype - the one that `data` suggests by default; give it for booleans and complex numbers.
   * @throws UsageError where the three do not fit each other.
   */
  constructor(data: DTypes[D], shape?: Readonly<S>, dtype?: D) {
    const found = dtype ?? (dtypeOf(data) as D | undefined);
    const layout = found && layoutOf(found);
    if (!layout || !holds(layout, data)) {
      throw new UsageError(`${className(data) ?? typeof data} does not hold elements of type ${String(found)}`);
    }
    this.data = data;
    this.shape = shape ?? ([data.length / layout.entries] as readonly number[] as Readonly<S>);
    this.dtype = found;
    if (!isShape(this.shape) || sizeOf(this.shape) * layout.entries !== data.length) {
      throw new UsageError(`${data.length} entries do not fill the shape [${[this.shape].flat().join(", ")}] of ${found}`);
    }
  }
}

const half = (globalThis as { Float16Array?: Layout["array"] }).Float16Array ?? Uint16Array;

// Platforms that JavaScript runs on are little-endian, as the wire is (ARR-3), so elements need no swapping.
const LAYOUTS = new Map<string, Layout>(
  Object.entries({
    "|u1": layout(Uint8Array), // before booleans, which are held by the same: it is what a Uint8Array suggests
    "|b1": layout(Uint8Array),
    "|i1": layout(Int8Array),
    "<i2": layout(Int16Array),
    "<u2": layout(Uint16Array),
    "<i4": layout(Int32Array),
    "<u4": layout(Uint32Array),
    "<i8": layout(BigInt64Array),
    "<u8": layout(BigUint64Array),
    "<f2": layout(half),
    "<f4": layout(Float32Array),
    "<f8": layout(Float64Array),
    "<c8": layout(Float32Array, 2),
    "<c16": layout(Float64Array, 2),
  } satisfies Record<DType, Layout>),
);

function layout(array: Layout["array"], entries = 1): Layout {
  return { array, entries, itemSize: entries * array.BYTES_PER_ELEMENT };
}

/** How elements of `dtype` are laid out; undefined for a type that does not travel. */
export function layoutOf(dtype: unknown): Layout | undefined {
  return LAYOUTS.get(dtype as string);
}

/** The element type that a typed array suggests; undefined where `data` is not a typed array. */
export function dtypeOf(data: unknown): DType | undefined {
  const name = className(data);
  for (const [dtype, { array, entries }] of LAYOUTS) {
    if (array.name === name && entries === 1) return dtype as DType;
  }
  return undefined;
}

function holds({ array }: Layout, data: unknown): boolean {
  const name = className(data);
  return name === array.name || (array === half && name === "Uint16Array");
}

/** Whether `sizes` are the lengths of dimensions (ARR-5). */
export function isShape(sizes: readonly unknown[]): sizes is readonly number[] {
  return sizes.length <= MAX_DIMENSIONS && Array.from(sizes).every((size) => typeof size === "number" && size >>> 0 === size);
}

/** How many elements a shape holds. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, length) => size * length, 1);
}

/** The class of a typed array, also of one that another frame or realm made. */
function className(data: unknown): string | undefined {
  return ArrayBuffer.isView(data) ? (data as Partial<Uint8Array>)[Symbol.toStringTag] : undefined;
}

/** The bytes of a view, without copying. Throws where its buffer was transferred or has shrunk: it seems to be empty then. */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  if (view.byteLength === 0) (view as Partial<Uint8Array>).keys?.();
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
