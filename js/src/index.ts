/**
 * The browser's, and Node's, end of a wslink connection.
 *
 * @packageDocumentation
 */
export * from "./client/index.js";
export { default as CompositeClosureHelper } from "./compat/CompositeClosureHelper.js";
export { ProcessLauncher } from "./compat/ProcessLauncher.js";
export { SmartConnect } from "./compat/SmartConnect.js";
export { WebsocketConnection } from "./compat/WebsocketConnection.js";
export { WsLinkClient } from "./compat/WsLinkClient.js";
