// The holders of gateway keys.

import { get, remove, words } from "../lib/api.js";
import { plural } from "../lib/format.js";
import { go, to, usePlace } from "../lib/router.js";
import { usePages } from "../lib/pages.js";
import { useResource } from "../lib/resource.js";
import { html, useState } from "../lib/view.js";
import { Button } from "../components/button.js";
import { Secret } from "../components/code.js";
import { confirm, Dialog } from "../components/dialog.js";
import { Icon } from "../components/icon.js";
import { Form } from "../components/form.js";
import { Empty, Head, Shown } from "../components/states.js";
import { Search, Table } from "../components/table.js";
import { toast } from "../components/toast.js";
import { User } from "./user.js";

export function Users() {
  const place = usePlace();
  if (place.id) return html`<${User} key=${place.id} id=${Number(place.id)} />`;
  return html`<${List} adding=${place.query.has("new")} />`;
}

/** @param {{ adding: boolean }} props */
function List({ adding }) {
  const [wanted, setWanted] = useState("");
  const users = usePages("/api/users", wanted);
  // The order of a part is not the order of the whole.
  const by = (/** @type {(row: any) => any} */ of) => (users.more.any ? undefined : of);
  const [edited, setEdited] = useState(/** @type {any} */ (null));
  const [made, setMade] = useState(/** @type {any} */ (null));
  const add = html`<${Button} kind="main" icon="plus" onClick=${() => go(to("users", null, { new: 1 }))}>Add user<//>`;
  return html`
    <${Head} title="Users and keys" lead="Who may call the gateway, with which keys, for which models.">${add}<//>
    <section class="card">
      <${Shown} of=${users}>
        ${(/** @type {any[]} */ rows) => {
          if (rows.length === 0 && !wanted) return html`<${Empty} icon="users" title="No users yet" actions=${add}>A user is a person, a team or a program. It gets a gateway key of its own.<//>`;
          return html`
            <div class="filters"><${Search} label="Name, or a key" value=${wanted} onInput=${setWanted} /><span class="quiet small">${plural(users.total, "user")}</span></div>
            <${Table}
              caption="Users"
              noun="user"
              rows=${rows}
              more=${users.more}
              id=${(/** @type {any} */ row) => row.id}
              sorted=${{ key: "name", down: false }}
              columns=${[
                { key: "name", label: "Name", kind: "lead", by: by((row) => row.name), show: (/** @type {any} */ row) => html`<a class="name break" href=${to("users", row.id)}>${row.name || `user ${row.id}`}</a>${row.managed_by === "file" && html`<span class="tag">file</span>`}` },
                { key: "state", label: "State", by: by((row) => Number(row.enabled)), show: (/** @type {any} */ row) => html`<span class=${`tag ${row.enabled ? "good" : ""}`}><${Icon} name=${row.enabled ? "check" : "ban"} />${row.enabled ? "Enabled" : "Disabled"}</span>` },
                { key: "keys", label: "Keys", by: by((row) => row.keys.length), show: Keys },
                { key: "models", label: "Models", by: by((row) => row.allowed_models?.length ?? Infinity), show: AllowedModels },
                {
                  key: "actions", label: "", kind: "actions",
                  show: (/** @type {any} */ row) => html`
                    <div>
                      <a class="button plain small only" href=${to("users", row.id)} aria-label=${`Keys of ${row.name}`} title=${`Keys of ${row.name}`}><${Icon} name="key-round" /></a>
                      <${Button} kind="plain small" icon="pencil" label=${`Edit ${row.name}`} onClick=${() => setEdited(row)} />
                      <${Button} kind="plain small" icon="trash-2" label=${`Delete ${row.name}`} disabled=${row.managed_by === "file"} onClick=${() => void removeUser(row).then((gone) => (gone ? users.reload() : undefined))} />
                    </div>
                  `,
                },
              ]}
            />
          `;
        }}
      <//>
    </section>
    ${adding && html`<${UserForm} onClose=${() => go(to("users"))} onSaved=${(/** @type {any} */ row) => { setMade(row); go(to("users")); void users.reload(); }} />`}
    ${edited && html`<${UserForm} row=${edited} onClose=${() => setEdited(null)} onSaved=${(/** @type {any} */ row) => { setEdited(null); void users.reload(); toast("good", `${row.name} was saved`); }} />`}
    ${made && html`<${ShownOnce} title=${`${made.name || "The user"} was added`} secret=${made.api_key} onClose=${() => setMade(null)} />`}
  `;
}

/** @param {any} row */
const Keys = (row) => {
  const live = row.keys.filter((/** @type {any} */ key) => !key.expired);
  if (live.length === 0) return html`<span class="tag warn"><${Icon} name="triangle-alert" />none in force</span>`;
  return html`<span class="nowrap"><code>${live[live.length - 1].api_key}</code>${live.length > 1 ? html` <span class="quiet small">and ${live.length - 1} more</span>` : ""}</span>`;
};

/** @param {any} row */
export const AllowedModels = (row) => {
  const names = row.allowed_models;
  if (names === null) return html`<span class="quiet">all</span>`;
  if (names.length === 0) return html`<span class="tag warn">none</span>`;
  return html`<span class="tags">${names.slice(0, 3).map((/** @type {string} */ name) => html`<span class="tag cut">${name}</span>`)}${names.length > 3 && html`<span class="quiet small">and ${names.length - 3} more</span>`}</span>`;
};

/** A new key, in the one moment in which it can be seen. @param {{ title: string, secret: string, onClose: () => void, children?: import("../lib/view.js").Children }} props */
export function ShownOnce({ title, secret, onClose, children }) {
  return html`
    <${Dialog} title=${title} footer=${html`<button type="button" class="button main" data-first onClick=${onClose}>I have kept it</button>`}>
      <div class="content stack"><${Secret} secret=${secret} what="key" />${children}</div>
    <//>
  `;
}

/** @param {{ row?: any, onSaved: (row: any) => void, onClose: () => void }} props */
export function UserForm({ row, onSaved, onClose }) {
  const models = useResource("/api/models");
  const suggest = (models.data ?? []).map((/** @type {any} */ model) => model.name);
  /** @type {import("../components/fields.js").Spec[]} */
  const fields = [
    { name: "name", label: "Name", kind: "text", required: true, placeholder: "team-search" },
    { name: "all_models", label: "May use every model", kind: "flag" },
    { name: "allowed_models", label: "Models it may use", kind: "texts", suggest, when: (values) => !values["all_models"], help: "Everything else is not found for its keys." },
    { name: "enabled", label: "Enabled", kind: "flag", help: "The keys of a disabled user are refused." },
    { name: "may_explain", label: "May ask why a call went where it went", kind: "flag", help: "With the header x-gateway-explain. The answer names channels." },
    ...(row ? [] : [/** @type {const} */ ({ name: "api_key", label: "Key", kind: "secret", placeholder: "made by the gateway", help: "Only if it must be a certain one.", wire: (/** @type {string} */ value) => value || undefined })]),
  ];
  const read = (/** @type {any} */ from) => ({ name: from.name, all_models: from.allowed_models === null, allowed_models: from.allowed_models ?? [], enabled: from.enabled, may_explain: from.may_explain });
  const wire = (/** @type {Record<string, any>} */ body, /** @type {Record<string, any>} */ values) => {
    const { all_models: all, allowed_models: some, ...rest } = body;
    return all === undefined && some === undefined ? rest : { ...rest, allowed_models: values["all_models"] ? null : values["allowed_models"] };
  };
  const locked = row?.managed_by === "file" ? "This user stands in the configuration file, so it can only be changed there." : undefined;
  return html`
    <${Form}
      title=${row ? `Edit ${row.name || `user ${row.id}`}` : "Add user"}
      groups=${[{ fields }]}
      initial=${row ? read(row) : { name: "", all_models: true, allowed_models: [], enabled: true, may_explain: false, api_key: "" }}
      path=${row ? `/api/users/${row.id}` : "/api/users"}
      method=${row ? "PATCH" : "POST"}
      version=${row?.version}
      read=${read}
      wire=${wire}
      locked=${locked}
      action=${row ? "Save" : "Add user"}
      onSaved=${onSaved}
      onClose=${onClose}
    />
  `;
}

/** @param {any} row @returns {Promise<boolean>} Whether it is gone. */
export async function removeUser(row) {
  try {
    const goes = await get(`/api/users/${row.id}/dependents`);
    const sure = await confirm({
      title: `Delete ${row.name || `user ${row.id}`}?`,
      text: html`<p>Calls with its keys are refused from then on. It goes with</p><ul class="bullets"><li>${plural(goes.keys, "key")}</li><li>${plural(goes.sessions, "session")}</li></ul><p class="quiet">The records of ${plural(goes.exchanges, "past call")} stay.</p>`,
      action: "Delete user",
      danger: true,
    });
    if (!sure) return false;
    await remove(`/api/users/${row.id}`, row.version);
    toast("good", `${row.name} was deleted`);
    return true;
  } catch (error) {
    toast("bad", words(error));
    return false;
  }
}
