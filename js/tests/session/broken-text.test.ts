// Errors of handlers and of streamed arguments whose text, or code, cannot be sent as it is.
import { expect, test } from "vitest";
import { MethodError } from "../../src/index.js";
import { linked, reported } from "../support/linked.js";
import { type Connection, type Envelope, WELCOME_WITH_FEATURES, message } from "../support/peer.js";

const WELCOME = { ...WELCOME_WITH_FEATURES, features: ["handle", "stream"] };

let calls = 0;

/** What the client responds to a call of `method`. */
function asked(peer: Connection, method: string): Promise<Envelope & { readonly error?: object }> {
  peer.send(message({ id: `rpc:server:${calls++}`, method, args: [], kwargs: {} }));
  return peer.next();
}

test("ERR-2: errors arrive although their text has half a surrogate pair, or is cut within a pair", async () => {
  const { peer } = await linked(WELCOME, { handlers: {
    "a.half": () => { throw new MethodError("broken \ud83d", { code: 5 }); },
    "a.data": () => { throw new MethodError("no", { data: ["\ud83d"] }); },
    "a.cut": () => { throw new Error(`${"x".repeat(4096 - 8)}😀`); },
    "a.result": () => ["\ud83d"],
    "a.code": () => { throw new MethodError("no", { code: 1.5, data: 7 }); },
    "a.word": () => { throw new MethodError("no", { code: "busy" as unknown as number }); },
  } }); // prettier-ignore
  expect((await asked(peer, "a.half")).error).toMatchObject({ code: 5, message: "broken \ufffd" });
  expect((await asked(peer, "a.data")).error).toMatchObject({ code: -32001, data: "the data of this error cannot be sent" });
  expect((await asked(peer, "a.cut")).error).toMatchObject({ code: -32001, data: { exception: `Error: ${"x".repeat(4088)}\ufffd` } });
  expect((await asked(peer, "a.result")).error).toMatchObject({ code: -32002 });
  expect((await asked(peer, "a.code")).error).toEqual({ code: -32001, message: "no", data: 7 });
  expect((await asked(peer, "a.word")).error).toEqual({ code: -32001, message: "no" });
  expect((await asked(peer, `${"x".repeat(1023)}😀`)).error).toMatchObject({ code: -32601, data: `${"x".repeat(1023)}\ufffd` });
  expect(reported.length).toBeGreaterThan(0);
});
