// One call as the page shows it: who is there, what they show, what they say.

import type { CallEvent, CoreEvent, DeviceUri, Member, OverReason, Track, TrackKind } from '../core/events';
import { CommandError } from '../core/driver';
import type { Driver } from '../core/driver';
import type { Slot } from '../core/media_service';
import { firstTrackNumber } from '../core/wasm';
import * as capture from '../media/capture';
import { Connection } from '../media/connection';
import type { Quality } from '../media/connection';
import type { Counts, FromWorker, ToWorker } from '../media/messages';
import { name } from './names';

export type Phase = 'asking' | 'waiting' | 'in' | 'over';

export interface Message {
  id: string;
  address: string;
  name: string;
  text: string;
  time: number;
  own: boolean;
}

export interface Notice {
  id: number;
  text: string;
  variables: Record<string, string>;
}

/** What somebody shows: whose it is, the key of the frames proves. */
export interface Shown {
  slot: string;
  device: DeviceUri;
  kind: TrackKind;
  stream: MediaStream;
}

interface Proof {
  device: DeviceUri;
  track: number;
  kind: TrackKind;
}

/** How soon a lost media connection is tried again. */
const RETRY_MS = 1_000;
const LOOK_EVERY_MS = 500;
const NOTICE_MS = 5_000;
/** Louder than this is speech. */
const SPEECH = 0.02;

export class Call {
  phase = $state<Phase>('asking');
  members = $state.raw<Member[]>([]);
  code = $state('');
  suite = $state<'hybrid' | 'classical'>('hybrid');
  messages = $state<Message[]>([]);
  unread = $state(0);
  outside = $state<{ device: DeviceUri; address: string }[]>([]);
  rules = $state({ lobby: false, locked: false });
  notices = $state<Notice[]>([]);
  shown = $state.raw<Shown[]>([]);
  speaking = $state.raw<ReadonlySet<DeviceUri>>(new Set());
  publishing = $state.raw<ReadonlyMap<DeviceUri, ReadonlySet<TrackKind>>>(new Map());
  serverReached = $state(true);
  mediaReached = $state(false);
  microphoneOn = $state(false);
  cameraOn = $state(false);
  sharing = $state(false);
  preview = $state.raw<MediaStream | undefined>(undefined);
  ownScreen = $state.raw<MediaStream | undefined>(undefined);
  over = $state<{ reason: OverReason; message: string } | undefined>(undefined);
  counts = $state.raw<Counts>({ sealed: 0, unsealed: 0, opened: 0, refused: 0 });
  quality = $state.raw<Quality[]>([]);

  readonly address: string;
  private readonly worker: Worker;
  private connection: Connection | undefined;
  private session: number | undefined;
  private hasKeys = false;
  private workerReady = false;
  private opening = false;
  private tracks: Partial<Record<TrackKind, MediaStreamTrack>> = {};
  private readonly numbers: Record<TrackKind, number>;
  private slots: Slot[] = [];
  private readonly proofs = new Map<string, Proof>();
  private readonly streams = new Map<string, MediaStream>();
  private readonly unlisten: () => void;
  private readonly looking: ReturnType<typeof setInterval>;
  private nextNotice = 1;

  constructor(
    private readonly driver: Driver,
    link: string,
    address: string,
    private choices: capture.Choices,
    opening: capture.Opening,
  ) {
    this.address = address;
    const first = firstTrackNumber();
    this.numbers = { audio: first, video: first + 1, screen: first + 2 };
    this.worker = new Worker(new URL('../media/frame_worker.ts', import.meta.url), { type: 'module' });
    this.worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.heard(data);
    this.tell({ type: 'start', key: driver.workerKey() });
    for (const kind of ['audio', 'video', 'screen'] as const) this.tell({ type: 'number', kind, number: this.numbers[kind] });
    void opening.microphone.then((track) => this.begin('audio', track, choices.microphoneOn));
    void opening.camera.then((track) => this.begin('video', track, choices.cameraOn));
    this.unlisten = driver.listen((event, sealed) => this.take(event, sealed));
    this.looking = setInterval(() => void this.look(), LOOK_EVERY_MS);
    driver.command({ type: 'join', meeting: link }).catch((error: unknown) => this.end('refused', sentence(error)));
  }

  get self(): Member | undefined {
    return this.members.find((member) => member.self);
  }

  get isHost(): boolean {
    const role = this.self?.role;
    return role === 'host' || role === 'co-host';
  }

  /** What a member shows as this kind, once proven. */
  showing(device: DeviceUri, kind: TrackKind): MediaStream | undefined {
    const publishes = this.publishing.get(device);
    if (publishes !== undefined && !publishes.has(kind)) return undefined;
    return this.shown.find((one) => one.device === device && one.kind === kind)?.stream;
  }

  isMuted(device: DeviceUri): boolean {
    return !(this.publishing.get(device)?.has('audio') ?? false);
  }

  async chat(text: string): Promise<void> {
    await this.driver.command({ type: 'chat', meeting: this.address, text });
  }

  async admit(device: DeviceUri, admitted: boolean): Promise<void> {
    await this.driver.command({ type: 'admit', meeting: this.address, device, admitted });
  }

