// One call as the page shows it: who is there, what they may, how it stands. Sound, pictures and words have their own models.

import { KINDS } from '../core/events';
import type { CallEvent, CoreEvent, DeviceUri, Member, OverReason, Problem, Reaction, Track, TrackKind } from '../core/events';
import { CommandError } from '../core/command_error';
import type { Driver } from '../core/driver';
import { firstTrackNumber } from '../core/wasm';
import type { Choices } from '../media/capture';
import { layersOf } from '../media/layers';
import { CallMedia } from './call_media.svelte';
import { Conversation } from './conversation.svelte';
import { Hosting } from './hosting';
import { shownName } from './members';
import { guestOf, name, organisation, shortened } from './names';
import { Notices } from './notices.svelte';
import { OwnMedia } from './own_media.svelte';
import { sentenceOf } from './problem';
import { Signals } from './signals.svelte';
import type { Sources } from './source.svelte';
import { Stage } from './stage.svelte';

/** How it ended; who was in and must go because something is wrong was not refused at the door. */
export type Ending = OverReason | 'cut-off';
export type Phase = 'asking' | 'waiting' | 'in' | 'over';

/** Of the packets of a track. */
const POOR = 0.05;

export class Call {
  phase = $state<Phase>('asking');
  members = $state.raw<Member[]>([]);
  code = $state('');
  suite = $state<'hybrid' | 'classical'>('hybrid');
  outside = $state<{ device: DeviceUri; address: string }[]>([]);
  rules = $state({ lobby: false, locked: false });
  /** The link that lets people in, if this device knows it. */
  link = $state<string | null>(null);
  /** What each device says that it sends. */
  publishing = $state.raw<ReadonlyMap<DeviceUri, readonly { number: number; kind: TrackKind }[]>>(new Map());
  serverReached = $state(true);
  over = $state.raw<{ reason: Ending; problem: Problem | null } | undefined>(undefined);

  readonly notices = new Notices();
  readonly conversation = new Conversation();
  readonly signals = new Signals();
  readonly own: OwnMedia;
  readonly media: CallMedia;
  readonly stage: Stage;
  readonly hosting: Hosting;

  readonly address: string;
  private readonly numbers: Record<TrackKind, number>;
  /** Lines that are told as they are typed have numbers; a page that was loaded anew must not begin at one again. */
  private line = Math.floor(Date.now() / 1_000);
  private readonly unlisten: () => void;

  constructor(
    private readonly driver: Driver,
    link: string,
    address: string,
    choices: Choices,
    sources: Sources,
  ) {
    this.address = address;
    const first = firstTrackNumber();
    this.numbers = { audio: first, video: first + 1, screen: first + 2, screen_audio: first + 3 };
    this.media = new CallMedia(driver, address, this.numbers, () => this.own, (device) => {
      this.notices.alarm('out-of-step', { name: this.nameOf(device, '') });
    });
    const changed = (kind: TrackKind) => {
      void this.media.send(kind);
      this.publish();
    };
    this.own = new OwnMedia(choices, sources, changed, (problem) => this.notices.alarm(problem, {}));
    this.stage = new Stage(this);
    this.hosting = new Hosting(driver, address);
    this.unlisten = driver.listen((event, sealed) => this.take(event, sealed));
    driver.command({ type: 'join', meeting: link }).catch((error: unknown) => this.end('refused', problemOf(error)));
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
    if (!this.publishes(device, kind)) return undefined;
    return this.media.shown.find((one) => one.device === device && one.kind === kind)?.stream;
  }

  publishes(device: DeviceUri, kind: TrackKind): boolean {
    return this.publishing.get(device)?.some((track) => track.kind === kind) ?? false;
  }

  /** So much is lost of what comes from them that it shows, or there is no room for it. */
  isPoor(device: DeviceUri): boolean {
    return this.media.paused.has(device) || KINDS.some((kind) => (this.media.qualityOf(device, kind)?.loss ?? 0) > POOR);
  }

  async chat(text: string): Promise<void> {
    await this.driver.command({ type: 'chat', meeting: this.address, text });
  }

  /** The own line as it is now, letter by letter; done: it stands. */
  async type(text: string, done: boolean): Promise<void> {
    const line = this.line;
    if (done) this.line += 1;
    await this.driver.command({ type: 'type', meeting: this.address, line, text, done });
  }

  get handUp(): boolean {
    return this.self !== undefined && this.signals.hands.has(this.self.device);
  }

  async toggleHand(): Promise<void> {
    await this.driver.command({ type: 'raise_hand', meeting: this.address, raised: !this.handUp }).catch(() => undefined);
  }

