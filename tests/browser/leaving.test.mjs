// Nobody leaves what is half typed without having been asked, whichever way it is left.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "./harness/eventually.mjs";
import { button, dialog, field, row, visit } from "./harness/pages.mjs";
import { stage, upstream, withBrowser } from "./harness/stage.mjs";

withBrowser();

const back = (page) => page.evaluate(() => history.back());
const typed = (page, hash) => page.evaluate((there) => void (location.hash = there), hash);
const question = (page) => dialog(page, "Discard what you typed?");
const stands = (page, hash) => eventually(`the address is ${hash}`, async () => new URL(page.url()).hash === hash);

test("a form is left by Back or by an address after a question, and at once where nothing was changed", async (t) => {
  const { page } = await stage(t);
  await visit(page, "channels");
  await button(page, "Add channel").first().click();
  const form = dialog(page, "Add channel");
  await form.waitFor();
  await back(page);
  await form.waitFor({ state: "detached" });
  await stands(page, "#/channels");
  assert.equal(await question(page).count(), 0, "nothing was typed");

  await button(page, "Add channel").first().click();
  await field(form, "name").fill("half-typed");
  for (const leave of [back, (from) => typed(from, "#/users")]) {
    await leave(page);
    await button(question(page), "Cancel").click();
    await question(page).waitFor({ state: "detached" });
    await stands(page, "#/channels?new=1");
    assert.equal(await field(form, "name").inputValue(), "half-typed");
  }
  await typed(page, "#/users");
  await button(question(page), "Discard").click();
  await page.getByRole("heading", { name: "Users and keys", level: 1 }).waitFor();
  await stands(page, "#/users");

  // The way back is the one that was gone, and a form on it begins anew.
  await back(page);
  await field(form, "name").waitFor();
  assert.equal(await field(form, "name").inputValue(), "");
  await field(form, "name").fill("again");
  await back(page);
  await button(question(page), "Discard").click();
  await form.waitFor({ state: "detached" });
  await stands(page, "#/channels");
  assert.equal(await question(page).count(), 0, "it is asked once");
});

test("a mapping that was changed is left by a link after a question, and what is saved is left at once", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, page } = await stage(t);
  await gateway.channel("one", up, ["m"]);
  const [model] = await gateway.admin("GET", "/api/models");
  await visit(page, `models/${model.id}`);
  const weight = page.getByLabel("Weight of one");
  await weight.fill("33");
  const link = row(page, "one").getByRole("link", { name: "one", exact: true });
  await link.click();
  await button(question(page), "Cancel").click();
  assert.equal(await weight.inputValue(), "33");
  await stands(page, `#/models/${model.id}`);
  await button(page, "Save").click();
  await button(page, "Save").waitFor({ state: "detached" });
  await link.click();
  await page.getByRole("heading", { name: "one", level: 1 }).waitFor();
  assert.equal(await question(page).count(), 0, "nothing is lost");
});

test("the browser asks before the page is left with something typed, and only then", async (t) => {
  const { page, watch } = await stage(t);
  await visit(page, "users?new=1");
  const form = dialog(page, "Add user");
  await field(form, "name").click();
  await page.reload();
  await field(form, "name").click();
  assert.equal(watch.held, 0);
  await page.keyboard.type("half-typed");
  await page.reload();
  await field(form, "name").waitFor();
  assert.equal(watch.held, 1);
  await field(form, "name").click();
  await page.keyboard.type("half-typed");
  await button(form, "Cancel").click();
  await button(question(page), "Discard").click();
  await form.waitFor({ state: "detached" });
  await page.reload();
  assert.equal(watch.held, 1);
});

test("a file's text is left after a question until it was checked", async (t) => {
  const { page } = await stage(t);
  await visit(page, "settings");
  const text = page.getByLabel("Text of a configuration file");
  await text.fill("[proxy]\nmax_attempts = 9\n");
  await typed(page, "#/connect");
  await button(question(page), "Cancel").click();
  assert.equal(await text.inputValue(), "[proxy]\nmax_attempts = 9\n");
  await button(page, "Check").click();
  await page.getByText("A reload would accept it.").waitFor();
  await typed(page, "#/connect");
  await page.getByRole("heading", { name: "Connect", level: 1 }).waitFor();
});
