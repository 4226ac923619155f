// Checks the portal in a real browser: one line of JSON for each check, with
// an error when it failed. A Go test starts the server, runs this and reports.
"use strict";
const path = require("node:path");
const { axe, scene, desktop, phone, launch, watched, visitor, pages, gates, faultsOf, must } = require("./browser.cjs");

const checks = {};

// Two of the four, each looked at in both themes; the long proofs look at all.
for (const [device, view] of Object.entries({ desktop, phone })) {
  for (const locale of ["en", "fr"]) {
    if ((device === "phone") !== (locale === "fr") && !process.env.HOSTFOLD_SOAK) continue;
    checks[`every page in ${locale} on a ${device}`] = (browser) => everyPage(browser, device, view, locale);
  }
}

// speak chooses the user's own language, which decides, as a user does.
async function speak(page, base, locale) {
  await page.goto(`${scene.url}${base}/profile`);
  await page.check(`input[name=locale][value=${locale}]`);
  await page.click("form.form .btn >> nth=0");
  await page.waitForURL("**/security*");
  must((await page.getAttribute("html", "lang")) === locale, "the language was not taken over");
}

// theirs are the pages of staff, who then act for the customer.
async function theirs(page, look) {
  const base = `/portal/${scene.account}`;
  const all = {
    staff: "/portal/staff", staff_users: `/portal/staff/users?q=${scene.email}`, members: "/portal/staff/members", member: `/portal/staff/members/${scene.member}`,
    staff_billing: `${base}/billing`, act: `${base}/impersonation`,
  };
  if (process.env.HOSTFOLD_SOAK) {
    Object.assign(all, {
      staff_none: "/portal/staff?q=nobody", staff_user: `/portal/staff/users/${scene.user}`, staff_dashboard: base,
      staff_account: `${base}/account`, staff_delegates: `${base}/users`, staff_contact: `${base}/contacts/${scene.contact}`,
    });
  }
  for (const [name, address] of Object.entries(all)) {
    const answer = await page.goto(scene.url + address);
    must(answer.status() === 200, `${name} answers ${answer.status()}`);
    await look(name);
  }
  await page.goto(`${scene.url}/portal/staff/users/${scene.lost}`);
  await look("factor_reset");
  await page.fill("#reason", "Appel vidéo, pièce d’identité vue");
  await page.click("form[action$='/factor-reset'] button");
  await page.waitForSelector("form[action$='/factor-reset/cancel']");
  await look("factor_reset_waits");
  await page.click("form[action$='/factor-reset/cancel'] button");
  await page.waitForSelector("form[action$='/factor-reset']");
  await page.goto(`${scene.url}${base}/impersonation`);
  await page.fill("#reason", "Le certificat de hst-test.eu a expiré et le client n’arrive pas à joindre sa page de commande");
  await page.check("[name=consent]");
  await page.click("form.form .btn >> nth=0");
  await page.waitForSelector(".staffbar.acting");
  await look("acting");
  await page.click(".staffbar form button");
  await page.waitForSelector(".staffbar:not(.acting)");
}

async function everyPage(browser, device, view, locale) {
  const { context, page } = await visitor(browser, { ...view, locale, reducedMotion: "reduce" });
  const wrong = [];
  const look = async (name, at = page) => {
    for (const theme of ["light", "dark"]) {
      await at.emulateMedia({ colorScheme: theme });
      // What a page is made of is the same in both; its colours are not.
      const faults = await faultsOf(at, theme === "light" ? {} : { runOnly: ["color-contrast"] });
      for (const fault of faults) wrong.push(`${name}, ${theme}: ${fault}`);
      if (scene.screenshots) {
        await at.screenshot({ path: path.join(scene.screenshots, `${name}-${locale}-${device}-${theme}.png`), fullPage: true });
      }
    }
  };
  await speak(page, `/portal/${scene.account}`, locale);
  for (const [name, address] of Object.entries(pages())) {
    const answer = await page.goto(scene.url + address);
    must(answer.status() === 200, `${name} answers ${answer.status()}`);
    await look(name);
  }
  await page.click("#account-menu summary");
  await look("menu");
  await context.clearCookies();
  await page.goto(`${scene.url}/portal/login?lang=${locale}`);
  for (const [name, address] of Object.entries(gates)) {
    await page.goto(scene.url + address);
    must((await page.getAttribute("html", "lang")) === locale, `${name} speaks another language`);
    await look(name);
  }
  await context.close();
  const staff = await visitor(browser, { ...view, locale, reducedMotion: "reduce" }, scene.staff);
  await speak(staff.page, "/portal/me", locale);
  await theirs(staff.page, (name) => look(name, staff.page));
  await staff.context.close();
  must(wrong.length === 0, wrong.join("\n"));
}

