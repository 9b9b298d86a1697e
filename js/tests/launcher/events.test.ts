// The events of a start, cut in every way that a network may cut them.
import { describe, expect, test } from "vitest";
import { EventReader, progressOf } from "../../src/launcher/events.js";

const STREAM = 'event: starting\ndata: {}\n\n:\n\nevent: waiting\ndata: {"for": "the queue: 3"}\n\nevent: ready\ndata: {"id": "1", "text": "a\\n\\nb"}\n\n';
const EVENTS = [
  { name: "starting", data: {} },
  { name: "waiting", data: { for: "the queue: 3" } },
  { name: "ready", data: { id: "1", text: "a\n\nb" } },
];

describe.each([
  ["LF", STREAM],
  ["CRLF", STREAM.replaceAll("\n", "\r\n")],
])("lines that end in %s", (_, stream) => {
  test.each([1, 2, 3, 7, 1000])("in pieces of %i characters", (size) => {
    const reader = new EventReader();
    const events = [];
    for (let at = 0; at < stream.length; at += size) events.push(...reader.read(stream.slice(at, at + size)));
    expect(events).toEqual(EVENTS);
  });
});

test("an event arrives as soon as it is complete", () => {
  const reader = new EventReader();
  expect(reader.read("event: starting\ndata: {}\n")).toEqual([]);
  expect(reader.read("\nevent: wai")).toEqual([{ name: "starting", data: {} }]);
});

test("what is no event of a launcher is a failure", () => {
  expect(new EventReader().read("event: ready\ndata: {\n\n")).toEqual([{ name: "failed", data: { status: 0, error: "an event of the launcher is no JSON" } }]);
  expect(new EventReader().read("event: ready\n\n")).toMatchObject([{ name: "failed" }]);
  expect(new EventReader().read("<html>\n\n<body>\n\n")).toEqual([]);
});

test("an event without an end does not fill the memory", () => {
  const reader = new EventReader();
  expect(reader.read(`event: ready\ndata: "${"x".repeat(2 ** 20)}`)).toEqual([{ name: "failed", data: { status: 0, error: "an event of the launcher is too large" } }]);
});

test("progress is what comes before the end", () => {
  expect(EVENTS.map(progressOf)).toEqual([{ state: "starting" }, { state: "waiting", for: "the queue: 3" }, undefined]);
});
