// A port of the system's choice that stays the same, whoever answers behind it: what ends and begins again gets a port of
// its own each time, and nobody can take the one that is known.

import { connect, createServer } from "node:net";

export class Front {
  /** Where it leads. @type {number} */
  port = 0;
  /** @type {Set<import("node:net").Socket>} */
  open = new Set();

  static async start() {
    const front = new Front();
    front.server = createServer((near) => front.#pass(near));
    await new Promise((done, failed) => front.server.once("error", failed).listen(0, "127.0.0.1", done));
    front.url = `http://127.0.0.1:${front.server.address().port}`;
    return front;
  }

  /** Whoever is behind it from now on. @param {string} url @returns {string} The address that stays. */
  lead(url) {
    this.port = Number(new URL(url).port);
    return this.url;
  }

  async end() {
    const closed = new Promise((done) => this.server.close(done));
    for (const socket of this.open) socket.destroy();
    await closed;
  }

  /** Carries bytes both ways; when one side is gone, so is the other. */
  #pass(near) {
    const far = connect(this.port, "127.0.0.1");
    for (const [socket, other] of [[near, far], [far, near]]) {
      this.open.add(socket);
      socket.on("error", () => other.destroy()).on("close", () => {
        this.open.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }
}
