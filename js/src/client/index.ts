// What pages load as client.js: everything but the compatibility API.
export { connect, type ConnectOptions } from "./connect.js";
export { launch, type LaunchOptions, type LaunchProgress, type LaunchRequest, type LaunchedSession } from "./launch.js";
export type { CloseInfo, Link, LinkEvents, LinkState, Reconnected } from "./link.js";
export type { ReconnectOptions } from "./reconnect.js";
export { painted } from "./painted.js";
export {
  AuthenticationError,
  CallError,
  ConnectionError,
  ErrorCode,
  LaunchError,
  MethodError,
  ProtocolError,
  TimeoutError,
  UnsupportedError,
  UsageError,
  WslinkError,
} from "../errors.js";
export type {
  Bounds,
  Callback,
  Condition,
  Delivery,
  Filter,
  PublicationInfo,
  SubscribeOptions,
  Subscription,
  TagValue,
} from "../session/features/subscribe.js";
export type { CallOptions, StreamOptions } from "../session/session.js";
export type { NotResumed } from "../session/features/resume.js";
export type { Feature, FeatureFactory, FeatureHost } from "../session/features/feature.js";
export type { Handler, HandlerContext } from "../session/features/handle.js";
export type { OnProgress } from "../session/features/progress.js";
export type { OnTransfer, Transfer } from "../session/transfers.js";
export type { Transport, TransportEvents, WebSocketConstructor, WebSocketEvent, WebSocketLike } from "../transports/transport.js";
export type { CallMessage, ExtensionMessage, Publication, ResponseMessage, UnaskedMessage } from "../wire/messages.js";
export { NDArray, type DType, type DTypes, type HalfArray } from "../wire/ndarray.js";
export { VERSION } from "../version.js";
