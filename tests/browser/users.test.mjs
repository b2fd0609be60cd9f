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
