// Cases of a server with encryption and users: 69 and 70.
"use strict";
const { scene, must, same, run } = require("./given.cjs");

const cases = {};
const query = `tls=true&tlsCAFile=${scene.ca}`;

// as connects with a user's password, or without any.
async function as(g, login, check) {
  const client = g.connect({ query, login });
  try {
    await check(client);
  } finally {
    await client.dispose();
  }
}

const admin = `admin:${scene.password}@`;
const ops = { username: "ops", password: scene.password };

for (const login of [admin, `ops:${scene.password}@`]) {
  cases[`case 70: the right password of ${login.split(":")[0]}`] = async (g) => as(g, login, async (client) => {
    const stream = g.stream();
    await g.append(stream, g.events(2), "no_stream", { client });
    same((await g.read(stream, {}, client)).length, 2, "events");
    const w = g.watch(client.subscribeToStream(stream));
    await w.has(2);
    await w.stop();
    await client.deleteStream(stream);
  });
}

cases["case 70: a password for one call"] = async (g) => as(g, "", async (client) => {
  const stream = g.stream();
  await g.append(stream, g.event(), "no_stream", { client, credentials: ops });
  same((await g.read(stream, { credentials: ops }, client)).length, 1, "events");
});

for (const [what, login] of [["a wrong password", "admin:wrong@"], ["an unknown user", "nobody:changeit@"], ["no password", ""]]) {
  cases[`case 70: ${what} is refused`] = async (g) => as(g, login, async (client) => {
    const stream = g.stream();
    await g.refused("AccessDeniedError", g.append(stream, g.event(), "any", { client }));
    const error = await g.refused("AccessDeniedError", client.tombstoneStream(stream));
    same(error.message, login ? "16 UNAUTHENTICATED: Unauthenticated" : "7 PERMISSION_DENIED: Access Denied", "the text");
    const w = g.watch(client.subscribeToStream(stream));
    must(await w.fails() instanceof g.api.AccessDeniedError, w.of("error")[0].stack);
    await g.refused("AccessDeniedError", g.read(stream, {}, client));
  });
}

cases["case 70: what a user has no right to"] = async (g) => {
  const stream = g.stream();
  await as(g, admin, async (client) => {
    await g.append(stream, g.event(), "no_stream", { client });
    await client.setStreamMetadata(stream, { acl: { readRoles: ["$admins"], writeRoles: ["$admins"], deleteRoles: ["$admins"] } });
  });
  await as(g, `ops:${scene.password}@`, async (client) => {
    await g.refused("AccessDeniedError", g.append(stream, g.event(), "any", { client }));
    await g.refused("AccessDeniedError", g.append(stream, g.event(), "any", { client, credentials: ops }));
    await g.refused("AccessDeniedError", g.read(stream, {}, client));
    await g.refused("AccessDeniedError", client.deleteStream(stream));
    const w = g.watch(client.subscribeToStream(stream));
    must(await w.fails() instanceof g.api.AccessDeniedError, w.of("error")[0].stack);
  });
};

cases["case 69: the cluster's member over TLS"] = async (g) => {
  const client = g.connect({ query, login: admin, discover: true });
  const stream = g.stream();
  await g.append(stream, g.event(), "no_stream", { client });
  same((await g.read(stream, {}, client)).length, 1, "events");
  await client.dispose();
};

run(cases);
