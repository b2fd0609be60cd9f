// One user and its keys.

import { ApiError, patch, post, remove, words } from "../lib/api.js";
import { useAction } from "../lib/action.js";
import { ago, day } from "../lib/format.js";
import { go, to } from "../lib/router.js";
import { useResource } from "../lib/resource.js";
import { html, useState } from "../lib/view.js";
import { Button } from "../components/button.js";
import { confirm, Dialog } from "../components/dialog.js";
import { Field } from "../components/fields.js";
import { Icon } from "../components/icon.js";
import { Empty, Failure, Head, Loading, Note } from "../components/states.js";
import { Table } from "../components/table.js";
import { toast } from "../components/toast.js";
import { AllowedModels, removeUser, ShownOnce, UserForm } from "./users.js";

const HOUR = 3600;

/** @param {{ id: number }} props */
export function User({ id }) {
  const user = useResource(`/api/users/${id}`);
  const row = user.data;
  const [open, setOpen] = useState(/** @type {"edit" | "new" | { rotate: any } | { made: any, what: string } | null} */ (null));
  const work = useAction();
  const gone = user.error instanceof ApiError && user.error.status === 404;
  if (!row || gone) {
    if (user.error && !gone) return html`<${Failure} error=${user.error} retry=${user.reload} />`;
    if (!gone) return html`<${Loading} />`;
    return html`<${Empty} icon="users" title="There is no such user" actions=${html`<a class="button" href=${to("users")}>All users</a>`}>It may have been deleted.<//>`;
  }
  const name = row.name || `User ${row.id}`;
  const locked = row.managed_by === "file";
  const close = () => setOpen(null);
  const shown = (/** @type {any} */ key, /** @type {string} */ what) => {
    setOpen({ made: key, what });
    void user.reload();
  };
  const revoke = (/** @type {any} */ key) =>
    work.run(async () => {
      const sure = await confirm({ title: `Revoke ${key.api_key}?`, text: "Calls with this key are refused at once. This cannot be taken back; to change it without a gap, rotate it.", action: "Revoke key", danger: true });
      if (!sure) return;
      await remove(`/api/users/${row.id}/keys/${key.id}`);
      toast("good", `${key.api_key} was revoked`);
      await user.reload();
    });
  const toggle = () =>
    work.run(async () => {
      await patch(`/api/users/${row.id}`, { enabled: !row.enabled }, row.version);
      toast("good", `${name} is ${row.enabled ? "disabled" : "enabled"}`);
      await user.reload();
    });
  return html`
    <${Head} title=${name} lead=${html`<a href=${to("users")}>Users</a> · ${row.enabled ? "enabled" : "disabled"}, made ${ago(row.created_at)}`}>
      <a class="button" href=${to("requests", null, { user_id: row.id })}>Its requests</a>
      <${Button} icon="pencil" onClick=${() => setOpen("edit")}>${locked ? "Settings" : "Edit"}<//>
      ${!locked && html`
        <${Button} icon=${row.enabled ? "ban" : "check"} busy=${work.busy} onClick=${toggle}>${row.enabled ? "Disable" : "Enable"}<//>
        <${Button} kind="danger" icon="trash-2" onClick=${() => void removeUser(row).then((gone) => gone && go(to("users")))}>Delete<//>
      `}
    <//>
    <div class="stack">
      ${locked && html`<${Note}>This user stands in the configuration file, so it can only be changed there.<//>`}
      <section class="card">
        <header><h2>Keys</h2>${!locked && html`<${Button} kind="small" icon="plus" onClick=${() => setOpen("new")}>New key<//>`}</header>
        ${row.keys.length === 0
          ? html`<${Empty} icon="key-round" title="No keys">Without a key this user cannot call.<//>`
          : html`
              <${Table}
                caption=${`Keys of ${name}`}
                noun="key"
                rows=${row.keys}
                id=${(/** @type {any} */ key) => key.id}
                columns=${[
                  { key: "key", label: "Key", kind: "lead", show: (/** @type {any} */ key) => html`<code class="name">${key.prefix}…${key.last_four}</code>` },
                  { key: "state", label: "State", show: (/** @type {any} */ key) => html`<span class=${`tag ${key.expired ? "" : key.expires_at ? "warn" : "good"}`}><${Icon} name=${key.expired ? "ban" : key.expires_at ? "triangle-alert" : "check"} />${key.expired ? "Expired" : key.expires_at ? `Ends ${ago(key.expires_at)}` : "In force"}</span>` },
                  { key: "made", label: "Made", show: (/** @type {any} */ key) => html`<span title=${day(key.created_at)}>${ago(key.created_at)}</span>` },
                  { key: "ends", label: "Ends", show: (/** @type {any} */ key) => (key.expires_at ? day(key.expires_at) : html`<span class="quiet">never</span>`) },
                  {
                    key: "actions", label: "", kind: "actions",
                    show: (/** @type {any} */ key) => !locked && html`
                      <div>
                        <${Button} kind="plain small" icon="refresh-cw" disabled=${key.expired} onClick=${() => setOpen({ rotate: key })}>Rotate<//>
                        <${Button} kind="plain small danger" icon="trash-2" busy=${work.busy} onClick=${() => revoke(key)}>Revoke<//>
                      </div>
                    `,
                  },
                ]}
              />
            `}
      </section>
      <section class="card">
        <header><h2>What it may do</h2></header>
        <div class="body"><dl class="facts"><dt>Models</dt><dd>${AllowedModels(row)}</dd><dt>May ask why</dt><dd>${row.may_explain ? "yes" : "no"}</dd></dl></div>
      </section>
    </div>
    ${open === "edit" && html`<${UserForm} row=${row} onClose=${close} onSaved=${() => { close(); void user.reload(); toast("good", `${name} was saved`); }} />`}
    ${open === "new" && html`<${KeyDialog} title=${`New key for ${name}`} path=${`/api/users/${row.id}/keys`} action="Make key" choices=${ENDS} field="expires_at" onClose=${close} onMade=${(/** @type {any} */ key) => shown(key, "A new key was made")} />`}
    ${open && typeof open === "object" && "rotate" in open && html`<${KeyDialog} title=${`Rotate ${open.rotate.api_key}`} path=${`/api/users/${row.id}/keys/${open.rotate.id}/rotate`} action="Rotate key" choices=${OVERLAPS} field="overlap_seconds" onClose=${close} onMade=${(/** @type {any} */ key) => shown(key, "The key was rotated")} />`}
    ${open && typeof open === "object" && "made" in open && html`<${ShownOnce} title=${open.what} secret=${open.made.api_key} onClose=${close} />`}
  `;
}

const inSeconds = (/** @type {number} */ seconds) => new Date(Date.now() + seconds * 1000).toISOString();

/** @typedef {{ value: string, label: string, wire: () => unknown }} Choice */

/** @type {Choice[]} */
const ENDS = [
  { value: "never", label: "Never", wire: () => null },
  { value: "hour", label: "In an hour", wire: () => inSeconds(HOUR) },
  { value: "day", label: "In a day", wire: () => inSeconds(24 * HOUR) },
  { value: "month", label: "In 30 days", wire: () => inSeconds(30 * 24 * HOUR) },
  { value: "year", label: "In a year", wire: () => inSeconds(365 * 24 * HOUR) },
];

/** @type {Choice[]} */
const OVERLAPS = [
  { value: "day", label: "24 hours", wire: () => 24 * HOUR },
  { value: "hour", label: "1 hour", wire: () => HOUR },
  { value: "week", label: "7 days", wire: () => 7 * 24 * HOUR },
  { value: "none", label: "Not at all", wire: () => 0 },
];

/** @param {{ title: string, path: string, action: string, choices: Choice[], field: string, onMade: (key: any) => void, onClose: () => void }} props */
function KeyDialog({ title, path, action, choices, field, onMade, onClose }) {
  const [chosen, setChosen] = useState(choices[0]?.value ?? "");
  const [fault, setFault] = useState(/** @type {string | undefined} */ (undefined));
  const work = useAction();
  const spec = /** @type {import("../components/fields.js").Spec} */ ({
    name: field,
    label: field === "expires_at" ? "It ends" : "The old key is still taken for",
    kind: "choice",
    options: choices,
    help: field === "expires_at" ? "It is refused from then on." : "So that clients can change over without a gap.",
  });
  const make = (/** @type {Event} */ event) => {
    event.preventDefault();
    void work.run(async (signal) => {
      try {
        onMade(await post(path, { [field]: choices.find(({ value }) => value === chosen)?.wire() }, { signal }));
      } catch (error) {
        if (!signal.aborted) setFault(words(error));
      }
    });
  };
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <form onSubmit=${make}>
        <div class="content form"><${Field} spec=${spec} value=${chosen} error=${fault} onInput=${setChosen} /></div>
        <footer><${Button} onClick=${onClose}>Cancel<//><${Button} kind="main" type="submit" busy=${work.busy}>${action}<//></footer>
      </form>
    <//>
  `;
}