  async remove(address: string): Promise<void> {
    await this.driver.command({ type: 'remove', meeting: this.address, address });
  }

  async lock(locked: boolean): Promise<void> {
    await this.driver.command({ type: 'lock', meeting: this.address, locked });
  }

  async lobby(on: boolean): Promise<void> {
    await this.driver.command({ type: 'lobby', meeting: this.address, on });
  }

  async endForAll(): Promise<void> {
    await this.driver.command({ type: 'end', meeting: this.address });
  }

  leave(): void {
    if (this.over !== undefined) return;
    // The page does not wait: if the server is out of reach it notices by itself.
    this.driver.command({ type: 'leave', meeting: this.address }).catch(() => undefined);
    this.end('left', '');
  }

  async toggleMicrophone(): Promise<void> {
    if (this.tracks.audio === undefined) {
      try {
        this.tracks.audio = await capture.microphone(this.choices);
      } catch (error) {
        return this.note(`microphone-${capture.deniedBy(error)}`);
      }
    }
    this.microphoneOn = !this.microphoneOn;
    await this.send('audio');
    this.publish();
  }

  async toggleCamera(): Promise<void> {
    this.cameraOn = !this.cameraOn;
    if (this.cameraOn && this.tracks.video === undefined) {
      try {
        this.tracks.video = await capture.camera(this.choices);
      } catch (error) {
        this.cameraOn = false;
        return this.note(`camera-${capture.deniedBy(error)}`);
      }
    }
    await this.send('video');
    if (!this.cameraOn) this.stop('video'); // The camera's light goes out.
    this.showPreview();
    this.publish();
  }

  async toggleScreen(): Promise<void> {
    if (this.sharing) {
      this.sharing = false;
    } else {
      const track = await capture.screen();
      if (track === undefined) return;
      track.onended = () => void (this.sharing && this.toggleScreen());
      this.tracks.screen = track;
      this.ownScreen = new MediaStream([track]);
      this.sharing = true;
    }
    await this.send('screen');
    if (!this.sharing) {
      this.stop('screen');
      this.ownScreen = undefined;
    }
    this.publish();
  }

  /** A device that was being opened while the person joined. */
  private begin(kind: 'audio' | 'video', track: MediaStreamTrack | undefined, on: boolean): void {
    if (track === undefined) return;
    if (this.over !== undefined || this.tracks[kind] !== undefined) return track.stop();
    this.tracks[kind] = track;
    if (kind === 'audio') this.microphoneOn = on;
    else this.cameraOn = on;
    this.showPreview();
    void this.send(kind);
    this.publish();
  }

  private isOn(kind: TrackKind): boolean {
    return { audio: this.microphoneOn, video: this.cameraOn, screen: this.sharing }[kind];
  }

  private async send(kind: TrackKind): Promise<void> {
    const track = this.tracks[kind];
    await this.connection?.send(kind, this.isOn(kind) && track !== undefined ? track : null).catch(() => undefined);
  }

  private stop(kind: TrackKind): void {
    this.tracks[kind]?.stop();
    delete this.tracks[kind];
  }

  private showPreview(): void {
    const track = this.cameraOn ? this.tracks.video : undefined;
    this.preview = track === undefined ? undefined : new MediaStream([track]);
  }

