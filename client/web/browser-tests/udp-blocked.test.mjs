// Where UDP is blocked, media goes by TCP over the HTTPS port (MED-18).

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { Stage } from './stage.mjs';

/** Says that this runs in a network of its own, where rules hurt nobody else. */
const OWN_NETWORK = 'CONCLAVE_OWN_NETWORK';
if (process.env[OWN_NETWORK] === undefined && spawnSync('unshare', ['--net', 'ip', 'link', 'set', 'lo', 'up']).status === 0) {
  const again = ['--net', process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.exit(spawnSync('unshare', again, { stdio: 'inherit', env: { ...process.env, [OWN_NETWORK]: 'yes' } }).status ?? 1);
}
const ip = (...words) => execFileSync('ip', words);
const isOwn = process.env[OWN_NETWORK] !== undefined;
if (isOwn) {
  ip('link', 'set', 'lo', 'up');
  // The rule that comes before all others would leave nothing to forbid.
  ip('rule', 'add', 'pref', '2', 'lookup', 'local');
  ip('rule', 'del', 'pref', '0');
}
/** For whom no network can be made: this browser itself sends no UDP for a page. */
const NO_UDP = ['--force-webrtc-ip-handling-policy=disable_non_proxied_udp', '--webrtc-ip-handling-policy=disable_non_proxied_udp'];
const stage = Stage.for({ north: ['alice'], south: ['bob'] }, { flags: isOwn ? [] : NO_UDP });

/** The pairs of addresses that media goes between. */
function ways(person) {
  return person.page.evaluate(async () => {
    const found = [];
    for (const peer of globalThis.peers) {
      if (peer.connectionState !== 'connected') continue;
      const report = await peer.getStats();
      for (const stats of report.values()) {
        if (stats.type !== 'transport') continue;
        const pair = report.get(stats.selectedCandidatePairId);
        const [local, remote] = [report.get(pair.localCandidateId), report.get(pair.remoteCandidateId)];
        found.push({ local: local.protocol, remote: remote.protocol, port: remote.port, bytes: pair.bytesReceived });
      }
    }
    return found;
  });
}

test('pictures and sound come both ways by TCP on the HTTPS port', async () => {
  if (isOwn) for (const { media } of stage.organisations) ip('rule', 'add', 'pref', '1', 'ipproto', 'udp', 'dport', String(media), 'prohibit');
  const alice = await stage.signedIn(stage.north, 'alice');
  const bob = await stage.signedIn(stage.south, 'bob');
  await stage.meeting('No UDP', [alice, bob]);
  for (const [one, other] of [[alice, bob], [bob, alice]]) {
    await one.watches(other, 'camera', 30);
    await one.listens();
    const all = await ways(one);
    assert.equal(all.length, 1);
    const [{ local, remote, port, bytes }] = all;
    assert.deepEqual({ local, remote, port }, { local: 'tcp', remote: 'tcp', port: Number(one.organisation.domain.split(':')[1]) });
    assert.ok(bytes > 10_000, `${bytes} bytes came by TCP`);
  }
});
