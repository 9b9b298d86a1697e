import { useEffect, useState } from "react";
import { type Api, type Light, TooSteep, connectApi } from "./api.js";

const url = new URL("ws", location.href);

/** The terrain's light, and the newest of its tiles above row 3. */
export function App() {
  const [api, setApi] = useState<Api>();
  const [light, setLight] = useState<Light>();
  const [tile, setTile] = useState("no tile yet");
  const [altitude, setAltitude] = useState(30);
  const [trouble, setTrouble] = useState("");

  useEffect(() => {
    const connecting = connectApi(url, {});
    void connecting.then((api) => {
      api.terrain.tile.subscribe(
        (tile) => setTile(`row ${tile.row}: ${tile.heights.shape.join(" x ")}`),
        { filter: { row: { gte: 3 }, kind: "rock" } },
      );
      setApi(api);
    });
    return () => void connecting.then((api) => api.$link.close());
  }, []);

  async function turn(): Promise<void> {
    setTrouble("");
    try {
      setLight(await api?.terrain.light({ azimuth: 315, altitude }, { timeout: 2000 }));
    } catch (error) {
      if (!(error instanceof TooSteep)) throw error;
      setTrouble(`${error.reason}: at least ${error.data}`);
    }
  }

  return (
    <main>
      <input type="number" value={altitude} onChange={(event) => setAltitude(event.target.valueAsNumber)} />
      <button disabled={!api} onClick={() => void turn()}>
        Light
      </button>
      <p id="light">{light ? `${light.azimuth} / ${light.altitude}` : "dark"}</p>
      <p id="tile">{tile}</p>
      <p id="trouble">{trouble}</p>
    </main>
  );
}
