// One model: its mappings in an editor that shows each channel's share as it will be, before anything is saved.

import { go, to } from "../lib/router.js";
import { useResource } from "../lib/resource.js";
import { html, useState } from "../lib/view.js";
import { Button } from "../components/button.js";
import { Empty, Failure, Head, Loading, Note, Shown } from "../components/states.js";
import { toast } from "../components/toast.js";
import { unserved } from "./attention.js";
import { MappingEditor } from "./mapping_editor.js";
import { ModelForm } from "./model_form.js";
import { removeModel, tuned } from "./models.js";

/** @param {{ id: number, models: import("../lib/resource.js").Resource }} props */
export function Model({ id, models }) {
  const row = (models.data ?? []).find((/** @type {any} */ known) => known.id === id);
  const mappings = useResource(row ? `/api/models/${id}/channels` : null);
  const channels = useResource("/api/channels");
  const pools = useResource("/api/routing/pools", { every: 5000 });
  const [editing, setEditing] = useState(false);
  if (!row) {
    if (models.error) return html`<${Failure} error=${models.error} retry=${models.reload} />`;
    if (models.data === null) return html`<${Loading} />`;
    return html`<${Empty} icon="boxes" title="There is no such model" actions=${html`<a class="button" href=${to("models")}>All models</a>`}>It may have been deleted.<//>`;
  }
  const why = mappings.data?.length === 0 ? "No channel is mapped to it." : unserved(row, pools.data ?? []);
  const locked = row.managed_by === "file";
  return html`
    <${Head} title=${row.name} lead=${html`<a href=${to("models")}>Models</a> · ${tuned(row)}`}>
      <a class="button" href=${to("routing", null, { model: row.name })}>Explain routing</a>
      <a class="button" href=${to("playground", null, { model: row.name })}>Try it</a>
      <${Button} icon="pencil" onClick=${() => setEditing(true)}>${locked ? "Settings" : "Edit"}<//>
      ${!locked && html`<${Button} kind="danger" icon="trash-2" onClick=${() => void removeModel(row).then((gone) => { if (gone) { void models.reload(); go(to("models")); } })}>Delete<//>`}
    <//>
    <div class="stack">
      ${locked && html`<${Note}>This model stands in the configuration file, so it can only be changed there.<//>`}
      ${why && mappings.data && html`<${Note} kind="bad"><b>Nobody can serve this model.</b> ${why}<//>`}
      <${Shown} of=${mappings}>
        ${(/** @type {any[]} */ rows) =>
          channels.data === null
            ? html`<section class="card"><${Loading} /></section>`
            : html`<${MappingEditor}
                key=${row.id}
                model=${row}
                rows=${rows}
                channels=${channels.data}
                pool=${(pools.data ?? []).find((/** @type {any} */ pool) => pool.name === row.name)}
                locked=${locked}
                onSaved=${() => Promise.all([mappings.reload(), models.reload(), pools.reload()])}
              />`}
      <//>
    </div>
    ${editing && html`<${ModelForm} row=${row} onClose=${() => setEditing(false)} onSaved=${(/** @type {any} */ saved) => { setEditing(false); void models.reload(); toast("good", `${saved.name} was saved`); }} />`}
  `;
}
