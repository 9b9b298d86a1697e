// The clients that are compared. Each connects, and returns how to call a method and how to subscribe a callback.

/** Ours, `connect`. */
export const ours =
  (client) =>
  async (WebSocket, url = "ws://localhost/ws", secret = "wslink-secret") => {
    const link = await client.connect(url, { WebSocket, secret });
    return {
      call: (method, args) => link.call(method, args),
      subscribe: (topic, callback) => link.subscribe(topic, callback).ready,
    };
  };

/** The released API, of ours and of npm's; it takes the platform's WebSocket. */
export const released =
  ({ WebsocketConnection }) =>
  async (WebSocket, urls = "ws://localhost/ws", secret = "wslink-secret") => {
    const connection = WebsocketConnection.newInstance({ urls, secret });
    const ready = new Promise((resolve, reject) => {
      connection.onConnectionReady(resolve);
      connection.onConnectionError((_, error) => reject(error));
    });
    const session = connection.connect();
    await ready;
    return {
      call: (method, args) => session.call(method, args),
      subscribe: (topic, callback) => session.subscribe(topic, ([payload]) => callback(payload)).promise,
    };
  };
