// A home server that keeps the log from one of its devices: the real one behind a door that, once told, lets no entry pass.

import { createServer, request } from 'node:http';

const WATCH = '/conclave.client.v1.MeetingService/Watch';
/** Flags and length before each message of gRPC-Web. */
const PREFIX = 5;
/** How a WatchResponse that holds entries begins: field 1, of bytes. */
const BATCH = 0x0a;

export class WithholdingServer {
  static async before(organisation) {
    const server = new WithholdingServer(organisation);
    server.door = createServer((asked, answer) => server.#pass(asked, answer));
    await new Promise((resolve) => server.door.listen(0, '127.0.0.1', resolve));
    return server;
  }

  constructor(organisation) {
    this.host = new URL(organisation.origin).host;
    this.port = organisation.plain;
    this.withholds = false;
    /** How many messages with entries were kept back. */
    this.kept = 0;
  }

  /** Where the page is. */
  get origin() {
    return `http://${this.host.split(':')[0]}:${this.door.address().port}`;
  }

  #pass(asked, answer) {
    const headers = { ...asked.headers, host: this.host };
    const onward = request({ host: '127.0.0.1', port: this.port, method: asked.method, path: asked.url, headers }, (come) => {
      answer.writeHead(come.statusCode, come.headers);
      answer.flushHeaders();
      const cut = asked.url === WATCH ? this.#sieve() : (chunk) => chunk;
      come.on('data', (chunk) => answer.write(cut(chunk)));
      come.on('close', () => answer.end());
    });
    onward.on('error', () => answer.destroy());
    answer.on('close', () => onward.destroy());
    asked.pipe(onward);
  }

  /** Takes whole messages out of a stream of bytes. */
  #sieve() {
    let held = Buffer.alloc(0);
    return (chunk) => {
      held = Buffer.concat([held, chunk]);
      const passed = [];
      while (held.length >= PREFIX && held.length >= PREFIX + held.readUInt32BE(1)) {
        const end = PREFIX + held.readUInt32BE(1);
        const isKept = this.withholds && held[0] === 0 && held[PREFIX] === BATCH;
        if (isKept) this.kept += 1;
        else passed.push(held.subarray(0, end));
        held = held.subarray(end);
      }
      return Buffer.concat(passed);
    };
  }

  async close() {
    this.door.closeAllConnections();
    await new Promise((resolve) => this.door.close(resolve));
  }
}
