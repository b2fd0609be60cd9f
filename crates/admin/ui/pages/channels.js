// The upstream accounts: how each is, its share, and everything that can be done with it.

import { ApiError, patch, words } from "../lib/api.js";
import { useAction } from "../lib/action.js";
import { ms, plural } from "../lib/format.js";
import { last, useHistory } from "../lib/history.js";
import { useLive } from "../lib/live.js";
import { go, to, usePlace } from "../lib/router.js";
import { useResource } from "../lib/resource.js";
import { html, useState } from "../lib/view.js";
import { Button } from "../components/button.js";
import { Sparkline, Standing, standing, Ticks } from "../components/health.js";
import { Empty, Head, Shown } from "../components/states.js";
import { Search, Table } from "../components/table.js";
import { toast } from "../components/toast.js";
import { Weight } from "../components/weight.js";
import { removeChannel } from "./channel_removal.js";
import { ChannelForm } from "./channel_form.js";
import { Channel } from "./channel.js";
import { Trial } from "./channel_trial.js";

export function Channels() {
  const place = usePlace();
  const channels = useResource("/api/channels");
  useLive("health", (health) =>
    channels.edit((rows) => rows.map((/** @type {any} */ row) => (row.id === health.channel_id ? { ...row, health } : row))),
  );
  if (place.id) return html`<${Channel} key=${place.id} id=${Number(place.id)} channels=${channels} />`;
  return html`<${List} channels=${channels} adding=${place.query.has("new")} />`;
}

/** @param {{ channels: import("../lib/resource.js").Resource, adding: boolean }} props */
function List({ channels, adding }) {
  const [wanted, setWanted] = useState("");
  const [open, setOpen] = useState(/** @type {{ what: "edit" | "copy" | "test", row: any } | null} */ (null));
  const history = useHistory(300);
  const close = () => setOpen(null);
  return html`
    <${Head} title="Channels" lead="The upstream accounts that calls go to.">
      <${Button} kind="main" icon="plus" onClick=${() => go(to("channels", null, { new: 1 }))}>Add channel<//>
    <//>
    <section class="card">
      <${Shown} of=${channels}>
        ${(/** @type {any[]} */ rows) => {
          if (rows.length === 0) {
            return html`
              <${Empty} icon="server" title="No channels yet" actions=${html`<${Button} kind="main" icon="plus" onClick=${() => go(to("channels", null, { new: 1 }))}>Add channel<//>`}>
                A channel is an account at an upstream: its base URL and its key.
              <//>
            `;
          }
          const found = rows.filter((row) => `${row.name} ${row.base_url} ${row.models.join(" ")}`.toLowerCase().includes(wanted.toLowerCase()));
          return html`
            <div class="filters">
              <${Search} label="Name, address or model" value=${wanted} onInput=${setWanted} />
              <span class="quiet small">${summary(rows)}</span>
            </div>
            <${Table}
              caption="Channels"
              noun="channel"
              rows=${found}
              id=${(/** @type {any} */ row) => row.id}
              sorted=${{ key: "name", down: false }}
              columns=${[
                { key: "name", label: "Name", kind: "lead", by: (/** @type {any} */ row) => row.name, show: Name },
                { key: "state", label: "State", by: (/** @type {any} */ row) => standing(row).text, show: (/** @type {any} */ row) => html`<${Standing} channel=${row} />` },
                { key: "checks", label: "Last 60 checks", width: "190px", show: (/** @type {any} */ row) => html`<${Checks} id=${row.id} />` },
                { key: "latency", label: "Latency", width: "150px", show: (/** @type {any} */ row) => html`<${Latency} id=${row.id} line=${history?.channels[row.id]?.["p50_ms"]} />` },
                { key: "weight", label: "Weight", kind: "num", by: (/** @type {any} */ row) => row.weight, show: (/** @type {any} */ row) => html`<${ChannelWeight} row=${row} channels=${channels} />` },
                { key: "enabled", label: "On", show: (/** @type {any} */ row) => html`<${Switch} row=${row} channels=${channels} />` },
                {
                  key: "actions",
                  label: "",
                  kind: "actions",
                  show: (/** @type {any} */ row) => html`
                    <div>
                      <${Button} kind="plain small" icon="play" label=${`Test ${row.name}`} onClick=${() => setOpen({ what: "test", row })} />
                      <${Button} kind="plain small" icon="pencil" label=${`Edit ${row.name}`} onClick=${() => setOpen({ what: "edit", row })} />
                      <${Button} kind="plain small" icon="copy" label=${`Duplicate ${row.name}`} onClick=${() => setOpen({ what: "copy", row })} />
                      <${Button} kind="plain small" icon="trash-2" label=${`Delete ${row.name}`} disabled=${row.managed_by === "file"} onClick=${() => void removeChannel(row).then((gone) => (gone ? channels.reload() : undefined))} />
                    </div>
                  `,
                },
              ]}
            />
          `;
        }}
      <//>
    </section>
    ${adding && html`<${ChannelForm} onClose=${() => go(to("channels"))} onSaved=${(/** @type {any} */ made) => { void channels.reload(); toast("good", `${made.name} was added`); go(to("channels", made.id)); }} />`}
    ${open?.what === "edit" && html`<${ChannelForm} row=${open.row} onClose=${close} onSaved=${(/** @type {any} */ row) => { close(); void channels.reload(); toast("good", `${row.name} was saved`); }} />`}
    ${open?.what === "copy" && html`<${ChannelForm} copied=${open.row} onClose=${close} onSaved=${(/** @type {any} */ row) => { close(); void channels.reload(); toast("good", `${row.name} was added`); }} />`}
    ${open?.what === "test" && html`<${Trial} row=${open.row} onClose=${close} />`}
  `;
}

