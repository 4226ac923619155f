// Cases of persistent subscriptions: 50 and 52 to 67.
"use strict";
const { must, same, inTime, run } = require("./given.cjs");

const cases = {};
const after = {};

// Group is a group of a stream, or of the whole log when it has none.
class Group {
  constructor(g, stream, name = "group/one") {
    Object.assign(this, { g, stream, name, to: stream ? "ToStream" : "ToAll" });
    this.at = stream ? [stream, name] : [name];
  }

  settings(changes) {
    return this.g.api[`persistentSubscription${this.to}SettingsFromDefaults`](changes);
  }

  create(changes = { startFrom: "start" }, ...more) {
    return this.call("createPersistentSubscription", this.settings(changes), ...more);
  }

  update(changes) {
    return this.call("updatePersistentSubscription", this.settings(changes));
  }

  delete() {
    return this.call("deletePersistentSubscription");
  }

  replay(options = {}) {
    return this.call("replayParkedMessages", options);
  }

  info() {
    return this.g.client[`getPersistentSubscription${this.to}Info`](...this.at);
  }

  call(name, ...more) {
    return this.g.client[name + this.to](...this.at, ...more);
  }

  consume(options = {}, client = this.g.client) {
    return this.g.watch(client[`subscribeToPersistentSubscription${this.to}`](...this.at, options));
  }

  // comes waits until the server says what it should.
  comes(what, right) {
    return inTime(what, async () => right(await this.info()));
  }

  // missing checks the error about a group that is not there.
  async missing(promise) {
    const error = await this.g.refused("PersistentSubscriptionDoesNotExistError", promise);
    const stream = this.stream ?? "$all";
    same([error.streamName, error.groupName], [stream, this.name], "the error");
    same(error.message, `5 NOT_FOUND: Subscription group ${this.name} on stream ${stream} does not exist.`, "the text");
  }
}

// grouped makes a stream of n events and a group on it.
async function grouped(g, n, changes) {
  const stream = g.stream();
  if (n > 0) await g.append(stream, g.events(n));
  const group = new Group(g, stream);
  await group.create(changes);
  return group;
}

const tries = (w) => w.events.map((e) => [Number((e.link ?? e.event).revision), e.retryCount]);

cases["case 52: a group is made once"] = async (g) => {
  const group = await grouped(g, 3);
  const error = await g.refused("PersistentSubscriptionExistsError", group.create());
  same([error.streamName, error.groupName], [group.stream, group.name], "the error");
  same(error.message, `6 ALREADY_EXISTS: Subscription group ${group.name} on stream ${group.stream} exists.`, "the text");
  const w = group.consume();
  await w.has(3);
  same(w.kinds[0], "confirmation", "the first frame");
  same(w.subscription.id, `${group.stream}::${group.name}`, "its id");
  same(tries(w), [[0, 0], [1, 0], [2, 0]], "events");
};

cases["case 53: from a revision"] = async (g) => {
  const group = await grouped(g, 10, { startFrom: 4n });
  const w = group.consume();
  await w.has(6);
  same(w.revisions, [4, 5, 6, 7, 8, 9], "revisions");
};

cases["case 54: from the end"] = async (g) => {
  const group = await grouped(g, 4, { startFrom: "end" });
  await g.append(group.stream, g.event());
  const w = group.consume();
  await w.has(1);
  same(w.revisions, [4], "revisions");
};

cases["case 54: on a stream that is not there yet"] = async (g) => {
  const group = await grouped(g, 0, { startFrom: "end" });
  const w = group.consume();
  await w.confirmed();
  await g.append(group.stream, g.events(2));
  await w.has(2);
  same(w.revisions, [0, 1], "revisions");
};

cases["case 55: no more than the buffer at once"] = async (g) => {
  const group = await grouped(g, 5);
  const w = group.consume({ bufferSize: 2 });
  const [first, second] = await w.has(2);
  await group.comes("a full buffer", (i) => i.connections[0]?.availableSlots === 0 && i.connections[0].inFlightMessages === 2);
  same(w.revisions, [0, 1], "before an answer");
  await w.subscription.ack(first);
  await w.has(3);
  await w.subscription.nack("park", "too heavy", second);
  await w.has(4);
  same(w.revisions, [0, 1, 2, 3], "revisions");
};

