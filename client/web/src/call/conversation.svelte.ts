// What is said in writing.

import type { CallEvent, DeviceUri, Member } from '../core/events';
import { name } from './names';
import { shownName } from './members';

export interface Message {
  id: string;
  address: string;
  name: string;
  text: string;
  time: number;
  own: boolean;
}

/** A line that somebody is writing. */
export interface Line {
  device: DeviceUri;
  name: string;
  text: string;
}

/** What is said at once or letter by letter. */
interface Word {
  id: string;
  address: string;
  text: string;
  time: number;
}

/** Who has written nothing for so long does not stay on everybody's stage. */
const LAPSE_MS = 30_000;

export class Conversation {
  /** What the person is writing and has not sent. */
  draft = $state('');
  /** What is being written now, by each who does. */
  lines = $state.raw<Line[]>([]);
  messages = $state<Message[]>([]);
  unread = $state(0);
  private isShown = false;
  private readonly lapses = new Map<DeviceUri, ReturnType<typeof setTimeout>>();

  /** It is before the person's eyes from now on, until what is given back is called. */
  show(): () => void {
    this.isShown = true;
    this.unread = 0;
    return () => (this.isShown = false);
  }

  /** Gives the message if it is new and unread. */
  said(event: CallEvent & { type: 'chat' }, author: Member | undefined, own: boolean): Message | undefined {
    const { id, address, text } = event;
    return this.add({ id, address, text, time: event.time_ms }, author, own);
  }

  /** A line as it is now; gives the message if it is done, new and unread. */
  typed(event: CallEvent & { type: 'typing' }, author: Member | undefined, own: boolean): Message | undefined {
    const { device, address, text } = event;
    this.drop(device);
    if (!event.done && text !== '' && !own) {
      this.lines = [...this.lines, { device, name: called(author, address), text }];
      this.lapses.set(device, setTimeout(() => this.drop(device), LAPSE_MS));
    }
    return event.done && text !== '' ? this.add({ id: `${device} ${event.line}`, address, text, time: event.time_ms }, author, own) : undefined;
  }

  /** Who is gone writes no more. */
  members(present: ReadonlySet<DeviceUri>): void {
    for (const { device } of this.lines) if (!present.has(device)) this.drop(device);
  }

  private drop(device: DeviceUri): void {
    clearTimeout(this.lapses.get(device));
    this.lapses.delete(device);
    this.lines = this.lines.filter((line) => line.device !== device);
  }

  private add(word: Word, author: Member | undefined, own: boolean): Message | undefined {
    if (this.messages.some((message) => message.id === word.id)) return undefined;
    const message = { ...word, name: called(author, word.address), own };
    this.messages.push(message);
    if (own || this.isShown) return undefined;
    this.unread += 1;
    return message;
  }
}

function called(author: Member | undefined, address: string): string {
  return author === undefined ? name(address) : shownName(author);
}
