// Invitations that the person has not answered, and own ones that did not arrive.

import type { Invitation, Meeting } from '../core/events';
import { ring } from '../media/ring';
import { ownerOf } from './addresses';
import { pathOf } from './links';

/** An invitation to something that begins within this time rings. */
const RING_AHEAD_MS = 10 * 60_000;

export interface Open {
  meeting: string;
  inviter: string;
  title: string;
  startsMs: number;
  /** Where it leads. */
  path: string;
}

export class Invitations {
  open = $state.raw<Open[]>([]);
  /** Whom an invitation could not be delivered to. */
  bounced = $state.raw<string[]>([]);
  private ringing: AbortController | undefined;

  /** One came; where it can be answered at once, it rings. */
  came(event: Invitation, rings: boolean, speaker: string | undefined): void {
    const { meeting, inviter, title, link } = event;
    this.open = [...this.without(meeting), { meeting, inviter, title, startsMs: event.starts_ms, path: pathOf(link) }];
    // What is planned for later does not ring.
    if (!rings || event.starts_ms >= Date.now() + RING_AHEAD_MS) return;
    this.hush();
    this.ringing = new AbortController();
    void ring(speaker, this.ringing.signal).catch(() => undefined);
  }

  /** What is kept of those that came before: a page that was loaded anew shows them again. */
  listed(meetings: Meeting[]): void {
    const isOver = (open: Open) => meetings.find((one) => one.meeting === open.meeting)?.invited?.dismissed ?? !meetings.some((one) => one.meeting === open.meeting && !one.ended);
    const still = this.open.filter((open) => !isOver(open));
    const known = new Set(still.map((open) => open.meeting));
    const kept = meetings.flatMap((one): Open[] => {
      if (one.invited === null || one.invited.dismissed || known.has(one.meeting)) return [];
      const path = one.link === null ? `/m/${one.meeting}` : pathOf(one.link);
      return [{ meeting: one.meeting, inviter: one.invited.by, title: one.title ?? '', startsMs: one.starts_ms, path }];
    });
    this.open = [...still, ...kept];
  }

  /** The person goes in, or wants to hear no more of it. */
  answered(meeting: string): void {
    this.hush();
    this.open = this.without(meeting);
  }

  hush(): void {
    this.ringing?.abort();
  }

  notDelivered(recipient: string): void {
    const who = ownerOf(recipient) || recipient;
    this.bounced = [...this.bounced.filter((one) => one !== who), who];
  }

  seen(who: string): void {
    this.bounced = this.bounced.filter((one) => one !== who);
  }

  forget(): void {
    this.hush();
    this.open = [];
    this.bounced = [];
  }

  private without(meeting: string): Open[] {
    return this.open.filter((one) => one.meeting !== meeting);
  }
}
