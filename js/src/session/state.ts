/** The states of a session: `new` until the server has accepted hello, `closing` from this side's close until the connection has ended. */
export type SessionState = "new" | "open" | "closing" | "closed";

/** What changes the state of a session. */
export type SessionEvent = "welcome" | "close" | "end";

/** Every transition there is; an event that a state does not list changes nothing. */
const TRANSITIONS: Readonly<Record<SessionState, Readonly<Partial<Record<SessionEvent, SessionState>>>>> = {
  new: { welcome: "open", close: "closing", end: "closed" },
  open: { close: "closing", end: "closed" },
  closing: { end: "closed" },
  closed: {},
};

/** The state after `event`. */
export function transition(state: SessionState, event: SessionEvent): SessionState {
  return TRANSITIONS[state][event] ?? state;
}