checks["the dashboard shows the seed"] = async (browser) => {
  const { context, page } = await visitor(browser);
  const text = (await page.innerText("body")).replace(/\s+/g, " ");
  const missing = scene.texts.filter((t) => !text.includes(t));
  await context.close();
  must(missing.length === 0, `missing: ${missing.join(" | ")}`);
};

checks["no width scrolls sideways"] = async (browser) => {
  const { context, page } = await visitor(browser);
  const wrong = [];
  for (const [name, address] of Object.entries({ ...pages(), ...gates })) {
    await page.goto(scene.url + address);
    for (const width of [320, 480, 640, 821, 960, 1081, 1600]) {
      await page.setViewportSize({ width, height: 800 });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (over > 0) wrong.push(`${name} at ${width}: ${over} px`);
      if (scene.screenshots && name === "dashboard") await page.screenshot({ path: path.join(scene.screenshots, `width-${width}.png`) });
    }
  }
  await context.close();
  must(wrong.length === 0, wrong.join("\n"));
};

checks["a mailed link verifies an address, sets a password, and leads to an account"] = async (browser) => {
  const context = await browser.newContext({ locale: "en-GB", ...phone });
  await context.addInitScript(axe);
  const page = await watched(context);
  const wrong = [];
  const look = async (name) => {
    for (const fault of await faultsOf(page)) wrong.push(`${name}: ${fault}`);
    if (scene.screenshots) await page.screenshot({ path: path.join(scene.screenshots, `link-${name}.png`), fullPage: true });
  };
  await page.goto(`${scene.url}/portal/verify-email#${scene.verify}`);
  await look("verify");
  await page.click("a[data-carry]");
  await page.fill("#email", "other@example.com");
  await page.fill("#password", scene.password);
  await page.click("form.form .btn");
  await page.waitForSelector("text=Address verified");
  must(!page.url().includes(scene.verify), "the secret stays in the address");
  await look("verified");
  await page.goto(`${scene.url}/portal/reset-password#${scene.reset}`);
  await page.waitForFunction(() => document.querySelector("[data-secret]").closest(".field").hidden);
  await page.fill("#password", "aaaaaaaaaaaa");
  await page.click("form.form button");
  must((await page.innerText("#password-error")).includes("too easy"), "an easy password is taken");
  page.faults.splice(0); // the browser's word about the refusal
  await page.fill("#password", "purple monkey dishwasher on fire");
  await page.click("form.form button");
  await page.waitForURL("**/portal/login**");
  must((await page.innerText(".note.ok")).includes("new password"), "the log-in page does not say it");
  await page.fill("#email", "other@example.com");
  await page.fill("#password", "purple monkey dishwasher on fire");
  await page.click("form.form .btn");
  await page.waitForURL("**/portal/open-account");
  await look("open_account");
  await page.click("form.form .btn");
  await page.waitForURL("**/portal/acc_*");
  await look("new_account");
  must(wrong.length === 0, wrong.join("\n"));
  await context.close();
};

checks["a contact confirms its address with a button, not by opening the link"] = async (browser) => {
  const context = await browser.newContext({ locale: "fr-FR", ...phone });
  await context.addInitScript(axe);
  const page = await watched(context);
  const wrong = [];
  const look = async (name) => {
    for (const fault of await faultsOf(page)) wrong.push(`${name}: ${fault}`);
    if (scene.screenshots) await page.screenshot({ path: path.join(scene.screenshots, `link-${name}.png`), fullPage: true });
  };
  await page.goto(`${scene.url}/portal/verify-contact#${scene.verifyContact}`);
  await page.waitForFunction(() => document.querySelector("[data-secret]").closest(".field").hidden);
  must(!page.url().includes(scene.verifyContact), "the secret stays in the address");
  await look("verify_contact");
  await page.click("form.form .btn");
  await page.waitForSelector("text=Adresse confirmée");
  await look("verified_contact");
  await page.goto("about:blank"); // else it is the same page with another fragment
  await page.goto(`${scene.url}/portal/verify-contact#${scene.verifyContact}`);
  await page.click("form.form .btn");
  await page.waitForSelector(".note.bad");
  page.faults.splice(0); // the browser's word about the refusal
  await look("verify_contact_again");
  must(wrong.length === 0, wrong.join("\n"));
  await context.close();
};

