// Everything that is done with channels, on their pages.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "./harness/eventually.mjs";
import { button, dialog, field, row, toast, visit } from "./harness/pages.mjs";
import { stage, upstream, withBrowser } from "./harness/stage.mjs";

withBrowser();

/** A gateway with two channels, of which only the first serves `only-here`, and a user. */
async function two(t) {
  const up = await upstream(t, ["gpt-4o", "gpt-4o-mini", "only-here"]);
  const set = await stage(t);
  const one = await set.gateway.channel("one", up, ["gpt-4o", "only-here"], { weight: 30 });
  const other = await set.gateway.channel("other", up, ["gpt-4o"]);
  const user = await set.gateway.user("somebody");
  const shown = (id) => set.gateway.admin("GET", `/api/channels/${id}`);
  return { ...set, up, one, other, user, shown };
}

test("a weight is changed where it stands, and what is no weight is refused in the server's words", async (t) => {
  const { page, one, shown } = await two(t);
  await visit(page, "channels");
  const weight = page.getByLabel("Weight of one", { exact: true });
  await weight.fill("55");
  await weight.press("Enter");
  await eventually("the weight is 55", async () => (await shown(one.id)).weight === 55);
  await weight.fill("a lot");
  await weight.press("Enter");
  await toast(page, /one: .*weight/);
  assert.equal((await shown(one.id)).weight, 55);
});

test("a channel is disabled and enabled, drained and undrained", async (t) => {
  const { page, one, shown } = await two(t);
  await visit(page, "channels");
  const on = page.getByRole("switch", { name: "one gets traffic" });
  await on.uncheck();
  await row(page, "one").getByText("Disabled").waitFor();
  await eventually("it is off", async () => !(await shown(one.id)).enabled);
  await on.check();
  await eventually("it is on", async () => (await shown(one.id)).enabled);
  await row(page, "one").getByText("Disabled").waitFor({ state: "detached" });
  await visit(page, `channels/${one.id}`);
  await button(page, "Drain").click();
  await page.getByText("Drained").first().waitFor();
  assert.equal((await shown(one.id)).weight, 0);
  await button(page, "Undrain").click();
  await button(page, "Drain").waitFor();
  assert.equal((await shown(one.id)).weight, 10);
  await button(page, "Disable").click();
  await button(page, "Enable").waitFor();
  assert.equal((await shown(one.id)).enabled, false);
});

test("a failed save says what is wrong at its field and loses nothing", async (t) => {
  const { page, one, shown } = await two(t);
  await visit(page, `channels/${one.id}`);
  await button(page, "Edit").click();
  const form = dialog(page, "Edit one");
  await field(form, "name").fill("other");
  await field(form, "base_url").fill("https://elsewhere.example/v1");
  await button(form, "Save").click();
  await form.locator('[data-error="name"]').waitFor();
  assert.equal(await field(form, "base_url").inputValue(), "https://elsewhere.example/v1");
  await field(form, "name").fill("renamed");
  await button(form, "Save").click();
  await toast(page, "renamed was saved").catch(() => page.getByRole("heading", { name: "renamed" }).waitFor());
  const { name, base_url: url, weight } = await shown(one.id);
  assert.deepEqual([name, url, weight], ["renamed", "https://elsewhere.example/v1", 30]);
  // The key was not touched, and is not shown.
  assert.equal(await page.getByText("sk-canary-one", { exact: true }).count(), 0);
});

test("a form that is left with something typed asks first", async (t) => {
  const { page } = await two(t);
  await visit(page, "channels?new=1");
  const form = dialog(page, "Add channel");
  await field(form, "name").fill("half-typed");
  await button(form, "Cancel").click();
  const question = dialog(page, "Discard what you typed?");
  await button(question, "Cancel").click();
  assert.equal(await field(form, "name").inputValue(), "half-typed");
  await button(form, "Cancel").click();
  await button(question, "Discard").click();
  await form.waitFor({ state: "detached" });
});

