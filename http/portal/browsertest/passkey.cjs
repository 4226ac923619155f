// Checks passkeys in a real browser, with an authenticator that it makes up. The
// pages of the portal are not needed: the checks call the API as its scripts do.
"use strict";
const { scene, launch, watched, must } = require("./browser.cjs");

// visit is a browser window with an authenticator that verifies its user.
async function visit(browser) {
  const context = await browser.newContext();
  const page = await watched(context);
  await page.goto(`${scene.url}/portal/login`);
  const cdp = await context.newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true,
      isUserVerified: true, automaticPresenceSimulation: true,
    },
  });
  return { context, page, cdp, authenticatorId };
}

// call sends a request from the page, with its cookies.
async function call(page, method, path, body, want) {
  const got = await page.evaluate(async ({ method, path, body }) => {
    const answer = await fetch(path, {
      method, headers: body ? { "Content-Type": "application/json" } : {}, body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    return { status: answer.status, body: text ? JSON.parse(text) : {} };
  }, { method, path, body });
  must(got.status === want, `${method} ${path} answered ${got.status}, not ${want}: ${JSON.stringify(got.body)}`);
  return got.body;
}

const make = (page, options) => page.evaluate(async (options) => {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return (await navigator.credentials.create({ publicKey })).toJSON();
}, options);

const use = (page, options) => page.evaluate(async (options) => {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return (await navigator.credentials.get({ publicKey })).toJSON();
}, options);

const logOut = (page) => call(page, "DELETE", "/v1/sessions/current", undefined, 204);
const password = { email: scene.email, password: scene.password };

const checks = {
  "a passkey is made, logs in alone and after the password, and is removed": async (browser) => {
    const { context, page, cdp, authenticatorId } = await visit(browser);
    await call(page, "POST", "/v1/sessions", password, 201);
    const add = await call(page, "POST", "/v1/me/passkeys/options", undefined, 200);
    const made = await call(page, "POST", "/v1/me/passkeys", { challenge: add.challenge, name: "Chromium", passkey: await make(page, add.options) }, 201);
    must(made.recovery_codes.length === 10, "no recovery codes");
    const { credentials } = await cdp.send("WebAuthn.getCredentials", { authenticatorId });
    must(credentials.length === 1 && credentials[0].isResidentCredential && credentials[0].rpId === "localhost", `the device has ${JSON.stringify(credentials)}`);
    const again = await call(page, "POST", "/v1/me/passkeys/options", undefined, 200);
    const refused = await make(page, again.options).then(() => "", (e) => String(e));
    must(refused.includes("InvalidStateError"), `the device made a second passkey: ${refused}`);

    await logOut(page);
    const alone = await call(page, "POST", "/v1/sessions/passkey-options", undefined, 200);
    const answer = { challenge: alone.challenge, passkey: await use(page, alone.options) };
    const session = await call(page, "POST", "/v1/sessions", answer, 201);
    must(session.user.email === scene.email, `logged in as ${session.user.email}`);
    await page.goto(`${scene.url}/portal/`);
    must(!page.url().includes("/login"), "the cookie does not open the portal");
    await logOut(page);
    await call(page, "POST", "/v1/sessions", answer, 401);

    const asked = await call(page, "POST", "/v1/sessions", password, 401);
    must(asked.code === "second_factor_required" && asked.factors.includes("passkey"), `asked for ${JSON.stringify(asked)}`);
    const second = await call(page, "POST", "/v1/sessions/passkey-options", { challenge: asked.challenge }, 200);
    await call(page, "POST", "/v1/sessions", { challenge: second.challenge, passkey: await use(page, second.options) }, 201);
    const listed = await call(page, "GET", "/v1/me/passkeys", undefined, 200);
    must(listed.items.length === 1 && listed.items[0].name === "Chromium" && listed.items[0].used_at, `listed as ${JSON.stringify(listed)}`);

    await call(page, "DELETE", `/v1/me/passkeys/${made.id}`, undefined, 403);
    const confirm = await call(page, "POST", "/v1/me/confirmations/passkey-options", undefined, 200);
    await call(page, "POST", "/v1/me/confirmations", { challenge: confirm.challenge, passkey: await use(page, confirm.options) }, 204);
    await call(page, "DELETE", `/v1/me/passkeys/${made.id}`, undefined, 204);
    await logOut(page);
    const gone = await call(page, "POST", "/v1/sessions/passkey-options", undefined, 200);
    await call(page, "POST", "/v1/sessions", { challenge: gone.challenge, passkey: await use(page, gone.options) }, 401);
    await call(page, "POST", "/v1/sessions", password, 201);
    await logOut(page);
    await context.close();
  },

  "a device that does not know its user makes no passkey": async (browser) => {
    const { context, page, cdp, authenticatorId } = await visit(browser);
    await call(page, "POST", "/v1/sessions", password, 201);
    await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
    const add = await call(page, "POST", "/v1/me/passkeys/options", undefined, 200);
    const refused = await make(page, add.options).then(() => "", (e) => String(e));
    must(refused.includes("NotAllowedError"), `it made one: ${refused}`);
    await context.close();
  },
};

(async () => {
  const browser = await launch();
  for (const [name, run] of Object.entries(checks)) {
    let error = "";
    try {
      await run(browser);
    } catch (e) {
      error = String(e.stack || e);
      for (const context of browser.contexts()) await context.close();
    }
    process.stdout.write(`${JSON.stringify({ name, error })}\n`);
  }
  await browser.close();
})();