  async react(reaction: Reaction): Promise<void> {
    await this.driver.command({ type: 'react', meeting: this.address, reaction }).catch(() => undefined);
  }

  leave(): void {
    if (this.over !== undefined) return;
    // The page does not wait: if the server is out of reach it notices by itself.
    this.driver.command({ type: 'leave', meeting: this.address }).catch(() => undefined);
    this.end('left', null);
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
        this.suite = event.suite;
        this.phase = 'in';
        this.publish();
        this.media.enter(event.session);
        break;
      case 'roster':
        this.roster(event.members, event.code);
        break;
      case 'keys':
        if (sealed !== undefined) this.media.keys(sealed);
        break;
      case 'waiting':
        this.outside = [...this.outside.filter((one) => one.device !== event.device), { device: event.device, address: event.address }];
        this.wantsIn(event.address);
        break;
      case 'waiting_ended':
        this.outside = this.outside.filter((one) => one.device !== event.device);
        break;
      case 'chat':
      case 'typing': {
        const author = this.members.find((member) => member.device === event.device);
        const own = author?.self ?? event.device === this.driver.device();
        const unread = event.type === 'chat' ? this.conversation.said(event, author, own) : this.conversation.typed(event, author, own);
        if (unread !== undefined) this.notices.add('says', { name: unread.name, text: shortened(unread.text) });
        break;
      }
      case 'policy':
        this.rules = { lobby: event.lobby, locked: event.locked };
        this.link = event.link;
        break;
      case 'tracks':
        this.publishing = new Map(this.publishing).set(event.device, event.tracks);
        break;
      case 'hand':
        this.handOf(event);
        break;
      case 'reaction':
        this.signals.react(event.device, event.reaction);
        break;
      case 'away':
        this.signals.attend(event.device, event.away);
        break;
      case 'muted_by':
        void this.own.mute();
        this.notices.add('muted-by', { name: this.nameOf(event.device, event.address) });
        break;
      case 'connection':
        this.serverReached = event.connected;
        break;
      case 'alarm':
        this.notices.alarm(...sentenceOf(event.problem));
        break;
      case 'over':
        this.end(event.reason, event.problem);
        break;
      case 'refused_attempt':
        this.notices.add('refused-at-door', { domain: organisation(name(event.domain)), times: String(event.times) });
        break;
      case 'voided':
        break;
    }
  }

  private handOf(event: CallEvent & { type: 'hand' }): void {
    const isNew = event.raised && !this.signals.hands.has(event.device);
    this.signals.hand(event);
    if (isNew && event.device !== this.self?.device) this.notices.add('hand-of', { name: this.nameOf(event.device, '') });
  }

  /** Of a guest, only the organisation is known before they are in. */
  private wantsIn(address: string): void {
    const guests = guestOf(address);
    if (guests === undefined) this.notices.add('wants-in', { name: name(address) });
    else this.notices.add('guest-wants-in', { organisation: guests });
  }

  private nameOf(device: DeviceUri, address: string): string {
    const member = this.members.find((one) => one.device === device);
    return member === undefined ? name(address) : shownName(member);
  }

  private roster(members: Member[], code: string): void {
    const known = new Set(this.members.map((member) => member.device));
    const now = new Set(members.map((member) => member.device));
    if (this.members.length > 0) {
      for (const member of members) if (!known.has(member.device)) this.notices.add('entered', { name: shownName(member) });
      for (const member of this.members) if (!now.has(member.device)) this.notices.add('gone', { name: shownName(member) });
    }
    this.members = members;
    this.code = code;
    this.publishing = new Map([...this.publishing].filter(([device]) => now.has(device)));
    this.media.members(now);
    this.signals.members(now);
    this.conversation.members(now);
  }

  /** Tells the others what is sent now. */
  private publish(): void {
    if (this.phase !== 'in') return;
    const tracks = KINDS.flatMap((kind): Track[] => {
      const track = this.own.sent(kind);
      return track === undefined ? [] : [{ number: this.numbers[kind], kind, layers: layersOf(kind, track) }];
    });
    this.driver.command({ type: 'publish', meeting: this.address, tracks }).catch(() => undefined);
  }

  private end(reason: OverReason, problem: Problem | null): void {
    if (this.over !== undefined) return;
    this.over = { reason: reason === 'refused' && this.phase === 'in' ? 'cut-off' : reason, problem };
    this.phase = 'over';
    this.media.end();
    this.own.end();
    this.unlisten();
  }
}

/** Entering fails by core's word; a page that broke shows that by itself. */
function problemOf(error: unknown): Problem | null {
  return error instanceof CommandError ? error.problem : null;
}
