// Which channel served whom last.

import { remove, words } from "../lib/api.js";
import { ago, day, plural } from "../lib/format.js";
import { to } from "../lib/router.js";
import { useResource } from "../lib/resource.js";
import { html, useState } from "../lib/view.js";
import { Button } from "../components/button.js";
import { confirm } from "../components/dialog.js";
import { Empty, Head, Shown } from "../components/states.js";
import { Search, Table } from "../components/table.js";
import { toast } from "../components/toast.js";

/** More than anybody reads; the search says when it does not see all. */
const MOST = 5000;

export function Sessions() {
  const sessions = useResource(`/api/sessions?limit=${MOST}`, { every: 10_000 });
  const [wanted, setWanted] = useState("");
  const end = async (/** @type {any} */ row) => {
    const whose = `${row.user_name ?? `user ${row.user_id}`}, ${row.model}`;
    const sure = await confirm({ title: "End this session?", text: html`<p class="break">${whose} leaves ${row.channel_name ?? "its channel"}: its next call draws a channel by chance. What the upstream had cached for it may be of no more use.</p>`, action: "End session", danger: true });
    if (!sure) return;
    try {
      await remove(`/api/sessions/${row.id}`);
      toast("good", `The session of ${whose} was ended`);
      await sessions.reload();
    } catch (error) {
      toast("bad", words(error));
    }
  };
  return html`
    <${Head} title="Sessions" lead="Which channel served a user's calls last, by model or conversation. The next call goes there too while the channel is fit." />
    <section class="card">
      <${Shown} of=${sessions}>
        ${(/** @type {any[]} */ rows) => {
          if (rows.length === 0) return html`<${Empty} icon="activity" title="No sessions">They are made by calls, and forgotten when nobody uses them.<//>`;
          const text = wanted.toLowerCase();
          const found = rows.filter((row) => `${row.user_name} ${row.channel_name} ${row.model} ${row.conversation ?? ""}`.toLowerCase().includes(text));
          return html`
            <div class="filters"><${Search} label="User, channel, model or conversation" value=${wanted} onInput=${setWanted} /><span class="quiet small">${rows.length >= MOST ? `the last ${plural(MOST, "session")}` : plural(rows.length, "session")}</span></div>
            <${Table}
              caption="Sessions"
              noun="session"
              rows=${found}
              id=${(/** @type {any} */ row) => row.id}
              columns=${[
                { key: "user", label: "User", kind: "lead", by: (/** @type {any} */ row) => row.user_name, show: (/** @type {any} */ row) => html`<a class="name break" href=${to("users", row.user_id)}>${row.user_name ?? `user ${row.user_id}`}</a>` },
                { key: "model", label: "Model", by: (/** @type {any} */ row) => row.model, show: (/** @type {any} */ row) => html`<span class="break">${row.model}</span>` },
                { key: "conversation", label: "Conversation", show: (/** @type {any} */ row) => (row.conversation ? html`<code>${row.conversation.slice(0, 8)}…</code>` : html`<span class="quiet">all its calls</span>`) },
                { key: "channel", label: "Channel", by: (/** @type {any} */ row) => row.channel_name, show: (/** @type {any} */ row) => html`<a class="break" href=${to("channels", row.channel_id)}>${row.channel_name ?? `channel ${row.channel_id}`}</a>` },
                { key: "used", label: "Last used", by: (/** @type {any} */ row) => row.last_used_at, show: (/** @type {any} */ row) => html`<span class="nowrap" title=${day(row.last_used_at)}>${ago(row.last_used_at)}</span>` },
                { key: "age", label: "Began", by: (/** @type {any} */ row) => row.created_at, show: (/** @type {any} */ row) => html`<span class="nowrap" title=${day(row.created_at)}>${ago(row.created_at)}</span>` },
                { key: "actions", label: "", kind: "actions", show: (/** @type {any} */ row) => html`<div><${Button} kind="plain small" icon="x" onClick=${() => void end(row)}>End<//></div>` },
              ]}
            />
          `;
        }}
      <//>
    </section>
  `;
}
