// Builds a page that imports released paths with webpack 4, and runs it. Usage: webpack4.cjs WEBPACK NAME
const { writeFileSync } = require("node:fs");
const { join } = require("node:path");
const [webpackPath, name] = process.argv.slice(2);
const webpack = require(webpackPath);

const entry = join(__dirname, "webpack4-entry.js");
writeFileSync(
  entry,
  `import * as root from "${name}";
import SmartConnect, { newInstance } from "${name}/src/SmartConnect";
import WsLinkClient from "${name}/src/WsLinkClient";
import WebsocketConnection from "${name}/src/WebsocketConnection";
import Session from "${name}/src/WebsocketConnection/session";
import ProcessLauncher from "${name}/src/ProcessLauncher";
import CompositeClosureHelper from "${name}/src/CompositeClosureHelper";
import { connect } from "${name}/client.js";
import { CallError } from "${name}/src";
const model = {};
CompositeClosureHelper.isA(model, {}, "SmartConnect");
if (!newInstance({ config: {} }).isA("SmartConnect") || !model.isA("SmartConnect")) throw new Error("isA");
const same = root.SmartConnect === SmartConnect && root.connect === connect && root.CallError === CallError;
WsLinkClient.setSmartConnectClass(SmartConnect);
const found = { SmartConnect, WsLinkClient, WebsocketConnection, Session, ProcessLauncher };
console.log(Object.keys(found).filter((each) => typeof found[each].newInstance === "function").join(" "), same ? "one copy" : "copies");
`,
);
const output = { path: __dirname, filename: "webpack4-page.js" };
webpack({ mode: "production", entry, output, optimization: { minimize: false }, performance: false }, (error, stats) => {
  if (error) throw error;
  if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString("minimal"));
  require(join(__dirname, "webpack4-page.js"));
});
