// Models and who serves them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "./harness/eventually.mjs";
import { button, dialog, field, row, toast, visit } from "./harness/pages.mjs";
import { stage, upstream, withBrowser } from "./harness/stage.mjs";

withBrowser();

test("a model is made, mapped with a backend name and weights, and its shares are shown before they are saved", async (t) => {
  const up = await upstream(t, ["backend-a"]);
  const { gateway, page } = await stage(t);
  const one = await gateway.channel("one", up, ["x"]);
  const two = await gateway.channel("two", up, ["x"]);
  await gateway.user("somebody");
  await visit(page, "models?new=1");
  const form = dialog(page, "Add model");
  await field(form, "name").fill("public-name");
  await button(form, "Add model").click();
  await page.getByText("No channel is mapped to it.").first().waitFor();
  await page.getByLabel("Map a channel").selectOption("one");
  await page.getByLabel("What one calls it").fill("backend-a");
  await page.getByLabel("Map a channel").selectOption("two");
  await page.getByLabel("Weight of one").fill("30");
  await row(page, "one").getByText("75 %").waitFor();
  await row(page, "two").getByText("25 %").waitFor();
  const model = (await gateway.admin("GET", "/api/models")).find(({ name }) => name === "public-name");
  const mappings = () => gateway.admin("GET", `/api/models/${model.id}/channels`);
  assert.deepEqual(await mappings(), []);
  await button(page, "Save").click();
  await toast(page, "2 changes saved");
  const told = (await mappings()).map(({ channel_id: channel, backend_model_name: name, weight }) => [channel, name, weight]);
  assert.deepEqual(told, [[one.id, "backend-a", 30], [two.id, "backend-a", 10]]);

  // A weight that is none keeps what was typed and is told at its row; the rest is saved.
  await page.getByLabel("Weight of one").fill("heavy");
  await button(page, "Unmap two").click();
  await button(page, "Save").click();
  await toast(page, "1 change could not be saved");
  await row(page, "one").getByRole("alert").waitFor();
  assert.equal(await page.getByLabel("Weight of one").inputValue(), "heavy");
  assert.equal((await mappings()).length, 1);
});

test("what is typed into a mapping outlives what others change meanwhile, and is refused where they changed the same", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, page } = await stage(t);
  const one = await gateway.channel("one", up, ["m"]);
  const two = await gateway.channel("two", up, ["m"]);
  const [model] = await gateway.admin("GET", "/api/models");
  const change = (channel, weight) => gateway.admin("PATCH", `/api/models/${model.id}/channels/${channel.id}`, { weight });
  await visit(page, `models/${model.id}`);
  await page.getByLabel("Weight of one").fill("33");
  await change(two, 44);
  const weight = (name) => page.getByLabel(`Weight of ${name}`).inputValue();
  await eventually("the page shows what was changed", async () => (await weight("two")) === "44");
  assert.equal(await weight("one"), "33");
  await change(one, 55);
  await change(two, 45);
  await eventually("the page shows what was changed then", async () => (await weight("two")) === "45");
  assert.equal(await weight("one"), "33");
  await button(page, "Save").click();
  await row(page, "one").getByText("Somebody else changed this mapping").waitFor();
  assert.equal(await weight("one"), "33");
  await button(page, "Discard").click();
  await eventually("the page shows what it is now", async () => (await weight("one")) === "55");
});

test("a model that nobody can serve is warned of, and deleting one says what goes with it", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, page } = await stage(t);
  const channel = await gateway.channel("one", up, ["m"]);
  const user = await gateway.user("somebody");
  await gateway.chat(user.api_key, { model: "m" });
  await visit(page, "overview");
  await page.getByText("All is well").waitFor();
  await gateway.admin("PATCH", `/api/channels/${channel.id}`, { enabled: false });
  await page.getByText("Nobody can serve m").waitFor();
  await visit(page, "models");
  await row(page, "m").locator(".tag.bad", { hasText: "Nobody" }).waitFor();
  await button(page, "Delete m").click();
  const question = dialog(page, "Delete m?");
  await question.getByText("1 mapping: one").waitFor();
  await button(question, "Delete model").click();
  await toast(page, "m was deleted");
  assert.deepEqual(await gateway.admin("GET", "/api/models"), []);
});

test("a model's policy and hedge are set in its form and read back from it", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, page } = await stage(t);
  await gateway.channel("one", up, ["m"]);
  const [model] = await gateway.admin("GET", "/api/models");
  await visit(page, `models/${model.id}`);
  await button(page, "Edit").click();
  const form = dialog(page, "Edit m");
  await field(form, "policy").selectOption("least_inflight");
  await form.getByText("Second attempt beside a slow one").click();
  await field(form, "hedge_on").check();
  await field(form, "hedge_percent").fill("90");
  await button(form, "Save").click();
  await form.locator(".error, .note.bad").first().waitFor();
  await field(form, "hedge_percent").fill("7");
  await button(form, "Save").click();
  await toast(page, "m was saved");
  const { policy, hedge } = await gateway.admin("GET", `/api/models/${model.id}`);
  assert.deepEqual([policy, hedge], ["least_inflight", { after: "learned", max_percent: 7 }]);
});
