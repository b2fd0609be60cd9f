// How every page looks, in light and dark, wide and narrow: a picture of each, and nothing that axe finds serious.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { faults } from "./harness/axe.mjs";
import { launch, person, SIZES } from "./harness/browser.mjs";
import { Gateway } from "./harness/gateway.mjs";
import { PAGES, settled, visit } from "./harness/pages.mjs";
import { login } from "./harness/stage.mjs";
import { settle, traffic } from "./harness/town.mjs";

const PICTURES = process.env.GATEWAY_BROWSER_PICTURES ?? "pictures";
const SECONDS = Number(process.env.GATEWAY_BROWSER_TRAFFIC_SECONDS ?? 10);

let browser, gateway, town;
before(async () => {
  await mkdir(PICTURES, { recursive: true });
  [browser, gateway] = await Promise.all([launch(), Gateway.start()]);
  town = await settle(gateway);
  await traffic(gateway, town, SECONDS);
});
after(async () => {
  await browser?.close();
  await gateway?.stop();
  await town?.close();
});

for (const theme of ["light", "dark"]) {
  for (const size of Object.keys(SIZES)) {
    test(`every page in ${theme}, ${SIZES[size].width} px wide`, async () => {
      const { context, page, watch } = await person(browser, gateway, { theme, size });
      const found = [];
      const look = async (name, { pictured = true } = {}) => {
        if (pictured) await page.screenshot({ path: join(PICTURES, `${name}-${theme}-${SIZES[size].width}.png`), fullPage: size === "narrow" });
        found.push(...(await faults(page)).map((fault) => `${name}: ${fault}`));
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (wide > 0) found.push(`${name}: ${wide} px wider than the screen`);
      };
      await page.goto("/");
      await page.getByLabel("Admin token").waitFor();
      await look("login");
      await login(context, gateway);
      await page.reload();
      const [last] = await gateway.admin("GET", "/api/exchanges?limit=1");
      const [model] = await gateway.admin("GET", "/api/models");
      const places = { ...Object.fromEntries(PAGES.map((name) => [name, name])), channel: `channels/${town.channels.fast.id}`, model: `models/${model.id}`, user: `users/${town.users[0].id}`, request: `requests/${last.request_id}`, "channel-form": "channels?new=1", "model-form": "models?new=1", "user-form": "users?new=1", missing: "nowhere" };
      for (const [name, place] of Object.entries(places)) {
        await visit(page, place).catch((error) => found.push(`${name}: ${error.message}`));
        await look(name);
      }
      await settled(page);
      await context.close();
      watch.clean();
      assert.deepEqual(found, []);
    });
  }
}
