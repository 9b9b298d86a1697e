import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    exclude: ["tests/interop/**", "node_modules/**"],
    testTimeout: 10_000,
    // The released clients say so whenever they are told to end.
    onConsoleLog: (log) => !log.startsWith("instance deleted"),
  },
});
