// One organisation: a real home server with its own folder, ports and accounts, driven from outside.

import { execFileSync, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const READY_WITHIN_MS = 60_000;
/** The certificate of the public port, which signs itself. */
const AUTHORITY = 'data/keys/public.pem';

/** Whose law each stands under. */
const JURISDICTIONS = { north: ['--jurisdiction', 'DE'], south: ['--jurisdiction', 'DK'] };

/** Ports that are free now; all are held until all are chosen, so that they differ. */
export async function freePorts(count) {
  const held = await Promise.all(
    Array.from({ length: count }, () => new Promise((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
    })),
  );
  const ports = held.map((server) => server.address().port);
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export class Organisation {
  /** Keys and configuration; the server is not started. `trusted` are the folders of all organisations. */
  static async init(program, name, folder, trusted, client) {
    mkdirSync(folder, { recursive: true });
    const [http, federation, relay, media, plain] = await freePorts(5);
    const domain = `${name}.localhost:${http}`;
    const ports = { http, federation, relay, media };
    const options = Object.entries(ports).flatMap(([kind, port]) => [`--${kind}-port`, String(port)]);
    const authorities = trusted.flatMap((one) => ['--ca', join(one, AUTHORITY)]);
    const where = ['--domain', domain, '--listen', '127.0.0.1', '--allow-private', '--dir', folder, ...(JURISDICTIONS[name] ?? [])];
    execFileSync(program, ['init', ...where, ...options, ...authorities], { stdio: 'pipe' });
    const config = join(folder, 'conclave.toml');
    const organisation = new Organisation(program, domain, folder, config, plain, media);
    organisation.set('plain_loopback', `127.0.0.1:${plain}`);
    if (client !== undefined) organisation.set('folder', client);
    return organisation;
  }

  constructor(program, domain, folder, config, plain, media) {
    Object.assign(this, { program, domain, folder, config, plain, media, process: undefined });
    /** Where the page is. */
    this.origin = `http://${domain.split(':')[0]}:${plain}`;
    this.authority = join(folder, AUTHORITY);
  }

  /** Sets a key of the table [web], which the example configuration holds without keys. */
  set(key, value) {
    execFileSync('sed', ['-i', `s|^\\[web\\]$|[web]\\n${key} = "${value}"|`, this.config]);
  }

  addUser(user, password) {
    execFileSync(this.program, ['--config', this.config, 'user', 'add', user, '--password-stdin'], { input: `${password}\n` });
  }

  async start() {
    const log = createWriteStream(join(this.folder, 'server.log'), { flags: 'a' });
    this.process = spawn(this.program, ['--config', this.config, 'serve'], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.process.stdout.pipe(log);
    this.process.stderr.pipe(log);
    const until = Date.now() + READY_WITHIN_MS;
    while (Date.now() < until) {
      const answer = await fetch(`http://127.0.0.1:${this.plain}/readyz`).catch(() => undefined);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`${this.domain} is not ready; see ${this.folder}/server.log`);
  }

  async stop(signal = 'SIGTERM') {
    const process = this.process;
    if (process === undefined || process.exitCode !== null) return;
    this.process = undefined;
    const ended = new Promise((resolve) => process.once('exit', resolve));
    process.kill(signal);
    await ended;
  }
}
