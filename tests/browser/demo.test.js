import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, afterEach, before, describe, test } from "node:test";
import { ROOT, dragMap, dragSun, inside, launch, nameOf, open, pixels, regionOf, serve, settled, stopSun, tilesOf } from "./demo.js";

const SIZE = { width: 960, height: 640 };
const SCREENSHOT = { width: 1280, height: 800 };

describe("the demo in a browser", { timeout: 600_000 }, () => {
  let server, browser, context, tabs;

  before(async () => {
    server = await serve();
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    const { code, log } = (await server?.stop()) ?? {};
    assert.equal(code, 0);
    assert.equal(log, "", "the server logged something");
  });

  async function tab(viewport = SIZE) {
    context ??= await browser.newContext({ viewport, deviceScaleFactor: 1 });
    const opened = await open(context, server.url);
    (tabs ??= []).push(opened);
    return opened;
  }

  afterEach(async () => {
    const errors = (tabs ?? []).flatMap((opened) => opened.errors);
    await context?.close();
    context = tabs = undefined;
    assert.deepEqual(errors, []);
  });

  test("draws the frames that arrive", async () => {
    const { page, wire } = await tab();
    const region = await regionOf(page);
    const { have, of } = await page.evaluate(() => window.demo.shown);
    assert.equal(have, of);
    assert.equal(of, tilesOf(region).length);
    const tile = wire.tiles.get(nameOf({ level: region.level, row: region.rows[0] + 1, col: region.cols[0] + 1 }));
    const [left, top, right, bottom] = await page.evaluate(([level, row, col]) => {
      const { view } = window.demo;
      const side = (256 * 160) / 2 ** level;
      return [...view.toPixel(col * side, row * side), ...view.toPixel((col + 1) * side, (row + 1) * side)].map(Math.round);
    }, [tile.level, tile.row, tile.col]);
    const drawn = mean(await pixels(page, [left, top, right - left, bottom - top]), 3);
    const sent = mean(tile.pixels.data, 4);
    for (const channel of [0, 1, 2]) {
      assert.ok(Math.abs(drawn[channel] - sent[channel]) < 2.5, `drawn ${drawn}, sent ${sent}`);
    }
  });

  test("shows the land in another light when the sun is dragged", async () => {
    const { page, wire } = await tab();
    await dragSun(page, 315, 30);
    await settled(page);
    const lit = await pixels(page);
    const from = wire.log.length;
    await dragSun(page, 135, 30);
    await settled(page);
    const other = await pixels(page);
    assert.ok(changed(lit, other) > 0.5, `${changed(lit, other)} of the pixels changed`);
    const { subscription } = wire.regions()[0];
    const came = new Set(wire.published(subscription, from).map(nameOf));
    assert.deepEqual(tilesOf(await regionOf(page)).filter((name) => !came.has(name)), []);
    // The same light again shows the same picture.
    await dragSun(page, 315, 30);
    await settled(page);
    assert.ok(changed(lit, await pixels(page)) < 0.01);
  });

  test("keeps frames coming while the sun is animated", async () => {
    const { page } = await tab();
    const before = await page.evaluate(() => ({ ...window.demo.stats, light: window.demo.shown.light }));
    await page.getByRole("button", { name: "Animate" }).click();
    await page.waitForFunction(
      ({ tiles, light }) => window.demo.stats.tiles > tiles + 60 && window.demo.shown.light > light + 5 && window.demo.stats.megabytesPerSecond > 0,
      before,
    );
    assert.notEqual(await page.locator("#tiles").textContent(), "0");
    await stopSun(page);
    await settled(page);
    const still = await pixels(page);
    assert.equal(changed(still, await pixels(page)), 0);
  });

  test("is sharp when it rests, and shows the quality that fits the line when it is asked to", async () => {
    const { page, wire } = await tab();
    await page.getByRole("button", { name: "Animate" }).click();
    await page.waitForFunction((tiles) => window.demo.stats.tiles > tiles + 30, await page.evaluate(() => window.demo.stats.tiles));
    assert.ok(await page.locator("#quality").isHidden());
    await page.getByRole("button", { name: "Flow" }).click();
    await page.waitForFunction(() => ["quality", "lag", "window"].every((id) => document.getElementById(id).textContent > 0));
    assert.ok(await page.locator("#quality").isVisible());
    await page.getByRole("button", { name: "Stop" }).click();
    await settled(page);
    const shown = tilesOf(await regionOf(page)).map((name) => wire.tiles.get(name).step);
    assert.deepEqual([...new Set(shown)], [1]);
  });

  test("is sent what it looks at, and nothing else", async () => {
    const { page, wire } = await tab();
    for (let i = 0; i < 3; i++) await page.locator("#zoom-in").click();
    await settled(page);
    const old = await regionOf(page);
    await dragMap(page, -420, -200);
    const now = await regionOf(page);
    assert.ok(tilesOf(old).some((name) => !tilesOf(now).includes(name)), "the old region has left the window");
    assert.deepEqual(now, await visible(page), "the region is what the window shows");
    assert.ok(tilesOf(now).some((name) => !tilesOf(old).includes(name)), "there is something new in the window");

    const update = await wire.until(() => {
      const last = wire.regions().at(-1);
      return last.answer !== undefined && last;
    }, "the answer to the last update of the filter");
    assert.deepEqual(update.filter, {
      level: now.level,
      row: { gte: now.rows[0], lt: now.rows[1] },
      col: { gte: now.cols[0], lt: now.cols[1] },
    });
    assert.equal(update.subscription, wire.regions()[0].subscription, "one subscription, whose filter is replaced");

    await dragSun(page, 80, 40); // so that everything in view is sent
    await settled(page);
    const light = await page.evaluate(() => window.demo.state.lightSent);
    const published = wire.published(update.subscription, update.answer);
    assert.deepEqual(wire.strays(update.subscription), [], "nothing from outside of the filter in force");
    const shown = published.filter((tile) => tile.light === light && inside(now, tile));
    assert.deepEqual([...new Set(shown.map(nameOf))].sort(), tilesOf(now));
  });

  test("lets two tabs watch different regions in one light", async () => {
    const [one, two] = [await tab(), await tab()];
    for (const { page } of [one, two]) for (let i = 0; i < 3; i++) await page.locator("#zoom-in").click();
    for (const { page } of [one, two]) await settled(page);
    for (let i = 0; i < 3; i++) {
      await dragMap(one.page, 400, 300);
      await dragMap(two.page, -400, -300);
    }
    const [first, second] = [await regionOf(one.page), await regionOf(two.page)];
    assert.deepEqual(tilesOf(first).filter((name) => tilesOf(second).includes(name)), [], "the regions have nothing in common");

    const from = two.wire.log.length;
    await dragSun(one.page, 200, 50);
    const light = await one.page.evaluate(() => window.demo.state.lightSent);
    for (const { page } of [one, two]) await page.waitForFunction((number) => window.demo.settled && window.demo.shown.light >= number, light);
    assert.equal(await two.page.locator("#azimuth-value").textContent(), await one.page.locator("#azimuth-value").textContent());
    const { subscription } = two.wire.regions()[0];
    // While the light moves a slow page looks at a coarser level. The network log may tell of a tile later than the page has drawn it.
    const names = () => [...new Set(two.wire.published(subscription, from).filter(({ level }) => level === second.level).map(nameOf))].sort();
    await two.wire.until(() => names().length >= tilesOf(second).length, "the tiles of the second tab");
    assert.deepEqual(two.wire.strays(subscription), []);
    assert.deepEqual(names(), tilesOf(second));

    // What one tab looks at reaches the other behind what that has asked for itself.
    await one.page.getByText("2 viewers").waitFor();
    await one.page.waitForFunction(([gte, lt]) => {
      const row = window.demo.state.views.map(({ filter }) => filter.row).find((found) => found);
      return row?.gte === gte && row.lt === lt;
    }, second.rows);
  });

  test("plots the elevation profile under the mouse", async () => {
    const { page } = await tab();
    const plotted = [];
    for (const [x, y] of [[360, 240], [640, 420]]) {
      await page.mouse.move(x, y);
      plotted.push(await plotAt(page, x, y));
    }
    assert.notEqual(plotted[0].curve, plotted[1].curve);
    assert.ok(plotted[1].dot[0] > plotted[0].dot[0] + 100, "the dot follows the pointer to the right");

    await page.mouse.click(300, 240);
    await page.mouse.click(640, 420);
    await page.mouse.move(470, 330);
    const between = await plotAt(page, 470, 330);
    assert.notEqual(between.curve, plotted[1].curve);
    await page.locator("#profile-hint", { hasText: "between two points" }).waitFor();
    const box = await page.locator("#chart").boundingBox();
    assert.ok(Math.abs(between.dot[0] - (40 + (box.width - 42) / 2)) < 2, "half way along");
  });

  test("says that the connection is lost, and mends it", async () => {
    const { page } = await tab();
    await page.evaluate(() => window.demo.link.close());
    await page.getByText("Connection lost").waitFor();
    const before = await page.evaluate(() => window.demo.stats.tiles);
    await page.getByRole("button", { name: "Reconnect" }).click();
    await settled(page);
    assert.ok(await page.getByText("Connection lost").isHidden());
    await page.waitForFunction((tiles) => window.demo.stats.tiles > tiles, before);
  });

  test("looks like this", async () => {
    const { page } = await tab(SCREENSHOT);
    await page.getByRole("button", { name: "Animate" }).click();
    await page.waitForFunction(() => window.demo.stats.tiles > 100);
    await stopSun(page);
    await dragSun(page, 315, 32);
    await page.mouse.move(556, 352);
    await plotAt(page, 556, 352);
    await settled(page);
    await mkdir(`${ROOT}artifacts`, { recursive: true });
    await page.screenshot({ path: `${ROOT}artifacts/demo.png` });
  });
});