  private tell(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  private heard(message: FromWorker): void {
    if (message.type === 'ready') {
      this.workerReady = true;
      void this.connect();
      return;
    }
    if (message.type === 'counts') {
      this.counts = message.counts;
      return;
    }
    this.proofs.set(message.slot, { device: message.device, track: message.track, kind: message.kind });
    this.show();
  }

  private take(event: CoreEvent, sealed: Uint8Array | undefined): void {
    if (event.type !== 'call' || event.meeting !== this.address || this.phase === 'over') return;
    this.happened(event.event, sealed);
  }

  private happened(event: CallEvent, sealed: Uint8Array | undefined): void {
    switch (event.type) {
      case 'standing':
        this.phase = event.state === 'waiting' ? 'waiting' : 'asking';
        break;
      case 'entered':
        this.session = event.session;
        this.suite = event.suite;
        this.phase = 'in';
        this.publish();
        void this.connect();
        break;
      case 'roster':
        this.roster(event.members, event.code);
        break;
      case 'keys':
        if (sealed !== undefined) this.tell({ type: 'keys', sealed });
        this.hasKeys = true;
        void this.connect();
        break;
      case 'waiting':
        this.outside = [...this.outside.filter((one) => one.device !== event.device), { device: event.device, address: event.address }];
        this.note('wants-in', { name: name(event.address) });
        break;
      case 'waiting_ended':
        this.outside = this.outside.filter((one) => one.device !== event.device);
        break;
      case 'chat':
        this.said(event);
        break;
      case 'policy':
        this.rules = { lobby: event.lobby, locked: event.locked };
        break;
      case 'tracks': {
        const all = new Map(this.publishing);
        all.set(event.device, new Set(event.tracks.map((track) => track.kind)));
        this.publishing = all;
        break;
      }
      case 'connection':
        this.serverReached = event.connected;
        break;
      case 'alarm':
        this.note('alarm', { message: event.message });
        break;
      case 'over':
        this.end(event.reason, event.message);
        break;
      case 'refused_attempt':
      case 'voided':
        break;
    }
  }

  private roster(members: Member[], code: string): void {
    const known = new Set(this.members.map((member) => member.device));
    const now = new Set(members.map((member) => member.device));
    if (this.members.length > 0) {
      for (const member of members) if (!known.has(member.device)) this.note('entered', { name: shownName(member) });
      for (const member of this.members) if (!now.has(member.device)) this.note('gone', { name: shownName(member) });
    }
    this.members = members;
    this.code = code;
    this.publishing = new Map([...this.publishing].filter(([device]) => now.has(device)));
    this.show();
  }

  private said(event: CallEvent & { type: 'chat' }): void {
    if (this.messages.some((message) => message.id === event.id)) return;
    const author = this.members.find((member) => member.device === event.device);
    const own = author?.self ?? event.device === this.driver.device();
    const named = author === undefined ? name(event.address) : shownName(author);
    this.messages.push({ id: event.id, address: event.address, name: named, text: event.text, time: event.time_ms, own });
    if (!own) this.unread += 1;
  }

  /** Tells the others what is sent now. */
  private publish(): void {
    if (this.phase !== 'in') return;
    const kinds = (['audio', 'video', 'screen'] as const).filter((kind) => this.isOn(kind) && this.tracks[kind] !== undefined);
    const tracks = kinds.map((kind): Track => ({ number: this.numbers[kind], kind, layers: 1 }));
    this.driver.command({ type: 'publish', meeting: this.address, tracks }).catch(() => undefined);
  }

  private async connect(): Promise<void> {
    const session = this.session;
    if (this.opening || this.connection !== undefined || session === undefined || !this.hasKeys || !this.workerReady || this.phase !== 'in') return;
    this.opening = true;
    try {
      const wanted = { meeting: this.address, session, numbers: this.numbers };
      const slots = (all: Slot[]) => {
        this.slots = all;
        this.show();
      };
      const connection = await Connection.open(this.driver.api, this.worker, wanted, slots, () => this.lost());
      this.streams.clear();
      for (const { slot, track } of connection.receivers) this.streams.set(slot, new MediaStream([track]));
      this.connection = connection;
      this.mediaReached = true;
      for (const kind of ['audio', 'video', 'screen'] as const) await this.send(kind);
      this.show();
    } catch {
      setTimeout(() => void this.connect(), RETRY_MS);
    } finally {
      this.opening = false;
    }
    if (this.over !== undefined) this.disconnect();
  }

  private lost(): void {
    this.disconnect();
    setTimeout(() => void this.connect(), RETRY_MS);
  }

  private disconnect(): void {
    this.connection?.close();
    this.connection = undefined;
    this.mediaReached = false;
    this.proofs.clear();
    this.slots = [];
    this.show();
  }

  /** A slot is shown when its frames prove the sender whom the server names; what neither says alone is shown to nobody. */
  private show(): void {
    const present = new Set(this.members.map((member) => member.device));
    this.shown = this.slots.flatMap(({ mid, device }) => {
      const slot = this.connection?.slotOf(mid);
      const proof = slot === undefined ? undefined : this.proofs.get(slot);
      const stream = slot === undefined ? undefined : this.streams.get(slot);
      if (slot === undefined || proof === undefined || stream === undefined) return [];
      return proof.device === device && present.has(device) ? [{ slot, device, kind: proof.kind, stream }] : [];
    });
  }

  private async look(): Promise<void> {
    const quality = await this.connection?.quality().catch(() => undefined);
    if (quality === undefined) return;
    this.quality = quality;
    const loud = new Set(quality.filter((one) => one.audioLevel > SPEECH).map((one) => one.slot));
    const speaking = this.shown.filter((one) => one.kind === 'audio' && loud.has(one.slot)).map((one) => one.device);
    const same = speaking.length === this.speaking.size && speaking.every((device) => this.speaking.has(device));
    if (!same) this.speaking = new Set(speaking);
  }

  private note(text: string, variables: Record<string, string> = {}): void {
    const notice = { id: this.nextNotice++, text, variables };
    this.notices.push(notice);
    setTimeout(() => (this.notices = this.notices.filter((one) => one.id !== notice.id)), NOTICE_MS);
  }

  private end(reason: OverReason, message: string): void {
    if (this.over !== undefined) return;
    this.over = { reason, message };
    this.phase = 'over';
    this.disconnect();
    for (const kind of ['audio', 'video', 'screen'] as const) this.stop(kind);
    this.preview = undefined;
    this.ownScreen = undefined;
    clearInterval(this.looking);
    this.tell({ type: 'stop' });
    setTimeout(() => this.worker.terminate(), RETRY_MS);
    this.unlisten();
  }
}

/** What a member is called: the certified name, or else the address. */
export function shownName(member: Member): string {
  return name(member.name) || name(member.address);
}

function sentence(error: unknown): string {
  return error instanceof CommandError || error instanceof Error ? error.message : '';
}
