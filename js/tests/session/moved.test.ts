// Calls of a session that has moved to another process (RES-12), against a scripted server.
import { describe, expect, test } from "vitest";
import { connect } from "../../src/index.js";
import { nextConnection, url } from "../support/linked.js";

describe("a session that has moved to another process (RES-12)", () => {
  test("fails the calls that were under way there, and makes those again that may run twice", async () => {
    const linking = connect(await url(), { secret: "s3cret" });
    const peer = await nextConnection();
    await peer.resumable();
    const link = await linking;
    const uncertain = link.call("one");
    const again = link.call("two", [1], {}, { retry: true });
    const [one, two] = [await peer.next(), await peer.next()];
    const interrupted = { code: -32005, message: "the call was under way when its session moved to another worker" };
    peer.fail(one, interrupted);
    peer.fail(two, interrupted);
    await expect(uncertain).rejects.toMatchObject({ name: "ConnectionError", code: 1012, message: expect.stringContaining("moved to another worker") as string });
    const repeated = await peer.next();
    expect([repeated.id, repeated.method, repeated.args]).toEqual([two.id, "two", [1]]);
    peer.answer(repeated, 2);
    expect(await again).toBe(2);
  });
});
