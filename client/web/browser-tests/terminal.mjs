// Somebody who uses the client for terminals, as a script would: commands and events as JSON lines.

import { execFileSync, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { until } from './until.mjs';

const CLIENT = process.env.CONCLAVE_CLIENT;
const CLIPS = fileURLToPath(new URL('../../../interop-tests/media/', import.meta.url));

export class Terminal {
  /** Signs in on this machine, with a folder of its own. */
  static signIn(organisation, user, password) {
    const terminal = new Terminal(organisation, user);
    terminal.run(['sign-in', terminal.address, '--password-stdin', '--label', 'terminal'], `${password}\n`);
    return terminal;
  }

  constructor(organisation, user) {
    Object.assign(this, { organisation, user, process: undefined, events: [] });
    this.home = join(organisation.folder, `client of ${user}`);
    this.recorded = join(this.home, 'recorded');
    this.environment = { ...process.env, CONCLAVE_HOME: this.home, CONCLAVE_CA: organisation.authority };
  }

  get address() {
    return `${this.user}@${this.organisation.domain}`;
  }

  run(words, input = '') {
    return execFileSync(CLIENT, ['--json', ...words], { env: this.environment, input, stdio: ['pipe', 'pipe', 'pipe'] });
  }

  /** Goes to a meeting by the path of its link, sends sound and pictures, and records what comes. */
  join(path) {
    const media = ['--send-audio', `${CLIPS}speech.ogg`, '--send-video', `${CLIPS}moving.ivf`, '--record', this.recorded];
    const words = ['--json', 'join', `https://${this.organisation.domain}${path}`, ...media];
    this.process = spawn(CLIENT, words, { env: this.environment, stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.process.stdout }).on('line', (line) => this.events.push(JSON.parse(line)));
    this.ended = new Promise((resolve) => this.process.once('exit', resolve));
  }

  /** Waits for an event. */
  hears(what, wanted) {
    return until(`${this.user} hears ${what}`, async () => this.events.find(wanted));
  }

  inRoom() {
    return this.hears('that they are in', ({ event }) => event === 'joined');
  }

  code() {
    return this.events.findLast(({ event }) => event === 'roster').code;
  }

  order(order) {
    this.process.stdin.write(`${JSON.stringify(order)}\n`);
  }

  /** Leaves, which finishes the recordings. */
  async leave() {
    this.order({ cmd: 'leave' });
    await this.ended;
  }

  /** How many frames of somebody's recordings of this kind ffmpeg decodes, without an error. */
  decoded(other, ending) {
    const files = readdirSync(this.recorded).filter((file) => file.startsWith(`${other.address}.`) && file.endsWith(`.${ending}`));
    const count = (file) => {
      const words = ['-v', 'error', '-xerror', '-i', join(this.recorded, file), '-f', 'framemd5', '-'];
      return execFileSync('ffmpeg', words, { encoding: 'utf8' }).split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
    };
    return files.reduce((sum, file) => sum + count(file), 0);
  }
}