cases["case 56: an event is retried, then parked"] = async (g) => {
  const group = await grouped(g, 2, { startFrom: "start", maxRetryCount: 2 });
  const w = group.consume({ bufferSize: 1 });
  for (let i = 0; i < 3; i++) await w.subscription.nack("retry", "not now", (await w.has(i + 1))[i]);
  await w.has(4);
  same(tries(w), [[0, 0], [0, 1], [0, 2], [1, 0]], "events");
  await group.comes("one parked event", (i) => i.stats.parkedMessageCount === 1n);
};

cases["case 56: an event is skipped"] = async (g) => {
  const group = await grouped(g, 2);
  const w = group.consume({ bufferSize: 1 });
  await w.subscription.nack("skip", "never", (await w.has(1))[0]);
  await w.has(2);
  same(tries(w), [[0, 0], [1, 0]], "events");
  same((await group.info()).stats.parkedMessageCount, 0n, "parked events");
};

cases["case 57: an event without answer comes again"] = async (g) => {
  const group = await grouped(g, 1, { startFrom: "start", messageTimeout: 500 });
  const w = group.consume();
  await w.has(2);
  same(tries(w).slice(0, 2), [[0, 0], [0, 1]], "events");
};

cases["case 58: parked events are replayed"] = async (g) => {
  const group = await grouped(g, 3);
  const w = group.consume();
  const list = await w.has(3);
  await w.subscription.nack("park", "later", list[0], list[2]);
  await w.subscription.ack(list[1]);
  await group.comes("two parked events", (i) => i.stats.parkedMessageCount === 2n);
  await group.replay();
  const again = (await w.has(5)).slice(3);
  same(again.map((e) => [e.event.streamId, e.event.revision, e.retryCount]), [[group.stream, 0n, 0], [group.stream, 2n, 0]], "replayed");
  await w.subscription.ack(...again);
  await group.comes("nothing left", (i) => i.stats.parkedMessageCount === 0n && i.stats.totalInFlightMessages === 0);
};

cases["case 59: a replay stops where told"] = async (g) => {
  const group = await grouped(g, 20);
  const w = group.consume({ bufferSize: 20 });
  await w.subscription.nack("park", "later", ...(await w.has(20)));
  await group.comes("twenty parked events", (i) => i.stats.parkedMessageCount === 20n);
  await group.replay({ stopAt: 4 });
  const again = (await w.has(24)).slice(20);
  await w.subscription.ack(...again);
  await group.comes("sixteen parked events", (i) => i.stats.parkedMessageCount === 16n);
  same(w.events.length, 24, "events");
  same(again.map((e) => e.event.revision), [0n, 1n, 2n, 3n], "replayed");
};

cases["case 60: what a consumer leaves goes to another"] = async (g) => {
  const group = await grouped(g, 3);
  const first = group.consume();
  await first.subscription.ack((await first.has(3))[0]);
  await group.comes("one acknowledged", (i) => i.stats.totalInFlightMessages === 2);
  await first.stop();
  const second = group.consume();
  await second.has(2);
  same(tries(second), [[1, 1], [2, 1]], "events");
  await group.comes("one connection", (i) => i.connections.length === 1);
};

cases["case 61: no more consumers than allowed"] = async (g) => {
  const group = await grouped(g, 1, { startFrom: "start", maxSubscriberCount: 1 });
  await group.consume().confirmed();
  const error = await group.consume().fails();
  must(error instanceof g.api.PersistentSubscriptionMaximumSubscribersReachedError, error.stack);
  same([error.streamName, error.groupName], [group.stream, group.name], "the error");
  same(error.message, `9 FAILED_PRECONDITION: Maximum subscriptions reached for subscription group ${group.name} on stream ${group.stream}.`, "the text");
};

cases["case 62: a group is deleted"] = async (g) => {
  const group = await grouped(g, 1);
  const w = group.consume();
  await w.has(1);
  await group.delete();
  const error = await w.fails();
  must(error instanceof g.api.PersistentSubscriptionDoesNotExistError || error instanceof g.api.PersistentSubscriptionDroppedError, error.stack);
  await group.missing(group.delete());
  await group.missing(group.info());
  await group.missing(group.update({}));
  await group.missing(group.replay());
  await group.missing(group.consume().fails().then((e) => { throw e; }));
  await group.create();
  const fresh = group.consume();
  await fresh.has(1);
  same(tries(fresh), [[0, 0]], "events of a new group");
};

