// Past calls, as they finish and as they were; each with its story.

import { get, isAbort } from "../lib/api.js";
import { clock, count, day, ms } from "../lib/format.js";
import { useLive } from "../lib/live.js";
import { go, to, usePlace } from "../lib/router.js";
import { useResource } from "../lib/resource.js";
import { html, useEffect, useRef, useState } from "../lib/view.js";
import { Button } from "../components/button.js";
import { Icon } from "../components/icon.js";
import { Outcome, OUTCOME_WORDS } from "../components/outcome.js";
import { Empty, Failure, Head, Loading } from "../components/states.js";
import { Table } from "../components/table.js";
import { Exchange } from "./exchange.js";

const PAGE = 100;

/** What the tail keeps; older ones are had by loading more. */
const MOST = 1000;

const FILTERS = ["model", "channel_id", "user_id", "outcome", "status"];

export function Requests() {
  const place = usePlace();
  if (place.id) return html`<${Exchange} key=${place.id} id=${place.id} />`;
  return html`<${Tail} query=${place.query} />`;
}

/** @param {{ query: URLSearchParams }} props */
function Tail({ query }) {
  const filter = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]).filter(([, value]) => value));
  const asked = new URLSearchParams(filter).toString();
  const channels = useResource("/api/channels");
  const users = useResource("/api/users?limit=500");
  const models = useResource("/api/models");
  const [live, setLive] = useState(true);
  const [rows, setRows] = useState(/** @type {any[] | null} */ (null));
  const [failure, setFailure] = useState(/** @type {unknown} */ (null));
  const [more, setMore] = useState({ any: false, busy: false });
  const [missed, setMissed] = useState(0);
  const [id, setId] = useState("");
  const round = useRef(0);
  const read = async (/** @type {AbortSignal} */ signal) => {
    const mine = (round.current += 1);
    try {
      const page = await get(`/api/exchanges?limit=${PAGE}&${asked}`, { signal });
      if (mine !== round.current) return;
      setRows(page);
      setMissed(0);
      setFailure(null);
      setMore({ any: page.length === PAGE, busy: false });
    } catch (error) {
      if (!isAbort(error)) setFailure(error);
    }
  };
  useEffect(() => {
    const leaving = new AbortController();
    void read(leaving.signal);
    return () => leaving.abort();
  }, [asked]);
  useLive("reset", () => void read(new AbortController().signal));
  useLive("exchange", (exchange) => {
    if (!fits(exchange, filter)) return;
    if (!live) {
      setMissed((old) => old + 1);
      return;
    }
    setRows((old) => (old ? [exchange, ...old.filter((row) => row.id !== exchange.id)].slice(0, MOST) : old));
  });
  const next = async () => {
    const oldest = rows?.[rows.length - 1];
    if (!oldest) return;
    setMore({ any: true, busy: true });
    setLive(false);
    const mine = round.current;
    try {
      const page = await get(`/api/exchanges?limit=${PAGE}&before=${oldest.id}&${asked}`);
      // Other calls were asked for meanwhile.
      if (mine !== round.current) return;
      setRows((old) => [...(old ?? []), ...page.filter((/** @type {any} */ row) => !old?.some((known) => known.id === row.id))]);
      setMore({ any: page.length === PAGE, busy: false });
    } catch (error) {
      setFailure(error);
      setMore({ any: true, busy: false });
    }
  };
  const set = (/** @type {string} */ name, /** @type {string} */ value) => go(to("requests", null, { ...filter, [name]: value }), true);
  const nameOf = (/** @type {any[] | null} */ known, /** @type {number | null} */ wanted) => known?.find((one) => one.id === wanted)?.name;
  return html`
    <${Head} title="Requests" lead="Finished calls, newest first. Prompts and answers are never kept.">
      <span role="status" class="quiet small">${!live && missed ? `${count(missed)} newer` : ""}</span>
      <${Button} icon=${live ? "pause" : "play"} onClick=${() => { setLive(!live); if (!live) void read(new AbortController().signal); }}>${live ? "Pause" : "Go on live"}<//>
    <//>
    <section class="card">
      <form class="filters" role="search" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); if (id.trim()) go(to("requests", id.trim())); }}>
        <div class="search"><${Icon} name="search" /><input class="input" type="search" aria-label="Find by x-request-id" placeholder="Find by x-request-id" value=${id} onInput=${(/** @type {any} */ event) => setId(event.target.value)} /></div>
        <${Pick} label="Model" value=${filter["model"]} options=${(models.data ?? []).map((/** @type {any} */ one) => ({ value: one.name, label: one.name }))} onPick=${(/** @type {string} */ value) => set("model", value)} />
        <${Pick} label="Channel" value=${filter["channel_id"]} options=${(channels.data ?? []).map((/** @type {any} */ one) => ({ value: String(one.id), label: one.name }))} onPick=${(/** @type {string} */ value) => set("channel_id", value)} />
        <${Pick} label="User" value=${filter["user_id"]} options=${(users.data ?? []).slice(0, 200).map((/** @type {any} */ one) => ({ value: String(one.id), label: one.name }))} onPick=${(/** @type {string} */ value) => set("user_id", value)} />
        <${Pick} label="Outcome" value=${filter["outcome"]} options=${OUTCOME_WORDS} onPick=${(/** @type {string} */ value) => set("outcome", value)} />
        ${asked && html`<${Button} kind="plain small" icon="x" onClick=${() => go(to("requests"), true)}>Clear<//>`}
      </form>
      ${failure !== null && html`<div class="body"><${Failure} error=${failure} retry=${() => void read(new AbortController().signal)} /></div>`}
      ${rows === null
        ? failure === null && html`<${Loading} />`
        : rows.length === 0
          ? html`<${Empty} icon="list" title=${asked ? "Nothing fits" : "No requests yet"}>${asked ? "No call that is still on record fits these filters." : "They appear here as they finish."}<//>`
          : html`
              <${Table}
                caption="Requests"
                noun="request"
                rows=${rows}
                id=${(/** @type {any} */ row) => row.id}
                more=${{ ...more, next }}
                columns=${[
                  { key: "time", label: "Time", show: (/** @type {any} */ row) => html`<a class="nowrap" title=${day(row.started_at)} href=${to("requests", row.request_id)}>${clock(row.started_at)}</a>` },
                  { key: "model", label: "Model", kind: "lead", show: (/** @type {any} */ row) => html`<div class="two-lines grow"><div class="name break">${row.model ?? html`<span class="quiet">no model</span>`}</div><div class="quiet small cut">${row.endpoint}${row.streamed ? " · stream" : ""}</div></div>` },
                  { key: "outcome", label: "Outcome", show: (/** @type {any} */ row) => html`<${Outcome} exchange=${row} />` },
                  { key: "channel", label: "Channel", show: Went },
                  { key: "user", label: "User", show: (/** @type {any} */ row) => html`<span class="cut">${row.user_id === null ? html`<span class="quiet">unknown</span>` : (nameOf(users.data, row.user_id) ?? `user ${row.user_id}`)}</span>` },
                  { key: "first", label: "First byte", kind: "num", show: (/** @type {any} */ row) => ms(row.first_byte_ms) },
                  { key: "total", label: "Total", kind: "num", show: (/** @type {any} */ row) => ms(row.total_ms) },
                  { key: "tokens", label: "Tokens", kind: "num", show: (/** @type {any} */ row) => html`<span title="in / out">${count(row.usage.prompt_tokens)} / ${count(row.usage.completion_tokens)}</span>` },
                ]}
              />
            `}
    </section>
  `;
}

/** Where it went, and after how many tries. @param {any} row */
const Went = (row) => {
  const tries = row.attempts.length;
  const end = row.attempts[tries - 1];
  if (!end) return html`<span class="quiet">none asked</span>`;
  return html`<span class="row"><span class="cut">${end.channel_name}</span>${tries > 1 && html`<span class="tag warn" title=${row.attempts.map((/** @type {any} */ one) => `${one.channel_name}: ${one.outcome}`).join(", ")}>${tries} tries</span>`}</span>`;
};

/** @param {{ label: string, value: string | undefined, options: { value: string, label: string }[], onPick: (value: string) => void }} props */
function Pick({ label, value = "", options, onPick }) {
  const known = !value || options.some((option) => option.value === value);
  return html`
    <select class="input" aria-label=${label} value=${value} onChange=${(/** @type {any} */ event) => onPick(event.target.value)}>
      <option value="">${label}: all</option>
      ${!known && html`<option value=${value} selected>${value}</option>`}
      ${options.map((option) => html`<option value=${option.value} selected=${option.value === value}>${option.label}</option>`)}
    </select>
  `;
}

/** @param {any} exchange @param {Record<string, string>} filter */
function fits(exchange, filter) {
  const { model, channel_id: channel, user_id: user, outcome, status } = filter;
  if (model && exchange.model !== model) return false;
  if (user && String(exchange.user_id) !== user) return false;
  if (outcome && exchange.outcome !== outcome) return false;
  if (status && String(exchange.status) !== status) return false;
  return !channel || exchange.attempts.some((/** @type {any} */ one) => String(one.channel_id) === channel);
}
