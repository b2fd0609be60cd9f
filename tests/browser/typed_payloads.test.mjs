// The same texts, typed into every field of every form and every search.

import { test } from "node:test";
import { button, dialog, field, visit } from "./harness/pages.mjs";
import { PAYLOADS, provoke } from "./harness/payloads.mjs";
import { stage, upstream, withBrowser } from "./harness/stage.mjs";

withBrowser();

/** Types a text into every field of a form, as fast as a page can take it. */
const fill = (form, text) =>
  form.evaluate((box, typed) => {
    for (const fold of box.querySelectorAll("details")) fold.open = true;
    for (const input of box.querySelectorAll("input:not([type=checkbox]), textarea")) {
      input.value = typed;
      input.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertText", data: typed }));
    }
  }, text);

for (const [place, title, extra] of [["channels", "Add channel", "probe_kind"], ["models", "Add model", "hedge_on"], ["users", "Add user", "all_models"]]) {
  test(`no text that is typed into the fields of “${title}” runs, saved or refused`, async (t) => {
    const { gateway, page, watch } = await stage(t);
    await gateway.user("honest");
    const form = dialog(page, title);
    for (const [number, payload] of PAYLOADS.entries()) {
      // What was refused stays, and takes the next.
      if (!(await form.isVisible())) {
        await visit(page, "overview");
        await visit(page, `${place}?new=1`);
        await form.waitFor();
        await form.locator("details").evaluateAll((folds) => folds.forEach((fold) => (fold.open = true)));
      }
      // The fields that only some choices bring.
      if (extra === "probe_kind") await field(form, extra).selectOption(number % 2 ? "path" : "chat");
      else await field(form, extra).setChecked(extra === "hedge_on");
      await fill(form, payload);
      await button(form, title).click();
      await Promise.race([form.waitFor({ state: "detached" }), form.locator(".error, .note.bad").first().waitFor()]);
      await provoke(page);
      const kept = button(page, "I have kept it");
      if (await kept.isVisible()) await kept.click();
    }
    watch.clean();
  });
}

test("no text that is searched for, tried or asked runs", async (t) => {
  const up = await upstream(t, ["m"]);
  const { gateway, page, watch } = await stage(t);
  const channel = await gateway.channel("one", up, ["m"]);
  await gateway.user("honest");
  const [model] = await gateway.admin("GET", "/api/models");
  for (const place of ["requests", "channels", "models", "users", "sessions", "settings", "routing", "connect", "playground", `models/${model.id}`, `channels/${channel.id}`]) {
    await visit(page, place);
    for (const payload of PAYLOADS) await fill(page.locator("main"), place === "settings" ? `[${JSON.stringify(payload)}]\nx = ${JSON.stringify(payload)}` : payload);
    if (place === "settings") {
      await button(page, "Check").click();
      // What was not checked yet would not be left unasked.
      await page.locator("main form [role=status] > *").first().waitFor();
    }
    if (place === "connect") await button(page, "Python").click();
    await provoke(page);
  }
  watch.clean();
});