cases["case 62: an update drops consumers and keeps its place"] = async (g) => {
  const group = await grouped(g, 3, { startFrom: "start", checkPointUpperBound: 1, checkPointLowerBound: 1 });
  const w = group.consume();
  await w.subscription.ack((await w.has(3))[0]);
  await group.comes("a checkpoint", (i) => i.stats.lastCheckpointedEventRevision === 0n);
  await group.update({ startFrom: "start", maxRetryCount: 3 });
  const error = await w.fails();
  must(error instanceof g.api.PersistentSubscriptionDroppedError, error.stack);
  same([error.streamName, error.groupName], [group.stream, group.name], "the error");
  same((await group.info()).settings.maxRetryCount, 3, "the new setting");
  const next = group.consume();
  await next.has(2);
  same(next.revisions, [1, 2], "revisions");
};

after["case 63: the groups begin again after their checkpoints"] = async (g) => {
  const group = await grouped(g, 5, { startFrom: "start", checkPointUpperBound: 1, checkPointLowerBound: 1 });
  const w = group.consume();
  await w.subscription.ack(...(await w.has(5)).slice(0, 3));
  await group.comes("a checkpoint", (i) => i.stats.lastCheckpointedEventRevision === 2n);
  await g.client.restartPersistentSubscriptionSubsystem();
  await w.fails();
  const next = await inTime("a consumer", async () => {
    const c = group.consume();
    return c.confirmed().then(() => c, () => null);
  });
  await next.has(2);
  same(next.revisions, [3, 4], "revisions");
};

cases["case 64: a group on the whole log, filtered"] = async (g) => {
  const type = `rare-${g.label}`;
  const stream = g.stream();
  const group = new Group(g, undefined, `${stream}/all`);
  for (let i = 0; i < 3; i++) await g.append(stream, [g.event({ i }, `${type}.${i}`), ...g.events(5)]);
  await group.create({ startFrom: "start" }, { filter: g.api.eventTypeFilter({ prefixes: [type] }) });
  const w = group.consume();
  const list = await w.has(3);
  same(list.map((e) => e.event.type), [0, 1, 2].map((i) => `${type}.${i}`), "types");
  await w.subscription.ack(...list);
  await group.comes("all acknowledged", (i) => i.stats.totalInFlightMessages === 0 && i.stats.totalItems >= 3n);
  await g.append(stream, g.event({}, `${type}.live`));
  same((await w.has(4))[3].event.type, `${type}.live`, "live");
  await group.delete();
  await group.missing(group.delete());
};

cases["case 64: a group on the whole log from a position"] = async (g) => {
  const stream = g.stream();
  const done = await g.append(stream, g.event());
  await g.append(stream, g.events(2));
  const group = new Group(g, undefined, `${stream}/from`);
  await group.create({ startFrom: done.position });
  const w = group.consume({ bufferSize: 100 });
  const [first] = await w.has(1);
  same([first.event.streamId, first.event.revision], [stream, 0n], "the first event");
  same((await group.info()).settings.startFrom, done.position, "the setting");
  await group.delete();
  const error = await g.refused("PersistentSubscriptionFailedError", group.create({ startFrom: { commit: 1n << 62n, prepare: 1n << 62n } }));
  must(error.reason.startsWith("Invalid Start From position"), `the reason: ${error.reason}`);
};

const odd = {
  resolveLinkTos: true, extraStatistics: true, messageTimeout: 20_000, maxRetryCount: 5, checkPointAfter: 1000,
  checkPointLowerBound: 1, checkPointUpperBound: 5, maxSubscriberCount: 3, liveBufferSize: 100, readBatchSize: 10,
  historyBufferSize: 50, consumerStrategyName: "Pinned",
};

cases["case 65: the settings are answered as they were given"] = async (g) => {
  await g.append(g.stream(), g.event());
  for (const stream of [g.stream(), undefined]) {
    const from = stream ? [3n] : [{ commit: 1n, prepare: 1n }];
    let n = 0;
    for (const startFrom of ["start", "end", ...from]) {
      for (const changes of [{}, odd]) {
        const group = new Group(g, stream, `${g.label}-${++n}`);
        await group.create({ startFrom, ...changes });
        const info = await group.info();
        same(info.settings, group.settings({ startFrom, ...changes }), "the settings");
        same([info.eventSource, info.groupName, info.connections], [stream ?? "$all", group.name, []], "the rest");
        await group.update({ startFrom: "start", ...odd });
        same((await group.info()).settings, group.settings({ startFrom: "start", ...odd }), "updated settings");
        await group.delete();
      }
    }
  }
};

