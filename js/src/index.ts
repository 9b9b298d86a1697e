/**
 * The browser's, and Node's, end of a wslink connection.
 *
 * @packageDocumentation
 */
export * from "./client/index.js";
export { default as CompositeClosureHelper } from "./legacy/CompositeClosureHelper.js";
export { ProcessLauncher } from "./legacy/ProcessLauncher.js";
export { SmartConnect } from "./legacy/SmartConnect.js";
export { WebsocketConnection } from "./legacy/WebsocketConnection.js";
export { WsLinkClient } from "./legacy/WsLinkClient.js";
