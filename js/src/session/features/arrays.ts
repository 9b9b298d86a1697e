import type { Feature, FeatureHost } from "./feature.js";

/** Typed arrays travel with their type and shape where the server takes them so; otherwise as their bytes (ARR-1). */
export function arrays({ encoder }: FeatureHost): Feature {
  return { name: "arrays", negotiated: (accepted) => (encoder.arrays = accepted) };
}
