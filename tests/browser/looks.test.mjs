// How every page looks, in light and dark, wide and narrow: a picture of each, and nothing that axe finds serious.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { faults } from "./harness/axe.mjs";
import { launch, person, SIZES } from "./harness/browser.mjs";
import { Gateway } from "./harness/gateway.mjs";
import { PAGES, visit } from "./harness/pages.mjs";
import { login } from "./harness/stage.mjs";
import { settle, traffic } from "./harness/town.mjs";

const PICTURES = process.env.GATEWAY_BROWSER_PICTURES ?? "pictures";
const SECONDS = Number(process.env.GATEWAY_BROWSER_TRAFFIC_SECONDS ?? 10);

const stop = new AbortController();
let browser, empty, gateway, town, calls;
before(async () => {
  await mkdir(PICTURES, { recursive: true });
  [browser, gateway, empty] = await Promise.all([launch(), Gateway.start(), Gateway.start()]);
  town = await settle(gateway);
  calls = traffic(gateway, town, stop.signal);
  await Promise.race([calls, new Promise((done) => setTimeout(done, SECONDS * 1000))]);
});
after(async () => {
  stop.abort();
  await calls;
  await browser?.close();
  await gateway?.stop();
  await empty?.stop();
  await town?.close();
});

/** A short conversation. */
async function talk(page, key) {
  await page.getByLabel("Gateway key").fill(key);
  for (const text of ["Where does this answer come from?", "And the next one?"]) {
    await page.getByLabel("Message", { exact: true }).fill(text);
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("button", { name: "Send" }).waitFor();
  }
}

for (const theme of ["light", "dark"]) {
  for (const size of Object.keys(SIZES)) {
    test(`every page in ${theme}, ${SIZES[size].width} px wide`, async () => {
      const { context, page, watch } = await person(browser, gateway, { theme, size });
      const fresh = await person(browser, empty, { theme, size });
      const found = [];
      const look = async (name, page) => {
        await page.screenshot({ path: join(PICTURES, `${name}-${theme}-${SIZES[size].width}.png`), fullPage: size === "narrow" });
        found.push(...(await faults(page)).map((fault) => `${name}: ${fault}`));
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (wide > 0) found.push(`${name}: ${wide} px wider than the screen`);
      };
      await page.goto("/");
      await page.getByLabel("Admin token").waitFor();
      await look("login", page);
      await login(context, gateway);
      await page.reload();
      // One that was tried twice tells more than one that went well at once.
      const past = await gateway.admin("GET", "/api/exchanges?limit=200");
      const told = past.find(({ attempts }) => attempts.length > 1) ?? past[0];
      const [model] = await gateway.admin("GET", "/api/models");
      const places = { ...Object.fromEntries(PAGES.map((name) => [name, name])), channel: `channels/${town.channels.fast.id}`, model: `models/${model.id}`, user: `users/${town.users[0].id}`, request: `requests/${told.request_id}`, "channel-form": "channels?new=1", "model-form": "models?new=1", "user-form": "users?new=1", missing: "nowhere" };
      for (const [name, place] of Object.entries(places)) {
        await visit(page, place).catch((error) => found.push(`${name}: ${error.message}`));
        if (name === "playground") await talk(page, town.users[0].api_key);
        await look(name, page);
      }
      await visit(page, "channels");
      for (const open of ["Delete azure-sweden", "Test azure-sweden"]) {
        await page.getByRole("button", { name: open }).click();
        await page.getByRole("dialog").waitFor();
        await look(open.split(" ")[0].toLowerCase(), page);
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
      }
      await login(fresh.context, empty);
      await visit(fresh.page);
      await look("welcome", fresh.page);
      for (const one of [{ context, watch }, fresh]) {
        await one.context.close();
        one.watch.clean();
      }
      assert.deepEqual(found, []);
    });
  }
}
