// A chat through the gateway's own data plane, with a user's key, as any client would have it.

import { get, isAbort, post, session, words } from "../lib/api.js";
import { useCell } from "../lib/cell.js";
import { chat } from "../lib/chat.js";
import { useAction } from "../lib/action.js";
import { count, ms } from "../lib/format.js";
import { to, usePlace } from "../lib/router.js";
import { useResource } from "../lib/resource.js";
import { chatSnippets } from "../lib/snippets.js";
import { html, useEffect, useRef, useState } from "../lib/view.js";
import { Button } from "../components/button.js";
import { Code } from "../components/code.js";
import { Field } from "../components/fields.js";
import { Empty, Head, Note } from "../components/states.js";
import { Tabs } from "../components/tabs.js";
import { toast } from "../components/toast.js";
import { playKey } from "./play_key.js";

/** @typedef {{ role: "user" | "assistant", content: string }} Turn */
/** @typedef {{ request: string, status: number | null, headers: string, raw: string, id: string | null, route: string | null, first: number | null, total: number | null, usage: any, failure: string | null }} Report */

const HOUR = 3_600_000;

export function Playground() {
  const who = useCell(session);
  const { query } = usePlace();
  const models = useResource("/api/models");
  const key = useCell(playKey);
  const [model, setModel] = useState(query.get("model") ?? "");
  const [system, setSystem] = useState("");
  const [temperature, setTemperature] = useState("");
  const [most, setMost] = useState("");
  const [streamed, setStreamed] = useState(true);
  const [text, setText] = useState("");
  const [turns, setTurns] = useState(/** @type {Turn[]} */ ([]));
  const [report, setReport] = useState(/** @type {Report | null} */ (null));
  const [tab, setTab] = useState("Chat");
  const work = useAction();
  const log = useRef(/** @type {HTMLElement | null} */ (null));
  const names = (models.data ?? []).map((/** @type {any} */ row) => row.name);
  const chosen = model || names[0] || "";
  const number = (/** @type {string} */ typed) => (typed.trim() === "" ? undefined : /^-?\d+(\.\d+)?$/.test(typed.trim()) ? Number(typed) : typed);
  const bodyOf = (/** @type {Turn[]} */ said) => ({
    model: chosen,
    messages: [...(system.trim() ? [{ role: "system", content: system }] : []), ...said],
    ...(streamed && { stream: true, stream_options: { include_usage: true } }),
    ...(number(temperature) !== undefined && { temperature: number(temperature) }),
    ...(number(most) !== undefined && { max_tokens: number(most) }),
  });
  useEffect(() => log.current?.scrollTo(0, log.current.scrollHeight), [turns]);
  if (who && !who.data_plane) {
    return html`
      <${Head} title="Playground" />
      <section class="card"><${Empty} icon="message-square" title="The data plane stands on another address" actions=${html`<a class="button" href=${to("connect")}>Ready-made calls</a>`}>
        This page belongs to the administration, and a page may only call the address it came from.
      <//></section>
    `;
  }
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!text.trim() || work.busy) return;
    if (!key) {
      toast("bad", "Choose a key first.");
      return;
    }
    const said = [...turns, /** @type {Turn} */ ({ role: "user", content: text })];
    const body = bodyOf(said);
    setTurns([...said, { role: "assistant", content: "" }]);
    setText("");
    void work.run(async (signal) => {
      const began = performance.now();
      let answer = "";
      /** @type {string[]} */
      const raw = [];
      /** @type {Report} */
      const now = { request: `POST /v1/chat/completions\n\n${JSON.stringify(body, null, 2)}`, status: null, headers: "", raw: "", id: null, route: null, first: null, total: null, usage: null, failure: null };
      const tell = (/** @type {Partial<Report>} */ part) => setReport({ ...Object.assign(now, part) });
      tell({});
      try {
        const { usage } = await chat(key, body, signal, {
          onHead: (headers, status) => tell({ status, headers: [...headers].map(([name, value]) => `${name}: ${value}`).join("\n"), id: headers.get("x-request-id"), route: headers.get("x-gateway-channel") ?? headers.get("x-gateway-route") }),
          onRaw: (line) => void raw.push(line),
          onText: (piece) => {
            if (now.first === null) tell({ first: performance.now() - began });
            answer += piece;
            setTurns([...said, { role: "assistant", content: answer }]);
          },
        });
        tell({ usage });
      } catch (error) {
        tell({ failure: isAbort(error) ? "Stopped." : words(error) });
        if (!answer) {
          // What was typed is not lost with the answer.
          setTurns(turns);
          // The next one may have been begun meanwhile.
          setText((now) => (now ? `${text}\n${now}` : text));
        }
      }
      tell({ raw: raw.join("\n"), total: performance.now() - began });
    });
  };
  return html`
    <${Head} title="Playground" lead="A chat through the gateway itself: it is routed, counted and recorded like every call.">
      <${Button} icon="trash-2" disabled=${turns.length === 0 || work.busy} onClick=${() => { setTurns([]); setReport(null); }}>Clear<//>
    <//>
    <div class="play">
      <section class="card options" aria-label="Options">
        <div class="body form">
          <${KeyChoice} value=${key} />
          <${Field} spec=${{ name: "model", label: "Model", kind: "text", required: true, suggest: names }} value=${chosen} onInput=${setModel} />
          <${Field} spec=${{ name: "system", label: "System message", kind: "area" }} value=${system} onInput=${setSystem} />
          <div class="pair">
            <${Field} spec=${{ name: "temperature", label: "Temperature", kind: "number" }} value=${temperature} onInput=${setTemperature} />
            <${Field} spec=${{ name: "max_tokens", label: "Most tokens", kind: "number" }} value=${most} onInput=${setMost} />
          </div>
          <${Field} spec=${{ name: "stream", label: "Streamed", kind: "flag" }} value=${streamed} onInput=${setStreamed} />
        </div>
      </section>
      <section class="card talk">
        <header class="bare"><${Tabs} label="Views" names=${["Chat", "Raw", "Code"]} chosen=${tab} onChoose=${setTab} />${report && html`<${Told} report=${report} busy=${work.busy} />`}</header>
        ${tab === "Chat" && html`
          <div class="turns" ref=${log} role="log" aria-label="Conversation" tabindex="0">
            ${turns.length === 0 && html`<${Empty} icon="message-square" title="Say something">The answer appears here as it comes.<//>`}
            ${turns.map((turn, index) => html`<div key=${index} class=${`turn ${turn.role}`}><div class="quiet small">${turn.role === "user" ? "You" : chosen}</div><div class="said" data-role=${turn.role}>${turn.content}${work.busy && index === turns.length - 1 && html`<span class="caret" aria-hidden="true"></span>`}</div></div>`)}
            ${report?.failure && html`<${Note} kind=${report.failure === "Stopped." ? "" : "bad"}><span role="alert">${report.failure}</span><//>`}
          </div>
        `}
        ${tab === "Raw" && html`
          <div class="body stack raw">
            ${report
              ? html`
                  <h3>Request</h3><${Code} text=${report.request} label="Request" fold />
                  <h3>Response</h3><${Code} text=${`HTTP ${report.status ?? "no answer"}\n${report.headers}\n\n${report.raw}`} label="Response" fold />
                `
              : html`<${Empty} icon="braces" title="Nothing sent yet">Request and response appear here as they went over the wire.<//>`}
          </div>
        `}
        ${tab === "Code" && html`<div class="body"><${Snippets} body=${bodyOf(turns.length ? turns.filter((turn) => turn.content) : [{ role: "user", content: text || "Hello!" }])} /></div>`}
        <form class="say" onSubmit=${send}>
          <textarea
            class="input"
            rows="2"
            aria-label="Message"
            placeholder="Message"
            value=${text}
            onInput=${(/** @type {any} */ event) => setText(event.target.value)}
            onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event); }}
          ></textarea>
          ${work.busy
            ? html`<${Button} icon="square" onClick=${work.stop}>Stop<//>`
            : html`<${Button} kind="main" icon="send" type="submit" disabled=${!text.trim() || !chosen}>Send<//>`}
        </form>
      </section>
    </div>
  `;
}

/** @param {{ report: Report, busy: boolean }} props */
function Told({ report, busy }) {
  return html`
    <div class="row wrap small quiet">
      ${report.route && html`<span>by ${report.route}</span>`}
      ${report.first !== null && html`<span>first token ${ms(report.first)}</span>`}
      ${report.total !== null && html`<span>total ${ms(report.total)}</span>`}
      ${report.usage && html`<span>${count(report.usage.prompt_tokens)} in, ${count(report.usage.completion_tokens)} out</span>`}
      ${!busy && report.id && html`<a href=${to("requests", report.id)}>its story</a>`}
    </div>
  `;
}

/** @param {{ body: Record<string, any> }} props */
export function Snippets({ body }) {
  const snippets = chatSnippets(body);
  const [name, setName] = useState("curl");
  const shown = snippets.find((snippet) => snippet.name === name) ?? snippets[0];
  return html`
    <div class="stack tight">
      <${Tabs} label="Language" names=${snippets.map((snippet) => snippet.name)} chosen=${name} onChoose=${setName} />
      ${shown && html`<${Code} text=${shown.text} label=${`${shown.name} snippet`} />`}
      <p class="quiet small">Set GATEWAY_KEY to a gateway key first.</p>
    </div>
  `;
}

/** A key of a user: typed, or made for an hour. @param {{ value: string }} props */
function KeyChoice({ value }) {
  const [users, setUsers] = useState(/** @type {any[] | null} */ (null));
  const [user, setUser] = useState("");
  const work = useAction();
  const open = async () => {
    if (users) return;
    try {
      const all = await get("/api/users?limit=500");
      const able = all.filter((/** @type {any} */ row) => row.enabled);
      setUsers(able);
      setUser(String(able[0]?.id ?? ""));
    } catch (error) {
      toast("bad", words(error));
    }
  };
  const make = () =>
    work.run(async (signal) => {
      const made = await post(`/api/users/${user}/keys`, { expires_at: new Date(Date.now() + HOUR).toISOString() }, { signal });
      playKey.set(made.api_key);
      toast("good", "A key was made that ends in an hour");
    });
  return html`
    <${Field} spec=${{ name: "key", label: "Gateway key", kind: "secret", required: true, placeholder: "sk-…", help: "Kept in this page only, and gone with it." }} value=${value} onInput=${(/** @type {string} */ typed) => playKey.set(typed.trim())} />
    <details class="more small" onToggle=${(/** @type {any} */ event) => event.target.open && void open()}>
      <summary>Make one for an hour</summary>
      ${users && users.length > 0
        ? html`<div class="affix"><select class="input small" aria-label="User" value=${user} onChange=${(/** @type {any} */ event) => setUser(event.target.value)}>${users.map((row) => html`<option value=${String(row.id)}>${row.name || `user ${row.id}`}</option>`)}</select><${Button} kind="small" icon="key-round" busy=${work.busy} onClick=${make}>Make<//></div>`
        : users && html`<p class="quiet">There is no enabled user. <a href=${to("users", null, { new: 1 })}>Add one</a>.</p>`}
    </details>
  `;
}
