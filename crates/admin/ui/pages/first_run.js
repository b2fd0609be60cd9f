// From an empty gateway to the first streamed answer: channel, model, user, call.

import { isAbort, post, words } from "../lib/api.js";
import { cell, useCell } from "../lib/cell.js";
import { useAction } from "../lib/action.js";
import { plural } from "../lib/format.js";
import { go, to } from "../lib/router.js";
import { useResource } from "../lib/resource.js";
import { html, useEffect, useState } from "../lib/view.js";
import { Button } from "../components/button.js";
import { Secret } from "../components/code.js";
import { Field } from "../components/fields.js";
import { Icon } from "../components/icon.js";
import { Head, Note } from "../components/states.js";
import { toast } from "../components/toast.js";
import { ChannelForm } from "./channel_form.js";
import { mapAll, Offer } from "./channel_offer.js";
import { playKey } from "./play_key.js";

/** Whether somebody is on the way, or has had enough of it. */
const way = cell(/** @type {"unasked" | "walking" | "over"} */ ("unasked"));

/** Whether the first run is shown: the gateway lacks something that every call needs. @param {any} status */
export function useFirstRun(status) {
  const state = useCell(way);
  const lacks = status !== null && (status.counts.channels === 0 || status.counts.models === 0 || status.counts.users === 0);
  useEffect(() => {
    if (lacks && way.get() === "unasked") way.set("walking");
  }, [lacks]);
  return status !== null && (state === "walking" || (state === "unasked" && lacks));
}

/** @param {{ counts: any }} props */
export function FirstRun({ counts }) {
  const channels = useResource("/api/channels");
  const models = useResource("/api/models");
  const users = useResource("/api/users?limit=20");
  const key = useCell(playKey);
  const [choosing, setChoosing] = useState(false);
  const rows = channels.data ?? [];
  // A model whose mapping was refused serves nobody yet; and whoever still chooses is not done with the first one.
  const mapped = (models.data ?? []).filter((/** @type {any} */ model) => model.channels_count > 0);
  const made = { channel: rows.length > 0, model: mapped.length > 0 && !choosing, user: (users.data ?? []).length > 0 };
  const reload = () => void Promise.all([channels.reload(), models.reload(), users.reload()]);
  const steps = [
    { title: "Add a channel", text: "An account at an upstream: its base URL and its key.", done: made.channel, told: rows.map((/** @type {any} */ row) => row.name).join(", "), body: html`<${ChannelStep} reload=${reload} />` },
    { title: "Choose models", text: "The names that clients will ask for.", done: made.channel && made.model, told: plural(counts.models || (models.data ?? []).length, "model"), body: html`<${ModelStep} channel=${rows[0]} open=${choosing} setOpen=${setChoosing} reload=${reload} />` },
    { title: "Add a user", text: "It gets a gateway key, which clients send in place of an upstream's.", done: made.user, told: (users.data ?? []).map((/** @type {any} */ user) => user.name).join(", "), body: html`<${UserStep} reload=${reload} />` },
    { title: "Get the first answer", text: "A streamed chat through the gateway itself.", done: false, told: "", body: html`<${AnswerStep} model=${mapped[0]?.name} />` },
  ];
  const at = steps.findIndex((step) => !step.done);
  return html`
    <${Head} title="Welcome" lead="Four steps to the first answer. Each can be changed later.">
      <${Button} kind="plain" onClick=${() => way.set("over")}>Skip<//>
    <//>
    <ol class="steps">
      ${steps.map(
        (step, index) => html`
          <li class=${`card step ${index === at ? "now" : ""} ${step.done ? "done" : ""}`} aria-current=${index === at ? "step" : undefined}>
            <span class="mark">${step.done ? html`<${Icon} name="check" />` : index + 1}</span>
            <div class="stack grow">
              <div>
                <h2>${step.title}${step.done && html`<span class="unseen"> (done)</span>`}</h2>
                <p class="quiet break">${step.done ? step.told : step.text}</p>
              </div>
              ${step.title === "Add a user" && key && step.done && html`<${Secret} secret=${key} what="key" held />`}
              ${index === at && step.body}
            </div>
          </li>
        `,
      )}
    </ol>
  `;
}

/** @param {{ reload: () => void }} props */
function ChannelStep({ reload }) {
  const [open, setOpen] = useState(false);
  return html`
    <div><${Button} kind="main" icon="plus" onClick=${() => setOpen(true)}>Add channel<//></div>
    ${open && html`<${ChannelForm} onClose=${() => setOpen(false)} onSaved=${() => { setOpen(false); reload(); }} />`}
  `;
}

/** @param {{ channel: any, open: boolean, setOpen: (open: boolean) => void, reload: () => void }} props */
function ModelStep({ channel, open, setOpen, reload }) {
  const [name, setName] = useState("");
  const [fault, setFault] = useState(/** @type {string | undefined} */ (undefined));
  const work = useAction();
  if (!channel) return null;
  const add = (/** @type {Event} */ event) => {
    event.preventDefault();
    void work.run(async (signal) => {
      setFault(undefined);
      try {
        const { failed } = await mapAll(channel.id, [name.trim()], signal, () => {});
        setFault(failed[0]);
        if (failed.length === 0) reload();
      } catch (error) {
        if (!isAbort(error)) setFault(words(error));
      }
    });
  };
  return html`
    <div class="row wrap"><${Button} kind="main" icon="download" onClick=${() => setOpen(true)}>Fetch models from ${channel.name}<//></div>
    <details class="more">
      <summary>Or type one</summary>
      <form class="affix" onSubmit=${add}>
        <div class="grow"><${Field} spec=${{ name: "model", label: "Model", kind: "text", required: true, placeholder: "gpt-4o-mini", help: "As the upstream calls it." }} value=${name} error=${fault} onInput=${setName} /></div>
        <div class="beside"><${Button} type="submit" busy=${work.busy}>Add<//></div>
      </form>
    </details>
    ${open && html`<${Offer} row=${channel} onClose=${() => setOpen(false)} onDone=${() => { setOpen(false); reload(); }} />`}
  `;
}

/** @param {{ reload: () => void }} props */
function UserStep({ reload }) {
  const [name, setName] = useState("");
  const [fault, setFault] = useState(/** @type {string | undefined} */ (undefined));
  const work = useAction();
  const add = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!name.trim()) {
      setFault("Give it a name first.");
      return;
    }
    void work.run(async () => {
      setFault(undefined);
      try {
        const user = await post("/api/users", { name: name.trim() });
        playKey.set(user.api_key);
        toast("good", `${user.name} was added`);
        reload();
      } catch (error) {
        setFault(words(error));
      }
    });
  };
  return html`
    <form class="affix" onSubmit=${add} novalidate>
      <div class="grow"><${Field} spec=${{ name: "user", label: "Name", kind: "text", required: true, placeholder: "team-search" }} value=${name} error=${fault} onInput=${setName} /></div>
      <div class="beside"><${Button} kind="main" type="submit" busy=${work.busy}>Add user<//></div>
    </form>
  `;
}

/** @param {{ model: string | undefined }} props */
function AnswerStep({ model }) {
  const start = () => {
    way.set("over");
    go(to("playground", null, { model }));
  };
  return html`
    <${Note} kind="good">Everything a call needs is there.<//>
    <div><${Button} kind="main" icon="message-square" onClick=${start}>Open the playground<//></div>
  `;
}
