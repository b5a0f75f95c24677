// One peer connection to the own server's SFU. Every sender and receiver goes through the frame worker, or there is no connection.

import { KINDS } from '../core/events';
import type { TrackKind } from '../core/events';
import type { Api } from '../core/grpc_web';
import { MediaCalls } from '../core/media_service';
import type { Published, Slot, Wish } from '../core/media_service';
import { SCALABILITY, describe } from './dependencies';
import { RIDS, encodings, layersOf } from './layers';
import type { Place, ToWorker } from './messages';
import { Meter } from './meter';
import type { Path, Quality } from './meter';
import { Teller } from './teller';

const AUDIO_SLOTS = 6;
const VIDEO_SLOTS = 9;
/** No connection after so long is none. */
const CONNECT_WITHIN_MS = 8_000;
/** A connection without a sign of life for so long is opened anew. */
const SILENT_WITHIN_MS = 4_000;
/** Bits a second at most; the camera's layers have their own. */
const MOST_BITS = { audio: 32_000, screen: 1_200_000, screen_audio: 96_000 };

/** A receiving place: its name here, and what it plays. */
export interface Receiver {
  slot: string;
  audio: boolean;
  track: MediaStreamTrack;
}

export interface Wanted {
  meeting: string;
  session: number;
  numbers: Record<TrackKind, number>;
}

/** What the server must know of this end. */
interface State {
  tracks: Published[];
  wishes: Wish[];
  soundOnly: boolean;
}

/** This browser cannot seal frames, so it cannot take part. */
export function canSealFrames(): boolean {
  return 'RTCRtpScriptTransform' in globalThis && 'RTCPeerConnection' in globalThis;
}

export class Connection {
  readonly receivers: Receiver[];
  private readonly abort = new AbortController();
  private calls: MediaCalls | undefined;
  private readonly teller = new Teller<State>(async ({ tracks, wishes, soundOnly }) => this.calls?.update(tracks, wishes, soundOnly));
  private readonly senders: Map<TrackKind, RTCRtpTransceiver>;
  private readonly slots: Map<string, RTCRtpTransceiver>;
  /** What is sent, in how many layers. A microphone stays among it, so that it is heard at once. */
  private readonly sent = new Map<TrackKind, number>([['audio', 1]]);
  /** How often each was given something to send. */
  private readonly turns = new Map<TrackKind, number>();
  private wishes: Wish[] = [];
  private soundOnly = false;
  private readonly meter = new Meter();
  private silence: ReturnType<typeof setTimeout> | undefined;

  private constructor(
    private readonly peer: RTCPeerConnection,
    private readonly wanted: Wanted,
    private readonly worker: Worker,
  ) {
    this.senders = new Map(KINDS.map((kind) => [kind, outgoing(peer, worker, kind)]));
    const names = (prefix: string, count: number) => Array.from({ length: count }, (_, at) => `${prefix}${at}`);
    const audio = names('audio', AUDIO_SLOTS).map((slot): [string, RTCRtpTransceiver] => [slot, incoming(peer, worker, slot, true)]);
    const video = names('video', VIDEO_SLOTS).map((slot): [string, RTCRtpTransceiver] => [slot, incoming(peer, worker, slot, false)]);
    this.slots = new Map([...audio, ...video]);
    this.receivers = [...this.slots].map(([slot, { receiver }]) => ({ slot, audio: slot.startsWith('audio'), track: receiver.track }));
  }

