// The pages work without this module, passkeys excepted. It closes menus,
// prints, asks for passkeys, and brings a page up to date when the server says
// that what it shows has changed.

const menus = document.querySelectorAll("details.drop");
document.addEventListener("click", (event) => {
  for (const menu of menus) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus) {
    if (!menu.open) continue;
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A form that was refused begins where it has to be mended.
document.querySelector(".field:has(> .error) :is(input, select, textarea)")?.focus();

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// The secret of a mailed link stands behind # in the address: it is taken from
// there into its form, and a form that asks nothing else is sent.
const secret = document.querySelector("[data-secret]");
function takeSecret() {
  const value = decodeURIComponent(location.hash.slice(1));
  if (!secret || !value) return;
  for (const link of document.querySelectorAll(".lang a")) link.hash = location.hash;
  secret.value = value;
  secret.closest(".field").hidden = true;
  history.replaceState(null, "", location.pathname + location.search);
  if ("submit" in secret.form.dataset) secret.form.requestSubmit();
}
// A form that holds it already takes it along into the other language.
const held = document.querySelector("input[type=hidden][name=token]");
if (held) for (const link of document.querySelectorAll(".lang a")) link.hash = held.value;
takeSecret();
addEventListener("hashchange", takeSecret);

// On the way to a form that needs a log-in first, the secret comes along: never
// in a request, always behind #.
if (!secret && location.hash) {
  for (const link of document.querySelectorAll("a[data-carry]")) link.hash = location.hash;
  for (const form of document.querySelectorAll("form[data-carry]")) form.action = new URL(location.hash, form.action).href;
}

// told is a text that is shown once: of a list, each item on its line.
function told(selector) {
  const element = document.querySelector(selector);
  const items = [...element.querySelectorAll("li")].map((li) => li.textContent.trim());
  return items.length ? `${items.join("\n")}\n` : element.textContent;
}

// Copies what is shown once, where the browser lets pages do that.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(told(button.dataset.copy));
    button.querySelector("span").textContent = button.dataset.copied;
  });
}

// Keeps it as a file.
for (const button of document.querySelectorAll("[data-download]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([told(button.dataset.download)], { type: "text/plain" }));
    link.download = button.dataset.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  });
}

// A passkey signs in the browser, or is made there; the form takes the answer
// along. Where browsers know no passkeys, their buttons stay out of sight.
async function passkey(form, kind, options) {
  const problem = form.querySelector("[data-passkey-problem]");
  problem.hidden = true;
  let words = problem.dataset.failed;
  try {
    const challenge = form.querySelector("[data-passkey-for]")?.value;
    const request = { method: "POST" };
    if (challenge) Object.assign(request, { headers: { "Content-Type": "application/json" }, body: JSON.stringify({ challenge }) });
    const answer = await fetch(options, request);
    if (answer.status === 403) { // it took too long: the page asks who it is, first
      location.assign(form.action);
      return;
    }
    if (answer.status === 429) words = problem.dataset.limited;
    if (!answer.ok) throw new Error(`options answered ${answer.status}`);
    const asked = await answer.json();
    const signed = kind === "make"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(asked.options) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(asked.options) });
    form.querySelector("[data-passkey-challenge]").value = asked.challenge;
    form.querySelector("[data-passkey-answer]").value = JSON.stringify(signed.toJSON());
    form.submit(); // what else it asks for is not needed
  } catch (error) {
    if (error.name === "NotAllowedError") words = problem.dataset.refused;
    if (error.name === "InvalidStateError") words = problem.dataset.known;
    problem.textContent = words;
    problem.hidden = false;
  }
}
for (const element of document.querySelectorAll("[data-passkey]")) {
  if (!globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON) break;
  const { passkey: kind, options } = element.dataset;
  if (kind === "make") {
    element.querySelector("[data-passkey-submit]").disabled = false;
    element.addEventListener("submit", (event) => {
      event.preventDefault();
      passkey(element, kind, options);
    });
  } else {
    element.hidden = false;
    element.addEventListener("click", () => passkey(element.form, kind, options));
  }
}

