// Cases of deletion and of a stream's metadata: 36 to 48.
"use strict";
const { must, same, run } = require("./given.cjs");

const cases = {};
const revisions = (list) => list.map((e) => Number(e.event.revision));
const endless = 9223372036854775807n;

const deleted = async (g, stream, promise, code) => {
  const error = await g.refused("StreamDeletedError", promise);
  same([error.type, error.streamName], ["stream-deleted", stream], "the error");
  // The answer of a batch and that of the bridge have no status.
  if (code) same([error.code, error.message], [9, `9 FAILED_PRECONDITION: Event stream '${stream}' is deleted.`], "the status");
};

cases["case 36: a deleted stream is not found"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(5));
  const done = await g.client.deleteStream(stream, { expectedRevision: 4n });
  must(done.position.commit > 0n && done.position.commit === done.position.prepare, `position ${done.position.commit}`);
  await g.refused("StreamNotFoundError", g.read(stream));
  await g.refused("StreamNotFoundError", g.read(stream, { direction: "backwards", fromRevision: "end" }));
  const [e] = await g.read(`$$${stream}`);
  same([e.event.type, BigInt(e.event.data.$tb)], ["$metadata", BigInt(Number(endless))], "the metadata");
};

cases["case 37: writing brings a deleted stream back"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(5));
  await g.client.setStreamMetadata(stream, { maxCount: 100, color: "red" });
  await g.client.deleteStream(stream);
  const done = await g.append(stream, g.event());
  same(done.nextExpectedRevision, 5n, "the revision");
  same(revisions(await g.read(stream)), [5], "what is read");
  const { metadata } = await g.client.getStreamMetadata(stream);
  same(metadata, { truncateBefore: 5 }, "the metadata, which the deletion had replaced");
};

for (const way of ["BatchAppend", "Append"]) {
  const options = (g) => way === "Append" ? g.alone : {};

  cases[`case 38: a deleted stream counts as none, by ${way}`] = async (g) => {
    const stream = g.stream();
    await g.append(stream, g.events(3));
    await g.client.deleteStream(stream);
    same((await g.append(stream, g.event(), "no_stream", options(g))).nextExpectedRevision, 3n, "the revision");
    same(revisions(await g.read(stream)), [3], "what is read");
  };

  cases[`case 38: a deleted stream goes on at its revision, by ${way}`] = async (g) => {
    const stream = g.stream();
    await g.append(stream, g.events(3));
    await g.client.deleteStream(stream);
    same((await g.append(stream, g.events(2), 2n, options(g))).nextExpectedRevision, 4n, "the revision");
    same(revisions(await g.read(stream)), [3, 4], "what is read");
  };

  cases[`case 39: a deleted stream does not exist, by ${way}`] = async (g) => {
    const stream = g.stream();
    await g.append(stream, g.events(3));
    await g.client.deleteStream(stream);
    await deleted(g, stream, g.append(stream, g.event(), "stream_exists", options(g)), way === "Append");
  };

  cases[`case 42: nothing can be written after a tombstone, by ${way}`] = async (g) => {
    const stream = g.stream();
    await g.append(stream, g.events(2));
    const done = await g.client.tombstoneStream(stream, { expectedRevision: 1n });
    must(done.position.commit > 0n, "there is no position");
    for (const expected of ["any", "no_stream", "stream_exists", 1n, 7n]) {
      await deleted(g, stream, g.append(stream, g.event(), expected, options(g)), way === "Append");
    }
    await deleted(g, stream, g.read(stream), g.label === "db-client");
    await deleted(g, stream, g.client.deleteStream(stream), true);
    await deleted(g, stream, g.client.tombstoneStream(stream), true);
  };
}

