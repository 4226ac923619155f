// Cases of appending: 1 and 6 to 21.
"use strict";
const { must, same, run } = require("./given.cjs");

const cases = {};

// ways are the two calls that the clients append by.
const ways = {
  "BatchAppend": () => ({}),
  "Append": (g) => g.alone,
};

for (const [way, options] of Object.entries(ways)) {
  cases[`case 1 and 15: one event, by ${way}`] = async (g) => {
    const stream = g.stream();
    const done = await g.append(stream, g.event(), "no_stream", options(g));
    same([done.success, done.nextExpectedRevision], [true, 0n], "the answer");
    must(done.position.commit > 0n && done.position.commit === done.position.prepare, `position ${done.position.commit}`);
    const next = await g.append(stream, g.events(3), 0n, options(g));
    same(next.nextExpectedRevision, 3n, "the next revision");
    must(next.position.commit > done.position.commit, "the position did not grow");
  };

  cases[`case 9 and 10: the same events again, by ${way}`] = async (g) => {
    for (const expected of ["no_stream", "any"]) {
      const stream = g.stream();
      const list = g.events(3);
      const first = await g.append(stream, list, expected, options(g));
      const again = await g.append(stream, list, expected, options(g));
      same(again, first, `the answer, expecting ${expected}`);
      same((await g.read(stream)).length, 3, "events");
    }
  };

  cases[`case 6, 7, 8 and 16: both versions of a wrong one, by ${way}`] = async (g) => {
    const stream = g.stream();
    const refused = async (name, expected, actual) => {
      const error = await g.refused("WrongExpectedVersionError", g.append(name, g.event(), expected, options(g)));
      g.wrong(error, name, expected, actual);
    };
    await refused(stream, "stream_exists", "no_stream");
    await refused(stream, 5n, "no_stream");
    await g.append(stream, g.events(2), "no_stream", options(g));
    await refused(stream, "no_stream", 1n);
    await refused(stream, 5n, 1n);
    await refused(stream, 0n, 1n);
    const [known] = await g.read(stream);
    const mixed = [{ ...g.event(), id: known.event.id }, g.event()];
    const error = await g.refused("WrongExpectedVersionError", g.append(stream, mixed, "any", options(g)));
    g.wrong(error, stream, "any", 1n);
    same((await g.read(stream)).length, 2, "events");
  };

  cases[`case 16: a wrong version without an error, by ${way}`] = async (g) => {
    const client = g.connect({ query: "tls=false&throwOnAppendFailure=false" });
    const stream = g.stream();
    const fresh = await g.append(stream, g.event(), 5n, { client, ...options(g) });
    same(fresh, { success: false, nextExpectedRevision: -1n, position: undefined }, "of no stream");
    await g.append(stream, g.events(2), "any", { client, ...options(g) });
    const there = await g.append(stream, g.event(), 5n, { client, ...options(g) });
    same(there, { success: false, nextExpectedRevision: 1n, position: undefined }, "of a stream");
    await client.dispose();
  };

  cases[`case 18: a deadline that is too short, by ${way}`] = async (g) => {
    const stream = g.stream();
    const list = g.events(30_000);
    await g.refused("DeadlineExceededError", g.append(stream, list, "any", { deadline: 1, ...options(g) }));
    await g.refused("StreamNotFoundError", g.read(stream));
    same((await g.append(stream, g.event(), "no_stream", options(g))).nextExpectedRevision, 0n, "the client goes on");
  };

  cases[`case 19: too much at once, by ${way}`] = async (g) => {
    const stream = g.stream();
    const large = (bytes) => g.api.binaryEvent({ type: "t", data: Buffer.alloc(bytes) });
    for (const list of [[large(1 << 20)], [large(600_000), large(600_000)], [large(5 << 20)]]) {
      const error = await g.refused("MaxAppendSizeExceededError", g.append(stream, list, "any", options(g)));
      same(error.maxAppendSize, 1 << 20, "the limit");
      // Only one of the calls answers with a status of its own.
      same(error.code, way === "Append" ? 3 : undefined, "the status");
      if (way === "Append") same(error.message, "3 INVALID_ARGUMENT: Maximum Append Size of 1048576 Exceeded.", "the text");
    }
    await g.refused("StreamNotFoundError", g.read(stream));
    await g.append(stream, large((1 << 20) - 2), "no_stream", options(g));
  };

  cases[`case 21: ids come back, by ${way}`] = async (g) => {
    const stream = g.stream();
    const list = g.events(5);
    await g.append(stream, list, "any", options(g));
    const want = list.map((e) => e.id);
    same((await g.read(stream)).map((e) => e.event.id), want, "read");
    const w = g.toStream(stream);
    same((await w.has(5)).map((e) => e.event.id), want, "subscribed to");
  };

  cases[`case 73: names beyond ASCII, by ${way}`] = async (g) => {
    const stream = g.stream("größe/日本語-🦉");
    const e = g.event({ "ключ": "значение 🦉" }, "événement.créé");
    await g.append(stream, e, "no_stream", options(g));
    const [got] = await g.read(stream);
    same([got.event.streamId, got.event.type, got.event.data], [stream, e.type, e.data], "the event");
    const error = await g.refused("WrongExpectedVersionError", g.append(stream, e, 7n, options(g)));
    g.wrong(error, stream, 7n, 0n);
  };
}

cases["case 15: 1000 appends in flight are all answered"] = async (g) => {
  await g.append(g.stream(), g.event()); // A client's first call waits for the connection.
  const streams = Array.from({ length: 10 }, () => g.stream());
  const answers = await Promise.all(Array.from({ length: 1000 }, (_, i) => g.append(streams[i % 10], g.event({ i }))));
  must(answers.every((a) => a.success), "not every one succeeded");
  same(new Set(answers.map((a) => a.position.commit)).size, 1000, "positions");
  for (const [s, stream] of streams.entries()) {
    const numbers = (await g.read(stream)).map((e) => e.event.data.i);
    same(numbers, Array.from({ length: 100 }, (_, i) => 10 * i + s), `the order in ${stream}`);
  }
};

cases["case 15: appends that fail among others in flight"] = async (g) => {
  await g.append(g.stream(), g.event());
  const stream = g.stream();
  const answers = await Promise.allSettled(
    Array.from({ length: 200 }, (_, i) => g.append(stream, g.event({ i }), i % 2 ? "stream_exists" : "no_stream")),
  );
  same(answers[0].value.nextExpectedRevision, 0n, "the first");
  const succeeded = answers.filter((a) => a.status === "fulfilled").length;
  same(succeeded, 101, "those that succeeded");
  for (const a of answers) {
    if (a.status === "rejected") must(a.reason instanceof g.api.WrongExpectedVersionError, a.reason.stack);
  }
};

cases["case 17: a batch in many chunks is one append"] = async (g) => {
  const stream = g.stream();
  const list = g.events(200);
  const [done] = await Promise.all([
    g.append(stream, list, "no_stream", { batchAppendSize: 500 }),
    g.append(g.stream(), g.events(200), "no_stream", { batchAppendSize: 700 }),
  ]);
  same(done.nextExpectedRevision, 199n, "the revision");
  same((await g.read(stream)).map((e) => e.event.id), list.map((e) => e.id), "ids");
};

run(cases);