// A message such as "saved" is not said again when the page is reloaded.
const here = new URL(location.href);
if (here.searchParams.has("done")) {
  here.searchParams.delete("done");
  history.replaceState(null, "", here);
}

// Times of day are written for the reader's own zone; without this module they
// are in the server's.
function localise(root) {
  const french = document.documentElement.lang === "fr";
  const day = new Intl.DateTimeFormat(french ? "fr-FR" : "en-GB", {
    day: french ? "2-digit" : "numeric", month: french ? "2-digit" : "short", year: "numeric",
  });
  const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  for (const element of root.querySelectorAll("time.stamp")) {
    const at = new Date(element.dateTime);
    if (!Number.isNaN(at.getTime())) element.textContent = `${day.format(at)} (${hour.format(at)})`;
  }
}
localise(document);

// What a page shows of somebody is gone with the session, in every tab: when it
// is looked at again, when a page that is nobody's has been opened beside it, and
// when the session was not used for as long as it lasts.
const session = document.querySelector('meta[name="session"]');
if (session) guard(Number(session.content) * 1000);
else new BroadcastChannel("session").postMessage("look");

function guard(idle) {
  let timer = 0;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(look, idle + 90000); // the last use is known to the minute
  };
  async function look() {
    wait();
    const answer = await fetch("/v1/me", { method: "HEAD", cache: "no-store" }).catch(() => null);
    if (answer?.status !== 401) return;
    document.body.replaceChildren();
    location.replace(location.pathname + location.search);
  }
  new BroadcastChannel("session").addEventListener("message", look);
  document.addEventListener("visibilitychange", () => document.hidden || look());
  addEventListener("pageshow", (event) => event.persisted && look());
  wait();
}

// morph turns one element into another with as few changes as it can, so that
// focus, selection and scroll stay where they are.
function morph(from, to) {
  if (from.isEqualNode(to)) return;
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName) {
    from.replaceWith(to);
    return;
  }
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);

  const named = new Map();
  for (const child of from.children) if (child.id) named.set(child.id, child);
  let at = from.firstChild;
  for (const child of [...to.childNodes]) {
    const twin = child.id && named.get(child.id);
    if (twin) {
      if (twin !== at) from.insertBefore(twin, at);
      else at = at.nextSibling;
      morph(twin, child);
    } else if (child.id || !at || at.id) {
      from.insertBefore(child, at);
      if (child.id) child.classList.add("fresh");
    } else {
      const next = at.nextSibling;
      morph(at, child);
      at = next;
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

const live = document.querySelector('meta[name="live"]');
if (live) follow(live.content, live.dataset.version);

// follow keeps a stream of versions open while the page is looked at, and
// fetches the page again when the version is not the one it shows.
function follow(url, shown) {
  let source = null;
  let timer = 0;
  let wait = 1000;
  let busy = false;
  let wanted = shown;

  async function refresh() {
    if (busy || wanted === shown) return;
    busy = true;
    const version = wanted;
    let done = false;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      localise(page);
      for (const part of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(part.id);
        if (fresh) morph(part, document.adoptNode(fresh));
      }
      shown = version;
      done = true;
    } catch {
      // The server is away: the stream ends too, and says the version again
      // when it is back.
    }
    busy = false;
    if (done) refresh();
  }

  function open() {
    clearTimeout(timer);
    if (source || document.hidden) return;
    source = new EventSource(url);
    source.addEventListener("version", (event) => {
      wait = 1000;
      wanted = event.data;
      refresh();
    });
    source.addEventListener("error", () => {
      if (!source || source.readyState !== EventSource.CLOSED) return;
      close();
      timer = setTimeout(open, wait);
      wait = Math.min(wait * 2, 60000);
    });
  }

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
  open();
}
