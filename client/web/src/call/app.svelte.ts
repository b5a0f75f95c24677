// The page as a whole: which place it shows, who is signed in, which call runs.

import { ClockError, Driver } from '../core/driver';
import type { CoreEvent, DeviceInfo, Invitation, Looked, Meeting, Problem } from '../core/events';
import { StoreError } from '../core/store';
import { meetingAddress, problemIn } from '../core/wasm';
import * as capture from '../media/capture';
import { ownerOf } from './addresses';
import { Call } from './call.svelte';
import { Invitations } from './invitations.svelte';
import { meetingOf } from './links';
import { name } from './names';
import { open } from './source.svelte';
import type { Sources } from './source.svelte';
import * as tab from './tab';

export type Place =
  | { at: 'starting' }
  | { at: 'failed'; text: string; variables: Record<string, string | Date> }
  | { at: 'other-tab' }
  | { at: 'sign-in' }
  | { at: 'start' }
  | { at: 'bad-link'; problem: Problem }
  | { at: 'before'; link: string; address: string }
  | { at: 'call'; link: string; call: Call };

/** What a planned meeting is to be. */
export interface Plan {
  title: string;
  startsMs: number;
  lengthS: number;
  lobby: boolean;
  guests: boolean;
}

export class App {
  place = $state.raw<Place>({ at: 'starting' });
  device = $state<string | undefined>(undefined);
  meetings = $state.raw<Meeting[] | undefined>(undefined);
  devices = $state.raw<DeviceInfo[]>([]);
  readonly invitations = new Invitations();
  domain = $state('');
  /** Of meetings that were looked at, by their address. */
  private titles = $state.raw<Readonly<Record<string, string>>>({});
  private started: Driver | undefined;

  /** The person's address, as in alice@north.example. */
  get address(): string {
    return ownerOf(this.device ?? '');
  }

  get driver(): Driver {
    if (this.started === undefined) throw new Error('not started');
    return this.started;
  }

  async start(): Promise<void> {
    try {
      this.started = await Driver.start();
    } catch (error) {
      this.fail(error);
      return;
    }
    void this.started.broke.then((error) => this.fail(error));
    this.domain = this.started.domain;
    this.started.listen((event) => this.take(event));
    this.device = this.started.device();
    window.addEventListener('popstate', () => this.show());
    if (this.device !== undefined) this.signedIn();
    this.show(true);
  }

  /** Nothing goes on until the person has done something about it. */
  private fail(error: unknown): void {
    if (this.place.at === 'call') this.place.call.leave();
    this.place = { at: 'failed', ...failure(error) };
  }

  async signIn(user: string, password: string): Promise<void> {
    const done = await this.driver.command({ type: 'sign_in', user, password, label: browserName() });
    this.forget();
    if (done.type === 'signed_in') this.device = done.device;
    this.signedIn();
    this.show();
  }

  /** Somebody without an account here comes to this one meeting under the name that they give. */
  async comeAsGuest(name: string): Promise<void> {
    const link = meetingOf(location, this.domain) ?? '';
    const done = await this.driver.command({ type: 'sign_in_guest', link, name });
    this.forget();
    if (done.type === 'signed_in') this.device = done.device;
    this.show();
  }

  async signOut(everywhere: boolean): Promise<void> {
    await this.driver.command({ type: 'sign_out', device: null, everywhere });
    this.forget();
    this.go('/');
  }

  /** Nothing of the person stays. */
  private forget(): void {
    this.device = undefined;
    this.meetings = undefined;
    this.devices = [];
    this.titles = {};
    this.invitations.forget();
  }

  /** Ends another device's session. */
  async signOutDevice(device: string): Promise<void> {
    await this.driver.command({ type: 'sign_out', device, everywhere: false });
    await this.loadDevices();
  }

  async loadMeetings(): Promise<void> {
    try {
      const done = await this.driver.command({ type: 'meetings' });
      if (done.type !== 'meetings' || this.device === undefined) return;
      this.meetings = done.meetings;
      this.invitations.listed(done.meetings);
    } catch {
      if (this.device !== undefined) this.meetings ??= [];
    }
  }

  async loadDevices(): Promise<void> {
    const done = await this.driver.command({ type: 'devices' });
    if (done.type === 'devices') this.devices = done.devices;
  }

  /** Plans a meeting; gives its address. */
  async plan({ title, startsMs, lengthS, lobby, guests }: Plan): Promise<string> {
    const wanted = { title, starts_ms: startsMs, length_s: lengthS, lobby, link: true, guests } as const;
    const done = await this.driver.command({ type: 'create', ...wanted });
    void this.loadMeetings();
    return done.type === 'created' ? done.meeting : '';
  }

  /** Gives the addresses that could not be reached. */
  async invite(meeting: string, addresses: string[]): Promise<string[]> {
    const done = await this.driver.command({ type: 'invite', meeting, addresses });
    return done.type === 'invited' ? done.unreachable : [];
  }

  /** A link for this person, to their own server. */
  async linkFor(meeting: string, address: string): Promise<string> {
    const done = await this.driver.command({ type: 'link_for', meeting, address });
    return done.type === 'link' ? done.link : '';
  }

  /** The meeting as it looks from the door; undefined where that cannot be told. */
  async look(link: string): Promise<Looked | undefined> {
    const done = await this.driver.command({ type: 'look', meeting: link }).catch(() => undefined);
    if (done?.type !== 'looked') return undefined;
    if (done.title !== null) this.titles = { ...this.titles, [done.meeting]: done.title };
    return done;
  }

