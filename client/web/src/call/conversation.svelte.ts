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

  said(event: CallEvent & { type: 'chat' }, author: Member | undefined, own: boolean): void {
    if (this.messages.some((message) => message.id === event.id)) return;
    const named = author === undefined ? name(event.address) : shownName(author);
    this.messages.push({ id: event.id, address: event.address, name: named, text: event.text, time: event.time_ms, own });
    if (!own) this.unread += 1;
  }
}
