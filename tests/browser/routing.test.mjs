// The explainer says what then happens.

import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./harness/pages.mjs";
import { stage, upstream, withBrowser } from "./harness/stage.mjs";

withBrowser();

test("the winner that the explainer shows is the one that x-gateway-route names in a real call", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, page } = await stage(t);
  const names = ["red", "green", "blue", "grey"];
  const made = [];
  for (const name of names) made.push(await gateway.channel(name, up, ["m"]));
  // What the first probes find out would change the answer between the question and the call.
  for (const { id } of made) await gateway.healthy(id);
  const user = await gateway.user("somebody", { may_explain: true });
  const winners = new Set();
  for (const conversation of ["c-1", "c-2", "c-3", "c-4", "c-5", "c-6"]) {
    await visit(page, `routing?model=m&user=${user.id}&session=${conversation}`);
    // The picture is drawn anew for each question.
    await page.reload();
    const winner = page.locator(".candidate.won");
    const shown = await winner.locator("a.name").textContent();
    const reason = (await winner.locator(".tag.accent").textContent()).replace("chosen: ", "").trim();
    const { headers } = await gateway.chat(user.api_key, { model: "m", stream: true, prompt_cache_key: conversation }, { "x-gateway-explain": "1" });
    const route = headers.get("x-gateway-route") ?? "";
    t.diagnostic(route);
    const id = (await gateway.admin("GET", "/api/channels")).find(({ name }) => name === shown)?.id;
    assert.match(route, new RegExp(`\\b(${shown}|channel=${id})\\b`), `shown: ${shown}, ${reason}`);
    assert.equal(headers.get("x-gateway-channel") ?? shown, shown);
    winners.add(shown);
  }
  assert.ok(winners.size > 1, "conversations are spread, so the same name six times would prove nothing");
});

test("a question that cannot be asked says so at its field", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, page } = await stage(t);
  await gateway.channel("one", up, ["m"]);
  await gateway.user("somebody");
  await visit(page, "routing");
  await page.locator(".candidate.won").waitFor();
  await page.getByLabel("Prompt tokens").fill("many");
  await page.locator('[data-error="prompt_tokens"]').waitFor();
  await page.getByLabel("Prompt tokens").fill("100");
  await page.locator(".candidate.won").waitFor();
  await page.getByText("Shares against weights").waitFor();
});
