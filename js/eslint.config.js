import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

/*
 * Imports go down only: frameworks > client, index > compat, client, replay > session, transports, launcher > rpc > wire > report, errors, version. The same layers, with the
 * same names, as in Python. Each entry names what a directory must not import.
 */
const LAYERS = {
  wire: ["rpc", "session", "transports", "launcher", "client", "compat", "frameworks", "report", "index"],
  rpc: ["session", "transports", "launcher", "client", "compat", "frameworks", "index"],
  session: ["transports", "launcher", "client", "compat", "frameworks", "index"],
  transports: ["wire", "rpc", "session", "launcher", "client", "compat", "frameworks", "index"],
  launcher: ["wire", "rpc", "session", "transports", "client", "compat", "frameworks", "index"],
  client: ["compat", "frameworks", "index"],
  compat: ["client", "frameworks", "index"],
  replay: ["rpc", "transports", "launcher", "client", "compat", "frameworks", "index"],
  frameworks: ["wire", "rpc", "transports", "launcher", "compat", "index"],
  notebook: ["wire", "rpc", "session", "transports", "launcher", "client", "compat", "frameworks", "index"],
};

/** Nothing is a dependency; the bindings to a framework have that one, and what Python serves to notebooks is bundled. */
const OUTSIDE = { frameworks: "^(?!(react|vue)$)[^.]", notebook: "^(?!es-module-lexer/js$)[^.]" };

function layer([folder, forbidden]) {
  const message = `src/${folder} must not import from above, or beside, its layer`;
  return {
    files: [`src/${folder}/**/*.ts`],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ regex: `^(\\.\\./)+(${forbidden.join("|")})(/|\\.js$)`, message }, { regex: OUTSIDE[folder] ?? "^[^.]", message: "no dependencies: see README.md" }] },
      ],
    },
  };
}

export default tseslint.config(
  { ignores: ["dist/", "cjs/", "tests/package/"] },
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ["eslint.config.js", "scripts/*.mjs"] } } },
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "@typescript-eslint/no-confusing-void-expression": "off",
      "@typescript-eslint/no-invalid-void-type": ["error", { allowAsThisParameter: true }],
      // It asks for the assertions that no-non-null-assertion forbids.
      "@typescript-eslint/non-nullable-type-assertion-style": "off",
      "max-lines": ["error", 400],
      "max-lines-per-function": ["error", { max: 40, skipComments: true }],
    },
  },
  ...Object.entries(LAYERS).map(layer),
  {
    files: ["src/wire/**/*.ts"],
    rules: {
      // The wire layer has no I/O, clock, environment or logging.
      "no-restricted-globals": ["error", "console", "fetch", "performance", "process", "setTimeout", "WebSocket", "window", "reportError"],
    },
  },
  {
    files: ["src/compat/**/*.ts"],
    rules: {
      // The compatibility API rejects with plain objects, and its methods belong to no `this`.
      "@typescript-eslint/only-throw-error": "off",
      "@typescript-eslint/prefer-promise-reject-errors": "off",
      "@typescript-eslint/unbound-method": "off",
    },
  },
  {
    files: ["tests/**", "type-tests/**", "fuzz/**"],
    rules: { "max-lines-per-function": "off", "@typescript-eslint/no-unnecessary-type-parameters": "off" },
  },
  {
    files: ["type-tests/**"],
    rules: {
      "@typescript-eslint/no-unused-vars": "off",
      "@typescript-eslint/no-unused-expressions": "off",
      "@typescript-eslint/no-meaningless-void-operator": "off",
    },
  },
  {
    files: ["**/*.js", "**/*.mjs"],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: { console: "readonly", process: "readonly", URL: "readonly" } },
    rules: { "@typescript-eslint/explicit-module-boundary-types": "off" },
  },
);
