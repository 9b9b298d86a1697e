import { defineConfig } from "vitest/config";

/** Tests against Python servers, real ones: they need WSLINK_PEER_PYTHON. */
export default defineConfig({
  test: {
    include: ["tests/interop/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
});
