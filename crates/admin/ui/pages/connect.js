// How clients are pointed at this gateway.

import { to } from "../lib/router.js";
import { useResource } from "../lib/resource.js";
import { baseUrl } from "../lib/snippets.js";
import { html, useState } from "../lib/view.js";
import { CopyButton } from "../components/button.js";
import { Code } from "../components/code.js";
import { Field } from "../components/fields.js";
import { Head } from "../components/states.js";
import { Snippets } from "./playground.js";

export function Connect() {
  const models = useResource("/api/models");
  const names = (models.data ?? []).map((/** @type {any} */ row) => row.name);
  const [model, setModel] = useState("");
  const chosen = model || names[0] || "gpt-4o-mini";
  const url = baseUrl();
  const body = { model: chosen, messages: [{ role: "user", content: "Hello!" }], stream: true };
  return html`
    <${Head} title="Connect" lead=${html`Every OpenAI client works: give it this base URL and a gateway key. <a href=${to("users")}>Keys are made with users.</a>`} />
    <div class="stack">
      <section class="card">
        <header><h2>Base URL</h2></header>
        <div class="body stack">
          <div class="secret"><code>${url}</code><${CopyButton} text=${url} label="Copy the base URL">Copy<//></div>
          <div class="narrow"><${Field} spec=${{ name: "model", label: "Model in the examples", kind: "text", required: true, suggest: names }} value=${chosen} onInput=${setModel} /></div>
        </div>
      </section>
      <section class="card"><header><h2>A call</h2></header><div class="body"><${Snippets} body=${body} /></div></section>
      <div class="grid-2">
        <section class="card">
          <header><h2>Most tools</h2></header>
          <div class="body stack tight">
            <p class="quiet small">OpenAI's SDKs and most programs read these.</p>
            <${Code} text=${`export OPENAI_BASE_URL=${url}\nexport OPENAI_API_KEY="$GATEWAY_KEY"\n`} label="Environment variables" />
          </div>
        </section>
        <section class="card">
          <header><h2>Is it there?</h2></header>
          <div class="body stack tight">
            <p class="quiet small">Lists the models that a key may use.</p>
            <${Code} text=${`curl -s ${url}/models -H "Authorization: Bearer $GATEWAY_KEY"\n`} label="List of models" />
          </div>
        </section>
        <section class="card">
          <header><h2>Keep a conversation on one channel</h2></header>
          <div class="body stack tight">
            <p class="quiet small">A conversation id keeps its calls together, and with them the upstream's cache.</p>
            <${Code} text=${`curl ${url}/chat/completions \\\n  -H "Authorization: Bearer $GATEWAY_KEY" \\\n  -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify({ ...body, stream: undefined, prompt_cache_key: "conversation-42" }).replaceAll("'", "'\\''")}'\n`} label="Call with a conversation id" />
          </div>
        </section>
        <section class="card">
          <header><h2>Find a call again</h2></header>
          <div class="body stack tight">
            <p class="quiet small">Every answer names its call in <code>x-request-id</code>; look it up under <a href=${to("requests")}>Requests</a>.</p>
            <${Code} text=${`curl -s -o /dev/null -D - ${url}/models -H "Authorization: Bearer $GATEWAY_KEY" | grep -i x-request-id\n`} label="Show the request id" />
          </div>
        </section>
      </div>
    </div>
  `;
}
