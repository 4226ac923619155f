// Cases of subscriptions to streams: 22 to 28 and 43.
"use strict";
const { must, same, run } = require("./given.cjs");

const cases = {};
const upTo = (n, from = 0) => Array.from({ length: n - from }, (_, i) => from + i);

cases["case 22: from the start, then live"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(10));
  const w = g.toStream(stream);
  await w.caughtUp();
  same(w.kinds, ["confirmation", ...Array(10).fill("event"), "caughtUp"], "the order");
  must(typeof w.subscription.id === "string" && w.subscription.id !== "", "it has no id");
  await g.append(stream, g.event({ n: 10 }));
  await w.has(11);
  same(w.revisions, upTo(11), "revisions");
  same(w.of("caughtUp").length, 1, "times caught up");
};

cases["case 23: after a revision"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(6));
  const w = g.toStream(stream, { fromRevision: 2n });
  await w.caughtUp();
  same(w.revisions, [3, 4, 5], "revisions");
};

cases["case 24: from the end"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(5));
  const w = g.toStream(stream, { fromRevision: "end" });
  await w.caughtUp();
  same(w.kinds, ["confirmation", "caughtUp"], "the order");
  await g.append(stream, g.event({ n: 5 }));
  await w.has(1);
  same(w.revisions, [5], "revisions");
};

cases["case 25: to a stream that is not there yet"] = async (g) => {
  const stream = g.stream();
  const w = g.toStream(stream);
  await w.caughtUp();
  same(w.kinds, ["confirmation", "caughtUp"], "the order");
  await g.append(stream, g.event());
  await w.has(1);
  same(w.revisions, [0], "revisions");
};

cases["case 24: beyond the end"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(2));
  const w = g.toStream(stream, { fromRevision: 3n });
  await w.caughtUp();
  await g.append(stream, g.events(4));
  await w.has(2);
  same(w.revisions, [4, 5], "revisions");
};

cases["case 27: a slow subscriber gets every event once"] = async (g) => {
  const stream = g.stream();
  const w = g.toStream(stream, { fromRevision: "end" });
  await w.caughtUp();
  w.subscription.pause();
  for (let i = 0; i < 10; i++) {
    await g.append(stream, g.events(1000));
    if (i === 5) w.subscription.resume();
    if (i === 7) w.subscription.pause();
  }
  w.subscription.resume();
  await w.has(10_000);
  same(w.revisions, upTo(10_000), "revisions");
};

cases["case 28: no gap between history and what is live"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(200));
  const watches = [];
  for (let i = 0; i < 8; i++) {
    const appended = Promise.all(Array.from({ length: 10 }, () => g.append(stream, g.events(5))));
    watches.push(g.toStream(stream), g.toStream(stream, { fromRevision: 99n }));
    await appended;
  }
  for (const [i, w] of watches.entries()) {
    const from = i % 2 ? 100 : 0;
    await w.has(600 - from);
    same(w.revisions, upTo(600, from), "revisions");
  }
};

cases["case 43: a tombstone ends it"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(2));
  const w = g.toStream(stream);
  await w.caughtUp();
  await g.client.tombstoneStream(stream);
  const error = await w.fails();
  must(error instanceof g.api.StreamDeletedError, error.stack);
  same([error.streamName, error.message], [stream, `9 FAILED_PRECONDITION: Event stream '${stream}' is deleted.`], "the error");
  const late = g.toStream(stream);
  const again = await late.fails();
  must(again instanceof g.api.StreamDeletedError, again.stack);
  same(late.kinds[0], "confirmation", "the first frame");
};

cases["case 43: a deletion does not"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(2));
  const w = g.toStream(stream);
  await w.caughtUp();
  await g.client.deleteStream(stream);
  await g.append(stream, g.event());
  await w.has(3);
  same(w.revisions, [0, 1, 2], "revisions");
};

run(cases);
