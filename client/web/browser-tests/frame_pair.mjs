// Two people of one call, each with a frame worker of its own beside the product's, and a connection of the browser itself between the two.

import { listen, tapped } from './frame_tap.mjs';

const NONE = { came: 0, went: [], forged: 0, accepted: [] };

export class FramePair {
  /** The page of somebody is made ready before it is opened. */
  static async prepare(person) {
    await tapped(person.context);
    await person.context.addInitScript(listen);
  }

  /** With workers that have the call's keys, if not said otherwise. `number`: of the tracks, fresh for each pair. */
  static async of(sender, receiver, number, { senderKeys = true, receiverKeys = true } = {}) {
    const pair = new FramePair(sender, receiver);
    pair.sending = await begin(sender, number);
    pair.receiving = await begin(receiver, number);
    if (senderKeys) await pair.tell(sender);
    if (receiverKeys) await pair.tell(receiver);
    return pair;
  }

  constructor(sender, receiver) {
    Object.assign(this, { sender, receiver });
  }

  /** Tells somebody's worker something; the call's keys, if not said otherwise. */
  tell(person, message) {
    return person.page.evaluate((message) => globalThis.beside.postMessage(message ?? globalThis.told.keys), message);
  }

  /** Sends each of these from one to the other, in one connection. */
  async connect(sent) {
    const offer = await this.sender.page.evaluate(offering, sent);
    const answer = await this.receiver.page.evaluate(answering, [offer, sent]);
    await this.sender.page.evaluate((sdp) => globalThis.between.setRemoteDescription({ type: 'answer', sdp }), answer);
  }

  async sent(name) {
    return (await this.sending.evaluate(() => self.notes))[name] ?? NONE;
  }

  async received(name) {
    return (await this.receiving.evaluate(() => self.notes))[name] ?? NONE;
  }

  async end() {
    for (const { page } of [this.sender, this.receiver]) {
      await page.evaluate(() => {
        globalThis.between.close();
        globalThis.beside.terminate();
      });
    }
  }
}

/** The codecs that frames can be sent in. */
export function codecs(person) {
  return person.page.evaluate(() => {
    const all = ['audio', 'video'].flatMap((medium) => RTCRtpSender.getCapabilities(medium).codecs.map(({ mimeType }) => mimeType));
    // These carry no frames of their own.
    const beside = /\/(rtx|ulpfec|flexfec-03|telephone-event|CN)$|^video\/red$/u;
    return [...new Set(all)].filter((codec) => !beside.test(codec));
  });
}

/** Another frame worker of the product's code. */
async function begin({ page }, number) {
  const address = page.workers()[0].url();
  const [worker] = await Promise.all([
    page.waitForEvent('worker'),
    page.evaluate(async ([address, number]) => {
      const worker = (globalThis.beside = new Worker(address, { type: 'module' }));
      const ready = new Promise((resolve) => worker.addEventListener('message', ({ data }) => data.type === 'ready' && resolve()));
      worker.postMessage(globalThis.told.start);
      for (const [at, kind] of ['audio', 'video', 'screen'].entries()) worker.postMessage({ type: 'number', kind, number: globalThis.told.number.number + number + at });
      await ready;
    }, [address, number]),
  ]);
  return worker;
}

async function offering(sent) {
  const peer = (globalThis.between = new RTCPeerConnection());
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 160, height: 120, frameRate: 10 } });
  for (const { name, kind, codec } of sent) {
    const medium = codec.split('/')[0];
    const track = media.getTracks().find((one) => one.kind === medium);
    const transceiver = peer.addTransceiver(track.clone(), { direction: 'sendonly' });
    const these = (name) => RTCRtpSender.getCapabilities(medium).codecs.filter(({ mimeType }) => mimeType === name);
    // Redundant sound carries Opus.
    transceiver.setCodecPreferences([...these(codec), ...(codec === 'audio/red' ? these('audio/opus') : [])]);
    transceiver.sender.transform = new RTCRtpScriptTransform(globalThis.beside, { role: 'send', kind, name });
  }
  await peer.setLocalDescription();
  while (peer.iceGatheringState !== 'complete') await new Promise((resolve) => peer.addEventListener('icegatheringstatechange', resolve, { once: true }));
  return peer.localDescription.sdp;
}

async function answering([sdp, sent]) {
  const peer = (globalThis.between = new RTCPeerConnection());
  await peer.setRemoteDescription({ type: 'offer', sdp });
  for (const [at, { receiver }] of peer.getTransceivers().entries()) {
    const { name, codec } = sent[at];
    receiver.transform = new RTCRtpScriptTransform(globalThis.beside, { role: 'receive', slot: name, audio: codec.startsWith('audio'), name });
  }
  await peer.setLocalDescription();
  while (peer.iceGatheringState !== 'complete') await new Promise((resolve) => peer.addEventListener('icegatheringstatechange', resolve, { once: true }));
  return peer.localDescription.sdp;
}
