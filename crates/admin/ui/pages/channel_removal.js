// Deleting a channel, after telling what goes with it.

import { get, remove, words } from "../lib/api.js";
import { plural } from "../lib/format.js";
import { html } from "../lib/view.js";
import { confirm } from "../components/dialog.js";
import { toast } from "../components/toast.js";

/** @param {any} row @returns {Promise<boolean>} Whether it is gone. */
export async function removeChannel(row) {
  try {
    const goes = await get(`/api/channels/${row.id}/dependents`);
    const mapped = row.models.filter((/** @type {string} */ name) => name !== "*");
    const sure = await confirm({
      title: `Delete ${row.name}?`,
      text: html`
        <p>It goes at once, with</p>
        <ul class="bullets">
          <li>${plural(goes.mappings, "mapping")}${mapped.length ? html`: <span class="break">${few(mapped)}</span>` : ""}</li>
          <li>${plural(goes.sessions, "session")}, whose next calls go elsewhere</li>
          ${goes.unserved.length > 0 && html`<li><b>${plural(goes.unserved.length, "model")} that nobody else serves: ${few(goes.unserved)}</b></li>`}
          ${row.serves_any_model && html`<li>its part in serving models that are not mapped</li>`}
        </ul>
        <p class="quiet">Running calls are finished, and the records of ${plural(goes.exchanges, "past call")} stay. To let it run empty first, set its weight to 0.</p>
      `,
      action: "Delete channel",
      danger: true,
    });
    if (!sure) return false;
    await remove(`/api/channels/${row.id}`, row.version);
    toast("good", `${row.name} was deleted`);
    return true;
  } catch (error) {
    toast("bad", words(error));
    return false;
  }
}

/** @param {string[]} names */
const few = (names) => (names.length > 6 ? `${names.slice(0, 6).join(", ")} and ${names.length - 6} more` : names.join(", "));
