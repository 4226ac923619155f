// The parts that the checks share: a browser that reports what goes wrong on a
// page, and the pages there are.
"use strict";
const fs = require("node:fs");
const { chromium } = require("playwright-core");

const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const scene = JSON.parse(process.env.HOSTFOLD_SCENE);
const host = new URL(scene.url).host;

const desktop = { viewport: { width: 1280, height: 860 } };
const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

async function launch() {
  return chromium.launch({
    executablePath: scene.chromium,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    ],
  });
}

// watched opens a page that notes console errors and requests to other hosts.
async function watched(context) {
  const page = await context.newPage();
  const faults = [];
  page.on("console", (m) => {
    if (m.type() === "error" || m.type() === "warning") faults.push(`console: ${m.text()}`);
  });
  page.on("pageerror", (e) => faults.push(`script: ${e}`));
  page.on("request", (r) => {
    if (new URL(r.url()).host !== host) faults.push(`request to ${r.url()}`);
  });
  page.faults = faults;
  return page;
}

// visitor is a context of somebody who is logged in.
async function visitor(browser, options = {}, email = scene.email) {
  const context = await browser.newContext({ locale: "fr-FR", ...desktop, ...options });
  await context.addInitScript(axe);
  const page = await watched(context);
  await page.goto(`${scene.url}/portal/login`);
  await page.fill("#email", email);
  await page.fill("#password", scene.password);
  await page.click("form.form button");
  await page.waitForURL(email === scene.email ? `**/portal/${scene.account}` : "**/portal/staff");
  return { context, page };
}

// pages are the addresses of every page, by name.
function pages() {
  const base = `/portal/${scene.account}`;
  return {
    dashboard: base,
    services: `${base}/services`,
    service: `${base}/services/${scene.service}`,
    domains: `${base}/domains`,
    invoices: `${base}/invoices`,
    unpaid: `${base}/invoices?status=unpaid`,
    invoice: `${base}/invoices/${scene.invoice}`,
    tickets: `${base}/tickets`,
    ticket: `${base}/tickets/${scene.ticket}`,
    new_ticket: `${base}/tickets/new`,
    account: `${base}/account`,
    billing: `${base}/billing`,
    communication: `${base}/communication`,
    close: `${base}/close`,
    profile: `${base}/profile`,
    password: `${base}/password`,
    email: `${base}/email`,
    security: `${base}/security`,
    logins: `${base}/security/logins`,
    second_factor: `${base}/security/second-factor`,
    data: `${base}/data`,
    erase: `${base}/data/erasure`,
    close_user: `${base}/security/close`,
    transfer: `${base}/transfer`,
    leave: `${base}/leave`,
    users: `${base}/users`,
    user_new: `${base}/users/new`,
    accounts: `${base}/accounts`,
    tokens: `${base}/tokens`,
    history: `${base}/history`,
    domain: `${base}/domains/${scene.domain}`,
    contacts: `${base}/contacts`,
    contact_new: `${base}/contacts/new`,
    contact: `${base}/contacts/${scene.contact}`,
    contact_unverified: `${base}/contacts/${scene.unverified}`,
    notifications: `${base}/notifications`,
    news: `${base}/news`,
    news_item: `${base}/news/${scene.news}`,
  };
}

// gates are the pages of whoever is not logged in.
const gates = {
  login: "/portal/login",
  sign_up: "/portal/sign-up",
  signed_up: "/portal/sign-up?done=1",
  forgot: "/portal/forgot-password",
  reset: "/portal/reset-password",
  verify: "/portal/verify-email",
  stop_reset: "/portal/stop-reset",
  invited: "/portal/invitation",
  offered: "/portal/transfer",
  verify_contact: "/portal/verify-contact",
  verified_contact: "/portal/verify-contact?done=1",
};

// drawn tells, in the page, what runs out of its box, and a title that does not
// say what the heading does.
function drawn() {
  const faults = [];
  for (const box of document.querySelectorAll(".card, .gate form, .codes, .secret, .note")) {
    const edge = box.getBoundingClientRect().right + 1;
    const out = [...box.querySelectorAll("*")].find((e) => e.getBoundingClientRect().right > edge && !e.closest(".out, .tabs, thead"));
    if (out) faults.push(`"${out.textContent.trim().slice(0, 40)}" runs out of its box`);
  }
  const heading = document.querySelector("h1").cloneNode(true);
  for (const badge of heading.querySelectorAll(".badge")) badge.remove();
  const said = heading.textContent.trim();
  if (!document.title.includes(said)) faults.push(`the title "${document.title}" does not say "${said}"`);
  return faults;
}

// faultsOf looks at a page that is open, with all rules of axe or some.
async function faultsOf(page, rules = {}) {
  await page.evaluate(() => document.fonts.ready);
  const faults = page.faults.splice(0);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (over > 0) faults.push(`scrolls sideways by ${over} px`);
  faults.push(...await page.evaluate(drawn));
  const report = await page.evaluate((o) => window.axe.run(document, { resultTypes: ["violations"], ...o }), rules);
  for (const v of report.violations) {
    if (v.impact !== "serious" && v.impact !== "critical") continue;
    faults.push(`axe ${v.id}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join(", ")}`);
  }
  return faults;
}

function must(ok, what) {
  if (!ok) throw new Error(what);
}

module.exports = { axe, scene, desktop, phone, launch, watched, visitor, pages, gates, faultsOf, must };