  /** The invitation is in the way no longer; the meeting stays in the list. */
  async dismiss(meeting: string): Promise<void> {
    this.invitations.answered(meeting);
    await this.driver.command({ type: 'dismiss', meeting }).catch(() => undefined);
    await this.loadMeetings();
  }

  /** The title of a meeting, as far as this device knows it. */
  titleOf(meeting: string): string {
    const known = this.meetings?.find((one) => one.meeting === meeting)?.title;
    return known || this.invitations.open.find((one) => one.meeting === meeting)?.title || this.titles[meeting] || '';
  }

  async meetNow(title: string, lobby: boolean, guests: boolean): Promise<void> {
    const done = await this.driver.command({ type: 'create', title, starts_ms: 0, length_s: 0, lobby, link: true, guests });
    if (done.type !== 'created') return;
    const link = done.link ?? done.meeting;
    const at = link.indexOf('/m/');
    await this.loadMeetings();
    this.go(at < 0 ? `/m/${done.meeting}` : link.slice(at));
  }

  /** Shows another place of the page. */
  go(path: string): void {
    history.pushState(null, '', path);
    this.show();
  }

  join(choices: capture.Choices, sources: Sources, soundOnly = false): void {
    if (this.place.at !== 'before') return;
    const { link, address } = this.place;
    tab.enter(location.pathname, { microphoneOn: choices.microphoneOn, cameraOn: choices.cameraOn, soundOnly });
    this.invitations.answered(address);
    const call = new Call(this.driver, link, address, choices, sources);
    call.stage.soundOnly = soundOnly;
    this.place = { at: 'call', link, call };
  }

  /** Back to the door of the meeting that was left. */
  rejoin(): void {
    tab.forget();
    this.show();
  }

  private signedIn(): void {
    // Nobody sends a guest invitations.
    if (this.driver.guestOf() !== undefined) return;
    // Rings for as long as the page is open.
    this.driver.command({ type: 'receive' }).catch(() => undefined);
  }

  private show(fresh = false): void {
    if (this.place.at === 'call') this.place.call.leave();
    if (this.device === undefined) {
      this.place = { at: 'sign-in' };
      return;
    }
    const link = meetingOf(location, this.domain);
    const guestOf = this.driver.guestOf();
    if (link === undefined) {
      tab.forget();
      // A guest has a meeting, and no start page.
      this.place = { at: guestOf === undefined ? 'start' : 'sign-in' };
      return;
    }
    try {
      const address = meetingAddress(link);
      if (guestOf !== undefined && guestOf !== address) return void this.guestGoesOn();
      this.place = { at: 'before', link, address };
    } catch (error) {
      this.place = { at: 'bad-link', problem: problemIn(error) };
      return;
    }
    const on = fresh ? tab.cutOff(location.pathname) : undefined;
    if (on !== undefined) this.joinAgain(on);
  }

  /** A guest of one meeting is at the door of another, and comes to that one as anybody does. */
  private async guestGoesOn(): Promise<void> {
    await this.driver.command({ type: 'sign_out', device: null, everywhere: false }).catch(() => undefined);
    this.forget();
    this.show();
  }

  /** The tab was loaded anew in mid-call: back in, with no more on than was on then. */
  private joinAgain({ microphoneOn, cameraOn, soundOnly }: tab.On): void {
    const choices = { ...capture.remembered(), microphoneOn, cameraOn };
    if (this.place.at === 'before') void this.look(this.place.link);
    this.join(choices, open(choices), soundOnly);
  }

  private invited(invitation: Invitation): void {
    const call = this.place.at === 'call' && this.place.call.phase === 'in' ? this.place.call : undefined;
    call?.notices.add('invites-you-now', { who: name(invitation.inviter), title: name(invitation.title) });
    this.invitations.came(invitation, call === undefined, capture.remembered().speaker);
  }

  private take(event: CoreEvent): void {
    if (event.type === 'invited') {
      this.invited(event);
    } else if (event.type === 'bounced') {
      this.invitations.notDelivered(event.recipient);
    } else if (event.type === 'signed_out') {
      this.forget();
      // A call that ends by that says so itself.
      if (this.place.at !== 'call' && this.place.at !== 'failed') this.show();
    } else if (event.type === 'call' && event.event.type === 'over') {
      tab.forget();
    }
  }
}

/** The sentence for what keeps the page from working. */
function failure(error: unknown): { text: string; variables: Record<string, string | Date> } {
  if (error instanceof ClockError) {
    // How a time is written, the texts know.
    return { text: 'wrong-clock', variables: { here: error.here, there: error.there } };
  }
  if (error instanceof StoreError) return { text: 'cannot-store', variables: {} };
  return { text: 'loading-failed', variables: { reason: error instanceof Error ? error.message : String(error) } };
}

/** What the person will find this device as in the list. */
function browserName(): string {
  const found = /(Firefox|Edg|Chrome|Safari)\/\d+/u.exec(navigator.userAgent)?.[1] ?? 'Browser';
  const system = /(Windows|Android|Linux|iPhone|iPad|Mac OS X)/u.exec(navigator.userAgent)?.[1] ?? '';
  return [found === 'Edg' ? 'Edge' : found, system].filter((part) => part !== '').join(', ');
}
