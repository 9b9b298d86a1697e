// A session whose token another client has, too (RES-9), against a scripted server.
import { expect, test } from "vitest";
import { type Reconnected, connect } from "../../src/index.js";
import { nextConnection, url } from "../support/linked.js";

test.each([
  { codes: [4001, 4001], resumed: false, why: "whose session is taken twice in succession asks for another one" },
  { codes: [4001, 4000, 4001], resumed: true, why: "whose session seems to be taken now and then returns to it" },
])("a link $why", async ({ codes, resumed }) => {
  const linking = connect(await url(), { reconnect: { initial: 1, max: 1 } });
  let peer = await nextConnection();
  await peer.resumable();
  const link = await linking;
  const verdicts: Reconnected[] = [];
  link.addEventListener("reconnected", ({ detail }) => verdicts.push(detail));
  for (const [index, code] of codes.entries()) {
    const goesOn = index + 1 < codes.length || resumed;
    const returned = new Promise((resolve) => link.addEventListener("reconnected", resolve, { once: true }));
    peer.socket.close(code);
    peer = await nextConnection();
    const hello = await peer.resumable(goesOn ? { resumed: true, received: 0, missing: [] } : {});
    await returned;
    expect("token" in (hello.args[0] as { resume: object }).resume).toBe(goesOn);
  }
  expect(verdicts.at(-1)).toMatchObject({ resumed, reason: resumed ? undefined : "refused" });
  expect((await link.close()).code).toBe(1000);
});