checks["an invitation's link survives the log-in, and a token is shown and copied"] = async (browser) => {
  const context = await browser.newContext({ locale: "fr-FR", ...phone, permissions: ["clipboard-read", "clipboard-write"] });
  await context.addInitScript(axe);
  const page = await watched(context);
  const wrong = [];
  const look = async (name) => {
    for (const fault of await faultsOf(page)) wrong.push(`${name}: ${fault}`);
    if (scene.screenshots) await page.screenshot({ path: path.join(scene.screenshots, `link-${name}.png`), fullPage: true });
  };
  await page.goto(`${scene.url}/portal/invitation#${scene.invitation}`);
  await page.click("a[data-carry]");
  await page.fill("#email", "anna@example.com");
  await page.fill("#password", "wrong");
  await page.click("form.form .btn");
  await page.waitForSelector(".note.bad");
  page.faults.splice(0); // the browser's word about the refusal
  await page.fill("#password", scene.password);
  await page.click("form.form .btn");
  await page.waitForURL("**/portal/invitation");
  await page.waitForSelector("button[value=accept]"); // the form was sent, and shows what is offered
  must(!page.url().includes(scene.invitation), "the secret stays in the address");
  await look("invitation");
  await page.click(".lang a[lang=en]");
  await page.waitForSelector("text=See services");
  await look("invitation_en");
  await page.click("button[value=accept]");
  await page.waitForURL(`**/portal/${scene.account}*`);
  await page.goto(`${scene.url}/portal/${scene.account}/tokens`);
  await page.fill("#name", "Robot");
  await page.check("input[value='services.read']");
  await page.click("form[action$=tokens] .btn");
  await page.click("[data-copy]");
  await page.waitForSelector("text=Copié");
  must((await page.evaluate(() => navigator.clipboard.readText())) === (await page.innerText("#new-token")), "something else was copied");
  await look("token");
  must(wrong.length === 0, wrong.join("\n"));
  await context.close();
};

checks["an account that is offered is looked at, and taken back"] = async (browser) => {
  const wrong = [];
  const look = async (page, name) => {
    for (const fault of await faultsOf(page)) wrong.push(`${name}: ${fault}`);
    if (scene.screenshots) await page.screenshot({ path: path.join(scene.screenshots, `link-${name}.png`), fullPage: true });
  };
  const taker = await browser.newContext({ locale: "fr-FR", ...phone, reducedMotion: "reduce" });
  await taker.addInitScript(axe);
  const page = await watched(taker);
  await page.goto(`${scene.url}/portal/transfer#${scene.offer}`);
  await page.click("a[data-carry]");
  await page.fill("#email", "anna@example.com");
  await page.fill("#password", scene.password);
  await page.click("form.form .btn");
  await page.waitForSelector("button[value=accept]");
  must(!page.url().includes(scene.offer), "the secret stays in the address");
  await look(page, "ownership");
  await page.setViewportSize(desktop.viewport);
  await page.emulateMedia({ colorScheme: "dark" });
  await look(page, "ownership_wide");
  await taker.close();

  const { context, page: owner } = await visitor(browser, { ...phone, locale: "fr" });
  await owner.goto(`${scene.url}/portal/${scene.account}/transfer`);
  await look(owner, "transfer_open");
  await owner.click("form[action$=withdraw] .btn");
  await owner.waitForSelector("#email");
  await look(owner, "transfer_back");
  must(wrong.length === 0, wrong.join("\n"));
  await context.close();
};

checks["a first visit is light"] = async (browser) => {
  const context = await browser.newContext({ ...desktop });
  const page = await watched(context);
  let bytes = 0;
  const sizes = [];
  page.on("requestfinished", (r) => sizes.push(r.sizes().then((s) => (bytes += s.responseBodySize))));
  await page.goto(`${scene.url}/portal/login`, { waitUntil: "networkidle" });
  await Promise.all(sizes);
  await context.close();
  must(bytes > 10_000 && bytes < 100_000, `${bytes} bytes`);
};

