// The real gateway, started in a folder of its own on a port of the system's choice.

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { eventually } from "./eventually.mjs";

export const TOKEN = "admin-token-of-the-browser-suite";

const SETTINGS = {
  server: { host: "127.0.0.1", port: 0, shutdown_grace: "1s" },
  database: { path: "gateway.db" },
  health_check: { interval: "1s", timeout: "1s", unhealthy_after: 1 },
  log: { format: "json", level: "info" },
};

export class Gateway {
  log = [];

  /**
   * @param {Record<string, Record<string, unknown>>} [settings] Beside the usual ones, by section.
   * @param {import("./front.mjs").Front} [front] Keeps its address when it ends and runs again.
   */
  static async start(settings = {}, front = undefined) {
    const gateway = new Gateway();
    gateway.front = front;
    gateway.settings = settings;
    gateway.folder = await mkdtemp(join(tmpdir(), "gateway-browser-"));
    await gateway.write(settings);
    await gateway.run();
    return gateway;
  }

  async run() {
    const binary = process.env.GATEWAY_SERVER;
    if (!binary) throw new Error("GATEWAY_SERVER names no binary; run `cargo xtask browser`");
    const environment = { PATH: process.env.PATH, GATEWAY_ADMIN_TOKEN: TOKEN, ...(process.env.GATEWAY_UI_DIR && { GATEWAY_UI_DIR: process.env.GATEWAY_UI_DIR }) };
    this.process = spawn(binary, ["--config", join(this.folder, "gateway.toml")], { cwd: this.folder, env: environment, stdio: ["ignore", "pipe", "pipe"] });
    let url;
    const hear = (line) => {
      this.log.push(line);
      if (!url && line.includes("listening")) url = address(line);
    };
    for (const stream of [this.process.stdout, this.process.stderr]) createInterface({ input: stream }).on("line", hear);
    await eventually("the gateway listens, or ends", () => url ?? this.process.exitCode !== null);
    if (!url) throw new Error(`the gateway did not start:\n${this.log.join("\n")}`);
    this.url = this.front?.lead(url) ?? url;
  }

  /** Writes the file anew; `more` is TOML that follows the settings. */
  async write(settings = this.settings, more = "") {
    const sections = Object.entries({ ...SETTINGS, ...settings }).map(([name, values]) => `[${name}]\n${Object.entries({ ...SETTINGS[name], ...values }).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`).join("")}`);
    await writeFile(join(this.folder, "gateway.toml"), `${sections.join("")}${more}`);
  }

  /** Asks the admin API, as an operator's script would. A failure is an error in the gateway's words. */
  async admin(method, path, body) {
    const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
    const answer = await fetch(this.url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  channel(name, upstream, models, more = {}) {
    return this.admin("POST", "/api/channels", { name, base_url: upstream.baseUrl, api_key: `sk-canary-${name}`, weight: 10, models, ...more });
  }

  user(name, more = {}) {
    return this.admin("POST", "/api/users", { name, ...more });
  }

  /** One call of a client. */
  async chat(key, body, headers = {}) {
    const answer = await fetch(`${this.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
      body: JSON.stringify({ messages: [{ role: "user", content: "Hello!" }], ...body }),
    });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  }

  /** Waits until the health checks say so. */
  healthy(id, usable = true) {
    return eventually(`channel ${id} is ${usable ? "usable" : "down"}`, async () => {
      const { status, usable: now } = await this.admin("GET", `/api/channels/${id}/health`);
      return now === usable && (!usable || status === "healthy");
    });
  }

  /** Sends it a signal, and says with which code it ended. @param {NodeJS.Signals} signal */
  async end(signal) {
    const { exitCode, signalCode } = this.process;
    if (exitCode !== null || signalCode !== null) return exitCode;
    const ended = new Promise((done) => this.process.once("exit", done));
    this.process.kill(signal);
    return ended;
  }

  /** It has to leave with 0, without a panic and without having written a key to its log. */
  async stop() {
    const code = await this.end("SIGTERM");
    await this.front?.end();
    await rm(this.folder, { recursive: true, force: true });
    const log = this.log.join("\n");
    if (code !== 0 || log.includes("panicked") || log.includes("sk-canary")) throw new Error(`the gateway ended with ${code}:\n${log}`);
  }
}

/** The public address in the log line that tells it. */
function address(line) {
  const said = JSON.parse(line);
  return `http://${said.public ?? said.fields.public}`;
}
