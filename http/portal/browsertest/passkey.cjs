// Checks passkeys in a real browser, with an authenticator that it makes up: over
// the API as scripts call it, and on the pages of the portal.
"use strict";
const path = require("node:path");
const { axe, scene, phone, desktop, launch, watched, faultsOf, must } = require("./browser.cjs");

// visit is a browser window with an authenticator that verifies its user.
async function visit(browser, options) {
  const context = await browser.newContext(options);
  await context.addInitScript(axe);
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
    await call(page, "POST", "/v1/me/confirmations", { challenge: confirm.challenge, passkey: await use(page, confirm.options) }, 200);
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

// setUp makes a passkey on the pages, then confirms and logs in with it, and
// removes it. Each page on the way is looked at.
async function setUp(browser, look, options, locale) {
  const { context, page } = await visit(browser, options);
  await page.goto(`${scene.url}/portal/login`);
  await look("login", page);
  await page.fill("#email", scene.keeper);
  await page.fill("#password", scene.password);
  await page.click("form.form button:not([type=button])");
  await page.waitForURL("**/portal/acc_*");
  const base = new URL(page.url()).pathname;
  await page.goto(`${scene.url}${base}/security`);
  await look("security-off", page);
  await page.click("#factors a.btn");
  await look("second-factor", page);
  await page.click("form[action$='passkeys/new'] button");
  await page.fill("#name", "Chromium");
  await look("passkey-new", page);
  await page.click("[data-passkey-submit]");
  await page.waitForSelector("#codes");
  must((await page.locator("#codes li").count()) === 10, "no recovery codes");
  await look("codes", page);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("[data-download]")]);
  must(download.suggestedFilename() === (locale === "fr" ? "codes-de-secours.txt" : "recovery-codes.txt"), download.suggestedFilename());
  const codes = require("node:fs").readFileSync(await download.path(), "utf8").trim().split("\n");
  must(codes.length === 10 && codes.every((c) => /^[A-Z2-7]{4}(-[A-Z2-7]{4}){5}$/.test(c)), `the file holds ${codes}`);
  await page.click(".acts a.btn");
  await look("security-on", page);
  await page.click("#factors a[href$='/name']");
  await look("passkey-name", page);
  await page.fill("#name", "Clé de secours, dans le tiroir du bureau");
  await page.click("form.form .btn");
  await page.waitForSelector(".note.ok");
  must((await page.innerText("#factors")).includes("dans le tiroir"), "the passkey has its old name");
  await page.click("form[action$='/security/totp'] button");
  await page.waitForSelector(".qr svg");
  await look("totp", page);

  await page.click("#account-menu summary");
  await page.click("form[action$=logout] button");
  await page.waitForURL("**/portal/login*");
  await page.click("[data-passkey]");
  await page.waitForURL(`**${base}`);
  await page.goto(`${scene.url}${base}/security`);
  await page.click("a[href$=remove]");
  await page.waitForSelector("[name=confirm]", { state: "attached" });
  await look("confirm", page);
  await page.click("[data-passkey]");
  await page.waitForSelector(".btn.danger");
  await look("passkey-remove", page);
  await page.click(".btn.danger");
  await page.waitForSelector(".note.ok");
  must((await page.locator("#factors .badge.warn").count()) === 1, "the passkey is still there");

  // This session was opened with the passkey, and has never shown the password.
  await page.click("#factors a.btn");
  await page.click("form[action$='/security/totp'] button");
  await page.waitForSelector("#confirm_password");
  page.faults.splice(0); // the browser's word about the refusal
  await look("confirm-password", page);
  await context.close();
}

// A staff member who has a passkey and nothing else begins to act for a customer.
checks["staff with a passkey alone act for a customer"] = async (browser) => {
  const { context, page } = await visit(browser, { ...phone, locale: "fr-FR" });
  const wrong = [];
  const look = async (at) => {
    for (const fault of await faultsOf(page)) wrong.push(`${at}: ${fault}`);
    if (scene.screenshots) await page.screenshot({ path: path.join(scene.screenshots, `factor-${at}.png`), fullPage: true });
  };
  await page.fill("#email", scene.staff);
  await page.fill("#password", scene.password);
  await page.click("form.form button:not([type=button])");
  await page.waitForURL("**/portal/staff");
  await page.goto(`${scene.url}/portal/me/security/passkeys/new`);
  await page.fill("#name", "Chromium");
  await page.click("[data-passkey-submit]");
  await page.waitForSelector("#codes");
  await context.clearCookies();
  await page.goto(`${scene.url}/portal/login?return=/portal/${scene.account}/impersonation`);
  await page.click("[data-passkey]");
  await page.waitForSelector("[name=confirm]", { state: "attached" });
  await look("act-confirm");
  await page.click("[data-passkey]");
  await page.waitForSelector("#reason");
  await look("act");
  await page.fill("#reason", "Certificat expiré");
  await page.check("[name=consent]");
  await page.click("form.form .btn >> nth=0");
  await page.waitForSelector(".staffbar.acting");
  must(wrong.length === 0, wrong.join("\n"));
  await context.close();
};

for (const [name, options, locale] of [
  ["a phone, dark, in French", { ...phone, colorScheme: "dark", locale: "fr-FR" }, "fr"],
  ["a desktop, light, in English", { ...desktop, colorScheme: "light", locale: "en-GB" }, "en"],
]) {
  checks[`a passkey is set up, used and removed on the pages: ${name}`] = async (browser) => {
    const wrong = [];
    const look = async (at, page) => {
      for (const fault of await faultsOf(page)) wrong.push(`${at}: ${fault}`);
      if (scene.screenshots) await page.screenshot({ path: path.join(scene.screenshots, `factor-${at}-${locale}.png`), fullPage: true });
    };
    scene.keeper = scene.keepers[locale];
    await setUp(browser, look, options, locale);
    must(wrong.length === 0, wrong.join("\n"));
  };
}

(async () => {
  const browser = await launch();
  for (const [name, run] of Object.entries(checks)) {
    if (scene.only && !name.includes(scene.only)) continue;
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
