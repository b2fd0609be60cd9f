// From an empty gateway to the first streamed answer, as somebody does who has just installed it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN } from "./harness/gateway.mjs";
import { button, dialog, field } from "./harness/pages.mjs";
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

  await button(page, "Open the playground").click();
  await page.getByLabel("Message", { exact: true }).fill("Hello!");
  await button(page, "Send").click();
  await page.locator(".said[data-role=assistant]", { hasText: "It works at last." }).waitFor();
  await page.getByText("by first").waitFor();
  const [call] = up.asked.filter(({ path }) => path.endsWith("/chat/completions"));
  assert.equal(call.body.stream, true);
  assert.equal(call.key, "Bearer sk-canary-first");
});
