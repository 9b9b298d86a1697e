import type { Feature, FeatureHost } from "./feature.js";

/** Typed arrays are sent with their type and shape if the server supports that; otherwise as bytes (ARR-1). */
export function arrays({ encoder }: FeatureHost): Feature {
  return { name: "arrays", negotiated: (accepted) => (encoder.arrays = accepted) };
}
