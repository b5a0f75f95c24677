// What is said in writing: once each, under the right name, counted as unread until it is before somebody's eyes.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Conversation } from '../src/call/conversation.svelte';

const said = (id: string, text: string) => ({ type: 'chat' as const, device: 'd', address: 'bob@south.example', id, text, time_ms: 5 });

test('a message that comes twice stands once', () => {
  const conversation = new Conversation();
  assert.ok(conversation.said(said('1', 'hello'), undefined, false));
  assert.equal(conversation.said(said('1', 'hello'), undefined, false), undefined);
  conversation.said(said('2', 'hello'), undefined, false);
  assert.deepEqual(conversation.messages.map(({ id }) => id), ['1', '2']);
  assert.equal(conversation.unread, 2);
});

test('what others say counts as unread until it is shown; what one says oneself never does', () => {
  const conversation = new Conversation();
  conversation.said(said('1', 'a'), undefined, false);
  assert.equal(conversation.said(said('2', 'b'), undefined, true), undefined);
  assert.equal(conversation.unread, 1);
  const hide = conversation.show();
  assert.equal(conversation.unread, 0);
  assert.equal(conversation.said(said('3', 'c'), undefined, false), undefined);
  assert.equal(conversation.unread, 0);
  hide();
  conversation.said(said('4', 'd'), undefined, false);
  assert.equal(conversation.unread, 1);
});

test('who has gone is named by the address, without tricks', () => {
  const conversation = new Conversation();
  conversation.said({ ...said('1', 'a'), address: 'b\u202eob@south.example' }, undefined, false);
  assert.equal(conversation.messages[0]?.name, 'b\ufffdob@south.example');
});
