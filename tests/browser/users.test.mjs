// Users and their keys.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "./harness/eventually.mjs";
import { button, dialog, field, row, toast, visit } from "./harness/pages.mjs";
import { stage, upstream, withBrowser } from "./harness/stage.mjs";

withBrowser();

test("a key is shown once with a button to copy it, rotated with an overlap, and revoked", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, page } = await stage(t);
  await gateway.channel("one", up, ["m"]);
  const works = async (key) => (await gateway.chat(key, { model: "m" })).status;
  await visit(page, "users?new=1");
  const form = dialog(page, "Add user");
  await field(form, "name").fill("team-a");
  await button(form, "Add user").click();
  const secret = page.locator("[data-secret]");
  const first = await secret.textContent();
  await page.getByText("This is the only time the key is shown.").waitFor();
  await button(page, "Copy").click();
  await eventually("the key is copied", async () => (await page.evaluate(() => navigator.clipboard.readText())) === first);
  assert.equal(await works(first), 200);
  await button(page, "I have kept it").click();
  assert.equal(await page.getByText(first).count(), 0, "the key is shown once");
  const listed = row(page, "team-a");
  await listed.getByText(first.slice(-4)).waitFor();
  await listed.getByRole("link", { name: "team-a", exact: true }).click();

  await button(page, "Rotate").click();
  await page.getByRole("dialog").locator("select").selectOption("hour");
  await button(page, "Rotate key").click();
  const second = await secret.textContent();
  assert.notEqual(second, first);
  await button(page, "I have kept it").click();
  assert.deepEqual([await works(first), await works(second)], [200, 200], "both are taken for an hour");
  await row(page, first.slice(-4)).getByText(/Ends in/).waitFor();

  await button(row(page, first.slice(-4)), "Revoke").click();
  await button(page.getByRole("dialog"), "Revoke key").click();
  await toast(page, "was revoked");
  assert.deepEqual([await works(first), await works(second)], [401, 200]);

  await button(page, "Disable").click();
  await button(page, "Enable").waitFor();
  assert.notEqual(await works(second), 200);
});

test("a user may be kept to some models, and deleting one says what goes with it", async (t) => {
  const up = await upstream(t, ["m", "other"]);
  const { gateway, page } = await stage(t);
  await gateway.channel("one", up, ["m", "other"]);
  const user = await gateway.user("team-b");
  await gateway.chat(user.api_key, { model: "m" });
  await visit(page, "users");
  await button(page, "Edit team-b").click();
  const form = dialog(page, "Edit team-b");
  await field(form, "all_models").uncheck();
  await field(form, "allowed_models").fill("m,");
  await button(form, "Save").click();
  await toast(page, "team-b was saved");
  const status = async (model) => (await gateway.chat(user.api_key, { model })).status;
  assert.deepEqual([await status("m"), await status("other")], [200, 404]);
  await button(page, "Delete team-b").click();
  const question = dialog(page, "Delete team-b?");
  await question.getByText("1 key").waitFor();
  await question.getByText("1 session").waitFor();
  await button(question, "Delete user").click();
  await toast(page, "team-b was deleted");
  assert.equal(await status("m"), 401);
});

test("a secret that is pasted into the search is found, and stands whole in no address, however it was pasted", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, page } = await stage(t);
  await gateway.channel("one", up, ["m"]);
  const { api_key: key } = await gateway.user("its-holder");
  await gateway.user("somebody-else");
  // No piece of it that is longer than what the gateway keeps may be in any address.
  const pieces = Array.from({ length: key.length - 6 }, (_, at) => key.slice(at, at + 7).toLowerCase());
  const addresses = [];
  page.on("request", (request) => addresses.push(request.url()));
  page.on("framenavigated", (frame) => addresses.push(frame.url()));
  await visit(page, "users");
  const search = page.getByLabel("Name, or a key");
  const middle = Math.floor(key.length / 2);
  const pasted = [key, `  ${key} `, `Bearer ${key}`, `bearer  ${key}`, `Authorization: Bearer ${key}`, `-H "Authorization: Bearer ${key}"`, `OPENAI_API_KEY=${key}`, `"${key}"`, `${key.slice(0, middle)} ${key.slice(middle)}`, `Bearer ${key.slice(3, middle)} ${key.slice(middle)}`];
  for (const text of pasted) {
    await search.fill("somebody");
    await row(page, "its-holder").waitFor({ state: "detached" });
    const known = addresses.length;
    await search.fill(text);
    await eventually(`the search for ${text} is asked`, () => addresses.length > known);
    // Without its first characters a key is not found, but not told either.
    if (text.includes(key.slice(0, 6))) await row(page, "its-holder").waitFor();
  }
  await search.fill("its-holder");
  await row(page, "its-holder").waitFor();
  await search.fill(`${key.slice(0, 6)}…${key.slice(-4)}`);
  await row(page, "its-holder").waitFor();
  addresses.push(page.url());
  const told = addresses.map((address) => decodeURIComponent(address).toLowerCase());
  assert.deepEqual(told.filter((address) => pieces.some((piece) => address.includes(piece))), []);
});
