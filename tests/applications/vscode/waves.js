// What the page of examples/notebook does where it works.
import assert from "node:assert/strict";

/** Checks that the page in `frame` calls, listens and has its styles. */
export async function draws(frame) {
  await frame.locator("#state", { hasText: "open" }).waitFor();
  await frame.locator("#frequency").fill("5");
  await frame.locator("#tuned", { hasText: "5" }).waitFor();
  const drawn = await frame.locator("#wave").evaluate(async (canvas) => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.filter((value, i) => i % 4 === 3 && value > 0).length;
  });
  assert.ok(drawn > 500, "an array of the topic is drawn");
  assert.equal(await frame.locator("body").evaluate(() => getComputedStyle(document.body).marginTop), "12px");
}