checks["the dashboard updates itself and keeps focus and scroll"] = async (browser) => {
  const { context, page } = await visitor(browser, { viewport: { width: 1280, height: 420 } });
  await page.evaluate(() => { window.untouched = true; });
  const manage = page.locator("#active-services .btn").nth(1);
  await manage.focus();
  await page.evaluate(() => window.scrollTo(0, 150));
  const before = Number(await page.innerText("#counters li:nth-child(4) b"));
  await openTicket(context, "Live");
  await page.waitForFunction((n) => Number(document.querySelector("#counters li:nth-child(4) b").innerText) === n + 1, before);
  must(await page.locator("#latest-tickets .title", { hasText: "Live" }).count(), "the ticket is not listed");
  must(await page.evaluate(() => window.untouched), "the page was loaded again");
  must((await page.evaluate(() => window.scrollY)) === 150, "the page scrolled");
  must(await manage.evaluate((e) => e === document.activeElement), "the focus moved");
  must(page.faults.length === 0, page.faults.join("\n"));
  await context.close();
};

async function openTicket(context, subject) {
  const answer = await context.request.post(`${scene.url}/portal/${scene.account}/tickets`, {
    form: { department: "technical", priority: "normal", subject, message: "…" }, maxRedirects: 0,
  });
  must(answer.status() === 303, `the form answers ${answer.status()}`);
}

checks["times are in the reader's zone, after an update too"] = async (browser) => {
  const { context, page } = await visitor(browser, { timezoneId: "Europe/Paris" });
  const stamp = page.locator("#latest-tickets li", { hasText: "HPJ-613904" }).locator("time");
  must((await stamp.innerText()) === "20/11/2022 (13:13)", await stamp.innerText());
  await openTicket(context, "Zone");
  await page.waitForSelector("#latest-tickets .title:has-text('Zone')");
  must((await stamp.innerText()) === "20/11/2022 (13:13)", await stamp.innerText());
  await context.close();
};

checks["an open ticket shows a reply that comes, and keeps what is being typed"] = async (browser) => {
  const { context, page } = await visitor(browser);
  await openTicket(context, "Two windows");
  await page.goto(`${scene.url}/portal/${scene.account}/tickets`);
  await page.click("text=Two windows");
  await page.fill("#message", "half a sentence");
  const other = await watched(context);
  await other.goto(page.url());
  await other.fill("#message", "from the other window");
  await other.click("form[action$=replies] button");
  await page.waitForSelector("#talk .text:has-text('from the other window')");
  must((await page.inputValue("#message")) === "half a sentence", "what was typed is gone");
  must(page.faults.length + other.faults.length === 0, page.faults.concat(other.faults).join("\n"));
  await context.close();
};

checks["a page that nobody looks at lets its stream go"] = async (browser) => {
  const { context, page } = await visitor(browser);
  const hide = (hidden) => page.evaluate((h) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => h });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  const closed = page.waitForEvent("requestfailed", (r) => r.url().includes("/stream"));
  await hide(true);
  await closed;
  const again = page.waitForRequest((r) => r.url().includes("/stream"));
  await hide(false);
  await again;
  must(page.faults.length === 0, page.faults.join("\n"));
  await context.close();
};

checks["a page whose session has ended is quiet"] = async (browser) => {
  const { context, page } = await visitor(browser);
  const other = await visitor(browser);
  await context.request.post(`${scene.url}/portal/logout`, { maxRedirects: 0 });
  const ended = page.waitForResponse((r) => r.url().includes("/stream") && r.status() === 204);
  await openTicket(other.context, "Unseen");
  await ended;
  must((await page.locator("#latest-tickets .title", { hasText: "Unseen" }).count()) === 0, "it still shows what comes");
  must(page.faults.length === 0, page.faults.join("\n"));
  await context.close();
  await other.context.close();
};

checks["a page goes with its session, in every tab"] = async (browser) => {
  const { context, page } = await visitor(browser);
  const beside = await context.newPage();
  await beside.goto(`${scene.url}${pages().account}`);
  await page.click("#account-menu summary");
  await page.click("form[action$=logout] button");
  await page.waitForURL("**/portal/login**");
  await beside.waitForURL("**/portal/login**");
  const text = await beside.innerText("body");
  must(!text.includes(scene.email) && !text.includes("Lannoy"), "the other tab still shows whose page it was");
  await context.close();
};

