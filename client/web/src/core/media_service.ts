// The home server's media service: offer, answer, what the slots carry.

import type { MeetingAddress, Track } from './events';
import type { Api } from './grpc_web';
import { mediaService } from './wasm';

const OPEN = '/conclave.client.v1.MediaService/Open';
const SIGNALS = '/conclave.client.v1.MediaService/Signals';
const UPDATE = '/conclave.client.v1.MediaService/Update';
const CLOSE = '/conclave.client.v1.MediaService/Close';

/** A track and the m-section that carries it. */
export interface Published {
  mid: string;
  track: Track;
}

/** A wanted track and the height at which it will be shown. */
export interface Wish {
  device: string;
  track: number;
  height: number;
}

/** What a receive slot carries, as the server says: a hint for the layout, never for the name. */
export interface Slot {
  mid: string;
  device: string;
  track: number;
  /** The path to this device carries nothing of it now. */
  paused: boolean;
}

export type Signal = { slots: Slot[] } | { ended: string };

/** An answered offer. */
export class MediaCalls {
  private constructor(
    private readonly api: Api,
    private readonly connection: Uint8Array,
    readonly answer: string,
  ) {}

  static async open(api: Api, meeting: MeetingAddress, session: number, offer: string, tracks: Published[]): Promise<MediaCalls> {
    const body = await api.call(OPEN, mediaService.openRequest(meeting, session, offer, JSON.stringify(tracks)));
    return new MediaCalls(api, mediaService.connection(body), mediaService.answer(body));
  }

  async *signals(signal: AbortSignal): AsyncGenerator<Signal> {
    for await (const message of this.api.open(SIGNALS, mediaService.signalsRequest(this.connection), signal)) {
      yield JSON.parse(mediaService.signal(message)) as Signal;
    }
  }

  async update(tracks: Published[], wishes: Wish[], soundOnly: boolean): Promise<void> {
    const body = mediaService.updateRequest(this.connection, JSON.stringify(tracks), JSON.stringify(wishes), soundOnly);
    await this.api.call(UPDATE, body);
  }

  async close(): Promise<void> {
    await this.api.call(CLOSE, mediaService.closeRequest(this.connection));
  }
}
