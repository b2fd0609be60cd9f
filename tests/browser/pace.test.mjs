// How soon something is seen, and long lists.

import assert from "node:assert/strict";
import { test } from "node:test";
import { button, row, visit } from "./harness/pages.mjs";
import { stage, withBrowser } from "./harness/stage.mjs";

withBrowser();

const MANY = Number(process.env.GATEWAY_BROWSER_USERS ?? 10_000);
if (!Number.isInteger(MANY) || MANY < 1) throw new Error(`GATEWAY_BROWSER_USERS is ${process.env.GATEWAY_BROWSER_USERS}; it is a whole number from 1 up`);

/** Rows that the page shows at a time, and that it reads at a time. */
const [SHOWN, READ] = [50, 200];

test("the first paint is measured", async (t) => {
  const { gateway, enter } = await stage(t);
  await gateway.user("somebody");
  for (const kind of ["cold", "warm"]) {
    const { page } = await enter();
    await page.goto("/");
    if (kind === "warm") await page.reload();
    await page.locator("main h1").first().waitFor();
    await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
    const [painted, bytes] = await page.evaluate(() => [
      performance.getEntriesByType("paint").find(({ name }) => name === "first-contentful-paint")?.startTime,
      performance.getEntriesByType("resource").reduce((all, { transferSize }) => all + transferSize, 0),
    ]);
    assert.ok(painted > 0);
    t.diagnostic(`first paint, ${kind}: ${Math.round(painted)} ms, ${Math.round(bytes / 1000)} KB fetched`);
  }
});

test(`a list of ${MANY} users is read a page at a time, searched and walked through`, async (t) => {
  const { gateway, page, context } = await stage(t);
  // In the file, for making them one by one would be the test.
  const name = (index) => `user-${String(index).padStart(8, "0")}`;
  const declared = Array.from({ length: MANY }, (_, index) => `[[users]]\nname = "${name(index)}"\nkey = "sk-many-users-${String(index).padStart(8, "0")}"\n`);
  await gateway.write(gateway.settings, declared.join(""));
  await gateway.admin("POST", "/api/config/reload");
  const sizes = [];
  context.on("response", (response) => {
    if (new URL(response.url()).pathname === "/api/users") sizes.push(response.body().then((body) => body.length, () => 0));
  });
  await visit(page, "users");
  await row(page, name(0)).waitFor();
  assert.equal(await page.locator("tbody tr").count(), Math.min(MANY, SHOWN));
  const shown = page.locator(".pager");
  const times = [];
  // As often as there is more, and no oftener than makes a median.
  const turns = Math.min(10, Math.ceil(MANY / READ) - 1);
  for (let turn = 0; turn < turns; turn += 1) {
    const before = await shown.textContent();
    const began = performance.now();
    await button(page, "Load more").click();
    await page.waitForFunction((was) => document.querySelector(".pager")?.textContent !== was && !document.querySelector(".pager [aria-busy]"), before);
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  if (turns) t.diagnostic(`more of ${MANY} users: median ${Math.round(times[turns >> 1])} ms, longest ${Math.round(times[turns - 1])} ms`);
  if (MANY > SHOWN) {
    const first = await page.locator("tbody tr").first().textContent();
    await button(page, "Next page").click();
    await page.waitForFunction((was) => document.querySelector("tbody tr")?.textContent !== was, first);
  }
  // All whose names differ from the last one's in the last figure.
  const last = MANY - 1;
  await page.getByLabel("Name, or a key").fill(name(last).slice(0, -1));
  const found = (last % 10) + 1;
  await page.waitForFunction((count) => document.querySelectorAll("tbody tr").length === count, found);
  await row(page, name(last)).waitFor();
  const all = await Promise.all(sizes);
  assert.ok(all.length > turns && Math.max(...all) < 100_000, `no answer holds all users: ${all.join(", ")} bytes`);
});
