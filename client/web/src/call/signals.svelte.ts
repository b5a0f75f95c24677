// Hands, reactions, and who cannot be reached.

import type { CallEvent, DeviceUri, Reaction } from '../core/events';

export const REACTIONS: Record<Reaction, string> = { thumbs_up: '👍', heart: '❤️', applause: '👏', laugh: '😄', surprise: '😮' };

export interface Shown {
  id: number;
  device: DeviceUri;
  picture: string;
}

const SHOWN_MS = 4_000;
/** More at once would hide the stage. */
const MOST = 12;

export class Signals {
  /** Who wants to speak, with the place in the order. */
  hands = $state.raw<ReadonlyMap<DeviceUri, number>>(new Map());
  reactions = $state.raw<Shown[]>([]);
  /** Whose own server has no stream to their device now. */
  away = $state.raw<ReadonlySet<DeviceUri>>(new Set());
  private next = 1;

  /** Who wants to speak, the first first. */
  get order(): DeviceUri[] {
    return [...this.hands].sort(([, one], [, other]) => one - other).map(([device]) => device);
  }

  hand(event: CallEvent & { type: 'hand' }): void {
    const hands = new Map(this.hands);
    if (event.raised) hands.set(event.device, event.order);
    else hands.delete(event.device);
    this.hands = hands;
  }

  attend(device: DeviceUri, away: boolean): void {
    const others = [...this.away].filter((one) => one !== device);
    this.away = new Set(away ? [...others, device] : others);
  }

  react(device: DeviceUri, reaction: Reaction): void {
    const picture = REACTIONS[reaction];
    if (picture === undefined) return;
    const shown = { id: this.next++, device, picture };
    this.reactions = [...this.reactions, shown].slice(-MOST);
    setTimeout(() => (this.reactions = this.reactions.filter((one) => one.id !== shown.id)), SHOWN_MS);
  }

  /** Who is gone wants nothing any more, and is not away. */
  members(present: ReadonlySet<DeviceUri>): void {
    this.hands = new Map([...this.hands].filter(([device]) => present.has(device)));
    this.away = new Set([...this.away].filter((device) => present.has(device)));
  }
}
