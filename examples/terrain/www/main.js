// The page: what somebody does becomes calls and filters, and what arrives is drawn.

import { connect } from "/wslink/client.js";
import { Dial } from "./dial.js";
import { listen } from "./gestures.js";
import { Land } from "./land.js";
import { Line } from "./line.js";
import { Meters } from "./meters.js";
import { newest } from "./newest.js";
import { Overview } from "./overview.js";
import { Place } from "./place.js";
import { Profile } from "./profile.js";
import { View, filterOf } from "./view.js";

const AHEAD = 1; // lights that the animated sun may be ahead of what is on the screen
const PATIENCE = 400; // milliseconds after which it goes on all the same
const SLOW = 80; // milliseconds: where pictures in a moving light take longer, a coarser level takes over until it rests
const REST = 300; // milliseconds
const PATCHES = 120; // milliseconds after which tiles are drawn even though others of their frame are missing
const TRIP_EVERY = 1000; // milliseconds between calls whose only use is to be timed

const $ = (id) => document.getElementById(id);
const ratio = () => Math.min(devicePixelRatio || 1, 2);

const meters = new Meters();
const dial = new Dial(() => sendLight(++state.moves));
const state = { link: "connecting", region: undefined, coarser: 0, moves: 0, movesSent: 0, lightSent: 0, lightAt: -Infinity, views: [], clients: 0 };
let link, world, view, land, line, profile, overview, place, tiles;
let dirty = true; // something must be drawn now
let pace = 0; // milliseconds between whole pictures in a moving light, about
let wholeAt = 0;
let waiting = 0; // since when tiles wait for the rest of their frame

// The link ------------------------------------------------------------------------

async function start() {
  show("connecting", "Connecting");
  try {
    link = await connect(undefined, { callTimeout: 10_000 });
    world = await link.call("terrain.info");
    if (!view) build();
    await subscribe();
    moved();
    showOpen();
    link.addEventListener("statechange", () => link.state === "reconnecting" && show("reconnecting", "Reconnecting"));
    link.addEventListener("reconnected", ({ detail }) => returned(detail));
    link.closed.then(({ code, reason }) => lost(reason || `code ${code}`));
  } catch (error) {
    void link?.close();
    lost(error.message);
  }
}

async function subscribe() {
  land.forget();
  state.region = undefined;
  tiles = undefined;
  look();
  link.subscribe("terrain.light", (light) => {
    dial.turning = false; // somebody else has taken the sun
    dial.set(light);
  });
  link.subscribe("terrain.viewers", ({ clients, views }) => {
    Object.assign(state, { clients, views: views.filter(({ client }) => !link.clientId.endsWith(client)) });
    $("viewers").textContent = clients === 1 ? "1 viewer" : `${clients} viewers`;
    dirty = true;
  });
  link.subscribe("terrain.tile", (tile) => arrived(tile), { filter: { level: 0 } }); // for the overview
  await tiles.ready;
}

function arrived(tile, bytes = 0) {
  land.put(tile);
  meters.stats.overtaken = land.overtaken;
  // All of the picture in one light, and time for what arrives: drawing each tile that comes would hold up those that follow.
  waiting ||= performance.now();
  if (bytes) meters.tile(bytes, tile);
  if (bytes && land.whole) {
    measurePace();
    draw();
  }
}

/** There is a connection again. A server that was restarted has sent everything anew, and counts lights from its first. */
function returned({ resumed }) {
  if (!resumed) {
    land.forget();
    Object.assign(state, { lightSent: 0, movesSent: state.moves });
  } else if (state.moves !== state.movesSent) {
    sendLight(state.moves);
  }
  showOpen();
  moved();
}

function lost(why) {
  show("closed", "Disconnected");
  $("why").textContent = why;
  dial.turning = false;
}

function showOpen() {
  show("open", `Connected · ${link.server.name} ${link.server.version}`);
}

function show(status, text) {
  state.link = status;
  document.body.dataset.link = status;
  $("status").textContent = text;
  $("lost").hidden = status !== "closed";
}

// What somebody does --------------------------------------------------------------

/** Subscribes to what the window shows. */
function look() {
  const region = view.region(ratio(), state.coarser);
  if (JSON.stringify(region) === JSON.stringify(state.region)) return;
  state.region = land.region = region;
  if (tiles) updateFilter(filterOf(region));
  else tiles = link.subscribe("terrain.tile", (tile) => arrived(tile, tile.pixels.data.byteLength), { filter: filterOf(region) });
  place.showFilter(filterOf(region), land.progress.of);
}

