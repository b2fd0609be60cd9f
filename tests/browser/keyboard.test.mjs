// With the keyboard alone: whoever cannot use a mouse signs in, makes a channel and makes a user.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN } from "./harness/gateway.mjs";
import { toast } from "./harness/pages.mjs";
import { stage, upstream, withBrowser } from "./harness/stage.mjs";

withBrowser();

/** How often Tab may be pressed before something counts as out of reach. */
const MOST = 60;

/** Walks with Tab until the focus is where its name says. @param {import("playwright-core").Page} page @param {RegExp} name */
async function reach(page, name) {
  for (let step = 0; step < MOST; step += 1) {
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      const label = element?.labels?.[0]?.textContent;
      const name = (element?.getAttribute("aria-label") ?? label ?? element?.textContent ?? "").trim();
      // A field in a box of its own may leave the ring to the box.
      const rings = [element, element?.parentElement].filter(Boolean).map((one) => getComputedStyle(one));
      return { name, seen: rings.some((ring) => ring.outlineStyle !== "none" || ring.boxShadow !== "none") };
    });
    if (name.test(at.name)) {
      assert.ok(at.seen, `one cannot see that the focus is on ${at.name}`);
      return;
    }
    await page.keyboard.press("Tab");
  }
  assert.fail(`${name} cannot be reached`);
}

const type = async (page, name, text) => {
  await reach(page, name);
  await page.keyboard.type(text);
};

const press = async (page, name, key = "Enter") => {
  await reach(page, name);
  await page.keyboard.press(key);
};

test("signing in, making a channel and making a user need no mouse", async (t) => {
  const up = await upstream(t, ["gpt-4o"]);
  const { gateway, page } = await stage(t, { signIn: false });
  await page.goto("/");
  await page.getByLabel("Admin token").waitFor();
  await type(page, /^Admin token/, TOKEN);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Welcome" }).waitFor();

  await press(page, /^Skip$/);
  await press(page, /^Channels/);
  await page.getByRole("heading", { name: "Channels", level: 1 }).waitFor();
  await press(page, /^Add channel$/);
  await page.getByRole("dialog").waitFor();
  await type(page, /^Name/, "by-keyboard");
  await type(page, /^Base URL/, up.baseUrl);
  await type(page, /^Models/, "gpt-4o,");
  await page.keyboard.press("Enter");
  await toast(page, "by-keyboard was added");
  await page.getByRole("heading", { name: "by-keyboard" }).waitFor();

  await press(page, /^Users and keys$/);
  await page.getByRole("heading", { name: "Users and keys", level: 1 }).waitFor();
  await press(page, /^Add user$/);
  await page.getByRole("dialog").waitFor();
  await type(page, /^Name/, "keyboard-person");
  await page.keyboard.press("Enter");
  await page.locator("[data-secret]").waitFor();
  await press(page, /^I have kept it$/);
  await page.getByRole("link", { name: "keyboard-person", exact: true }).waitFor();

  const [channel] = await gateway.admin("GET", "/api/channels");
  const [user] = await gateway.admin("GET", "/api/users");
  assert.deepEqual([channel.name, channel.models, user.name], ["by-keyboard", ["gpt-4o"], "keyboard-person"]);
});

test("Escape leaves a dialog, and the focus goes back to what opened it", async (t) => {
  const { page } = await stage(t);
  await page.goto("/#/users");
  await page.getByRole("heading", { name: "No users yet" }).waitFor();
  await press(page, /^Add user$/);
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal((await page.evaluate(() => document.activeElement?.textContent)).trim(), "Add user");
});
