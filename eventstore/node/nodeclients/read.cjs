// Cases of reading streams: 2 to 5, 50, 51, 72 and what surrounds them.
"use strict";
const { must, same, run } = require("./given.cjs");

const cases = {};
const revisions = (list) => list.map((e) => Number(e.event.revision));

cases["case 2: what was appended is read"] = async (g) => {
  const stream = g.stream();
  const began = Date.now();
  const json = g.event({ a: [1, "zwei", null] });
  const binary = g.api.binaryEvent({ type: "raw", data: Buffer.from([0, 1, 255]), metadata: Buffer.from([7, 8]) });
  const done = await g.append(stream, [json, binary], "no_stream");
  const list = await g.read(stream);
  same(list.length, 2, "events");
  const [one, two] = list.map((e) => e.event);
  same([one.id, one.type, one.data, one.metadata, one.isJson, one.streamId], [json.id, json.type, json.data, { m: true }, true, stream], "the first");
  same([two.id, two.type, two.isJson], [binary.id, "raw", false], "the second");
  same([Buffer.from(two.data), Buffer.from(two.metadata)], [Buffer.from([0, 1, 255]), Buffer.from([7, 8])], "its bytes");
  same([one.revision, two.revision], [0n, 1n], "revisions");
  same(two.position, done.position, "the position");
  must(one.created instanceof Date && Math.abs(one.created - began) < 60_000, `created ${one.created}`);
  must(list.every((e) => e.link === undefined), "there is a link");
};

cases["case 3: a stream that is not there"] = async (g) => {
  const stream = g.stream();
  const error = await g.refused("StreamNotFoundError", g.read(stream));
  same([error.type, error.streamName], ["stream-not-found", stream], "the error");
};

cases["case 4 and 5: from anywhere, in both directions"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(10));
  const reads = [
    [{}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    [{ fromRevision: 7n }, [7, 8, 9]],
    [{ fromRevision: 10n }, []],
    [{ fromRevision: 100n }, []],
    [{ maxCount: 2 }, [0, 1]],
    [{ fromRevision: 3n, maxCount: 3 }, [3, 4, 5]],
    [{ direction: "backwards", fromRevision: "end", maxCount: 2 }, [9, 8]],
    [{ direction: "backwards", fromRevision: 2n }, [2, 1, 0]],
    [{ direction: "backwards", fromRevision: 100n, maxCount: 1 }, [9]],
  ];
  // The other client reads forwards where it is asked to read backwards from the start.
  if (g.label === "db-client") reads.push([{ direction: "backwards", fromRevision: "start" }, [0]]);
  for (const [options, want] of reads) {
    same(revisions(await g.read(stream, options)), want, `with ${JSON.stringify(options, (_, v) => typeof v === "bigint" ? `${v}` : v)}`);
  }
};

cases["case 4 and 5: a long stream"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(3000), "no_stream");
  same(revisions(await g.read(stream)), Array.from({ length: 3000 }, (_, i) => i), "revisions");
};

cases["case 4 and 5: a reader that leaves early"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(2000), "no_stream");
  for await (const e of g.client.readStream(stream)) {
    if (e.event.revision === 5n) break;
  }
  same((await g.read(stream, { maxCount: 1 })).length, 1, "the client goes on");
};

const link = (g, to) => g.api.binaryEvent({ type: "$>", data: Buffer.from(to) });

cases["case 50: links are resolved"] = async (g) => {
  const [target, links] = [g.stream(), g.stream("links")];
  await g.append(target, g.events(2));
  await g.append(links, [link(g, `1@${target}`), link(g, `0@${target}`)]);
  const list = await g.read(links, { resolveLinkTos: true });
  same(list.map((e) => [e.event.streamId, e.event.revision, e.event.data.n]), [[target, 1n, 1], [target, 0n, 0]], "targets");
  same(list.map((e) => [e.link.streamId, e.link.revision, e.link.type]), [[links, 0n, "$>"], [links, 1n, "$>"]], "links");
  same(list.map((e) => e.commitPosition), list.map((e) => e.link.position.commit), "commit positions are the links'");
  const plain = await g.read(links);
  same(plain.map((e) => [e.event.type, e.link]), [["$>", undefined], ["$>", undefined]], "unresolved");
  const w = g.toStream(links, { resolveLinkTos: true });
  same((await w.has(2)).map((e) => [e.event.revision, e.link.revision]), [[1n, 0n], [0n, 1n]], "subscribed to");
};

cases["case 51: links to what is gone"] = async (g) => {
  const [target, links] = [g.stream(), g.stream("links")];
  await g.append(target, g.event());
  await g.append(links, [link(g, `0@${target}`), link(g, `7@${target}`), link(g, "0@nowhere"), link(g, "no link")]);
  const list = await g.read(links, { resolveLinkTos: true });
  same(list.map((e) => [e.event?.streamId, e.link?.revision]), [[target, 0n], [undefined, 1n], [undefined, 2n], [links, undefined]], "events and links");
  await g.client.deleteStream(target);
  const [gone] = await g.read(links, { resolveLinkTos: true, maxCount: 1 });
  same([gone.event, gone.link.revision], [undefined, 0n], "after the deletion");
};

cases["case 72: an event of 16 MiB"] = async (g) => {
  const stream = g.stream();
  const data = Buffer.alloc((16 << 20) - 64, "x");
  await g.append(stream, [g.api.binaryEvent({ type: "large", data })]);
  const [e] = await g.read(stream);
  must(Buffer.from(e.event.data).equals(data), "other bytes are read");
  const w = g.toStream(stream);
  const [live] = await w.has(1);
  must(Buffer.from(live.event.data).equals(data), "other bytes come");
};

cases["case 72: messages that are far too large"] = async (g) => {
  const stream = g.stream();
  const large = g.api.binaryEvent({ type: "large", data: Buffer.alloc(40 << 20) });
  const error = await g.append(stream, large).then(() => null, (e) => e);
  must(g.api.isCommandError(error), `answered ${error?.stack}`);
  const alone = await g.append(stream, large, "any", g.alone).then(() => null, (e) => e);
  must(g.api.isCommandError(alone), `answered ${alone?.stack}`);
  await g.refused("StreamNotFoundError", g.read(stream));
  same((await g.append(stream, g.event(), "no_stream")).nextExpectedRevision, 0n, "the client goes on");
};

run(cases);