const failed = (error) => {
  if (link.state === "open") console.error(error);
};
const updateFilter = newest((filter) => tiles.update(filter), failed);

const sendLight = newest(async (moves) => {
  state.lightAt = performance.now();
  const { number } = await timed("terrain.light", [dial.azimuth, dial.altitude]);
  state.lightSent = number;
  state.movesSent = moves;
}, failed);

const askProfile = newest(async ({ points, at }) => {
  profile.show(await link.call("terrain.profile", [points]), at);
  line.elevation = profile.elevation;
  dirty = true;
}, failed);

async function timed(method, args) {
  const begun = performance.now();
  const result = await link.call(method, args);
  meters.trip(performance.now() - begun);
  return result;
}

function moved() {
  look();
  place.showScale(view);
  if (link.state === "open") askProfile(line.where());
  place.showPointer(line.pointer, line.fixed);
  dirty = true;
}

function build() {
  view = new View(world);
  land = new Land($("land"), world);
  line = new Line(view, world);
  profile = new Profile(world);
  place = new Place(world);
  overview = new Overview(world, (x, y) => {
    view.centre(x, y);
    moved();
  });
  dial.set(world.light);
  listen($("map"), view, {
    moved,
    hover: (...pixel) => moved(line.hover(...pixel)),
    leave: () => moved(line.leave()),
    click: (...pixel) => moved(line.click(...pixel)),
    escape: () => line.clear(),
  });
  const resize = () => {
    view.resize(innerWidth, innerHeight);
    if (state.region) moved();
  };
  addEventListener("resize", resize);
  resize();
  $("zoom-in").onclick = () => view.zoom(1.6);
  $("zoom-out").onclick = () => view.zoom(1 / 1.6);
  $("home").onclick = () => view.home();
  setInterval(() => {
    if (link.state === "open" && !dial.turning) timed("terrain.info", []).catch(failed);
  }, TRIP_EVERY);
  let last = performance.now();
  requestAnimationFrame(function frame(now) {
    tick(now, Math.min(now - last, 100) / 1000);
    last = now;
    requestAnimationFrame(frame);
  });
}

// Drawing -------------------------------------------------------------------------

function tick(now, seconds) {
  if (view.step(seconds)) moved();
  if (dial.turning) turn(now);
  if (state.coarser && !dial.turning && now - state.lightAt > REST) setCoarser(0);
  if (dirty || (waiting && now - waiting > PATCHES)) draw();
}

function draw() {
  dirty = false;
  waiting = 0;
  land.draw(view, ratio());
  overview.draw(land.get(0, 0, 0), view, ratio(), state.views);
  line.draw();
  meters.frame();
}

/** Moves the animated sun on, as fast as its pictures arrive: a slow link sees fewer of them, and never a backlog. */
function turn(now) {
  const behind = state.lightSent - land.light > AHEAD;
  const since = now - state.lightAt;
  if (link.state === "open" && (!behind || since > PATIENCE)) dial.advance(Math.min(since, 100) / 1000);
}

/** Keeps a moving light moving: fewer pixels where all of them would be too slow. */
function measurePace() {
  const took = performance.now() - wholeAt;
  wholeAt += took;
  const moving = dial.turning || wholeAt - state.lightAt < REST;
  pace = moving ? pace + (Math.min(took, 2 * SLOW) - pace) / 4 : 0;
  if (pace > SLOW && !state.coarser) setCoarser(1);
}

function setCoarser(levels) {
  state.coarser = levels;
  pace = 0;
  look();
}

$("reconnect").onclick = start;
await start();

/** For tests, and for the curious. */
window.demo = {
  get link() {
    return link;
  },
  get view() {
    return view;
  },
  /** What is on the screen: tiles that have arrived of those in view, and the light that they all are in. */
  get shown() {
    return { ...land.progress, light: land.light };
  },
  /** Whether nothing moves, and all that was asked for is on the screen. */
  get settled() {
    const { have, of } = land.progress;
    const asked = state.link === "open" && !view.moving && !state.coarser && state.moves === state.movesSent;
    const resting = performance.now() - state.lightAt > REST; // until then a coarser level may take over
    return asked && resting && !dirty && !waiting && have === of && land.light >= state.lightSent && land.sharp;
  },
  stats: meters.stats,
  state,
};