cases["case 40: deletion at a wrong revision"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(3));
  for (const call of ["deleteStream", "tombstoneStream"]) {
    for (const [expected, code] of [[7n, 7n], ["no_stream", -1n]]) {
      const error = await g.refused("WrongExpectedVersionError", g.client[call](stream, { expectedRevision: expected }));
      g.wrong(error, stream, code, 2n);
      same(error.message, `9 FAILED_PRECONDITION: Delete failed due to WrongExpectedVersion. Stream: ${stream}, Expected version: ${code}, Actual version: 2`, "the text");
    }
  }
  same((await g.read(stream)).length, 3, "events");
};

cases["case 41: deletion of what never was"] = async (g) => {
  const stream = g.stream();
  for (const [expected, code] of [["any", -2n], ["no_stream", -1n], [1n, 1n]]) {
    const error = await g.refused("WrongExpectedVersionError", g.client.deleteStream(stream, { expectedRevision: expected }));
    g.wrong(error, stream, code, -1n);
  }
  await g.client.tombstoneStream(stream, { expectedRevision: "no_stream" });
  await deleted(g, stream, g.append(stream, g.event()));
};

cases["case 44: a stream's greatest number of events"] = async (g) => {
  const stream = g.stream();
  await g.client.setStreamMetadata(stream, { maxCount: 2 });
  await g.append(stream, g.events(5));
  same(revisions(await g.read(stream)), [3, 4], "forwards");
  same(revisions(await g.read(stream, { direction: "backwards", fromRevision: "end" })), [4, 3], "backwards");
  same(await g.read(stream, { fromRevision: 0n, maxCount: 1 }).then(revisions), [3], "from what is gone");
};

cases["case 45: a stream's first event"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(6));
  await g.client.setStreamMetadata(stream, { truncateBefore: 3 });
  same(revisions(await g.read(stream, { fromRevision: 0n })), [3, 4, 5], "forwards");
  same(revisions(await g.read(stream, { direction: "backwards", fromRevision: "end" })), [5, 4, 3], "backwards");
  const w = g.toStream(stream);
  await w.caughtUp();
  same(w.revisions, [3, 4, 5], "subscribed to");
  await g.client.setStreamMetadata(stream, { truncateBefore: 6 });
  same(await g.read(stream), [], "all truncated");
};

cases["case 46: the age of events"] = async (g) => {
  const stream = g.stream();
  await g.client.setStreamMetadata(stream, { maxAge: 1 });
  await g.append(stream, g.events(3));
  // Their age is the server's to tell: it is asked until they are too old.
  const end = Date.now() + 10_000;
  while ((await g.read(stream)).length > 0) must(Date.now() < end, "they are still there");
};

cases["case 47: the last metadata counts"] = async (g) => {
  const stream = g.stream();
  const first = await g.client.setStreamMetadata(stream, { maxCount: 5 }, { [g.pack.state]: "no_stream" });
  same(first.nextExpectedRevision, 0n, "the revision");
  const full = {
    maxCount: 7, maxAge: 3600, truncateBefore: 1, cacheControl: 10, own: { deep: [1, 2] },
    acl: { readRoles: ["$all"], writeRoles: ["ops", "admin"], deleteRoles: ["$admins"], metaReadRoles: ["$all"], metaWriteRoles: ["ops"] },
  };
  await g.client.setStreamMetadata(stream, full, { [g.pack.state]: 0n });
  const got = await g.client.getStreamMetadata(stream);
  same([got.streamName, got.metadata], [stream, full], "the metadata");
  const error = await g.refused("WrongExpectedVersionError", g.client.setStreamMetadata(stream, {}, { [g.pack.state]: 0n }));
  g.wrong(error, `$$${stream}`, 0n, 1n);
};

cases["case 48: metadata that was never set"] = async (g) => {
  const stream = g.stream();
  same(await g.client.getStreamMetadata(stream), { streamName: stream }, "of a stream that is not there");
  await g.append(stream, g.event());
  same(await g.client.getStreamMetadata(stream), { streamName: stream }, "of a stream");
};

run(cases, { together: true });
