/** Runs a function in a new task of the event loop, which is not delayed like those of timers, where the platform has a `MessageChannel`. */
export function turn(run: () => void): void {
  const Channel = (globalThis as { MessageChannel?: typeof MessageChannel }).MessageChannel;
  if (!Channel) return void setTimeout(run);
  const { port1, port2 } = new Channel();
  port1.onmessage = () => {
    port1.close();
    run();
  };
  port2.postMessage(null);
}
