// What the cases share: both clients behind one set of names, and a watcher of
// subscriptions. Nothing of the clients is changed.
"use strict";
const { isDeepStrictEqual, inspect } = require("node:util");

// scene is what the Go test says: the server's address and what else there is.
const scene = JSON.parse(process.env.HOSTFOLD_SCENE);

// patience is how long a case waits for what must come, in milliseconds.
const patience = 15_000;

const clients = {
  "db-client": {
    module: "@eventstore/db-client", name: "EventStoreDBClient", scheme: "esdb",
    state: "expectedRevision", expected: "expectedVersion", actual: "actualVersion",
  },
  "kurrentdb-client": {
    module: "@kurrent/kurrentdb-client", name: "KurrentDBClient", scheme: "kurrentdb",
    state: "streamState", expected: "expectedState", actual: "actualState",
  },
};

function must(ok, what) {
  if (!ok) throw new Error(what);
}

// same compares, deeply.
function same(got, want, what) {
  if (!isDeepStrictEqual(got, want)) {
    throw new Error(`${what}: got ${inspect(got, { depth: 6 })}, want ${inspect(want, { depth: 6 })}`);
  }
}

// within bounds a promise.
function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing after ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// inTime asks until it is answered with something true, which it answers.
async function inTime(what, question) {
  const end = Date.now() + patience;
  for (;;) {
    const answer = await question();
    if (answer) return answer;
    must(Date.now() < end, `${what}: not within ${patience} ms`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

// Given is one client in one case.
class Given {
  constructor(label, client) {
    this.label = label;
    this.pack = clients[label];
    this.api = require(this.pack.module);
    this.client = client ?? this.connect();
    this.watches = [];
  }

  // connect makes a further client.
  connect({ query = "tls=false", hosts = scene.address, login = "", discover = false } = {}) {
    const scheme = this.pack.scheme + (discover ? "+discover" : "");
    return this.api[this.pack.name].connectionString(`${scheme}://${login}${hosts}?${query}`);
  }

  // stream is a name that no other case uses.
  stream(category = "thing") {
    return `${category}-${this.label}-${++Given.names}`;
  }

  event(data = {}, type = "thing.happened.v1") {
    return this.api.jsonEvent({ type, data, metadata: { m: true } });
  }

  // events are n events, numbered from 0.
  events(n, type) {
    return Array.from({ length: n }, (_, i) => this.event({ n: i }, type));
  }

  append(stream, events, expected = "any", { client = this.client, ...more } = {}) {
    return client.appendToStream(stream, events, { [this.pack.state]: expected, ...more });
  }

  // alone makes an append go by Append instead of BatchAppend: the clients do
  // so for calls with credentials, which they do not send unencrypted.
  get alone() {
    return { credentials: { username: "admin", password: "changeit" } };
  }

  async read(stream, options = {}, client = this.client) {
    return this.drain(client.readStream(stream, options));
  }

  async readAll(options = {}, client = this.client) {
    return this.drain(client.readAll(options));
  }

  async drain(reading) {
    const list = [];
    await within(patience, "reading", (async () => {
      for await (const e of reading) list.push(e);
    })());
    return list;
  }

  // refused must fail with an error of a class, which it answers.
  async refused(name, promise) {
    let answer;
    try {
      answer = await within(patience, name, promise);
    } catch (error) {
      if (!(error instanceof this.api[name])) throw error;
      return error;
    }
    throw new Error(`want ${name}, got ${inspect(answer)}`);
  }

  // wrong checks both versions of an error.
  wrong(error, stream, expected, actual) {
    same([error.type, error.streamName], ["wrong-expected-version", stream], "the error");
    same([error[this.pack.expected], error[this.pack.actual]], [expected, actual], "expected and actual version");
  }

  watch(subscription) {
    const w = new Watch(subscription);
    this.watches.push(w);
    return w;
  }

  toStream(stream, options = {}) {
    return this.watch(this.client.subscribeToStream(stream, options));
  }

  toAll(options = {}) {
    return this.watch(this.client.subscribeToAll(options));
  }

  async end() {
    for (const w of this.watches.splice(0)) await w.stop();
  }
}
Given.names = 0;

// Watch notes everything that a subscription says, in order.
class Watch {
  constructor(subscription) {
    this.subscription = subscription;
    this.kinds = []; // of all frames, in order
    this.values = { event: [], error: [] };
    this.waiting = new Set();
    subscription.on("data", (e) => this.note("event", e));
    for (const kind of ["confirmation", "caughtUp", "fellBehind", "error", "end"]) {
      subscription.on(kind, (value) => this.note(kind, value));
    }
  }

  note(kind, value) {
    if (kind !== "end") this.kinds.push(kind);
    (this.values[kind] ??= []).push(value);
    for (const look of this.waiting) look();
  }

  of(kind) {
    return this.values[kind] ?? [];
  }

  get events() {
    return this.of("event");
  }

  get revisions() {
    return this.events.map((e) => Number((e.link ?? e.event).revision));
  }

  // when waits until something has come, or an error that ends it.
  async when(what, come) {
    let look;
    const came = new Promise((resolve) => {
      look = () => (come() || this.of("error").length > 0) && resolve();
      this.waiting.add(look);
      look();
    });
    try {
      await within(patience, what, came);
    } catch (late) {
      throw new Error(`${late.message}, only ${this.kinds.slice(0, 50)}`);
    } finally {
      this.waiting.delete(look);
    }
  }

  // until waits for what must come.
  async until(what, come) {
    await this.when(what, come);
    if (!come()) throw new Error(`${what}: the subscription ended: ${this.of("error")[0].stack}`);
  }

  // has waits for n events.
  async has(n) {
    await this.until(`${n} events`, () => this.events.length >= n);
    return this.events;
  }

  caughtUp() {
    return this.until("caught up", () => this.of("caughtUp").length > 0);
  }

  confirmed() {
    return this.until("confirmation", () => this.of("confirmation").length > 0);
  }

  // fails waits for the error that ends it.
  async fails() {
    await this.when("an error", () => false);
    return this.of("error")[0];
  }

  async stop() {
    await this.subscription.unsubscribe().catch(() => {});
  }
}

// ask has the Go test do something with the server.
async function ask(what) {
  say({ ask: what });
  await new Promise((resolve) => process.stdin.resume().once("data", resolve));
  process.stdin.pause();
}

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

// run runs cases, with one client and then the other: they cannot be used side
// by side, because both put their messages under the same global names. Cases
// that are together run at the same time. What disturbs others comes after them.
async function run(cases, { together = false, after = {} } = {}) {
  for (const label of Object.keys(clients)) {
    // One connection for all: some share among clients what waits for answers.
    const { client } = new Given(label);
    const of = (some) => Object.entries(some)
      .map(([name, check]) => ({ name: `${name}/${label}`, check, g: new Given(label, client) }))
      .filter(({ name }) => !scene.only || name.includes(scene.only));
    if (together) await Promise.all(of(cases).map(report));
    else for (const c of of(cases)) await report(c);
    for (const c of of(after)) await report(c);
    await within(patience, "ending", client.dispose()).catch(() => {});
  }
  process.exit(0);
}

// report runs a case and says how it ended.
async function report({ name, check, g }) {
  let error = "";
  const began = Date.now();
  try {
    await within(scene.soak ? 40 * patience : 2 * patience, "the whole case", check(g));
  } catch (e) {
    error = String(e?.stack || inspect(e));
  }
  await g.end();
  say({ name, error, ms: Date.now() - began });
}

module.exports = { scene, must, same, within, inTime, run, ask };