  /** Offers, waits for the answer, and gives what the slots carry to `slots` as it changes; `lost` is told once. */
  static async open(
    api: Api,
    worker: Worker,
    wanted: Wanted,
    slots: (slots: Slot[]) => void,
    lost: (reason: string) => void,
  ): Promise<Connection> {
    const peer = new RTCPeerConnection({ iceServers: [], bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' });
    let connection: Connection | undefined;
    try {
      const made = new Connection(peer, wanted, worker);
      connection = made;
      await peer.setLocalDescription(await peer.createOffer());
      const offer = peer.localDescription?.sdp ?? '';
      const calls = await MediaCalls.open(api, wanted.meeting, wanted.session, offer, made.published());
      made.calls = calls;
      await peer.setRemoteDescription({ type: 'answer', sdp: calls.answer });
      await made.connected();
      await made.learnLayers();
      void made.follow(calls, slots, lost);
      peer.onconnectionstatechange = () => made.changed(lost);
      return made;
    } catch (error) {
      connection?.close();
      peer.close();
      throw error;
    }
  }

  /** Sends this track as this kind from now on; none: nothing. */
  async send(kind: TrackKind, track: MediaStreamTrack | null): Promise<void> {
    const sender = this.senders.get(kind)?.sender;
    if (sender === undefined) return;
    const turn = (this.turns.get(kind) ?? 0) + 1;
    this.turns.set(kind, turn);
    if (kind === 'video' && track !== null) await encode(sender, track);
    // Meanwhile something else may have been given.
    if (this.turns.get(kind) !== turn) return;
    const before = this.sent.get(kind);
    if (track !== null) this.sent.set(kind, layersOf(kind, track));
    else if (kind !== 'audio') this.sent.delete(kind);
    if (this.sent.get(kind) !== before) this.tell();
    await sender.replaceTrack(track);
  }

  /** Says what is wanted, most wanted first. */
  wish(wishes: Wish[], soundOnly: boolean): void {
    this.wishes = wishes;
    this.soundOnly = soundOnly;
    this.tell();
  }

  /** The receiving place's name of an m-section. */
  slotOf(mid: string): string | undefined {
    return [...this.slots].find(([, transceiver]) => transceiver.mid === mid)?.[0];
  }

  /** How well each receiving place does, and the path. */
  async quality(): Promise<{ slots: Quality[]; path: Path | undefined }> {
    const report = await this.peer.getStats();
    return this.meter.read(report, (mid) => this.slotOf(mid));
  }

  /** The network changed: a connection that does not hold any more is given up at once. */
  check(lost: () => void): void {
    if (this.peer.connectionState !== 'connected') this.lose(lost, 'the network changed');
  }

  close(): void {
    this.abort.abort();
    this.teller.close();
    clearTimeout(this.silence);
    this.peer.onconnectionstatechange = null;
    this.peer.close();
    void this.calls?.close().catch(() => undefined);
    this.calls = undefined;
  }

  private changed(lost: (reason: string) => void): void {
    clearTimeout(this.silence);
    const gone = () => this.lose(lost, 'the media connection was lost');
    if (this.peer.connectionState === 'failed') gone();
    // The browser itself waits half a minute longer.
    else if (this.peer.connectionState === 'disconnected') this.silence = setTimeout(gone, SILENT_WITHIN_MS);
  }

  private lose(lost: (reason: string) => void, reason: string): void {
    if (this.abort.signal.aborted) return;
    this.close();
    lost(reason);
  }

  private async follow(calls: MediaCalls, slots: (slots: Slot[]) => void, lost: (reason: string) => void): Promise<void> {
    try {
      for await (const signal of calls.signals(this.abort.signal)) {
        if ('ended' in signal) return this.lose(lost, signal.ended);
        slots(signal.slots);
      }
      this.lose(lost, 'the server ended the media connection');
    } catch (error) {
      this.lose(lost, error instanceof Error ? error.message : 'the media connection was lost');
    }
  }

  private tell(): void {
    this.teller.say({ tracks: this.published(), wishes: this.wishes, soundOnly: this.soundOnly });
  }

  private published(): Published[] {
    return [...this.senders].flatMap(([kind, { mid }]) => {
      const layers = this.sent.get(kind);
      return mid === null || layers === undefined ? [] : [{ mid, track: { number: this.wanted.numbers[kind], kind, layers } }];
    });
  }

  /** Tells the worker which stream is which layer: the browser says it here alone. */
  private async learnLayers(): Promise<void> {
    const layers: [number, number][] = [];
    (await this.peer.getStats()).forEach((stats: RTCOutboundRtpStreamStats) => {
      const layer = stats.type === 'outbound-rtp' && stats.rid !== undefined ? RIDS.indexOf(stats.rid) : -1;
      if (layer >= 0) layers.push([stats.ssrc, layer]);
    });
    const message: ToWorker = { type: 'layers', layers };
    this.worker.postMessage(message);
  }

  private connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = () => reject(new Error('the server cannot be reached for sound and pictures'));
      const timer = setTimeout(failed, CONNECT_WITHIN_MS);
      const look = () => {
        const state = this.peer.connectionState;
        if (state !== 'connected' && state !== 'failed') return;
        clearTimeout(timer);
        if (state === 'connected') resolve();
        else failed();
      };
      this.peer.onconnectionstatechange = look;
      look();
    });
  }
}

function outgoing(peer: RTCPeerConnection, worker: Worker, kind: TrackKind): RTCRtpTransceiver {
  const medium = kind === 'audio' || kind === 'screen_audio' ? 'audio' : 'video';
  const some = kind === 'video' ? RIDS.map((rid) => ({ rid })) : [{ maxBitrate: MOST_BITS[kind] }];
  const sendEncodings = medium === 'audio' ? some : some.map((one) => ({ ...one, ...SCALABILITY }));
  const transceiver = peer.addTransceiver(medium, { direction: 'sendonly', sendEncodings });
  only(transceiver, medium);
  if (medium === 'video') describe(transceiver);
  transceiver.sender.transform = transform(worker, { role: 'send', kind });
  return transceiver;
}

/** Sends a camera in the layers that fit it. */
async function encode(sender: RTCRtpSender, track: MediaStreamTrack): Promise<void> {
  const parameters = sender.getParameters();
  const wanted = encodings(track);
  for (const [layer, encoding] of parameters.encodings.entries()) Object.assign(encoding, wanted[layer]);
  await sender.setParameters(parameters);
}

function incoming(peer: RTCPeerConnection, worker: Worker, slot: string, audio: boolean): RTCRtpTransceiver {
  const medium = audio ? 'audio' : 'video';
  const transceiver = peer.addTransceiver(medium, { direction: 'recvonly' });
  only(transceiver, medium);
  if (!audio) describe(transceiver);
  transceiver.receiver.transform = transform(worker, { role: 'receive', slot, audio });
  return transceiver;
}

function transform(worker: Worker, place: Place): RTCRtpScriptTransform {
  return new RTCRtpScriptTransform(worker, place);
}

/** Opus, or VP8 with retransmission: what the clear bytes of the specification are for. */
function only(transceiver: RTCRtpTransceiver, medium: 'audio' | 'video'): void {
  const kept = medium === 'audio' ? ['audio/opus'] : ['video/vp8', 'video/rtx'];
  const all = RTCRtpReceiver.getCapabilities(medium)?.codecs ?? [];
  transceiver.setCodecPreferences(all.filter((codec) => kept.includes(codec.mimeType.toLowerCase())));
}
