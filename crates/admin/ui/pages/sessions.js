// Which channel served whom last.

import { remove, words } from "../lib/api.js";
import { ago, day, plural } from "../lib/format.js";
import { to } from "../lib/router.js";
import { usePages } from "../lib/pages.js";
import { html, useState } from "../lib/view.js";
import { Button } from "../components/button.js";
import { confirm } from "../components/dialog.js";
import { Empty, Head, Shown } from "../components/states.js";
import { Search, Table } from "../components/table.js";
import { toast } from "../components/toast.js";

export function Sessions() {
  const [wanted, setWanted] = useState("");
  const sessions = usePages("/api/sessions", wanted, { every: 10_000 });
  // The order of a part is not the order of the whole.
  const by = (/** @type {(row: any) => any} */ of) => (sessions.more.any ? undefined : of);
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
          if (rows.length === 0 && !wanted) return html`<${Empty} icon="activity" title="No sessions">They are made by calls, and forgotten when nobody uses them.<//>`;
          return html`
            <div class="filters"><${Search} label="User, channel, model or conversation" value=${wanted} onInput=${setWanted} /><span class="quiet small">${plural(sessions.total, "session")}</span></div>
            <${Table}
              caption="Sessions"
              noun="session"
              rows=${rows}
              more=${sessions.more}
              id=${(/** @type {any} */ row) => row.id}
              columns=${[
                { key: "user", label: "User", kind: "lead", by: by((row) => row.user_name), show: (/** @type {any} */ row) => html`<a class="name break" href=${to("users", row.user_id)}>${row.user_name ?? `user ${row.user_id}`}</a>` },
                { key: "model", label: "Model", by: by((row) => row.model), show: (/** @type {any} */ row) => html`<span class="break">${row.model}</span>` },
                { key: "conversation", label: "Conversation", show: (/** @type {any} */ row) => (row.conversation ? html`<code>${row.conversation.slice(0, 8)}…</code>` : html`<span class="quiet">all its calls</span>`) },
                { key: "channel", label: "Channel", by: by((row) => row.channel_name), show: (/** @type {any} */ row) => html`<a class="break" href=${to("channels", row.channel_id)}>${row.channel_name ?? `channel ${row.channel_id}`}</a>` },
                { key: "used", label: "Last used", by: by((row) => row.last_used_at), show: (/** @type {any} */ row) => html`<span class="nowrap" title=${day(row.last_used_at)}>${ago(row.last_used_at)}</span>` },
                { key: "age", label: "Began", by: by((row) => row.created_at), show: (/** @type {any} */ row) => html`<span class="nowrap" title=${day(row.created_at)}>${ago(row.created_at)}</span>` },
                { key: "actions", label: "", kind: "actions", show: (/** @type {any} */ row) => html`<div><${Button} kind="plain small" icon="x" onClick=${() => void end(row)}>End<//></div>` },
              ]}
            />
          `;
        }}
      <//>
    </section>
  `;
}
