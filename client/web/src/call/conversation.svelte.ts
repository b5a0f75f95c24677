// What is said in writing.

import type { CallEvent, Member } from '../core/events';
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

export class Conversation {
  messages = $state<Message[]>([]);
  unread = $state(0);
  private isShown = false;

  /** It is before the person's eyes from now on, until what is given back is called. */
  show(): () => void {
    this.isShown = true;
    this.unread = 0;
    return () => (this.isShown = false);
  }

  /** Gives the message if it is new and unread. */
  said(event: CallEvent & { type: 'chat' }, author: Member | undefined, own: boolean): Message | undefined {
    if (this.messages.some((message) => message.id === event.id)) return undefined;
    const named = author === undefined ? name(event.address) : shownName(author);
    const message = { id: event.id, address: event.address, name: named, text: event.text, time: event.time_ms, own };
    this.messages.push(message);
    if (own || this.isShown) return undefined;
    this.unread += 1;
    return message;
  }
}