/** @param {any[]} rows */
function summary(rows) {
  const down = rows.filter((row) => row.enabled && !row.health.usable).length;
  return `${plural(rows.length, "channel")}${down ? `, ${down} down` : ""}`;
}

/** @param {any} row */
const Name = (row) => html`
  <div class="grow two-lines">
    <a class="name break" href=${to("channels", row.id)}>${row.name}</a>
    <div class="quiet small cut" title=${row.base_url}>${row.base_url.replace(/^https?:\/\//, "")}${row.managed_by === "file" ? " · from the file" : ""}</div>
  </div>
`;

/** The ticks of one channel, read when they are shown. @param {{ id: number }} props */
export function Checks({ id }) {
  const health = useResource(`/api/channels/${id}/health`, { on: [], every: 10_000 });
  useLive("health", (event) => event.channel_id === id && void health.reload());
  return html`<${Ticks} history=${health.data?.history ?? []} />`;
}

/** What calls took lately, or else what probes took. @param {{ id: number, line: (number | null)[] | undefined }} props */
export function Latency({ id, line }) {
  const health = useResource(`/api/channels/${id}/health`, { on: [] });
  const called = (line ?? []).filter((value) => value !== null).length > 1 ? line : null;
  const shown = called ?? (health.data?.history ?? []).map((/** @type {any} */ tick) => tick.latency_ms);
  return html`
    <div class="latency">
      <span class="small nowrap" title=${called ? "Median of calls" : "Of probes"}>${ms(last(shown, shown.length))}</span>
      <${Sparkline} line=${shown} color="var(--series-2)" label=${called ? "Latency of calls over time" : "Latency of probes over time"} />
    </div>
  `;
}

/** @param {{ row: any, channels: import("../lib/resource.js").Resource }} props */
function ChannelWeight({ row, channels }) {
  return html`
    <${Weight}
      value=${row.weight}
      label=${`Weight of ${row.name}`}
      disabled=${row.managed_by === "file"}
      save=${(/** @type {number} */ weight) => change(row, { weight }, channels)}
    />
  `;
}

/** @param {{ row: any, channels: import("../lib/resource.js").Resource }} props */
function Switch({ row, channels }) {
  const work = useAction();
  const [wished, setWished] = useState(row.enabled);
  return html`
    <label class="switch">
      <input
        type="checkbox"
        role="switch"
        aria-label=${`${row.name} gets traffic`}
        checked=${work.busy ? wished : row.enabled}
        disabled=${work.busy || row.managed_by === "file"}
        onChange=${(/** @type {any} */ event) => {
          const enabled = event.target.checked;
          setWished(enabled);
          void work.run(() => change(row, { enabled }, channels));
        }}
      />
    </label>
  `;
}

/**
 * Changes one thing at once. When somebody else was faster, their state is shown, and one may do it again.
 * @param {any} row @param {Record<string, unknown>} body @param {import("../lib/resource.js").Resource} channels
 */
export async function change(row, body, channels) {
  try {
    const saved = await patch(`/api/channels/${row.id}`, body, row.version);
    channels.edit((rows) => rows.map((/** @type {any} */ other) => (other.id === saved.id ? saved : other)));
  } catch (error) {
    if (error instanceof ApiError && error.outdated) {
      await channels.reload();
      throw new Error(`Somebody else changed ${row.name} meanwhile; it is shown as it is now. Do it again if you still want to.`);
    }
    throw new Error(`${row.name}: ${words(error)}`);
  }
}
