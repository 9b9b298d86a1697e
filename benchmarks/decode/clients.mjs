// The clients that are compared, each behind a function that subscribes.

/** Ours, `connect`. */
export const ours = (client) => async (WebSocket) => {
  const link = await client.connect("ws://localhost/ws", { WebSocket, secret: "wslink-secret" });
  return (topic, callback) => link.subscribe(topic, callback).ready;
};

/** The released API, of ours and of npm's. */
export const released = ({ WebsocketConnection }) => async () => {
  const connection = WebsocketConnection.newInstance({ urls: "ws://localhost/ws" });
  const ready = new Promise((resolve, reject) => {
    connection.onConnectionReady(resolve);
    connection.onConnectionError((_, error) => reject(error));
  });
  const session = connection.connect();
  await ready;
  return (topic, callback) => session.subscribe(topic, ([payload]) => callback(payload)).promise;
};
