// What happens is seen while it happens, and found again afterwards.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "./harness/eventually.mjs";
import { button, dialog, row, toast, visit } from "./harness/pages.mjs";
import { stage, upstream, withBrowser } from "./harness/stage.mjs";

withBrowser();

/** Something that is told once. */
function signal() {
  let tell = (_) => {};
  const told = new Promise((done) => (tell = done));
  return { told, tell };
}

/** From the death of a channel to the word of it on the page, in milliseconds. */
const SEEN_WITHIN = 2000;

test("a channel's death is seen on every page that shows its health within two seconds, and its return too", async (t) => {
  const up = await upstream(t, ["m"]);
  // Two seconds are what the pages may take; a probe's second is not theirs.
  const { gateway, context, page } = await stage(t, { settings: { health_check: { interval: "500ms", timeout: "500ms" } } });
  const channel = await gateway.channel("mortal", up, ["m"]);
  await gateway.user("somebody");
  await gateway.healthy(channel.id);
  const [overview, detail] = [await context.newPage(), await context.newPage()];
  await visit(page, "channels");
  await visit(overview, "overview");
  await visit(detail, `channels/${channel.id}`);
  await row(page, "mortal").getByText("Healthy").waitFor();
  await overview.getByText("All is well").waitFor();
  const seen = [
    row(page, "mortal").getByText("Down"),
    overview.getByText("mortal is down"),
    detail.locator("header .tag.bad", { hasText: "Down" }),
  ];
  up.fail();
  const died = performance.now();
  await Promise.all(seen.map((word) => word.waitFor()));
  const took = Math.round(performance.now() - died);
  t.diagnostic(`a channel's death was seen on three pages after ${took} ms`);
  // What a probe needs to find out is not the page's doing: one may have just passed.
  assert.ok(took <= SEEN_WITHIN, `${took} ms`);
  up.recover();
  await row(page, "mortal").getByText("Healthy").waitFor();
  await overview.getByText("All is well").waitFor();
});

test("calls appear as they finish, are narrowed down, and are found by their x-request-id", async (t) => {
  const [good, bad] = [await upstream(t, ["m", "n"]), await upstream(t, ["m"], { status: 500, message: "scripted failure" })];
  const { gateway, page } = await stage(t);
  await gateway.channel("good", good, ["m", "n"]);
  await gateway.channel("bad", bad, ["m"], { weight: 1000, probe: "off" });
  const user = await gateway.user("somebody");
  await visit(page, "requests");
  const ids = [];
  for (const body of [{ model: "m", stream: true, stream_options: { include_usage: true } }, { model: "n" }, { model: "nobody-has-this" }]) ids.push((await gateway.chat(user.api_key, body)).headers.get("x-request-id"));
  const link = (id) => page.locator(`a[href="#/requests/${id}"]`).first();
  for (const id of ids) await link(id).waitFor();
  await page.getByLabel("Model", { exact: true }).selectOption("n");
  await link(ids[0]).waitFor({ state: "detached" });
  await link(ids[1]).waitFor();
  await button(page, "Clear").click();
  await page.getByLabel("Outcome").selectOption("client_error");
  await link(ids[2]).waitFor();
  await link(ids[1]).waitFor({ state: "detached" });

  await page.getByLabel("Find by x-request-id").fill(ids[0]);
  await page.keyboard.press("Enter");
  await page.getByText("What happened").waitFor();
  const told = await gateway.admin("GET", `/api/exchanges/${ids[0]}`);
  const attempts = page.locator(".timeline > li");
  assert.equal(await attempts.count(), told.attempts.length);
  for (const [index, attempt] of told.attempts.entries()) await attempts.nth(index).getByText(attempt.channel_name, { exact: true }).waitFor();
  await page.getByText("12", { exact: true }).first().waitFor();

  await visit(page, "requests/00000000-0000-0000-0000-000000000000");
  await page.getByText("No such request on record").waitFor();
});

