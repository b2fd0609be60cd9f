// A model's name and how its channels are chosen.

import { html } from "../lib/view.js";
import { Form } from "../components/form.js";

const asGateway = (/** @type {string} */ yes, /** @type {string} */ no) => [
  { value: "", label: "As the gateway" },
  { value: "true", label: yes },
  { value: "false", label: no },
];
const flag = (/** @type {string} */ value) => (value === "" ? null : value === "true");

/** @type {import("../components/form.js").Group[]} */
const GROUPS = [
  { fields: [{ name: "name", label: "Name", kind: "text", required: true, placeholder: "gpt-4o-mini", help: "What clients give as the model." }] },
  {
    title: "How a channel is chosen",
    fields: [
      {
        name: "policy", label: "Policy", kind: "choice", half: true,
        options: [
          { value: "", label: "As the gateway" },
          { value: "adaptive", label: "Adaptive: weight and what was learned" },
          { value: "weighted_score", label: "Weighted score" },
          { value: "weighted", label: "Weight alone" },
          { value: "least_inflight", label: "Fewest calls under way" },
          { value: "round_robin", label: "In turn" },
        ],
      },
      { name: "slack_percent", label: "Slack, in percent", kind: "number", half: true, placeholder: "as the gateway", help: "How much of its share a session's channel may carry, 100 to 10000." },
      { name: "sticky", label: "Sessions", kind: "choice", half: true, options: asGateway("Stay with their channel", "Go anywhere"), wire: flag },
      { name: "cut", label: "Slow first tokens", kind: "choice", half: true, options: asGateway("May be given up", "Are waited for: it thinks"), wire: flag },
    ],
  },
  {
    title: "Second attempt beside a slow one",
    folded: true,
    fields: [
      { name: "hedge_on", label: "Hedge: send a late call to a second channel too; the first answer wins", kind: "flag", aliases: ["hedge"] },
      { name: "hedge_after", label: "Late after", kind: "text", half: true, required: true, when: (values) => values["hedge_on"], help: "“learned”, or a time such as 2s." },
      { name: "hedge_percent", label: "At most, in percent of calls", kind: "number", half: true, required: true, when: (values) => values["hedge_on"], help: "1 to 50." },
    ],
  },
];

const NEW = { name: "", policy: "", slack_percent: "", sticky: "", cut: "", hedge_on: false, hedge_after: "learned", hedge_percent: "5" };

/** @param {any} row */
const read = (row) => ({
  name: row.name,
  policy: row.policy ?? "",
  slack_percent: row.slack_percent === null ? "" : String(row.slack_percent),
  sticky: row.sticky === null ? "" : String(row.sticky),
  cut: row.cut === null ? "" : String(row.cut),
  hedge_on: row.hedge !== null,
  hedge_after: row.hedge?.after ?? "learned",
  hedge_percent: String(row.hedge?.max_percent ?? 5),
});

/** @param {Record<string, any>} body @param {Record<string, any>} values */
function wire(body, values) {
  const { hedge_on: on, hedge_after: after, hedge_percent: most, ...rest } = body;
  if (on === undefined && after === undefined && most === undefined) return rest;
  const number = /^\d+$/.test(values["hedge_percent"]) ? Number(values["hedge_percent"]) : values["hedge_percent"];
  return { ...rest, hedge: values["hedge_on"] ? { after: values["hedge_after"], max_percent: number } : null };
}

/** @param {{ row?: any, onSaved: (row: any) => void, onClose: () => void }} props */
export function ModelForm({ row, onSaved, onClose }) {
  if (!row) return html`<${Form} title="Add model" groups=${GROUPS} initial=${NEW} path="/api/models" method="POST" wire=${wire} action="Add model" onSaved=${onSaved} onClose=${onClose} />`;
  return html`
    <${Form}
      title=${`Edit ${row.name}`}
      groups=${GROUPS}
      initial=${read(row)}
      path=${`/api/models/${row.id}`}
      method="PATCH"
      version=${row.version}
      read=${read}
      wire=${wire}
      locked=${row.managed_by === "file" ? "This model stands in the configuration file, so it can only be changed there." : undefined}
      onSaved=${onSaved}
      onClose=${onClose}
    />
  `;
}
