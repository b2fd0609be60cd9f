// A chat through the gateway itself, and the snippets that make others' chats.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { eventually } from "./harness/eventually.mjs";
import { button, visit } from "./harness/pages.mjs";
import { stage, upstream, withBrowser } from "./harness/stage.mjs";

withBrowser();

async function chatting(t, script) {
  const up = await upstream(t, ["m"], script);
  const set = await stage(t);
  await set.gateway.channel("one", up, ["m"]);
  const user = await set.gateway.user("somebody");
  const say = async (text) => {
    await set.page.getByLabel("Message", { exact: true }).fill(text);
    await button(set.page, "Send").click();
  };
  return { ...set, up, user, say };
}

test("an answer comes piece by piece, with what it took and what went over the wire", async (t) => {
  const { page, up, user, say } = await chatting(t, { pieces: ["one ", "two ", "three"], gap: 1000 });
  await visit(page, "playground");
  await page.getByLabel("Gateway key").fill(user.api_key);
  await say("Count!");
  const answer = page.locator(".said[data-role=assistant]");
  await eventually("part of the answer", async () => /^one (two )?$/.test((await answer.textContent()) ?? ""));
  await answer.getByText("one two three").waitFor();
  await page.getByText("12 in, 3 out").waitFor();
  await say("Again!");
  await eventually("the conversation goes on", () => up.asked.some(({ body }) => body?.messages?.length === 3));
  await button(page, "Send").waitFor();
  await button(page, "Raw").click();
  await page.getByLabel("Response", { exact: true }).getByText("data: [DONE]").waitFor();
  assert.equal((await page.locator("pre").allTextContents()).join("").includes(user.api_key), false);
});

test("Stop leaves the upstream and keeps what came", async (t) => {
  const { page, up, user, say } = await chatting(t, { pieces: Array.from({ length: 500 }, (_, index) => `${index} `), gap: 50 });
  await visit(page, "playground");
  await page.getByLabel("Gateway key").fill(user.api_key);
  await say("Talk on!");
  await page.locator(".said[data-role=assistant]", { hasText: "3 4 " }).waitFor();
  await button(page, "Stop").click();
  await page.getByText("Stopped.").waitFor();
  await eventually("the upstream is left", () => up.left === 1);
  assert.match(await page.locator(".said[data-role=assistant]").textContent(), /^0 1 2 3 4 /);
});

test("a failure is told in the server's words, and what was typed comes back", async (t) => {
  const { page, user, say } = await chatting(t, { status: 400, message: "Your prompt is too odd." });
  await visit(page, "playground");
  await page.getByLabel("Gateway key").fill(user.api_key);
  await say("Odd!");
  await page.getByText("Your prompt is too odd.").waitFor();
  assert.equal(await page.getByLabel("Message", { exact: true }).inputValue(), "Odd!");
});

test("a stream that breaks off does not look whole, and keeps what came", async (t) => {
  const { page, up, user, say } = await chatting(t, { pieces: Array.from({ length: 500 }, (_, index) => `${index} `), gap: 50 });
  await visit(page, "playground");
  await page.getByLabel("Gateway key").fill(user.api_key);
  await say("Go!");
  const answer = page.locator(".said[data-role=assistant]", { hasText: "3 4 " });
  await answer.waitFor();
  // Not before they are seen: a browser throws away what a page has not read yet when the connection is cut.
  up.fail();
  await page.getByRole("log").getByRole("alert").waitFor();
  assert.match(await answer.textContent(), /^0 1 2 3 4 /);
});

test("a key for an hour is made where one is needed", async (t) => {
  const { gateway, page, user, say } = await chatting(t, {});
  await visit(page, "playground");
  await page.getByText("Make one for an hour").click();
  await button(page, "Make").click();
  await say("Hello!");
  await page.locator(".said[data-role=assistant]", { hasText: "Hello from the scripted upstream." }).waitFor();
  const keys = await gateway.admin("GET", `/api/users/${user.id}/keys`);
  assert.equal(keys.filter(({ expires_at: ends }) => ends !== null).length, 1);
});

test("the snippet for curl works as it stands, whatever the name of the model", async (t) => {
  const model = `it's "odd" $HOME`;
  const up = await upstream(t, ["x"]);
  const { gateway, page } = await stage(t);
  const channel = await gateway.channel("one", up, []);
  const made = await gateway.admin("POST", "/api/models", { name: model });
  await gateway.admin("POST", `/api/models/${made.id}/channels`, { channel_id: channel.id, backend_model_name: "x" });
  const user = await gateway.user("somebody");
  await visit(page, "connect");
  await page.getByText(`${gateway.url}/v1`).first().waitFor();
  // Until the models have come, an example stands in the place of their names.
  const text = await page.locator("pre", { hasText: "chat/completions" }).filter({ hasText: "odd" }).first().textContent();
  const { stdout } = await promisify(execFile)("sh", ["-c", text], { env: { ...process.env, GATEWAY_KEY: user.api_key } });
  assert.match(stdout, /scripted/);
  assert.equal(up.asked.findLast(({ body }) => body).body.model, "x");
});
