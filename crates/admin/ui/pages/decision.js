// A routing decision as a picture: the call on the left, every channel on the right in the order of this call, with the
// health it has, the health that is asked of it, and what made the difference.

import { count, ms, NONE, percent, spaced } from "../lib/format.js";
import { to } from "../lib/router.js";
import { html } from "../lib/view.js";
import { Icon } from "../components/icon.js";
import { Note } from "../components/states.js";

/** What fits beside each other in the picture. */
const ROW = 112;
const GAP = 10;

/** @param {{ answer: any }} props */
export function Decision({ answer }) {
  const { candidates, chosen, session } = answer;
  const height = candidates.length * (ROW + GAP) - GAP;
  return html`
    <div class="stack">
      <div class="verdict ${chosen && !answer.refused ? "" : "bad"}">
        <${Icon} name=${chosen && !answer.refused ? "route" : "circle-alert"} />
        <p class="break">${answer.sentence}</p>
      </div>
      ${answer.refused && html`<${Note} kind="bad">Refused before a channel is chosen: ${answer.refused}.<//>`}
      <div class="picture">
        <div class="caller">
          <div class="quiet small">Call</div>
          <b class="break">${answer.model ?? "no model"}</b>
          <dl>
            <dt>User</dt><dd class="break">${answer.user_name}</dd>
            <dt>Session</dt><dd>${session.source === "key" ? "the user's" : "a conversation"}, ${PLACES[session.place] ?? session.place}</dd>
            ${session.channel_name && html`<dt>Last served by</dt><dd class="break">${session.channel_name}</dd>`}
            ${answer.home_name && html`<dt>Home</dt><dd class="break">${answer.home_name}</dd>`}
            <dt>Policy</dt><dd>${spaced(answer.policy)}</dd>
          </dl>
        </div>
        <svg class="wires" width="72" height=${Math.max(height, 1)} viewBox=${`0 0 72 ${Math.max(height, 1)}`} aria-hidden="true">
          ${candidates.map((/** @type {any} */ one, /** @type {number} */ index) => {
            const y = index * (ROW + GAP) + ROW / 2;
            const won = one.channel_id === chosen?.channel_id;
            const path = `M0 ${height / 2}C40 ${height / 2} 32 ${y} 72 ${y}`;
            return html`<path class=${won ? "won" : OUT.has(one.verdict) ? "out" : ""} d=${path} />`;
          })}
        </svg>
        <ol class="candidates">
          ${candidates.map((/** @type {any} */ one, /** @type {number} */ index) => html`<${Candidate} key=${one.channel_id} one=${one} place=${index + 1} chosen=${chosen?.channel_id === one.channel_id ? chosen : null} home=${answer.home_id === one.channel_id} />`)}
        </ol>
      </div>
      ${chosen && html`<p class="quiet small">
        ${chosen.first_token_deadline_ms === null ? "A late first token is waited for." : `A first token later than ${ms(chosen.first_token_deadline_ms)} is given up if another channel looks much better.`}
        ${chosen.hedge_after_ms === null ? "" : ` A second attempt would be worth it after ${ms(chosen.hedge_after_ms)}.`}
        ${` Chance in this decision: seed ${answer.seed}${answer.keyed ? ", not used: the session decides on the order" : ""}.`}
      </p>`}
    </div>
  `;
}

/** @type {Record<string, string>} */
const PLACES = { known: "known", unknown: "new", redraw: "to be drawn anew" };

/** Verdicts that shut a channel out whatever its health. */
const OUT = new Set(["excluded", "filtered", "open", "limited", "full", "not_admitted", "zero_weight"]);

/** @param {{ one: any, place: number, chosen: any, home: boolean }} props */
function Candidate({ one, place, chosen, home }) {
  const kind = chosen ? "won" : OUT.has(one.verdict) ? "out" : "";
  return html`
    <li class=${`candidate ${kind}`}>
      <div class="spread">
        <div class="row"><span class="quiet small">${place}.</span><a class="name cut" href=${to("channels", one.channel_id)}>${one.channel_name ?? `channel ${one.channel_id}`}</a>${home && html`<span class="tag">home</span>`}</div>
        ${chosen
          ? html`<span class="tag accent"><${Icon} name="check" />chosen: ${spaced(chosen.reason)}</span>`
          : html`<span class=${`tag ${one.verdict === "accepted" ? "" : "warn"}`}>${one.verdict === "accepted" ? "would do" : spaced(one.verdict)}</span>`}
      </div>
      <div class="factors">
        <${Factor} label="Latency" factor=${one.latency_factor} told=${ms(one.latency_ms)} />
        <${Factor} label="Errors" factor=${one.error_factor} told=${percent(one.error_rate)} />
        <${Factor} label="Load" factor=${one.load_factor} told=${`${one.inflight}${one.limit === null ? "" : ` of ${count(one.limit)}`}`} />
        <${Factor} label="Health" factor=${one.health} told=${fixed(one.health)} threshold=${one.threshold} />
      </div>
      <div class="quiet small cut" title=${one.why}>Weight ${count(one.weight)}${one.tier ? `, tier ${one.tier}` : ""}. ${one.why.charAt(0).toUpperCase()}${one.why.slice(1)}.</div>
    </li>
  `;
}

/** @param {{ label: string, factor: number | null, told: string, threshold?: number | null }} props */
function Factor({ label, factor, told, threshold }) {
  const share = (/** @type {number} */ value) => `${Math.max(0, Math.min(1, value)) * 100}%`;
  const asked = threshold !== undefined && threshold !== null;
  const spoken = `${label} ${told}, factor ${fixed(factor)}${asked ? `, ${fixed(threshold)} asked` : ""}`;
  return html`
    <div class="factor">
      <div class="small"><span class="quiet">${label}</span> ${told}${asked ? html`<span class="quiet"> ≥ ${fixed(threshold)}</span>` : ""}</div>
      <div class="gauge" role="img" aria-label=${spoken} title=${spoken}>
        <i class=${asked && (factor ?? 0) < threshold ? "low" : ""} style=${{ width: share(factor ?? 0) }}></i>
        ${asked && html`<b style=${{ left: share(threshold) }}></b>`}
      </div>
    </div>
  `;
}

/** @param {number | null | undefined} value */
const fixed = (value) => (value === null || value === undefined ? NONE : value.toFixed(2));
