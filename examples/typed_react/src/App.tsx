import { useEffect, useMemo, useState } from "react";
import { useLink } from "wslink/react";
import { type Light, type Tile, TooSteep, apiOf } from "./api.js";

const url = new URL("ws", location.href);

/** The terrain's light, and the newest of its tiles above row 3. */
export function App() {
  const { link, state, error } = useLink(url);
  const api = useMemo(() => link && apiOf(link), [link]);
  const [light, setLight] = useState<Light>();
  const [tile, setTile] = useState<Tile>();
  const [altitude, setAltitude] = useState(30);
  const [trouble, setTrouble] = useState("");

  useEffect(() => {
    const tiles = api?.terrain.tile.subscribe(setTile, { filter: { row: { gte: 3 }, kind: "rock" } });
    return () => void tiles?.cancel();
  }, [api]);

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
      <p id="state">{error instanceof Error ? error.message : state}</p>
      <input type="number" value={altitude} onChange={(event) => setAltitude(event.target.valueAsNumber)} />
      <button disabled={!api} onClick={() => void turn()}>
        Light
      </button>
      <p id="light">{light ? `${light.azimuth} / ${light.altitude}` : "dark"}</p>
      <p id="tile">{tile ? `row ${tile.row}: ${tile.heights.shape.join(" x ")}` : "no tile yet"}</p>
      <p id="trouble">{trouble}</p>
    </main>
  );
}