/** The tiles of the current level that have a part in the window. */
function visible(page) {
  return page.evaluate(() => {
    const { view, state } = window.demo;
    const { level } = state.region;
    const side = (256 * 160) / 2 ** level; // metres
    const [left, top] = view.toPlace(0, 0);
    const [right, bottom] = view.toPlace(innerWidth, innerHeight);
    const range = (from, to) => [Math.floor(from / side), Math.ceil(to / side)];
    return { level, rows: range(top, bottom), cols: range(left, right) };
  });
}

/** Waits for the profile at a pixel, checks what is plotted against the server's word, and returns it. */
async function plotAt(page, x, y) {
  const elevation = await page.evaluate(async ([px, py]) => {
    const place = window.demo.view.toPlace(px, py);
    const { elevation } = await window.demo.link.call("terrain.profile", [[place, place]]);
    return elevation.data[0];
  }, [x, y]);
  await page.waitForFunction((metres) => Math.abs(parseFloat(document.querySelector("#tag text").textContent) - metres) < 12, elevation);
  const plot = await page.evaluate(() => {
    const value = (selector, name) => document.querySelector(selector).getAttribute(name);
    const labels = [...document.querySelectorAll("#grid text[text-anchor=end]")].slice(0, 4);
    return {
      curve: value("#curve", "d"),
      dot: [Number(value("#cursor circle", "cx")), Number(value("#cursor circle", "cy"))],
      axis: labels.map((label) => [Number(label.textContent), Number(label.getAttribute("y"))]),
      visible: document.getElementById("cursor").classList.contains("on"),
    };
  });
  assert.ok(plot.visible);
  const points = plot.curve.slice(1).split("L").map((pair) => pair.split(" ").map(Number));
  assert.equal(points.length, 512);
  // The dot is on the curve, and at the height on the axis that the elevation has.
  assert.ok(points.some(([px, py]) => Math.hypot(px - plot.dot[0], py - plot.dot[1]) < 2.5), "the dot is on the curve");
  const [[low, lowY], , , [high, highY]] = plot.axis;
  const metres = low + ((plot.dot[1] - lowY) / (highY - lowY)) * (high - low);
  assert.ok(Math.abs(metres - elevation) < 14, `plotted ${metres} m, measured ${elevation} m`);
  return plot;
}

/** The mean of each channel. */
function mean(values, channels) {
  const sums = Array(channels).fill(0);
  values.forEach((value, i) => (sums[i % channels] += value));
  return sums.map((sum) => sum / (values.length / channels));
}

/** The share of values that differ visibly. */
const changed = (a, b) => a.filter((value, i) => Math.abs(value - b[i]) > 8).length / a.length;
