// Cases of the server itself: 69, 71, 75, 76 and 78, and what it denies.
"use strict";
const http = require("node:http");
const { scene, must, same, inTime, ask, run } = require("./given.cjs");

const cases = {};

for (const [what, options] of Object.entries({
  "one that is asked for the cluster": { discover: true },
  "one of several": { hosts: `${scene.address},127.0.0.1:1` },
})) {
  cases[`case 69: a host that is ${what}`] = async (g) => {
    const client = g.connect(options);
    const stream = g.stream();
    await g.append(stream, g.events(2), "no_stream", { client });
    same((await g.read(stream, {}, client)).length, 2, "events");
    await client.dispose();
  };
}

cases["case 70: any password without encryption"] = async (g) => {
  const client = g.connect({ login: "nobody:wrong@" });
  const stream = g.stream();
  await g.append(stream, g.event(), "no_stream", { client });
  same((await g.read(stream, {}, client)).length, 1, "events");
  await client.dispose();
};

cases["case 71: an idle subscription is not cut off"] = async (g) => {
  if (!scene.soak) return; // Pings are ten seconds apart, so this takes a while.
  const stream = g.stream();
  const w = g.toStream(stream);
  await w.caughtUp();
  await new Promise((resolve) => setTimeout(resolve, 150_000));
  await g.append(stream, g.event());
  await w.has(1);
};

cases["case 75: after a restart the next calls succeed"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.event());
  const w = g.toStream(stream);
  const all = g.toAll({ fromPosition: "end" });
  await w.caughtUp();
  await all.caughtUp();
  await g.read(stream);
  await ask("restart");
  for (const watch of [w, all]) {
    const error = await watch.fails();
    must(error instanceof g.api.UnavailableError, error.stack);
  }
  same((await g.append(stream, g.event(), 0n)).nextExpectedRevision, 1n, "the revision");
  same((await g.append(stream, g.event(), 1n, g.alone)).nextExpectedRevision, 2n, "the revision");
  same((await g.read(stream)).length, 3, "events");
  const next = g.toStream(stream, { fromRevision: 0n });
  await next.has(2);
  same(next.revisions, [1, 2], "revisions");
};

cases["case 75 and 63: a group goes on after a restart"] = async (g) => {
  const stream = g.stream();
  await g.append(stream, g.events(3));
  await g.client.createPersistentSubscriptionToStream(stream, "group", g.api.persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: "start" }));
  const w = g.watch(g.client.subscribeToPersistentSubscriptionToStream(stream, "group"));
  await w.subscription.ack((await w.has(3))[0]);
  await inTime("an acknowledged event", async () =>
    (await g.client.getPersistentSubscriptionToStreamInfo(stream, "group")).stats.totalInFlightMessages === 2);
  await ask("restart");
  await w.fails();
  const next = g.watch(g.client.subscribeToPersistentSubscriptionToStream(stream, "group"));
  await next.has(2);
  same(next.revisions, [1, 2], "revisions");
};

cases["case 76: what there is not"] = async (g) => {
  const error = await g.refused("UnknownError", g.client.getProjectionState("none"));
  same(error.code, 12, "the status");
  if (g.label === "kurrentdb-client") {
    await g.refused("UnsupportedError", g.client.multiStreamAppend([{ streamName: g.stream(), expectedState: "any", events: [g.event()] }]));
  }
};

cases["case 78: plain HTTP on the same port"] = async () => {
  const get = (path) => new Promise((resolve, reject) => {
    http.get(`http://${scene.address}${path}`, (answer) => {
      let body = "";
      answer.on("data", (chunk) => { body += chunk; }).on("end", () => resolve([answer.statusCode, body]));
    }).on("error", reject);
  });
  same(await get("/health/live"), [204, ""], "health");
  const [status, body] = await get("/ping");
  const ping = JSON.parse(body);
  same([status, typeof ping.msgTypeId, ping.text], [200, "number", "Ping request successfully handled"], "ping");
};

for (const way of ["BatchAppend", "Append"]) {
  cases[`a stream that outsiders may not write to, by ${way}`] = async (g) => {
    const options = way === "Append" ? g.alone : {};
    const stream = g.stream("denied");
    const error = await g.refused("AccessDeniedError", g.append(stream, g.event(), "any", options));
    same([error.type, error.code], ["access-denied", way === "Append" ? 7 : undefined], "the error");
    await g.refused("AccessDeniedError", g.append("$all", g.event(), "any", options));
    await g.append(g.stream(), g.event(), "no_stream", options);
  };
}

run(cases);
