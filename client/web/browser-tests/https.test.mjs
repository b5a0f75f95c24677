// The page over the public HTTPS port, as people use it; the browser trusts the servers' certificates by their keys.

import assert from 'node:assert/strict';
import { X509Certificate, createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Stage } from './stage.mjs';

function keyHash(file) {
  const key = new X509Certificate(readFileSync(file)).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64');
}

const stage = Stage.for(
  { north: ['alice'], south: ['bob'] },
  { flags: ({ organisations }) => [`--ignore-certificate-errors-spki-list=${organisations.map((one) => keyHash(one.authority)).join(',')}`], secure: true },
);

test('two people meet over HTTPS, with TLS 1.3 and nothing mixed in', async () => {
  const alice = await stage.signedIn(stage.north, 'alice');
  const bob = await stage.signedIn(stage.south, 'bob');
  assert.match(alice.organisation.origin, /^https:/u);
  await stage.meeting('Over TLS', [alice, bob]);
  await Promise.all([alice.watches(bob), bob.watches(alice), alice.listens(), bob.listens()]);
  await alice.say('Sealed twice');
  await bob.hears('Sealed twice');
});

test('every answer forbids what the page does not need', async () => {
  const alice = await stage.person(stage.north, 'alice');
  const answers = [];
  alice.context.on('response', (response) => answers.push(response));
  await alice.signIn();
  await alice.atStart();
  await alice.meetNow('Headers');
  await alice.join();
  await alice.inRoom();
  const kinds = new Set();
  for (const answer of answers) {
    const [headers, path] = [await answer.allHeaders(), new URL(answer.url()).pathname];
    if (path.startsWith('/conclave.')) continue; // A call of the interface: data, nothing that a browser shows or runs.
    const policy = headers['content-security-policy'] ?? '';
    for (const part of ["default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "connect-src 'self'", "worker-src 'self'", "frame-ancestors 'none'"]) {
      assert.ok(policy.split('; ').includes(part), `${path}: ${part} is not in ${policy}`);
    }
    assert.ok(!/unsafe-inline|'unsafe-eval'|https?:|\*/u.test(policy), `${path}: ${policy}`);
    assert.equal(headers['x-content-type-options'], 'nosniff', path);
    assert.equal(headers['referrer-policy'], 'no-referrer', path);
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin', path);
    assert.equal((await answer.securityDetails())?.protocol, 'TLS 1.3', path);
    kinds.add(/frame_worker/u.test(path) ? 'worker' : (headers['content-type'] ?? '').split(';')[0]);
  }
  for (const kind of ['text/html', 'text/javascript', 'text/css', 'application/wasm', 'worker']) assert.ok(kinds.has(kind), `${kind} was among ${[...kinds]}`);
});
