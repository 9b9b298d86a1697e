/*
 * Building blocks of the compatibility API's objects: functions that add methods to an object, `publicAPI`, and state to another, `model`.
 */

/** What `on...` methods return. */
export interface EventSubscription {
  unsubscribe(): void;
}

/** The state behind an object of the compatibility API. */
export interface Model {
  isA?: string[];
  /** What to unsubscribe from when the object is destroyed. */
  subscriptions?: EventSubscription[];
  /** Set when the object is destroyed. */
  deleted?: boolean;
}

type Method = (...args: readonly unknown[]) => unknown;
type Methods = Record<string, Method | undefined>;
type State = Model & Record<string, unknown>;

export function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Adds `isA(className)`, which is true of `name`. */
export function isA(publicAPI: object, model: object = {}, name: string | null = null): void {
  const names = ((model as State).isA ??= []);
  if (name) names.push(name);
  (publicAPI as Methods).isA ??= (className) => names.includes(className as string);
}

/** Adds `setName(value)` for each name. */
export function set(publicAPI: object, model: object = {}, names: readonly string[] = []): void {
  for (const name of names) {
    (publicAPI as Methods)[`set${capitalize(name)}`] = (value) => {
      (model as State)[name] = value;
    };
  }
}

/** Adds `getName()` for each name. */
export function get(publicAPI: object, model: object = {}, names: readonly string[] = []): void {
  for (const name of names) (publicAPI as Methods)[`get${capitalize(name)}`] = () => (model as State)[name];
}

/** Adds `destroy()`, which ends the model's subscriptions and empties the model. */
export function destroy(publicAPI: object, model: object = {}): void {
  const api = publicAPI as Methods;
  const state = model as State;
  state.subscriptions ??= [];
  api.destroy = chain(api.destroy, () => {
    for (const subscription of state.subscriptions ?? []) subscription.unsubscribe();
    for (const name of Object.keys(state)) Reflect.deleteProperty(state, name);
    state.deleted = true;
  });
}

/** Adds `onName(callback)` and `fireName(...args)`. Callbacks run in a later turn of the event loop unless `asynchronous` is false. */
export function event(publicAPI: object, model: object, name: string, asynchronous = true): void {
  const api = publicAPI as Methods;
  const listeners = new Set<{ readonly callback: Method }>();
  const run = (args: readonly unknown[]): void => {
    for (const listener of [...listeners]) {
      if (listeners.has(listener)) attempt(() => listener.callback.apply(publicAPI, args as unknown[]), name);
    }
  };
  api[`on${capitalize(name)}`] = (callback) => {
    if (isGone(model)) return null;
    const listener = { callback: callback as Method };
    listeners.add(listener);
    return Object.freeze({ unsubscribe: () => void listeners.delete(listener) });
  };
  api[`fire${capitalize(name)}`] = (...args) => {
    if (isGone(model)) return;
    if (asynchronous) setTimeout(run, 0, args);
    else run(args);
  };
  api.destroy = chain(api.destroy, () => listeners.clear());
}

/** One function that calls several with the same arguments, one after another; what is missing is left out. */
export function chain(...functions: readonly (((...args: never[]) => unknown) | null | undefined)[]): (...args: readonly unknown[]) => void {
  return (...args) => {
    for (const each of functions) each?.(...(args as never[]));
  };
}

/** A function that makes objects of the class that `extend` describes. */
export function newInstance<Instance extends object, Values>(
  extend: (publicAPI: Instance, model: object, initialValues?: Values) => void,
): (initialValues?: Values) => Instance {
  return (initialValues = {} as Values) => {
    const publicAPI = {} as Instance;
    extend(publicAPI, {}, initialValues);
    return Object.freeze(publicAPI);
  };
}

function isGone(model: object): boolean {
  const gone = (model as State).deleted === true;
  if (gone) console.log("instance deleted: it takes and calls no more callbacks");
  return gone;
}

/** A callback that throws is the application's affair, and stops no other. */
function attempt(call: () => unknown, name: string): void {
  try {
    call();
  } catch (error) {
    console.error(`a callback of ${name} failed:`, error);
  }
}

export default { chain, destroy, event, get, isA, newInstance, set };
