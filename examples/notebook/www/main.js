import { connect } from "./wslink/client.js";
import { draw } from "./draw.js";

const [slider, tuned, state] = ["frequency", "tuned", "state"].map((id) => document.getElementById(id));
const link = await connect();
const show = () => (state.textContent = link.state);
link.addEventListener("statechange", show);
show();

link.subscribe("demo.wave", ({ data }) => draw(data));
slider.addEventListener("input", async () => {
  tuned.textContent = await link.call("demo.tune", [Number(slider.value)]);
});
