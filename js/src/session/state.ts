/**
 * The states of a session: `new` until the server has accepted hello, `reconnecting` while it has no connection and waits for the next, `closing`
 * from this side's close until the connection has ended.
 */
export type SessionState = "new" | "open" | "reconnecting" | "closing" | "closed";

/** Events that change the state of a session. */
export type SessionEvent = "welcome" | "cut" | "close" | "end";

/** All transitions. An event that is not listed for a state is ignored. */
const TRANSITIONS: Readonly<Record<SessionState, Readonly<Partial<Record<SessionEvent, SessionState>>>>> = {
  new: { welcome: "open", close: "closing", end: "closed" },
  open: { cut: "reconnecting", close: "closing", end: "closed" },
  reconnecting: { welcome: "open", close: "closing", end: "closed" },
  closing: { end: "closed" },
  closed: {},
};

/** The state after `event`. */
export function transition(state: SessionState, event: SessionEvent): SessionState {
  return TRANSITIONS[state][event] ?? state;
}
