// Texts that would run, if any page took them for more than texts, through everything that the API takes and everything
// that an upstream can say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CANARY } from "./harness/browser.mjs";
import { eventually } from "./harness/eventually.mjs";
import { button, dialog, field, PAGES, visit } from "./harness/pages.mjs";
import { PAYLOADS, provoke } from "./harness/payloads.mjs";
import { stage, upstream, withBrowser } from "./harness/stage.mjs";

withBrowser();

test("the forty payloads are forty", () => assert.equal(new Set(PAYLOADS).size, 40));

test("no text in a field of the API runs on any page", async (t) => {
  const up = await upstream(t, PAYLOADS);
  const { gateway, page, watch } = await stage(t);
  const refused = [];
  const tried = (made) => made.catch((error) => void refused.push(error.message));
  const channels = [];
  const quiet = { probe: "off", api_key: "sk-canary-payloads" };
  for (const [number, payload] of PAYLOADS.entries()) {
    const channel = await tried(gateway.channel(payload, up, [payload], quiet));
    if (channel) channels.push(channel);
    await tried(gateway.channel(`address-${number}`, { baseUrl: `http://127.0.0.1:9/${payload}` }, [], quiet));
    await tried(gateway.channel(`probe-${number}`, up, [], { ...quiet, probe: { chat: payload }, enabled: false }));
    await tried(gateway.user(payload, { allowed_models: [payload] }));
  }
  const user = await gateway.user("honest");
  assert.ok(channels.length > 30, `most payloads are names like others: ${refused.slice(0, 3).join("\n")}`);
  const models = await gateway.admin("GET", "/api/models");
  for (const [number, { id }] of models.entries()) await tried(gateway.admin("POST", `/api/models/${id}/channels`, { channel_id: channels.at(-1).id, backend_model_name: PAYLOADS[number] }));
  for (const payload of PAYLOADS) await gateway.chat(user.api_key, { model: payload, prompt_cache_key: payload, user: payload });
  const call = await eventually("a call is recorded", async () => (await gateway.admin("GET", "/api/exchanges?limit=1"))[0]);
  const [someone] = await gateway.admin("GET", "/api/users");
  const places = [...PAGES, `channels/${channels[0].id}`, `channels/${channels[3].id}`, `models/${models[0].id}`, `users/${someone.id}`, `requests/${call.request_id}`, `routing?model=${encodeURIComponent(PAYLOADS[2])}`, ...PAYLOADS.slice(0, 6).map((text) => `requests/${encodeURIComponent(text)}`), `models?new=${encodeURIComponent(PAYLOADS[0])}`, encodeURIComponent(PAYLOADS[2])];
  for (const place of places) {
    await visit(page, place);
    await provoke(page);
  }
  await visit(page, `channels/${channels[2].id}`);
  for (const open of ["Edit", "Duplicate", "Test", "Delete"]) {
    await button(page, open).click();
    await page.getByRole("dialog").first().waitFor();
    await provoke(page);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").first().waitFor({ state: "detached" });
  }
  watch.clean();
});

test("no text that an upstream says runs: errors, answers and lists of models", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, page, watch } = await stage(t);
  const channel = await gateway.channel("hostile", up, ["m"], { probe: "off" });
  const user = await gateway.user("somebody");
  await visit(page, "playground");
  await page.getByLabel("Gateway key").fill(user.api_key);
  for (const [number, payload] of PAYLOADS.entries()) {
    up.script = number % 2 ? { status: 400, message: payload } : { pieces: [payload] };
    await page.getByLabel("Message", { exact: true }).fill(payload);
    await button(page, "Send").click();
    await button(page, "Send").waitFor();
    await provoke(page);
  }
  await button(page, "Raw").click();
  await provoke(page);
  up.script = { status: 500, message: PAYLOADS.join(" ") };
  for (let call = 0; call < 4; call += 1) await gateway.chat(user.api_key, { model: "m" });
  up.listing = { body: JSON.stringify({ object: "list", data: PAYLOADS.map((id) => ({ id, object: "model" })) }) };
  for (const place of ["overview", "channels", `channels/${channel.id}`, "requests", "routing"]) {
    await visit(page, place);
    await provoke(page);
  }
  await visit(page, `channels/${channel.id}`);
  await page.getByRole("button", { name: /Fetch models|Models of the upstream/ }).click();
  await dialog(page, "Models of hostile").getByText(PAYLOADS[0], { exact: true }).waitFor();
  await provoke(page);
  await page.keyboard.press("Escape");
  await button(page, "Test").click();
  for (const body of [undefined, PAYLOADS.join("\n")]) {
    up.script = { status: 502, message: PAYLOADS.join(" "), body };
    await field(page.getByRole("dialog"), "shape").selectOption("chat");
    await field(page.getByRole("dialog"), "model").fill("m");
    await button(page, "Ask now").click();
    await page.getByText("Not well").waitFor();
    await button(page, "Ask now").waitFor();
    await provoke(page);
  }
  watch.clean();
});

test("the watch itself sees what runs, what leaves and what breaks the policy", async (t) => {
  const { page, watch } = await stage(t);
  await visit(page, "connect");
  await page.evaluate((canary) => void globalThis[canary]("on purpose"), CANARY);
  await page.evaluate(() => {
    const image = document.createElement("img");
    image.src = "https://elsewhere.invalid/pixel.png";
    document.body.append(image);
  });
  await page.evaluate(() => {
    try {
      document.body.insertAdjacentHTML("beforeend", "<b>html</b>");
    } catch {
      // Trusted types forbid it.
    }
  });
  const told = () => watch.faults.join("\n");
  for (const word of [/ran: on purpose/, /against the policy: img-src/, /against the policy: require-trusted-types-for/]) {
    await eventually(String(word), () => word.test(told()));
  }
  // Nothing more can be told from here on.
  await page.context().close();
  watch.faults.length = 0;
});
