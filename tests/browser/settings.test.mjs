// The configuration in force, and a reload that is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { button, row, toast, visit } from "./harness/pages.mjs";
import { stage, withBrowser } from "./harness/stage.mjs";

withBrowser();

test("a reload shows every problem with its place, changes nothing, and works once the file is mended", async (t) => {
  const { gateway, page } = await stage(t);
  await visit(page, "settings");
  await row(page, "proxy.max_attempts").getByText("default").waitFor();
  await gateway.write({ proxy: { max_attempts: 99, sticky: "perhaps" } });
  await button(page, "Reload the file").click();
  const problems = page.getByLabel("Problems");
  await problems.getByText("proxy.max_attempts").waitFor();
  await problems.getByText("proxy.sticky").waitFor();
  await problems.getByText(/line \d+/).first().waitFor();
  await page.getByText("What was in force before stays in force.").waitFor();
  await gateway.write({ proxy: { max_attempts: 7 } });
  await button(page, "Reload the file").click();
  await toast(page, "is in force");
  await row(page, "proxy.max_attempts").getByText("7", { exact: true }).waitFor();
  await row(page, "proxy.max_attempts").getByText(/file, line/).waitFor();
  assert.equal(await problems.count(), 0);
});

test("a refusal is shown until a reload succeeds, whoever asks for that one", async (t) => {
  const { gateway, page } = await stage(t);
  await visit(page, "settings");
  await gateway.write({ proxy: { max_attempts: 99 } });
  await button(page, "Reload the file").click();
  const refused = page.locator("header .tag", { hasText: "Refused" });
  await refused.waitFor();
  await gateway.write({ proxy: { max_attempts: 7 } });
  await gateway.admin("POST", "/api/config/reload");
  await row(page, "proxy.max_attempts").getByText("7", { exact: true }).waitFor();
  await refused.waitFor({ state: "detached" });
  assert.equal(await page.getByLabel("Problems").count(), 0);
});

test("a file is tried without being put in force", async (t) => {
  const { gateway, page } = await stage(t);
  await visit(page, "settings");
  const text = page.getByLabel("Text of a configuration file");
  await text.fill("[proxy]\nmax_attempts = 99\n");
  await button(page, "Check").click();
  await page.getByLabel("Problems").getByText("line 2").waitFor();
  await text.fill("[proxy]\nmax_attempts = 9\n");
  await button(page, "Check").click();
  await page.getByText("A reload would accept it.").waitFor();
  const { settings } = await gateway.admin("GET", "/api/config");
  assert.equal(settings.find(({ key }) => key === "proxy.max_attempts").value, "3");
});

test("no secret of the gateway is on the page", async (t) => {
  const { page } = await stage(t);
  await visit(page, "settings");
  await page.getByLabel("Find a setting").fill("admin.token");
  await row(page, "admin.token").waitFor();
  assert.equal((await page.content()).includes("admin-token-of-the-browser-suite"), false);
});
