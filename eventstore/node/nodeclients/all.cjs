// Cases of the log as a whole, on a server that nobody else writes to: 26, 29
// to 35, 49 and 77.
"use strict";
const { must, same, run } = require("./given.cjs");

const cases = {};
const id = (e) => e.event.id;
const commit = (e) => e.event.position.commit;
// Only one of the clients can filter what it reads.
const filtersReads = (g) => g.label === "kurrentdb-client";
const descending = (list) => list.every((e, i) => i === 0 || commit(e) < commit(list[i - 1]));

cases["case 33: the newest three, backwards"] = async (g) => {
  await g.append(g.stream(), g.events(3));
  await g.append(g.stream(), g.events(2));
  const all = await g.readAll();
  const newest = await g.readAll({ direction: "backwards", fromPosition: "end", maxCount: 3 });
  same(newest.map(id), all.slice(-3).reverse().map(id), "events");
  must(descending(newest), "positions do not descend");
  must(descending([...all].reverse()), "positions do not ascend");
};

cases["case 34: from the position of an event"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(6));
  const all = await g.readAll();
  const at = all.length - 3;
  const from = all[at].event.position;
  same((await g.readAll({ fromPosition: from })).map(id), all.slice(at).map(id), "forwards it is the first");
  const back = await g.readAll({ direction: "backwards", fromPosition: from, maxCount: 2 });
  same(back.map(id), [id(all[at - 1]), id(all[at - 2])], "backwards it is left out");
};

cases["case 35: backwards from the start, forwards from the end"] = async (g) => {
  // The other client reads forwards from the start in both cases.
  if (g.label !== "db-client") return;
  await g.append(g.stream(), g.event());
  same(await g.readAll({ direction: "backwards", fromPosition: "start" }), [], "backwards from the start");
  same(await g.readAll({ fromPosition: "end" }), [], "forwards from the end");
};

cases["case 26: a subscription from a position starts after it"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(5));
  const all = await g.readAll();
  const w = g.toAll({ fromPosition: all[all.length - 3].event.position });
  await w.caughtUp();
  same(w.events.map(id), all.slice(-2).map(id), "history");
  await g.append(stream, g.event({ n: 5 }));
  same(id((await w.has(3))[2]), id((await g.readAll({ direction: "backwards", fromPosition: "end", maxCount: 1 }))[0]), "live");
};

for (const [kind, make] of [["prefixes", (s) => ({ prefixes: [s] })], ["a pattern", (s) => ({ regex: `^${s}` })]]) {
  cases[`case 29: filtered by ${kind}`] = async (g) => {
    const category = `picked${g.label}${kind.length}`;
    const [picked, other] = [g.stream(category), g.stream("other")];
    for (let i = 0; i < 3; i++) {
      await g.append(picked, g.events(2, `${category}.type`));
      await g.append(other, g.events(3, "other.type"));
    }
    for (const filter of [g.api.streamNameFilter(make(category)), g.api.eventTypeFilter(make(category))]) {
      if (filtersReads(g)) {
        const list = await g.readAll({ filter });
        same(list.map((e) => e.event.streamId), Array(6).fill(picked), "read");
      }
      const checkpoints = [];
      const w = g.toAll({ filter: { ...filter, checkpointReached: (_, position) => { checkpoints.push([w.events.length, position.commit, w.of("caughtUp").length]); } } });
      await w.caughtUp();
      same(w.events.map((e) => e.event.revision), [0n, 1n, 2n, 3n, 4n, 5n], "history");
      must(checkpoints.length > 0, "there is no checkpoint at the end of history");
      const [seen, at, live] = checkpoints[checkpoints.length - 1];
      same([seen, live], [6, 0], "the last checkpoint's place");
      must(at >= commit(w.events[5]), "the checkpoint lies before the last event");
      await w.stop();
    }
  };
}

