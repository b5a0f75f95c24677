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

const typed = (line: number, text: string, done = false) => ({ type: 'typing' as const, device: 'd', address: 'bob@south.example', line, text, done, time_ms: 5 });

test('a line that is being written follows its author and stands once it is done', () => {
  const conversation = new Conversation();
  for (const text of ['H', 'He', 'Hey']) assert.equal(conversation.typed(typed(1, text), undefined, false), undefined);
  assert.deepEqual(conversation.lines.map(({ text }) => text), ['Hey']);
  assert.equal(conversation.messages.length, 0);
  assert.equal(conversation.typed(typed(1, 'Hey!', true), undefined, false)?.text, 'Hey!');
  assert.equal(conversation.lines.length, 0);
  assert.equal(conversation.typed(typed(1, 'Hey!', true), undefined, false), undefined, 'once only');
  conversation.typed(typed(2, 'W'), undefined, false);
  conversation.typed(typed(2, ''), undefined, false);
  assert.equal(conversation.lines.length, 0, 'taken back');
  conversation.typed(typed(3, 'x'), undefined, false);
  conversation.members(new Set());
  assert.equal(conversation.lines.length, 0, 'gone with its author');
});

test('a line that nobody writes on any more lapses; each letter renews it', ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const conversation = new Conversation();
  conversation.typed(typed(1, 'a'), undefined, false);
  mock.timers.tick(29_000);
  conversation.typed(typed(1, 'an'), undefined, false);
  mock.timers.tick(29_000);
  assert.deepEqual(conversation.lines.map(({ text }) => text), ['an']);
  mock.timers.tick(1_000);
  assert.deepEqual(conversation.lines, []);
  conversation.typed(typed(1, 'and'), undefined, false);
  assert.deepEqual(conversation.lines.map(({ text }) => text), ['and']);
});
