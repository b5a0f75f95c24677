// The call's sound and pictures: the connection, kept up; and of what comes, what is shown and under whose name.

import { KINDS } from '../core/events';
import type { DeviceUri, TrackKind } from '../core/events';
import type { Driver } from '../core/driver';
import type { Slot, Wish } from '../core/media_service';
import { Connection } from '../media/connection';
import type { Path, Quality } from '../media/meter';
import type { Counts, FromWorker, ToWorker } from '../media/messages';
import { OutOfStep } from './out_of_step';
import type { OwnMedia } from './own_media.svelte';
import { Retry } from './retry';

/** What somebody shows: whose it is, the key of the frames proves. */
export interface Shown {
  slot: string;
  device: DeviceUri;
  kind: TrackKind;
  stream: MediaStream;
}

interface Proof {
  device: DeviceUri;
  kind: TrackKind;
}

/** The worker forgets its keys within this time. */
const STOP_WITHIN_MS = 1_000;
const LOOK_EVERY_MS = 500;
/** Louder than this is speech. */
const SPEECH = 0.02;

export class CallMedia {
  shown = $state.raw<Shown[]>([]);
  speaking = $state.raw<ReadonlySet<DeviceUri>>(new Set());
  /** Who spoke last, for the speaker view. */
  lastSpeaker = $state<DeviceUri | undefined>(undefined);
  /** Whose picture the path has no room for now. */
  paused = $state.raw<ReadonlySet<DeviceUri>>(new Set());
  /** Whose frames stay in another epoch than this device's. */
  outOfStep = $state.raw<ReadonlySet<DeviceUri>>(new Set());
  reached = $state(false);
  /** Sound and pictures were there, and are not any more. */
  isLost = $state(false);
  /** Nothing can be sealed or opened on this page. */
  hasFailed = $state(false);
  counts = $state.raw<Counts>({ sealed: 0, unsealed: 0, opened: 0, refused: 0 });
  quality = $state.raw<Quality[]>([]);
  path = $state.raw<Path | undefined>(undefined);

  private readonly worker: Worker;
  private connection: Connection | undefined;
  private session: number | undefined;
  private hasKeys = false;
  private workerReady = false;
  private opening = false;
  private ended = false;
  private slots: Slot[] = [];
  private wishes: Wish[] = [];
  private soundOnly = false;
  private present: ReadonlySet<DeviceUri> = new Set();
  private readonly proofs = new Map<string, Proof>();
  private readonly streams = new Map<string, MediaStream>();
  private readonly looking: ReturnType<typeof setInterval>;
  private readonly steps = new OutOfStep();
  private readonly retry = new Retry(() => void this.connect());
  private readonly backOnline = () => {
    if (this.connection === undefined) this.retry.now();
    else this.connection.check(() => this.lost());
  };

  constructor(
    private readonly driver: Driver,
    private readonly meeting: string,
    private readonly numbers: Record<TrackKind, number>,
    private readonly own: () => OwnMedia,
    private readonly tellOutOfStep: (device: DeviceUri) => void,
  ) {
    this.worker = new Worker(new URL('../media/frame_worker.ts', import.meta.url), { type: 'module' });
    this.worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.heard(data);
    this.worker.onerror = () => (this.hasFailed = true);
    this.tell({ type: 'start', key: driver.workerKey() });
    for (const kind of KINDS) this.tell({ type: 'number', kind, number: numbers[kind] });
    this.looking = setInterval(() => void this.look(), LOOK_EVERY_MS);
    addEventListener('online', this.backOnline);
  }

  /** The device is in this session now. */
  enter(session: number): void {
    if (this.session !== undefined && this.session !== session) this.disconnect();
    this.session = session;
    this.retry.now();
  }

  /** New keys, which only the worker can open. */
  keys(sealed: Uint8Array): void {
    this.tell({ type: 'keys', sealed });
    this.hasKeys = true;
    if (!this.retry.isPlanned) void this.connect();
  }

  /** Who is in the room: nobody else is shown. */
  members(present: ReadonlySet<DeviceUri>): void {
    this.present = present;
    this.steps.keepOnly(present);
    this.show();
  }

  async send(kind: TrackKind): Promise<void> {
    await this.connection?.send(kind, this.own().sent(kind) ?? null).catch(() => undefined);
  }

  wish(wishes: Wish[], soundOnly: boolean): void {
    if (soundOnly === this.soundOnly && JSON.stringify(wishes) === JSON.stringify(this.wishes)) return;
    this.wishes = wishes;
    this.soundOnly = soundOnly;
    this.connection?.wish(wishes, soundOnly);
  }

