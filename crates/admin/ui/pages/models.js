// The names clients ask for, and who serves each with which share.

import { get, remove, words } from "../lib/api.js";
import { percent, plural } from "../lib/format.js";
import { go, to, usePlace } from "../lib/router.js";
import { useResource } from "../lib/resource.js";
import { html, useState } from "../lib/view.js";
import { Button } from "../components/button.js";
import { confirm } from "../components/dialog.js";
import { Icon } from "../components/icon.js";
import { Shares } from "../components/shares.js";
import { Empty, Head, Shown } from "../components/states.js";
import { Search, Table } from "../components/table.js";
import { toast } from "../components/toast.js";
import { unserved } from "./attention.js";
import { Model } from "./model.js";
import { ModelForm } from "./model_form.js";

export function Models() {
  const place = usePlace();
  const models = useResource("/api/models");
  if (place.id) return html`<${Model} key=${place.id} id=${Number(place.id)} models=${models} />`;
  return html`<${List} models=${models} adding=${place.query.has("new")} />`;
}

/** @param {{ models: import("../lib/resource.js").Resource, adding: boolean }} props */
function List({ models, adding }) {
  const pools = useResource("/api/routing/pools", { every: 5000 });
  const [wanted, setWanted] = useState("");
  const [edited, setEdited] = useState(/** @type {any} */ (null));
  const poolOf = (/** @type {any} */ row) => (pools.data ?? []).find((/** @type {any} */ pool) => pool.name === row.name);
  const any = (pools.data ?? []).find((/** @type {any} */ pool) => pool.kind === "any");
  const add = html`<${Button} kind="main" icon="plus" onClick=${() => go(to("models", null, { new: 1 }))}>Add model<//>`;
  return html`
    <${Head} title="Models" lead="The names that clients ask for, and the channels that serve them.">${add}<//>
    <section class="card">
      <${Shown} of=${models}>
        ${(/** @type {any[]} */ rows) => {
          if (rows.length === 0) return html`<${Empty} icon="boxes" title="No models yet" actions=${add}>A model is a public name, mapped to what one or more channels call it.<//>`;
          const found = rows.filter((row) => row.name.toLowerCase().includes(wanted.toLowerCase()));
          return html`
            <div class="filters">
              <${Search} label="Find a model" value=${wanted} onInput=${setWanted} />
              <span class="quiet small">${plural(rows.length, "model")}${any ? `; any other name goes to ${any.channels.map((/** @type {any} */ one) => one.channel_name).join(", ")}` : ""}</span>
            </div>
            <${Table}
              caption="Models"
              noun="model"
              rows=${found}
              id=${(/** @type {any} */ row) => row.id}
              sorted=${{ key: "name", down: false }}
              columns=${[
                {
                  key: "name", label: "Name", kind: "lead", by: (/** @type {any} */ row) => row.name,
                  show: (/** @type {any} */ row) => html`<a class="name break" href=${to("models", row.id)}>${row.name}</a>${row.managed_by === "file" && html`<span class="tag">file</span>`}`,
                },
                { key: "served", label: "Served by", by: (/** @type {any} */ row) => row.channels_count, show: (/** @type {any} */ row) => html`<${Served} row=${row} pools=${pools.data} pool=${poolOf(row)} />` },
                { key: "share", label: "Share of calls, by weight", width: "32%", show: (/** @type {any} */ row) => html`<${Shares} channels=${poolOf(row)?.channels ?? []} />` },
                { key: "policy", label: "Policy", by: (/** @type {any} */ row) => row.policy ?? "", show: (/** @type {any} */ row) => html`<span class="quiet small">${tuned(row)}</span>` },
                {
                  key: "actions", label: "", kind: "actions",
                  show: (/** @type {any} */ row) => html`
                    <div>
                      <${Button} kind="plain small" icon="pencil" label=${`Edit ${row.name}`} onClick=${() => setEdited(row)} />
                      <${Button} kind="plain small" icon="trash-2" label=${`Delete ${row.name}`} disabled=${row.managed_by === "file"} onClick=${() => void removeModel(row).then((gone) => (gone ? models.reload() : undefined))} />
                    </div>
                  `,
                },
              ]}
            />
          `;
        }}
      <//>
    </section>
    ${adding && html`<${ModelForm} onClose=${() => go(to("models"))} onSaved=${(/** @type {any} */ row) => { void models.reload(); go(to("models", row.id)); }} />`}
    ${edited && html`<${ModelForm} row=${edited} onClose=${() => setEdited(null)} onSaved=${(/** @type {any} */ row) => { setEdited(null); void models.reload(); toast("good", `${row.name} was saved`); }} />`}
  `;
}

/** @param {{ row: any, pools: any[] | null, pool: any }} props */
function Served({ row, pools, pool }) {
  const why = pools ? unserved(row, pools) : null;
  if (why) return html`<span class="tag bad" title=${why}><${Icon} name="triangle-alert" />Nobody</span>`;
  const out = (pool?.channels ?? []).filter((/** @type {any} */ one) => !one.admitted).length;
  return html`<span class="nowrap">${plural(row.channels_count, "channel")}${out ? html` <span class="tag warn">${out} down</span>` : ""}</span>`;
}

/** @param {any} row */
export function tuned(row) {
  const told = [row.policy?.replaceAll("_", " "), row.sticky === false && "not sticky", row.cut === false && "never cut", row.hedge && `hedged ≤ ${percent(row.hedge.max_percent / 100)}`, row.slack_percent && `slack ${row.slack_percent} %`];
  return told.filter(Boolean).join(", ") || "as the gateway";
}

/** @param {any} row @returns {Promise<boolean>} Whether it is gone. */
export async function removeModel(row) {
  try {
    const [mappings, goes] = await Promise.all([get(`/api/models/${row.id}/channels`), get(`/api/models/${row.id}/dependents`)]);
    const sure = await confirm({
      title: `Delete ${row.name}?`,
      text: html`
        <p>Clients that ask for it get 404 from then on, unless a channel serves any name. It goes with</p>
        <ul class="bullets"><li>${plural(mappings.length, "mapping")}${mappings.length ? `: ${mappings.map((/** @type {any} */ one) => one.channel_name).join(", ")}` : ""}</li><li>${plural(goes.sessions, "session")}</li></ul>
        <p class="quiet">The records of ${plural(goes.exchanges, "past call")} stay.</p>
      `,
      action: "Delete model",
      danger: true,
    });
    if (!sure) return false;
    await remove(`/api/models/${row.id}`, row.version);
    toast("good", `${row.name} was deleted`);
    return true;
  } catch (error) {
    toast("bad", words(error));
    return false;
  }
}