cases["case 30: without the system's own"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.event());
  await g.append("$system-stream", g.event({}, "$system-type"));
  const filter = g.api.excludeSystemEvents();
  const w = g.toAll({ filter });
  await w.caughtUp();
  must(w.events.length > 0 && w.events.every((e) => !e.event.type.startsWith("$")), "there are system events");
  const all = (await g.readAll()).filter((e) => !e.event.type.startsWith("$"));
  same(w.events.map(id), all.map(id), "history");
  if (filtersReads(g)) same((await g.readAll({ filter })).map(id), all.map(id), "read");
};

cases["case 31: checkpoints come after multiplier times window"] = async (g) => {
  const checkpoints = [];
  const w = g.toAll({
    fromPosition: "end",
    filter: g.api.eventTypeFilter({
      prefixes: ["rare"], checkpointInterval: 2, maxSearchWindow: 32,
      checkpointReached: (_, position) => { checkpoints.push(position.commit); },
    }),
  });
  await w.caughtUp();
  const early = checkpoints.length;
  const stream = g.stream();
  for (let i = 0; i < 4; i++) await g.append(stream, g.events(96, i % 2 ? "rare.type" : "common.type"));
  await g.append(stream, g.event({}, "rare.last"));
  await w.has(193);
  const live = checkpoints.length - early;
  must(live === 6 || live === 7, `${live} checkpoints of 384 events`);
  must(checkpoints.every((c, i) => i === 0 || c > checkpoints[i - 1]), `not ascending: ${checkpoints}`);
};

cases["case 32: going on from each checkpoint loses nothing"] = async (g) => {
  const category = `resumed${g.label}`;
  const stream = g.stream(category);
  for (let i = 0; i < 8; i++) {
    await g.append(stream, g.events(8, "rare.type"));
    await g.append(g.stream(), g.events(40, "common.type"));
  }
  const filter = g.api.streamNameFilter({ prefixes: [category], checkpointInterval: 1, maxSearchWindow: 32 });
  const checkpoints = [];
  const w = g.toAll({ filter: { ...filter, checkpointReached: (_, position) => { checkpoints.push({ position, seen: w.events.length }); } } });
  await w.caughtUp();
  const all = w.events.map(id);
  same(all.length, 64, "events");
  must(checkpoints.length >= 8, `only ${checkpoints.length} checkpoints`);
  for (const { position, seen } of checkpoints) {
    const again = g.toAll({ fromPosition: position, filter });
    await again.caughtUp();
    same(again.events.map(id), all.slice(seen), `after ${position.commit}`);
    await again.stop();
  }
};

cases["case 49: what is truncated stays in the log"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(4));
  await g.client.setStreamMetadata(stream, { truncateBefore: 3 });
  same((await g.read(stream)).map((e) => e.event.revision), [3n], "the stream");
  const there = (await g.readAll()).filter((e) => e.event.streamId === stream);
  same(there.map((e) => e.event.revision), [0n, 1n, 2n, 3n], "the log");
};

cases["case 77: categories and types"] = async (g) => {
  const category = `sorted${g.pack.scheme}`;
  const [one, two] = [g.stream(category), g.stream(category)];
  await g.append(one, g.events(2, `${category}.type`));
  await g.append(two, g.event({}, `${category}.type`));
  const w = g.toStream(`$ce-${category}`, { resolveLinkTos: true });
  await w.has(3);
  await g.append(one, g.event({}, `${category}.type`));
  await w.has(4);
  const want = [[one, 0n], [one, 1n], [two, 0n], [one, 2n]];
  for (const stream of [`$ce-${category}`, `$et-${category}.type`]) {
    const plain = await g.read(stream);
    same(plain.map((e) => [e.event.type, e.event.streamId, e.event.revision]), want.map((_, i) => ["$>", stream, BigInt(i)]), "links");
    const list = await g.read(stream, { resolveLinkTos: true });
    same(list.map((e) => [e.event.streamId, e.event.revision]), want, "targets");
    same(list.map((e) => e.link.id), plain.map(id), "the links' ids");
  }
  same(w.events.map((e) => [e.event.streamId, e.event.revision]), want, "subscribed to");
};

run(cases);
