// Runs the device machine: one input in, all effects carried out in order, then the next.

import { CommandError } from './command_error';
import type { Command, CoreEvent, Done, Effect } from './events';
import { Api, Refused } from './grpc_web';
import { Store } from './store';
import { Client, Failure, domainOf, load, problemIn } from './wasm';

/** A deadline further away than this is looked at again then. */
const LONGEST_SLEEP_MS = 60_000;
/** Where every server says who it is. */
const WELL_KNOWN = '/.well-known/conclave/server';

/** Certificates tolerate a clock that is off by so much. */
const CLOCK_TOLERANCE_MS = 5 * 60_000;

/** This machine's clock is wrong by the server's; nothing that is signed with it would be believed. */
export class ClockError extends Error {
  constructor(
    readonly here: Date,
    readonly there: Date,
  ) {
    super('the clock is wrong');
  }
}

/** An event, and the sealed keys that come with some. */
export type Listener = (event: CoreEvent, sealed: Uint8Array | undefined) => void;

/** What the machine is given, and what is said to whoever gave it if the machine cannot go on. */
interface Input {
  act: (client: Client) => void;
  dropped: (error: Error) => void;
}

interface Waiting {
  resolve: (done: Done) => void;
  reject: (error: Error) => void;
}

export class Driver {
  readonly api = new Api();
  private readonly inputs: Input[] = [];
  private readonly streams = new Map<number, AbortController>();
  private readonly waiting = new Map<number, Waiting>();
  private readonly listeners = new Set<Listener>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private running = false;
  private broken: Error | undefined;
  private tellBroken: (error: Error) => void = () => undefined;
  /** Settles when the device cannot go on. */
  readonly broke = new Promise<Error>((resolve) => (this.tellBroken = resolve));

  private constructor(
    private readonly client: Client,
    private readonly store: Store,
    /** The home server's domain. */
    readonly domain: string,
  ) {}

  /** The device as this browser kept it. */
  static async start(): Promise<Driver> {
    const asked = fetch(WELL_KNOWN, { credentials: 'omit', redirect: 'error', cache: 'no-store' });
    const [, answer] = await Promise.all([load(), asked]);
    checkClock(answer.headers.get('date'));
    const domain = domainOf(new Uint8Array(await answer.arrayBuffer()));
    const store = await Store.open(`conclave ${domain}`);
    const { key, sealed } = await store.load();
    const client = await Client.open(domain, key, sealed);
    if (key === undefined) await store.keep(client.store_key() as CryptoKey);
    const driver = new Driver(client, store, domain);
    driver.input(() => undefined);
    return driver;
  }

  /** This device's name, once signed in. */
  device(): string | undefined {
    return this.client.device();
  }

  /** The one meeting that a guest's device is good for. */
  guestOf(): string | undefined {
    return this.client.guest_of();
  }

  /** The handle of the key that seals what the frame worker is sent. */
  workerKey(): CryptoKey {
    return this.client.worker_key() as CryptoKey;
  }

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Does a command to its end. */
  command(command: Command): Promise<Done> {
    return new Promise((resolve, reject) => {
      this.input((client) => {
        try {
          this.waiting.set(client.command(JSON.stringify(command)), { resolve, reject });
        } catch (error) {
          reject(new CommandError({ reason: 'malformed', ...problemIn(error) }));
        }
      }, reject);
    });
  }

  private input(act: (client: Client) => void, dropped: (error: Error) => void = () => undefined): void {
    if (this.broken !== undefined) return dropped(this.broken);
    this.inputs.push({ act, dropped });
    if (!this.running) void this.run();
  }

  private async run(): Promise<void> {
    this.running = true;
    clearTimeout(this.timer);
    for (let input = this.inputs.shift(); input !== undefined; input = this.inputs.shift()) {
      try {
        input.act(this.client);
        // What wasm gives is of this form: client/wasm/src/effect.rs.
        for (const effect of (await this.client.drain()) as Effect[]) await this.carryOut(effect);
      } catch (error) {
        this.fail(error instanceof Error ? error : new Error(String(error)));
      }
    }
    this.running = false;
    if (this.broken !== undefined) return;
    const deadline = this.client.deadline();
    const wait = deadline === undefined ? LONGEST_SLEEP_MS : Math.min(Math.max(deadline - Date.now(), 0), LONGEST_SLEEP_MS);
    this.timer = setTimeout(() => this.input((client) => client.tick()), wait);
  }

  /** What must be kept cannot be: the device must not go on, or it would say what it then forgets. */
  private fail(error: Error): void {
    this.broken = error;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
    for (const { dropped } of this.inputs.splice(0)) dropped(error);
    for (const stream of this.streams.values()) stream.abort();
    this.tellBroken(error);
  }

  private async carryOut(effect: Effect): Promise<void> {
    switch (effect.kind) {
      case 'call':
        void this.call(effect.call, effect.path, effect.body);
        break;
      case 'open':
        void this.read(effect.stream, effect.path, effect.body);
        break;
      case 'close':
        this.streams.get(effect.stream)?.abort();
        this.streams.delete(effect.stream);
        break;
      case 'token':
        this.api.setToken(effect.token);
        break;
      case 'store':
        await this.store.put(effect.place, effect.sealed);
        break;
      case 'event':
        this.tell(JSON.parse(effect.event) as CoreEvent, effect.sealed);
        break;
    }
  }

  private tell(event: CoreEvent, sealed: Uint8Array | undefined): void {
    if (event.type === 'done') {
      const waiting = this.waiting.get(event.request);
      this.waiting.delete(event.request);
      if (event.done !== null) waiting?.resolve(event.done);
      else waiting?.reject(new CommandError(event.error ?? { reason: 'bug', id: 'bug', arguments: {} }));
    }
    for (const listener of this.listeners) listener(event, sealed);
  }

  private async call(call: number, path: string, body: Uint8Array): Promise<void> {
    try {
      const answer = await this.api.call(path, body);
      this.input((client) => client.answered(call, answer));
    } catch (error) {
      const failure = failureOf(error);
      this.input((client) => client.refused(call, failure));
    }
  }

  private async read(stream: number, path: string, body: Uint8Array): Promise<void> {
    const abort = new AbortController();
    this.streams.set(stream, abort);
    // A stream that was closed is silent, whatever was on its way.
    const input = (act: (client: Client) => void) =>
      this.input((client) => {
        if (this.streams.get(stream) === abort) act(client);
      });
    try {
      const opened = () => input((client) => client.opened(stream));
      for await (const message of this.api.open(path, body, abort.signal, opened)) {
        input((client) => client.item(stream, message));
      }
      input((client) => {
        this.streams.delete(stream);
        client.ended(stream);
      });
    } catch (error) {
      const failure = failureOf(error);
      input((client) => {
        this.streams.delete(stream);
        client.broke(stream, failure);
      });
    }
  }
}

function checkClock(date: string | null): void {
  const [here, there] = [new Date(), new Date(date ?? '')];
  // A server that says no time is not disbelieved.
  if (Math.abs(here.getTime() - there.getTime()) > CLOCK_TOLERANCE_MS) throw new ClockError(here, there);
}

function failureOf(error: unknown): Failure {
  if (error instanceof Refused) return error.failure;
  return Failure.unreachable(error instanceof Error ? error.message : 'the server cannot be reached');
}