checks["a page finds its way back after the network was away"] = async (browser) => {
  const { context, page } = await visitor(browser);
  await context.setOffline(true);
  await page.evaluate(() => new Promise((r) => { addEventListener("offline", r, { once: true }); if (!navigator.onLine) r(); }));
  await context.setOffline(false);
  const before = Number(await page.innerText("#counters li:nth-child(4) b"));
  await openTicket(context, "Back again");
  await page.waitForFunction((n) => Number(document.querySelector("#counters li:nth-child(4) b").innerText) === n + 1, before);
  await context.close();
};

checks["a double click opens one ticket"] = async (browser) => {
  const { context, page } = await visitor(browser);
  await page.goto(`${scene.url}/portal/${scene.account}/tickets/new`);
  await page.fill("#subject", "Twice");
  await page.fill("#message", "…");
  await page.dblclick("form[action$=tickets] button");
  await page.locator("h1", { hasText: "Twice" }).waitFor(); // of the two navigations the first may be given up
  await page.goto(`${scene.url}/portal/${scene.account}/tickets`);
  const n = await page.locator(".title", { hasText: "Twice" }).count();
  await context.close();
  must(n === 1, `${n} tickets`);
};

checks["everything works without JavaScript"] = async (browser) => {
  const { context, page } = await visitor(browser, { javaScriptEnabled: false });
  await page.click("#active-services .btn >> nth=0");
  await page.fill("#label", "sans-js.example");
  await page.click("form[action$=label] button");
  await page.waitForURL("**/services/**");
  must((await page.innerText(".note.ok")).includes("renommé"), "the page does not say that it is done");
  must((await page.inputValue("#label")) === "sans-js.example", "the label is the old one");
  await page.fill("#label", "hst-test.eu");
  await page.click("form[action$=label] button");
  await page.click("#account-menu summary");
  await page.click("button[name=theme][value=dark]");
  must((await page.getAttribute("html", "data-theme")) === "dark", "the theme is not kept");
  await page.click("#account-menu summary");
  await page.click("form[action$=logout] button");
  await page.waitForURL("**/portal/login*");
  await page.goto(`${scene.url}/portal/${scene.account}`);
  must(page.url().includes("/portal/login"), "still logged in");
  await context.close();
};

checks["the keyboard reaches everything"] = async (browser) => {
  const { context, page } = await visitor(browser);
  await page.keyboard.press("Tab");
  must(await page.evaluate(() => document.activeElement.matches(".skip")), "the skip link is not first");
  must(await page.evaluate(() => document.activeElement.getBoundingClientRect().top >= 0), "the skip link stays out of sight");
  await page.focus("#account-menu summary");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  must(await page.evaluate(() => document.activeElement.matches(".sheet a")), "the menu cannot be entered");
  await page.keyboard.press("Escape");
  must(await page.evaluate(() => document.activeElement.matches("summary") && !document.querySelector("#account-menu").open), "Escape does not close the menu");
  await context.close();
};

checks["an invoice prints as a sheet"] = async (browser) => {
  const { context, page } = await visitor(browser);
  await page.goto(`${scene.url}${pages().invoice}`);
  must(await page.isVisible("[data-print]"), "there is no button to print");
  await page.emulateMedia({ media: "print" });
  must(!(await page.isVisible("header.bar")) && !(await page.isVisible(".strip")), "the frame is printed");
  must(await page.isVisible("#invoice .totals"), "the totals are not printed");
  await page.setViewportSize({ width: 794, height: 1123 }); // A4
  const head = await page.locator("#invoice thead").first().boundingBox();
  must(head.width > 500, "the lines are printed as on a phone");
  if (scene.screenshots) {
    await page.screenshot({ path: path.join(scene.screenshots, "print.png") });
  }
  await context.close();
};

(async () => {
  const browser = await launch();
  for (const [name, check] of Object.entries(checks)) {
    if (scene.only && !name.includes(scene.only)) continue;
    let error = "";
    try {
      await check(browser);
    } catch (e) {
      error = String(e.stack || e);
      for (const context of browser.contexts()) await context.close();
    }
    process.stdout.write(`${JSON.stringify({ name, error })}\n`);
  }
  await browser.close();
})();