  qualityOf(device: DeviceUri, kind: TrackKind): Quality | undefined {
    const slot = this.shown.find((one) => one.device === device && one.kind === kind)?.slot;
    return this.quality.find((one) => one.slot === slot);
  }

  end(): void {
    this.ended = true;
    this.disconnect();
    this.retry.stop();
    clearInterval(this.looking);
    removeEventListener('online', this.backOnline);
    this.tell({ type: 'stop' });
    setTimeout(() => this.worker.terminate(), STOP_WITHIN_MS);
  }

  private tell(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  private heard(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        this.workerReady = true;
        void this.connect();
        break;
      case 'counts':
        this.counts = message.counts;
        break;
      case 'step':
        this.step(message.slot, message.out);
        break;
      case 'failed':
        this.hasFailed = true;
        break;
      case 'proven':
        this.proofs.set(message.slot, { device: message.device, kind: message.kind });
        this.show();
        break;
    }
  }

  /** No key proves whose frames do not open: that is the server's word. */
  private step(name: string, out: boolean): void {
    const device = this.slots.find(({ mid }) => this.connection?.slotOf(mid) === name)?.device;
    if (!out) this.steps.regain(name, device);
    else if (device !== undefined && this.present.has(device) && this.steps.lose(name, device)) this.tellOutOfStep(device);
    this.show();
  }

  private async connect(): Promise<void> {
    const session = this.session;
    if (this.opening || this.connection !== undefined || this.ended || session === undefined) return;
    if (!this.hasKeys || !this.workerReady) return;
    this.opening = true;
    try {
      const wanted = { meeting: this.meeting, session, numbers: this.numbers };
      const slots = (all: Slot[]) => {
        this.slots = all;
        this.show();
      };
      const connection = await Connection.open(this.driver.api, this.worker, wanted, slots, () => this.lost());
      this.streams.clear();
      for (const { slot, track } of connection.receivers) this.streams.set(slot, new MediaStream([track]));
      this.connection = connection;
      this.reached = true;
      this.isLost = false;
      for (const kind of KINDS) await this.send(kind);
      if (this.wishes.length > 0 || this.soundOnly) connection.wish(this.wishes, this.soundOnly);
      this.retry.succeeded();
      this.show();
    } catch {
      this.isLost = true;
    } finally {
      this.opening = false;
    }
    if (this.ended) this.disconnect();
    // It may be gone again by now.
    else if (this.connection === undefined) this.retry.later();
  }

  private lost(): void {
    this.disconnect();
    this.retry.later();
  }

  private disconnect(): void {
    this.connection?.close();
    this.connection = undefined;
    this.isLost = this.reached || this.isLost;
    this.reached = false;
    this.proofs.clear();
    this.steps.clear();
    this.slots = [];
    this.show();
  }

  /** A slot is shown when its frames prove the sender whom the server names; what neither says alone is shown to nobody. */
  private show(): void {
    this.paused = new Set(this.slots.filter(({ paused }) => paused).map(({ device }) => device));
    this.outOfStep = this.steps.devices;
    this.shown = this.slots.flatMap(({ mid, device, paused }) => {
      const slot = this.connection?.slotOf(mid);
      const proof = slot === undefined ? undefined : this.proofs.get(slot);
      const stream = slot === undefined ? undefined : this.streams.get(slot);
      if (slot === undefined || proof === undefined || stream === undefined || paused) return [];
      return proof.device === device && this.present.has(device) ? [{ slot, device, kind: proof.kind, stream }] : [];
    });
  }

  private async look(): Promise<void> {
    const read = await this.connection?.quality().catch(() => undefined);
    if (read === undefined) return;
    const quality = read.slots;
    this.quality = quality;
    this.path = read.path;
    const loud = new Map(quality.map((one) => [one.slot, one.audioLevel]));
    const levels = this.shown.flatMap(({ slot, device, kind }) => {
      const level = kind === 'audio' ? (loud.get(slot) ?? 0) : 0;
      return level > SPEECH ? [{ device, level }] : [];
    });
    const loudest = levels.reduce<{ device: DeviceUri; level: number } | undefined>(
      (best, one) => (best === undefined || one.level > best.level ? one : best),
      undefined,
    );
    if (loudest !== undefined && !levels.some(({ device }) => device === this.lastSpeaker)) this.lastSpeaker = loudest.device;
    const same = levels.length === this.speaking.size && levels.every(({ device }) => this.speaking.has(device));
    if (!same) this.speaking = new Set(levels.map(({ device }) => device));
  }
}
