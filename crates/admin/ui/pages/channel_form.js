// A channel to make or to change, with all its settings.

import { html } from "../lib/view.js";
import { Form } from "../components/form.js";

/** @typedef {import("../components/fields.js").Spec} Spec */

const CALLS = ["chat", "chat_stream", "embeddings", "responses"];
const time = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ help) =>
  /** @type {Spec} */ ({ name, label, kind: "text", placeholder: "as the gateway", help, half: true });

/** @param {boolean} fresh @param {boolean} copied @returns {import("../components/form.js").Group[]} */
function groups(fresh, copied) {
  /** @type {Spec[]} */
  const models = [
    { name: "models", label: "Models", kind: "texts", placeholder: "gpt-4o-mini, …", help: "Models it serves, each under its own name. They are made where they do not exist. You can also map them later." },
  ];
  return [
    {
      fields: [
        { name: "name", label: "Name", kind: "text", required: true, placeholder: "openai-main" },
        { name: "base_url", label: "Base URL", kind: "text", required: true, placeholder: "https://api.openai.com/v1", help: "Where its OpenAI API begins. An empty path becomes /v1." },
        fresh
          ? { name: "api_key", label: "API key", kind: "secret", help: copied ? "A copy needs its key typed again: keys are never shown." : "Leave it empty for a server that wants none.", wire: (value) => value }
          : { name: "api_key", label: "New API key", kind: "secret", placeholder: "unchanged", help: "Leave it empty to keep the present one.", wire: (value) => value || undefined },
        ...(fresh ? models : []),
        { name: "serves_any_model", label: "Serves every model name that is not mapped otherwise", kind: "flag" },
        { name: "weight", label: "Weight", kind: "number", required: true, half: true, help: "Its share beside its neighbours. 0 drains." },
        { name: "tier", label: "Tier", kind: "number", required: true, half: true, help: "0 is asked first; the next only when no lower one will do." },
        { name: "enabled", label: "Enabled", kind: "flag", help: "A disabled channel gets no calls, and no sessions stay with it." },
      ],
    },
    {
      title: "Health check",
      fields: [
        {
          name: "probe_kind",
          label: "How it is asked whether it is well",
          kind: "choice",
          aliases: ["probe"],
          options: [
            { value: "models", label: "List its models (GET /models)" },
            { value: "path", label: "Get a path" },
            { value: "chat", label: "One-token chat completion" },
            { value: "chat_stream", label: "One-token chat completion, streamed" },
            { value: "embeddings", label: "Embedding" },
            { value: "responses", label: "Response" },
            { value: "off", label: "Never; judge it by calls alone" },
          ],
        },
        { name: "probe_model", label: "Model to ask, as the upstream calls it", kind: "text", required: true, when: (values) => CALLS.includes(values["probe_kind"]), help: "Each check costs a token or so." },
        { name: "probe_path", label: "Path below the base URL", kind: "text", required: true, placeholder: "/health", when: (values) => values["probe_kind"] === "path" },
      ],
    },
    {
      title: "Limits",
      folded: true,
      fields: [
        { name: "max_concurrency", label: "Calls at a time", kind: "number", placeholder: "no limit" },
        { name: "requests_per_minute", label: "Requests per minute", kind: "number", placeholder: "no limit", half: true, help: "Counted by this process." },
        { name: "tokens_per_minute", label: "Tokens per minute", kind: "number", placeholder: "no limit", half: true, help: "Counted by this process." },
      ],
    },
    {
      title: "Times and details",
      folded: true,
      fields: [
        time("connect_timeout", "Connect within", "Such as 3s."),
        time("first_byte_timeout", "First byte within", "Of a streamed answer, such as 1m."),
        time("stream_gap_timeout", "Silence in a stream at most", "Such as 2m."),
        time("pool_idle_timeout", "Keep an idle connection for", "Such as 30s; less than what the provider keeps it."),
        { name: "add_cache_key", label: "Send prompt_cache_key where the caller gave none", kind: "flag" },
      ],
    },
  ];
}

const NEW = {
  name: "", base_url: "", api_key: "", models: [], serves_any_model: false, weight: "10", tier: "0", enabled: true, probe_kind: "models", probe_model: "", probe_path: "/",
  max_concurrency: "", requests_per_minute: "", tokens_per_minute: "", connect_timeout: "", first_byte_timeout: "", stream_gap_timeout: "", pool_idle_timeout: "", add_cache_key: false,
};

/** @param {any} row */
function read(row) {
  const { probe } = row;
  const [call, model] = typeof probe === "object" ? (Object.entries(probe)[0] ?? ["models", ""]) : ["", ""];
  const path = typeof probe === "string" && probe.startsWith("/") ? probe : "";
  const text = (/** @type {unknown} */ value) => (value === null ? "" : String(value));
  return {
    ...NEW,
    name: row.name,
    base_url: row.base_url,
    serves_any_model: row.serves_any_model,
    weight: text(row.weight),
    tier: text(row.tier),
    enabled: row.enabled,
    probe_kind: call || (path ? "path" : probe),
    probe_model: model,
    probe_path: path || "/",
    max_concurrency: text(row.max_concurrency),
    requests_per_minute: text(row.requests_per_minute),
    tokens_per_minute: text(row.tokens_per_minute),
    connect_timeout: text(row.connect_timeout),
    first_byte_timeout: text(row.first_byte_timeout),
    stream_gap_timeout: text(row.stream_gap_timeout),
    pool_idle_timeout: text(row.pool_idle_timeout),
    add_cache_key: row.add_cache_key,
  };
}

/** @param {Record<string, any>} body @param {Record<string, any>} values */
function wire(body, values) {
  const { probe_kind: kind, probe_model: model, probe_path: path, ...rest } = body;
  if (kind === undefined && model === undefined && path === undefined) return rest;
  const chosen = values["probe_kind"];
  const probe = chosen === "path" ? values["probe_path"] : CALLS.includes(chosen) ? { [chosen]: values["probe_model"] } : chosen;
  return { ...rest, probe };
}

/** @param {{ row?: any, copied?: any, onSaved: (row: any) => void, onClose: () => void }} props */
export function ChannelForm({ row, copied, onSaved, onClose }) {
  if (row) {
    return html`
      <${Form}
        title=${`Edit ${row.name}`}
        groups=${groups(false, false)}
        initial=${read(row)}
        path=${`/api/channels/${row.id}`}
        method="PATCH"
        version=${row.version}
        read=${read}
        wire=${wire}
        locked=${row.managed_by === "file" ? "This channel stands in the configuration file, so it can only be changed there." : undefined}
        onSaved=${onSaved}
        onClose=${onClose}
      />
    `;
  }
  const models = (copied?.models ?? []).filter((/** @type {string} */ name) => name !== "*");
  const initial = copied ? { ...read(copied), name: `${copied.name}-copy`, models } : NEW;
  return html`
    <${Form} title=${copied ? `Duplicate ${copied.name}` : "Add channel"} groups=${groups(true, Boolean(copied))} initial=${initial} path="/api/channels" method="POST" wire=${wire} action="Add channel" onSaved=${onSaved} onClose=${onClose} />
  `;
}