cases["case 65: connections and counts"] = async (g) => {
  const group = await grouped(g, 3);
  const w = group.consume({ bufferSize: 7 });
  const list = await w.has(3);
  await w.subscription.ack(list[0]);
  await group.comes("an acknowledged event", (i) => i.connections[0]?.inFlightMessages === 2);
  const { connections: [c], status, stats } = await group.info();
  same([c.connectionName, c.username, c.availableSlots, c.totalItems], [g.client.connectionName, "anonymous", 5, 3n], "the connection");
  must(c.from.includes("127.0.0.1"), `from ${c.from}`);
  must(status.includes("Live"), `status ${status}`);
  same([stats.totalItems, stats.totalInFlightMessages, stats.lastKnownEventRevision], [3n, 2, 2n], "counts");
};

cases["case 66: groups are listed"] = async (g) => {
  const group = await grouped(g, 0);
  const second = new Group(g, group.stream, "second");
  await second.create();
  const of = await g.client.listPersistentSubscriptionsToStream(group.stream);
  same(of.map((i) => i.groupName).sort(), [group.name, "second"].sort(), "of the stream");
  const all = await g.client.listAllPersistentSubscriptions();
  same(all.filter((i) => i.eventSource === group.stream).length, 2, "of everything");
  const none = g.stream();
  const error = await g.refused("PersistentSubscriptionDoesNotExistError", g.client.listPersistentSubscriptionsToStream(none));
  same(error.message, `5 NOT_FOUND: Subscription group  on stream ${none} does not exist.`, "the text");
};

// shared has two consumers take a stream's events and acknowledge none.
async function shared(g, strategy, bufferSize, events) {
  const group = await grouped(g, 0, { startFrom: "start", consumerStrategyName: strategy });
  same((await group.info()).settings.consumerStrategyName, strategy, "the strategy");
  const both = [group.consume({ bufferSize }), group.consume({ bufferSize })];
  for (const w of both) await w.confirmed();
  await group.comes("both consumers", (i) => i.connections.length === 2);
  await g.append(group.stream, events);
  await inTime("every event", async () => both[0].events.length + both[1].events.length === events.length);
  return both.map((w) => w.events.length).sort((a, b) => a - b);
}

cases["case 67: round robin"] = async (g) => same(await shared(g, "RoundRobin", 10, g.events(10)), [5, 5], "events");
cases["case 67: one consumer until it is full"] = async (g) => same(await shared(g, "DispatchToSingle", 6, g.events(8)), [2, 6], "events");
cases["case 67: one consumer for a stream"] = async (g) => same(await shared(g, "Pinned", 10, g.events(8)), [0, 8], "events");
cases["case 67: one consumer for a correlation"] = async (g) => {
  if (g.label === "db-client") return; // It does not know this strategy.
  const events = Array.from({ length: 8 }, () => g.api.jsonEvent({ type: "t", data: {}, metadata: { $correlationId: "one" } }));
  same(await shared(g, "PinnedByCorrelation", 10, events), [0, 8], "events");
};

cases["case 50: links are acknowledged by their own id"] = async (g) => {
  const [target, links] = [g.stream(), g.stream("links")];
  await g.append(target, g.events(3));
  await g.append(links, [2, 0].map((n) => g.api.binaryEvent({ type: "$>", data: Buffer.from(`${n}@${target}`) })));
  const group = new Group(g, links);
  await group.create({ startFrom: "start", resolveLinkTos: true });
  const w = group.consume();
  const list = await w.has(2);
  same(list.map((e) => [e.event.streamId, e.event.revision, e.link.revision]), [[target, 2n, 0n], [target, 0n, 1n]], "events");
  await w.subscription.nack("park", "later", list[0]);
  await w.subscription.ack(list[1]);
  await group.comes("one parked, none open", (i) => i.stats.parkedMessageCount === 1n && i.stats.totalInFlightMessages === 0);
  await group.replay();
  const again = (await w.has(3))[2];
  same([again.event.streamId, again.event.revision], [target, 2n], "replayed");
};

run(cases, { together: true, after });
