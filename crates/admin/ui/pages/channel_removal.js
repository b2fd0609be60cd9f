// Deleting a channel, after telling what goes with it.

import { get, remove, words } from "../lib/api.js";
import { plural } from "../lib/format.js";
import { html } from "../lib/view.js";
import { confirm } from "../components/dialog.js";
import { toast } from "../components/toast.js";

/** @param {any} row @returns {Promise<boolean>} Whether it is gone. */
export async function removeChannel(row) {
  try {
    const [pools, sessions] = await Promise.all([get("/api/routing/pools"), get("/api/sessions")]);
    const mapped = row.models.filter((/** @type {string} */ name) => name !== "*");
    const orphans = pools.filter((/** @type {any} */ pool) => pool.kind === "model" && pool.channels.length === 1 && pool.channels[0].channel_id === row.id);
    const held = sessions.filter((/** @type {any} */ session) => session.channel_id === row.id).length;
    const sure = await confirm({
      title: `Delete ${row.name}?`,
      text: html`
        <p>It goes at once, with</p>
        <ul class="bullets">
          <li>${plural(mapped.length, "mapping")}${mapped.length ? html`: <span class="break">${few(mapped)}</span>` : ""}</li>
          <li>${plural(held, "session")}, whose next calls go elsewhere</li>
          ${orphans.length > 0 && html`<li><b>${plural(orphans.length, "model")} that nobody else serves: ${few(orphans.map((/** @type {any} */ pool) => pool.name))}</b></li>`}
          ${row.serves_any_model && html`<li>its part in serving models that are not mapped</li>`}
        </ul>
        <p class="quiet">Running calls are finished. To let it run empty first, set its weight to 0.</p>
      `,
      action: "Delete channel",
      danger: true,
    });
    if (!sure) return false;
    await remove(`/api/channels/${row.id}`);
    toast("good", `${row.name} was deleted`);
    return true;
  } catch (error) {
    toast("bad", words(error));
    return false;
  }
}

/** @param {string[]} names */
const few = (names) => (names.length > 6 ? `${names.slice(0, 6).join(", ")} and ${names.length - 6} more` : names.join(", "));
