// gRPC-Web on the page's own origin: bytes in, bytes out.

import { Failure } from './wasm';

const KIND = 'application/grpc-web+proto';
/** A unary call must be answered within this time. */
const CALL_WITHIN_MS = 20_000;
/** Flags and length before each message. */
const PREFIX = 5;
/** The flag of the last part, which holds the status. */
const TRAILERS = 0x80;

/** The server refused, or was not reached. */
export class Refused extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message());
  }
}

export class Api {
  private token: string | undefined;

  setToken(token: string | undefined): void {
    this.token = token;
  }

  /** Makes a unary call. */
  async call(path: string, body: Uint8Array): Promise<Uint8Array> {
    let answer: Uint8Array | undefined;
    for await (const message of this.open(path, body, AbortSignal.timeout(CALL_WITHIN_MS))) answer = message;
    if (answer === undefined) throw unreachable('the server gave no answer');
    return answer;
  }

  /** Opens a server stream, tells when the server has taken it on, and ends in good order or throws. */
  async *open(path: string, body: Uint8Array, signal: AbortSignal, opened: () => void = () => undefined): AsyncGenerator<Uint8Array> {
    const response = await this.post(path, body, signal);
    check(response.headers.get('grpc-status'), response.headers);
    if (!response.ok || response.body === null) {
      throw unreachable(`the server answered with HTTP ${response.status}`);
    }
    opened();
    let ended = false;
    for await (const { flags, message } of parts(response.body)) {
      if ((flags & TRAILERS) === 0) {
        yield message;
        continue;
      }
      const trailers = parseTrailers(message);
      check(trailers.get('grpc-status') ?? '0', trailers);
      ended = true;
    }
    if (!ended) throw unreachable('the connection to the server was lost');
  }

  private async post(path: string, body: Uint8Array, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { 'content-type': KIND, accept: KIND, 'x-grpc-web': '1' };
    if (this.token !== undefined) headers['authorization'] = `Bearer ${this.token}`;
    const framed = new Uint8Array(PREFIX + body.length);
    new DataView(framed.buffer).setUint32(1, body.length);
    framed.set(body, PREFIX);
    try {
      return await fetch(path, {
        method: 'POST',
        headers,
        body: framed,
        signal,
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
      });
    } catch {
      throw unreachable('the server cannot be reached');
    }
  }
}

function unreachable(sentence: string): Refused {
  return new Refused(Failure.unreachable(sentence));
}

function check(status: string | null, fields: { get(name: string): string | null | undefined }): void {
  if (status === null || status === '0') return;
  const details = fields.get('grpc-status-details-bin');
  const bytes = details ? Uint8Array.from(atob(details.replace(/=+$/, '')), (c) => c.charCodeAt(0)) : new Uint8Array();
  throw new Refused(Failure.status(Number(status), decodeURIComponent(fields.get('grpc-message') ?? ''), bytes));
}

function parseTrailers(bytes: Uint8Array): Map<string, string> {
  const lines = new TextDecoder().decode(bytes).split('\r\n');
  const pairs = lines.filter((line) => line.includes(':')).map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
  });
  return new Map(pairs);
}

async function* parts(body: ReadableStream<Uint8Array>): AsyncGenerator<{ flags: number; message: Uint8Array }> {
  const reader = body.getReader();
  let held = new Uint8Array();
  try {
    for (;;) {
      while (held.length >= PREFIX) {
        const length = new DataView(held.buffer, held.byteOffset).getUint32(1);
        if (held.length < PREFIX + length) break;
        yield { flags: held[0] ?? 0, message: held.slice(PREFIX, PREFIX + length) };
        held = held.slice(PREFIX + length);
      }
      const { done, value } = await reader.read().catch(() => {
        throw unreachable('the connection to the server was lost');
      });
      if (done) return;
      const joined = new Uint8Array(held.length + value.length);
      joined.set(held);
      joined.set(value, held.length);
      held = joined;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
