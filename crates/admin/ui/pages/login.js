// Who may come in: whoever has the admin token.

import { ApiError, post, signedIn, words } from "../lib/api.js";
import { html, useState } from "../lib/view.js";
import { useAction } from "../lib/action.js";
import { Button } from "../components/button.js";
import { Dialog } from "../components/dialog.js";
import { Field } from "../components/fields.js";
import { Logo } from "../components/logo.js";

const TOKEN = /** @type {const} */ ({
  name: "token",
  label: "Admin token",
  kind: "secret",
  required: true,
  help: "The value of GATEWAY_ADMIN_TOKEN. Where none was set, the gateway made one at its first start and wrote it to its log.",
});

function Entry() {
  const [token, setToken] = useState("");
  const [error, setError] = useState(/** @type {string | undefined} */ (undefined));
  const work = useAction();
  const enter = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!token.trim()) {
      setError("Type the token first.");
      return;
    }
    void work.run(async (signal) => {
      try {
        await post("/api/login", { token: token.trim() }, { signal });
        signedIn();
      } catch (refused) {
        const wait = refused instanceof ApiError ? refused.retryAfter : null;
        const wrong = refused instanceof ApiError && refused.status === 401;
        setError(wrong ? "This is not the admin token." : `${words(refused)}${wait ? ` (in ${wait} s)` : ""}`);
      }
    });
  };
  return html`
    <form class="form" onSubmit=${enter} novalidate>
      <${Field} spec=${TOKEN} value=${token} error=${error} onInput=${setToken} />
      <${Button} kind="main" type="submit" busy=${work.busy}>Sign in<//>
    </form>
  `;
}

/** The whole page, before anything else is known. @param {{ version: string }} props */
export function Login({ version }) {
  return html`
    <div class="gate">
      <main class="card" id="main">
        <div class="gate-head"><${Logo} /><div><h1>OpenAI gateway</h1><p class="quiet small">Version ${version}</p></div></div>
        <${Entry} />
      </main>
    </div>
  `;
}

/** Over what one was doing, when the session has ended: nothing is lost, and the call that met it goes on. */
export function LoginAgain() {
  return html`
    <${Dialog} title="Sign in again">
      <div class="content stack">
        <p class="quiet">Your session has ended. Everything you typed is still here, and goes on where it was.</p>
        <${Entry} />
      </div>
    <//>
  `;
}
