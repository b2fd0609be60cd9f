// From an empty gateway to the first streamed answer, as somebody does who has just installed it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN } from "./harness/gateway.mjs";
import { button, dialog, field, visit } from "./harness/pages.mjs";
import { stage, upstream, withBrowser } from "./harness/stage.mjs";

withBrowser();

test("an empty gateway leads to a channel, models, a user and the first streamed answer", async (t) => {
  const up = await upstream(t, ["gpt-4o", "gpt-4o-mini"], { pieces: ["It ", "works ", "at ", "last."], gap: 10 });
  const { gateway, page } = await stage(t, { signIn: false });
  await page.goto("/");
  await page.getByLabel("Admin token").fill(TOKEN);
  await button(page, "Sign in").click();
  await page.getByRole("heading", { name: "Welcome" }).waitFor();

  // A channel, first with an address that is none: the form keeps everything and says what is wrong where it is.
  await button(page, "Add channel").click();
  const form = dialog(page, "Add channel");
  await field(form, "name").fill("first");
  await field(form, "base_url").fill("nowhere");
  await field(form, "api_key").fill("sk-canary-first");
  await button(form, "Add channel").click();
  await form.locator('[data-error="base_url"]').waitFor();
  assert.equal(await field(form, "name").inputValue(), "first");
  assert.equal(await field(form, "api_key").inputValue(), "sk-canary-first");
  await field(form, "base_url").fill(up.baseUrl);
  await button(form, "Add channel").click();
  await form.waitFor({ state: "detached" });

  await button(page, "Fetch models from first").click();
  const offer = dialog(page, "Models of first");
  await offer.getByLabel("gpt-4o-mini").check();
  await button(offer, "Map 1 model").click();
  await offer.waitFor({ state: "detached" });

  await field(page, "user").fill("me");
  await button(page, "Add user").click();
  const key = await page.locator("[data-secret]").textContent();
  assert.match(key, /^sk-/);
  assert.equal((await gateway.admin("GET", "/api/users"))[0].name, "me");
  // Whoever goes elsewhere and comes back sees the key again, so it is not said that it is shown this once.
  await visit(page, "channels");
  await visit(page, "overview");
  assert.equal(await page.locator("[data-secret]").textContent(), key);
  await page.getByText("This page holds the key until it is closed or loaded anew").waitFor();
  assert.equal(await page.getByText("only time").count(), 0);

  await button(page, "Open the playground").click();
  await page.getByLabel("Message", { exact: true }).fill("Hello!");
  await button(page, "Send").click();
  await page.locator(".said[data-role=assistant]", { hasText: "It works at last." }).waitFor();
  await page.getByText("by first").waitFor();
  const [call] = up.asked.filter(({ path }) => path.endsWith("/chat/completions"));
  assert.equal(call.body.stream, true);
  assert.equal(call.key, "Bearer sk-canary-first");
});

test("a model whose mapping was refused is mapped by trying again, not made twice", async (t) => {
  const up = await upstream(t, ["typed-one"]);
  const { gateway, page } = await stage(t);
  await gateway.channel("first", up, []);
  await page.goto("/");
  await page.getByText("Or type one").click();
  await refuseMapping(page, 1);
  await field(page, "model").fill("typed-one");
  await button(page, "Add").click();
  await page.locator('[data-error="model"]').getByText("Not this time.").waitFor();
  assert.deepEqual((await gateway.admin("GET", "/api/models")).map(({ name, channels_count: count }) => [name, count]), [["typed-one", 0]]);
  await button(page, "Add").click();
  await field(page, "user").waitFor();
  assert.deepEqual((await gateway.admin("GET", "/api/models")).map(({ name, channels_count: count }) => [name, count]), [["typed-one", 1]]);
});

test("of several chosen models those that failed are tried again, and the step waits for them", async (t) => {
  const up = await upstream(t, ["a", "b", "c"]);
  const { gateway, page } = await stage(t);
  await gateway.channel("first", up, []);
  await page.goto("/");
  await button(page, "Fetch models from first").click();
  const offer = dialog(page, "Models of first");
  await button(offer, "All").click();
  await refuseMapping(page, 2);
  await button(offer, "Map 3 models").click();
  await offer.getByText("b: Not this time.").waitFor();
  await button(offer, "Map 1 model").click();
  await offer.waitFor({ state: "detached" });
  await field(page, "user").waitFor();
  assert.deepEqual((await gateway.admin("GET", "/api/channels"))[0].models.toSorted(), ["a", "b", "c"]);
});

/** Refuses one mapping, by its number, and no other. */
async function refuseMapping(page, which) {
  let asked = 0;
  await page.route("**/api/models/*/channels", (route) => {
    if (route.request().method() !== "POST") return route.continue();
    asked += 1;
    return asked === which ? route.fulfill({ status: 409, json: { error: { message: "Not this time." } } }) : route.continue();
  });
}
