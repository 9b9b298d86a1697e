/**
 * Wraps an async function so that it runs once at a time: calls meanwhile wait, and only the newest of them runs next.
 * What it rejects with goes to `failed`.
 */
export function newest(run, failed) {
  let busy = false;
  let waiting;
  return async function call(...args) {
    if (busy) {
      waiting = args;
      return;
    }
    busy = true;
    for (let next = args; next; ) {
      waiting = undefined;
      try {
        await run(...next);
      } catch (error) {
        failed(error);
      }
      next = waiting;
    }
    busy = false;
  };
}
