// Where UDP is blocked, media goes by TCP over the HTTPS port (MED-18).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stage } from './stage.mjs';

/** This browser sends no UDP for a page, as behind a firewall that lets nothing but TCP out. */
const NO_UDP = ['--force-webrtc-ip-handling-policy=disable_non_proxied_udp', '--webrtc-ip-handling-policy=disable_non_proxied_udp'];
const stage = Stage.for({ north: ['alice'], south: ['bob'] }, { flags: NO_UDP });

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
