// Why a call goes where it goes: the decision as a picture, by the very code that decides for calls; and whether the
// channels' shares are what their weights say.

import { ApiError, isAbort, post } from "../lib/api.js";
import { percent } from "../lib/format.js";
import { go, to, usePlace } from "../lib/router.js";
import { useResource } from "../lib/resource.js";
import { html, useEffect, useState } from "../lib/view.js";
import { Button } from "../components/button.js";
import { Field } from "../components/fields.js";
import { sorted } from "../components/form.js";
import { Empty, Failure, Head, Loading, Note, Shown } from "../components/states.js";
import { Decision } from "./decision.js";

export function Routing() {
  const { query } = usePlace();
  const models = useResource("/api/models");
  const users = useResource("/api/users?limit=500");
  return html`
    <${Head} title="Routing" lead="What would happen to a call now, and why. Nothing is sent and nothing changes." />
    <div class="stack">
      ${models.data === null || users.data === null
        ? html`<section class="card">${models.error || users.error ? html`<${Failure} error=${models.error ?? users.error} />` : html`<${Loading} />`}</section>`
        : users.data.length === 0
          ? html`<section class="card"><${Empty} icon="route" title="Nobody could call yet" actions=${html`<a class="button main" href=${to("users", null, { new: 1 })}>Add a user</a>`}>A decision is about a user's call.<//></section>`
          : html`<${Explainer} query=${query} models=${models.data} users=${users.data} />`}
      <${Pools} />
    </div>
  `;
}

/** @param {{ query: URLSearchParams, models: any[], users: any[] }} props */
function Explainer({ query, models, users }) {
  const [values, setValues] = useState({
    model: query.get("model") ?? models[0]?.name ?? "",
    user: query.get("user") ?? String(users[0].id),
    session: query.get("session") ?? "",
    streaming: query.get("streaming") !== "false",
    prompt_tokens: "",
  });
  const [answer, setAnswer] = useState(/** @type {any} */ (null));
  const [errors, setErrors] = useState(/** @type {Record<string, string>} */ ({}));
  const [failure, setFailure] = useState(/** @type {string | null} */ (null));
  const [round, setRound] = useState(0);
  // Of many users only the first are offered; one that was asked for by its id stays.
  const known = users.some((user) => String(user.id) === values.user) ? users : [{ id: values.user, name: "" }, ...users];
  /** @type {import("../components/fields.js").Spec[]} */
  const specs = [
    { name: "model", label: "Model", kind: "text", required: true, suggest: models.map((model) => model.name) },
    { name: "user", label: "User", kind: "choice", options: known.map((user) => ({ value: String(user.id), label: user.name || `user ${user.id}` })) },
    { name: "session", label: "Conversation id", kind: "text", placeholder: "none", help: "As prompt_cache_key, a header, metadata or user." },
    { name: "prompt_tokens", label: "Prompt tokens", kind: "number", placeholder: "0" },
    { name: "streaming", label: "Streamed", kind: "flag" },
  ];
  const text = JSON.stringify(values);
  useEffect(() => {
    const leaving = new AbortController();
    const tokens = values.prompt_tokens.trim();
    const question = {
      ...(values.model && { model: values.model }),
      user: values.user,
      ...(values.session && { session: values.session }),
      streaming: values.streaming,
      ...(tokens && { prompt_tokens: /^\d+$/.test(tokens) ? Number(tokens) : tokens }),
    };
    const ask = async () => {
      try {
        setAnswer(await post("/api/routing/explain", question, { signal: leaving.signal }));
        setErrors({});
        setFailure(null);
      } catch (error) {
        if (isAbort(error)) return;
        const { at, rest } = error instanceof ApiError ? sorted(error, specs) : { at: {}, rest: String(error) };
        setErrors(at);
        setFailure(rest);
        setAnswer(null);
      }
    };
    // Not at every letter.
    const soon = setTimeout(() => void ask(), 180);
    go(to("routing", null, { model: values.model, user: values.user, session: values.session, streaming: values.streaming ? "" : "false" }), true);
    return () => {
      clearTimeout(soon);
      leaving.abort();
    };
  }, [text, round]);
  return html`
    <section class="card">
      <header><h2>Explain a call</h2><${Button} kind="small" icon="refresh-cw" onClick=${() => setRound(round + 1)}>Decide again<//></header>
      <div class="body stack">
        <form class="question" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); setRound(round + 1); }}>
          ${specs.map((spec) => html`<${Field} key=${spec.name} spec=${spec} value=${/** @type {any} */ (values)[spec.name]} error=${errors[spec.name]} onInput=${(/** @type {any} */ value) => setValues({ ...values, [spec.name]: value })} />`)}
        </form>
        ${failure && html`<${Note} kind="bad">${failure}<//>`}
        <div aria-live="polite">${answer ? html`<${Decision} answer=${answer} />` : !failure && Object.keys(errors).length === 0 && html`<${Loading} />`}</div>
      </div>
    </section>
  `;
}

/** Live shares against weights. */
function Pools() {
  const pools = useResource("/api/routing/pools", { every: 2000 });
  return html`
    <section class="card">
      <header><h2>Shares against weights</h2><span class="quiet small">first attempts of the last minute or so</span></header>
      <${Shown} of=${pools}>
        ${(/** @type {any[]} */ all) =>
          all.length === 0
            ? html`<${Empty} icon="network" title="No pools yet">Each model with an enabled channel makes one.<//>`
            : html`
                <div class="pools">
                  ${all.map(
                    (pool) => html`
                      <div class="pool" key=${pool.name}>
                        <h3 class="break">${pool.kind === "model" ? pool.name : pool.kind === "any" ? "Any other name" : "Calls without a model"}</h3>
                        ${pool.channels.map((/** @type {any} */ one) => html`<${Share} key=${one.channel_id} one=${one} />`)}
                      </div>
                    `,
                  )}
                </div>
              `}
      <//>
    </section>
  `;
}

/** @param {{ one: any }} props */
function Share({ one }) {
  const out = !one.admitted ? "down" : one.state !== "closed" ? one.state.replaceAll("_", " ") : one.blocked_ms ? "limited" : !one.weight ? "drained" : "";
  const told = `${one.channel_name}: ${percent(one.share)} of calls, ${percent(one.expected_share)} by weight${out ? `, ${out}` : ""}`;
  return html`
    <div class="share-line">
      <a class="cut" href=${to("channels", one.channel_id)}>${one.channel_name}</a>
      <div class="gauge" role="img" aria-label=${told} title=${told}>
        <i style=${{ width: `${(one.share ?? 0) * 100}%` }}></i>
        <b style=${{ left: `${(one.expected_share ?? 0) * 100}%` }}></b>
      </div>
      <span class="small nowrap">${percent(one.share)} <span class="quiet">of ${percent(one.expected_share)}</span></span>
      ${out ? html`<span class="tag warn">${out}</span>` : html`<span class="quiet small nowrap">${one.inflight} under way</span>`}
    </div>
  `;
}
