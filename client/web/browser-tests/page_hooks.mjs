// Runs in every page before its own scripts: notes what the page does, and changes nothing of it.

export function observe(choices) {
  if (location.protocol === 'about:') return;
  if (localStorage.getItem('conclave.choices') === null) localStorage.setItem('conclave.choices', JSON.stringify(choices));
  globalThis.violations = [];
  document.addEventListener('securitypolicyviolation', (event) => globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI}`));

  globalThis.peers = [];
  const Peer = globalThis.RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Peer {
    constructor(...given) {
      super(...given);
      globalThis.peers.push(this);
    }
  };

  // What the page captures.
  globalThis.captured = [];
  const capture = navigator.mediaDevices?.getUserMedia;
  if (capture !== undefined) {
    navigator.mediaDevices.getUserMedia = async function (wanted) {
      const stream = await capture.call(this, wanted);
      globalThis.captured.push(...stream.getTracks());
      return stream;
    };
  }

  // What each frame worker counts: frames sealed, opened and refused.
  globalThis.counts = [];
  const Original = globalThis.Worker;
  globalThis.Worker = class extends Original {
    constructor(...given) {
      super(...given);
      const place = globalThis.counts.push(undefined) - 1;
      this.addEventListener('message', ({ data }) => {
        if (data?.type === 'counts') globalThis.counts[place] = data.counts;
      });
    }
  };
}

/** For looking: the video in the tile of somebody else's camera or screen. */
export function find() {
  globalThis.videoOf = (address, kind) => {
    const at = address.lastIndexOf('@');
    const [user, domain] = [address.slice(0, at), address.slice(at + 1)];
    const tile = [...document.querySelectorAll(`figure[data-kind=${kind}][data-own=false]`)].find((one) => {
      const parts = /^conclave:\/\/([^/]+)\/([ug])\/([^/]+)\//u.exec(one.dataset.device ?? '');
      return parts?.[1] === domain && (parts[2] === 'g' ? `guest/${parts[3]}` : parts[3]) === user;
    });
    return tile?.querySelector('video') ?? undefined;
  };
}

/** Somebody who does not stop when told to: connections stay open, keys are kept, and all that comes is played on. */
export function stubborn() {
  if (location.protocol === 'about:') return;
  RTCPeerConnection.prototype.close = () => undefined;
  globalThis.playing = [];
  const Peer = globalThis.RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Peer {
    constructor(...given) {
      super(...given);
      this.addEventListener('track', ({ track }) => {
        if (track.kind !== 'video') return;
        const video = document.createElement('video');
        Object.assign(video, { muted: true, srcObject: new MediaStream([track]) });
        document.documentElement.append(video); // What is not in the page may not be played.
        void video.play().catch(() => undefined);
        globalThis.playing.push(video);
      });
    }
  };
  Worker.prototype.terminate = () => undefined;
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message, ...rest) {
    if (message?.type !== 'stop') post.call(this, message, ...rest);
  };
}

/** A machine whose clock is so far off, until the page says that it is right. */
export function shifted(off) {
  if (location.protocol === 'about:' || sessionStorage.getItem('clock is right') !== null) return;
  const Right = Date;
  globalThis.Date = class extends Right {
    constructor(...given) {
      if (given.length === 0) super(Right.now() + off);
      else super(...given);
    }
    static now() {
      return Right.now() + off;
    }
  };
}

/** A browser whose disk is full until the page says otherwise: what is written fails as then. */
export function full() {
  const put = IDBObjectStore.prototype.put;
  IDBObjectStore.prototype.put = function (...given) {
    const request = put.apply(this, given);
    if (sessionStorage.getItem('has room') === null) {
      Object.defineProperty(this.transaction, 'error', { value: new DOMException('full', 'QuotaExceededError') });
      this.transaction.abort();
    }
    return request;
  };
}

/** A browser that lets pages have no device. */
export function denied() {
  if (location.protocol === 'about:') return;
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('denied', 'NotAllowedError'));
}

/** Devices that can be unplugged. Of the kinds `absent` there is none until `plug` says otherwise. */
export function pluggable(absent = []) {
  if (location.protocol === 'about:') return;
  const missing = new Set(absent);
  const capture = navigator.mediaDevices.getUserMedia;
  navigator.mediaDevices.getUserMedia = function (wanted) {
    if (Object.keys(wanted).some((kind) => missing.has(kind))) return Promise.reject(new DOMException('none', 'NotFoundError'));
    return capture.call(this, wanted);
  };
  globalThis.plug = () => missing.clear();
  globalThis.unplug = (kind, hasAnother) => {
    if (!hasAnother) missing.add(kind);
    for (const track of globalThis.captured) {
      if (track.kind !== kind || track.readyState !== 'live') continue;
      track.stop();
      track.dispatchEvent(new Event('ended')); // What the browser does when a device goes, and not for `stop`.
    }
  };
}

/**
 * Goes in without the person's touch, and says on the console where the button for sound rests while nothing plays: to look for it
 * by the browser's tools counts as a touch.
 */
export function untouched() {
  let last = '';
  const looking = setInterval(() => {
    document.querySelector('.join')?.click();
    const box = document.querySelector('[data-control=sound]')?.getBoundingClientRect();
    const is = box === undefined ? '' : `sound is blocked ${box.x + box.width / 2} ${box.y + box.height / 2}`;
    const rests = is !== '' && is === last;
    last = is;
    if (!rests || [...document.querySelectorAll('audio')].every(({ paused }) => !paused)) return;
    clearInterval(looking);
    console.log(is);
  }, 100);
}

/** For looking: while the page says that it is lossy, its connection counts a lost packet for each that comes. */
export function lossy() {
  const read = RTCPeerConnection.prototype.getStats;
  RTCPeerConnection.prototype.getStats = async function () {
    const report = await read.call(this);
    if (globalThis.isLossy !== true) return report;
    return new Map([...report].map(([id, stats]) => [id, stats.type === 'inbound-rtp' ? { ...stats, packetsLost: stats.packetsReceived } : stats]));
  };
}

/** Media goes by another UDP port than the server says, and by no other way. */
export function through([port, entrance]) {
  const take = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    const lines = sdp.split('\r\n').filter((line) => !/^a=candidate:\S+ \d+ tcp /iu.test(line));
    return take.call(this, { type, sdp: lines.map((line) => (line.startsWith('a=candidate:') ? line.replace(` ${port} typ `, ` ${entrance} typ `) : line)).join('\r\n') });
  };
}
