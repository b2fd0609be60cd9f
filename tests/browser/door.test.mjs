// Who may come in, and what becomes of what was typed when a session ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN } from "./harness/gateway.mjs";
import { button, dialog, field, toast, visit } from "./harness/pages.mjs";
import { login, stage, upstream, withBrowser } from "./harness/stage.mjs";

withBrowser();

const enter = async (page, token) => {
  await page.getByLabel("Admin token").fill(token);
  await button(page, "Sign in").click();
};

test("a wrong token is told at its field, the right one opens, and signing out closes again", async (t) => {
  const { gateway, context, page } = await stage(t, { signIn: false });
  await page.goto("/#/settings");
  await enter(page, "not-the-token-of-anybody");
  await page.locator('[data-error="token"]', { hasText: "This is not the admin token" }).waitFor();
  await enter(page, TOKEN);
  // It comes back to where one wanted to go.
  await page.getByRole("heading", { name: "Settings", level: 1 }).waitFor();
  const [cookie] = await context.cookies(`${gateway.url}/api`);
  assert.deepEqual([cookie.name, cookie.httpOnly, cookie.sameSite, cookie.path], ["gateway_session", true, "Strict", "/api"]);
  assert.equal(await page.evaluate(() => document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)).then((kept) => kept.includes(TOKEN)), false);
  await button(page, "Sign out").click();
  await page.getByLabel("Admin token").waitFor();
  const refused = await context.request.get(`${gateway.url}/api/channels`);
  assert.equal(refused.status(), 401);
});

test("whoever guesses too often has to wait, and is told for how long", async (t) => {
  const { page } = await stage(t, { signIn: false });
  await page.goto("/");
  const told = page.locator('[data-error="token"]');
  for (let guess = 0; guess < 100; guess += 1) {
    await enter(page, `wrong-token-number-${guess}`);
    await told.waitFor();
    if (/ \d+ s/.test(await told.textContent())) return;
  }
  assert.fail("nobody stops guesses");
});

test("a session that ends in the middle of a form costs nothing that was typed", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, context, page } = await stage(t);
  await gateway.channel("one", up, ["m"]);
  await gateway.user("somebody");
  await visit(page, "channels?new=1");
  const form = dialog(page, "Add channel");
  await field(form, "name").fill("typed-with-care");
  await field(form, "base_url").fill(up.baseUrl);
  // As after a restart: the gateway knows this cookie no more.
  await context.clearCookies();
  // Not by a click: whatever the page reads by itself may have opened the dialog above the form already.
  await form.locator("form").evaluate((saved) => saved.requestSubmit());
  const again = dialog(page, "Sign in again");
  await enter(again, TOKEN);
  await toast(page, "typed-with-care was added");
  assert.ok((await gateway.admin("GET", "/api/channels")).some(({ name }) => name === "typed-with-care"));
});

test("a page of another origin cannot change anything with the cookie", async (t) => {
  const { gateway, context, page } = await stage(t);
  await login(context, gateway);
  await visit(page, "settings");
  const status = await page.evaluate(async () => (await fetch("/api/users", { method: "POST", headers: { "content-type": "application/json" }, body: '{"name":"forged"}' })).status);
  assert.equal(status, 403);
  assert.deepEqual(await gateway.admin("GET", "/api/users"), []);
});
