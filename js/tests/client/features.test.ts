// An extension of the protocol needs nothing but a feature of its own.
import { describe, expect, test } from "vitest";
import { type FeatureFactory, type FeatureHost } from "../../src/index.js";
import { WELCOME_WITH_FEATURES, message } from "../support/peer.js";
import { linked, reported, settled } from "../support/linked.js";

/** A lamp that the server switches by messages of its own, and this side by system calls. */
class Lamp {
  readonly states: unknown[] = [];
  accepted = false;
  host: FeatureHost | undefined;
  readonly feature: FeatureFactory = (host) => {
    this.host = host;
    return {
      name: "lamp",
      negotiated: (accepted) => (this.accepted = accepted),
      receive: (received) => received.kind === "response" && received.id.startsWith("system:lamp:") && this.states.push(received.result) > 0,
      end: (error) => this.states.push(error.code),
    };
  };
}

describe("a feature", () => {
  test("is announced in hello, negotiated, makes system calls and receives messages", async () => {
    const lamp = new Lamp();
    const features = [...WELCOME_WITH_FEATURES.features, "lamp"];
    const { link, peer } = await linked({ ...WELCOME_WITH_FEATURES, features }, { features: [lamp.feature] });
    expect([link.features, lamp.accepted]).toEqual([features, true]);
    const switched = lamp.host?.system("lamp", { on: true });
    const call = await peer.next();
    expect(call).toMatchObject({ id: expect.stringMatching(/^system:lamp:\d+$/) as string, method: "wslink.lamp", args: [{ on: true }] });
    peer.answer(call, "on");
    expect(await switched).toBe("on");
    peer.send(message({ id: "system:lamp:0", result: "off" }));
    await settled(link, peer);
    await link.close();
    expect(lamp.states).toEqual(["off", 1000]);
  });

  test("that the server does not accept is told so, and nothing of it is listed", async () => {
    const lamp = new Lamp();
    const { link, peer } = await linked(WELCOME_WITH_FEATURES, { features: [lamp.feature] });
    expect([link.features, lamp.accepted]).toEqual([["subscribe", "arrays"], false]);
    await settled(link, peer);
  });

  test("that was not announced cannot be accepted (EXT-3)", async () => {
    const { link } = await linked({ ...WELCOME_WITH_FEATURES, features: ["subscribe", "telepathy"] });
    expect(link.features).toEqual(["subscribe"]);
    expect(reported).toEqual([]);
  });
});