test("two tabs that edit one channel get a choice, and neither loses what it typed", async (t) => {
  const { context, page, one, shown } = await two(t);
  const second = await context.newPage();
  for (const tab of [page, second]) {
    await tab.bringToFront();
    await visit(tab, `channels/${one.id}`);
    await button(tab, "Edit").click();
  }
  const [mine, theirs] = [page, second].map((tab) => dialog(tab, "Edit one"));
  await field(theirs, "weight").fill("77");
  await button(theirs, "Save").click();
  await theirs.waitFor({ state: "detached" });
  await page.bringToFront();
  await field(mine, "tier").fill("2");
  await field(mine, "weight").fill("11");
  await button(mine, "Save").click();
  const choice = dialog(page, "Somebody else changed this meanwhile");
  await row(choice, "Weight").getByText("77").waitFor();
  await button(choice, "Back to editing").click();
  assert.equal(await field(mine, "weight").inputValue(), "11");
  assert.equal((await shown(one.id)).weight, 77);
  await button(mine, "Save").click();
  await button(choice, "Save mine").click();
  await mine.waitFor({ state: "detached" });
  const { weight, tier } = await shown(one.id);
  assert.deepEqual([weight, tier], [11, 2]);
});

test("a test asks the upstream now and shows what it said", async (t) => {
  const { page, up, one } = await two(t);
  up.script = { pieces: ["What the upstream said"] };
  await visit(page, `channels/${one.id}`);
  await button(page, "Test").click();
  const trial = dialog(page, "Test one");
  await field(trial, "shape").selectOption("chat");
  await field(trial, "model").fill("gpt-4o");
  await button(trial, "Ask now").click();
  await trial.getByText("What the upstream said").waitFor();
  await trial.getByText("HTTP 200").waitFor();
  up.script = { status: 401, message: "Your account is deactivated." };
  await button(trial, "Ask now").click();
  await trial.getByText("Not well").waitFor();
  await trial.getByText("Your account is deactivated.").first().waitFor();
});

test("models are fetched from the upstream, and a failure to list them is told", async (t) => {
  const { gateway, page, up, other } = await two(t);
  await visit(page, `channels/${other.id}`);
  up.listing = { status: 500, message: "No list today." };
  const open = page.getByRole("button", { name: /Fetch models|Models of the upstream/ });
  await open.click();
  const offer = dialog(page, "Models of other");
  await offer.getByText("No list today.").first().waitFor();
  up.listing = {};
  await button(offer, "Try again").click();
  await offer.getByLabel("gpt-4o-mini").check();
  await button(offer, "Map 1 model").click();
  await offer.waitFor({ state: "detached" });
  const { models } = await gateway.admin("GET", `/api/channels/${other.id}`);
  assert.deepEqual(models.toSorted(), ["gpt-4o", "gpt-4o-mini"]);
});

test("a duplicate takes the settings along, but not the key", async (t) => {
  const { gateway, page } = await two(t);
  await visit(page, "channels");
  await button(page, "Duplicate one").click();
  const form = dialog(page, "Duplicate one");
  assert.equal(await field(form, "weight").inputValue(), "30");
  assert.equal(await field(form, "api_key").inputValue(), "");
  await field(form, "api_key").fill("sk-canary-copy");
  await button(form, "Add channel").click();
  await toast(page, "one-copy was added");
  const copy = (await gateway.admin("GET", "/api/channels")).find(({ name }) => name === "one-copy");
  assert.deepEqual([copy.weight, copy.models.toSorted()], [30, ["gpt-4o", "only-here"]]);
});

test("deleting says what goes with it, and can be taken back until it is done", async (t) => {
  const { gateway, page, user } = await two(t);
  await gateway.chat(user.api_key, { model: "only-here" });
  await visit(page, "channels");
  await button(page, "Delete one").click();
  const question = dialog(page, "Delete one?");
  await question.getByText("2 mappings").waitFor();
  await question.getByText("1 model that nobody else serves: only-here").waitFor();
  await question.getByText(/1 session/).waitFor();
  await button(question, "Cancel").click();
  assert.equal((await gateway.admin("GET", "/api/channels")).length, 2);
  await button(page, "Delete one").click();
  await button(question, "Delete channel").click();
  await toast(page, "one was deleted");
  assert.deepEqual((await gateway.admin("GET", "/api/channels")).map(({ name }) => name), ["other"]);
  await row(page, "other").waitFor();
});