test("a paused tail counts what it does not show", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, page } = await stage(t);
  await gateway.channel("one", up, ["m"]);
  const user = await gateway.user("somebody");
  await visit(page, "requests");
  await button(page, "Pause").click();
  const { headers } = await gateway.chat(user.api_key, { model: "m" });
  await page.getByText("1 newer").waitFor();
  assert.equal(await page.locator(`a[href="#/requests/${headers.get("x-request-id")}"]`).count(), 0);
  await button(page, "Go on live").click();
  await page.locator(`a[href="#/requests/${headers.get("x-request-id")}"]`).first().waitFor();
});

test("a session is shown with its channel and removed from there", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, page } = await stage(t);
  await gateway.channel("one", up, ["m"]);
  const user = await gateway.user("somebody");
  await gateway.chat(user.api_key, { model: "m", prompt_cache_key: "a-conversation" });
  await visit(page, "sessions");
  await row(page, "somebody").getByText("one", { exact: true }).waitFor();
  await button(row(page, "somebody"), "End").click();
  await button(dialog(page, "End this session?"), "End session").click();
  await toast(page, "was ended");
  await page.getByText("No sessions").waitFor();
  assert.deepEqual(await gateway.admin("GET", "/api/sessions"), []);
});

test("a gateway that is gone is told, and the page goes on when it is back", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, page } = await stage(t, { settings: { admin: { auth: "none" } }, signIn: false, returns: true });
  await gateway.channel("one", up, ["m"]);
  await gateway.user("somebody");
  await page.goto("/#/overview");
  await page.getByText("All is well").waitFor();
  await gateway.end("SIGKILL");
  const banner = page.locator(".banner", { hasText: "The gateway does not answer" });
  await banner.waitFor();
  await gateway.run();
  await banner.waitFor({ state: "detached" });
  await eventually("the figures move again", () => page.getByText("All is well").isVisible());
});

test("figures whose first reading failed are read again", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, page } = await stage(t);
  await gateway.channel("one", up, ["m"]);
  await gateway.user("somebody");
  // The feed is open by then, so that nothing but the failure is a reason to read again.
  const feed = page.waitForResponse("**/api/events");
  await visit(page, "connect");
  await feed;
  let asked = 0;
  await page.route("**/api/history?*", (route) => {
    asked += 1;
    return asked === 1 ? route.fulfill({ status: 503, json: { error: { message: "Not now." } } }) : route.continue();
  });
  await visit(page, "overview");
  await page.getByRole("region", { name: "Figures" }).getByText("Requests", { exact: true }).waitFor();
  assert.ok(asked > 1);
});

test("of two readings that overlap the one that was asked last is shown, whichever is answered last", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, page } = await stage(t);
  const one = await gateway.channel("one", up, ["m"], { weight: 11 });
  await visit(page, "channels");
  const weight = page.getByLabel("Weight of one", { exact: true });
  await weight.waitFor();
  const listed = async (value) => eventually(`the weight is ${value}`, async () => (await weight.inputValue()) === String(value));
  // The first reading has its answer already when the second is asked, and brings it only behind that one's.
  let asked = 0;
  const [answered, overtaken, late] = [signal(), signal(), signal()];
  await page.route("**/api/channels", async (route) => {
    asked += 1;
    if (asked > 1) return route.continue();
    const answer = await route.fetch();
    answered.tell();
    await overtaken.told;
    await route.fulfill({ response: answer });
    return late.tell(route.request());
  });
  await gateway.admin("PATCH", `/api/channels/${one.id}`, { weight: 22 });
  await answered.told;
  await gateway.admin("PATCH", `/api/channels/${one.id}`, { weight: 33 });
  await listed(33);
  overtaken.tell();
  const request = await late.told;
  await (await request.response()).finished();
  // What the page does with the answer, it has done two frames later.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))));
  assert.equal(await weight.inputValue(), "33");
});
