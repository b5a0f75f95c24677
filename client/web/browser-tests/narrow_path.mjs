// A path between a browser and its server that can be made narrow: what does not fit waits a little, or is lost.

import { createSocket } from 'node:dgram';

const LONGEST_WAIT_MS = 200;

export class NarrowPath {
  /** To a UDP port of this machine. */
  static async to(port) {
    const path = new NarrowPath();
    path.port = port;
    path.near = await bound();
    path.near.on('message', (packet, { port }) => void path.#up(packet, port));
    return path;
  }

  constructor() {
    /** Bits a second towards the browser. */
    this.rate = Infinity;
    /** Longer than this nothing waits, milliseconds. */
    this.patience = LONGEST_WAIT_MS;
    /** One socket towards the server for each port of the browser. */
    this.far = new Map();
    this.free = 0;
    /** Packets towards the browser: those that came, and those for which there was no room. */
    this.passed = 0;
    this.lost = 0;
  }

  /** What browsers are told in place of the server's port. */
  get entrance() {
    return this.near.address().port;
  }

  async #up(packet, from) {
    if (!this.far.has(from)) this.far.set(from, bound((answer) => this.#down(answer, from)));
    (await this.far.get(from)).send(packet, this.port, '127.0.0.1');
  }

  #down(packet, to) {
    const now = performance.now();
    const begins = Math.max(now, this.free);
    if (begins - now > this.patience) {
      this.lost += 1;
      return;
    }
    this.passed += 1;
    this.free = begins + (packet.length * 8_000) / this.rate;
    setTimeout(() => !this.isClosed && this.near.send(packet, to, '127.0.0.1'), this.free - now);
  }

  async close() {
    this.isClosed = true;
    for (const socket of [this.near, ...(await Promise.all(this.far.values()))]) socket.close();
  }
}

function bound(take) {
  const socket = createSocket('udp4', take);
  return new Promise((resolve) => socket.bind(0, '127.0.0.1', () => resolve(socket)));
}
