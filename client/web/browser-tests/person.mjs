// One person with a browser profile of their own, and everything that their page did.

import { chromium } from 'playwright-core';

import { find, full, observe, shifted, stubborn } from './page_hooks.mjs';
import { PATIENCE_MS, until } from './until.mjs';

/** From the project's measurements; small pictures, because two cores carry all of it. */
const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--allow-loopback-in-peer-connection',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-renderer-backgrounding',
  '--disable-background-timer-throttling',
];
const CHOICES = { width: 160, height: 120, frameRate: 10, cameraOn: true, microphoneOn: true };
const PERMISSIONS = ['camera', 'microphone', 'clipboard-read', 'clipboard-write'];

export function launch(flags = [], without = []) {
  const args = [...FLAGS.filter((flag) => !without.includes(flag)), ...flags];
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
}

export class Person {
  static async open(browser, organisation, user, password, { isStubborn = false, isFull = false, clockOff = 0, choices = {}, permissions = PERMISSIONS, ...options } = {}) {
    const context = await browser.newContext({ permissions, ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    await context.addInitScript(observe, { ...CHOICES, ...choices });
    await context.addInitScript(find);
    if (clockOff !== 0) await context.addInitScript(shifted, clockOff);
    if (isFull) await context.addInitScript(full);
    if (isStubborn) await context.addInitScript(stubborn);
    const person = new Person(context, organisation, user, password);
    context.on('page', (page) => person.#watch(page));
    context.on('request', (request) => person.requests.push(request.url()));
    person.page = await context.newPage();
    await person.watching;
    return person;
  }

  constructor(context, organisation, user, password) {
    Object.assign(this, { context, organisation, user, password });
    this.requests = [];
    this.errors = [];
    this.expected = [];
  }

  get address() {
    return `${this.user}@${this.organisation.domain}`;
  }

  #watch(page) {
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(`${message.text()} (${message.location().url})`);
    });
    page.on('pageerror', (error) => this.errors.push(String(error)));
    this.watching = this.#watchWorkers(page).catch(() => undefined); // A page that is closed meanwhile does nothing any more.
  }

  /** What a worker does against the policy is told to nobody but the browser's own log. */
  async #watchWorkers(page) {
    const log = await this.context.newCDPSession(page);
    log.on('Log.entryAdded', ({ entry }) => {
      if (entry.source === 'worker' && entry.level === 'error') this.errors.push(`${entry.text} (${entry.url})`);
    });
    await log.send('Log.enable');
  }

  // The door.

  async signIn(path = '/') {
    await this.page.goto(`${this.organisation.origin}${path}`);
    if (path !== '/') await this.press('I have an account here');
    await this.page.fill('input[name=user]', this.user);
    await this.page.fill('input[name=password]', this.password);
    await this.press('Sign in');
  }

  /** Without an account: opens the link at this server and gives a name. */
  async comeAsGuest(path, name) {
    await this.page.goto(`${this.organisation.origin}${path}`);
    await this.page.fill('input[name=guest]', name);
    await this.press('Go on as a guest');
  }

  async atStart() {
    await this.page.waitForSelector('h1:has-text("Good to see you")');
  }

  /** Meets now, and gives the link's path. */
  async meetNow(title, { lobby = false, guests = true } = {}) {
    if (!(await this.page.isVisible('input[name=title]'))) await this.page.goto(`${this.organisation.origin}/`);
    await this.page.fill('input[name=title]', title);
    await this.page.setChecked('input[name=lobby]', lobby);
    await this.page.setChecked('input[name=guests]', guests);
    await this.press('Meet now');
    await this.page.waitForSelector('button:has-text("Join now")');
    return this.path();
  }

  path() {
    return this.page.evaluate(() => location.pathname + location.hash);
  }

  /** Opens a link at the own server. */
  async goTo(path) {
    // A change of the fragment alone loads nothing anew.
    await this.page.goto('about:blank');
    await this.page.goto(`${this.organisation.origin}${path}`);
  }

  async join() {
    await this.press('Join now');
  }

  /** Opens a link and asks to enter. */
  async enter(path) {
    await this.goTo(path);
    await this.join();
  }

  async inRoom() {
    await this.page.waitForSelector('button[aria-label=Leave]');
  }

  /** The page says this. */
  async reads(text) {
    await this.page.getByText(text).first().waitFor();
  }

  async press(name, exact = false) {
    await this.page.getByRole('button', { name, exact }).first().click();
  }

  async leave() {
    await this.press('Leave', true);
    await this.reads('You left the meeting');
  }

  // In the room.

  async open(panel) {
    const button = this.page.locator(`footer button[aria-label=${panel}]`);
    if ((await button.getAttribute('aria-expanded')) !== 'true') await button.click();
  }

  async say(text) {
    await this.open('Chat');
    await this.page.fill('[name=say]', text);
    await this.press('Send', true);
  }

  async hears(text) {
    await this.open('Chat');
    await this.page.locator('[role=log]').getByText(text, { exact: true }).first().waitFor();
  }

  async code() {
    await this.open('People');
    return this.page.locator('[data-code]').getAttribute('data-code');
  }

  /** The line of somebody in the list of people. */
  async line(address) {
    await this.open('People');
    return this.page.locator(`[data-member="${address}"]`);
  }

  /** Waits until exactly these addresses are in the room. */
  async sees(addresses, within = PATIENCE_MS) {
    await this.open('People');
    const wanted = [...addresses].sort().join(' ');
    const there = () => this.page.locator('[data-member]').evaluateAll((all) => all.map((one) => one.dataset.member).sort().join(' '));
    await until(`${this.user} sees ${wanted} in the room`, async () => (await there()) === wanted, within);
  }

  /** Whether somebody shows as away, in the list of people and on their tile. */
  async seesAway(other) {
    const listed = await (await this.line(other.address)).locator('[data-away]').isVisible();
    const tile = this.page.locator(`figure[data-device*="/u/${other.user}/"]`, { hasText: 'Away' });
    return listed && (await tile.isVisible());
  }

  /** Says yes where the page asks whether one is sure, and gives when. */
  async sure() {
    const button = this.page.locator('dialog[open] button.danger');
    await button.evaluate((one) => one.addEventListener('click', () => (globalThis.sureAt = Date.now()), { capture: true }));
    await button.click();
    return this.page.evaluate(() => globalThis.sureAt);
  }

  async remove(address) {
    await (await this.line(address)).getByRole('button', { name: 'Remove' }).click();
    return this.sure();
  }

  // What comes.

  /** Frames of somebody's camera (or screen) that their tile has played. */
  framesOf(other, kind = 'camera') {
    return this.page.evaluate(([address, kind]) => globalThis.videoOf(address, kind)?.getVideoPlaybackQuality().totalVideoFrames ?? 0, [other.address, kind]);
  }

  /** The stream in somebody's tile: what its decoder has done, and a name that changes with stream, decoder or element. */
  streamOf(other) {
    return this.page.evaluate(async (address) => {
      const video = globalThis.videoOf(address, 'camera');
      const track = video?.srcObject?.getVideoTracks()[0]?.id;
      video.dataset.mark ??= crypto.randomUUID();
      for (const peer of globalThis.peers) {
        for (const stats of (await peer.getStats()).values()) {
          if (stats.type !== 'inbound-rtp' || stats.trackIdentifier !== track) continue;
          return {
            name: [stats.id, stats.ssrc, stats.decoderImplementation, video.dataset.mark].join(' '),
            framesDecoded: stats.framesDecoded,
            keyFramesDecoded: stats.keyFramesDecoded,
            framesDropped: stats.framesDropped,
            freezes: stats.freezeCount,
            frozenSeconds: stats.totalFreezesDuration,
            asked: (stats.pliCount ?? 0) + (stats.firCount ?? 0),
          };
        }
      }
      return undefined;
    }, other.address);
  }

  /** Waits until more frames of somebody are played than now. */
  async watches(other, kind = 'camera', more = 10) {
    const before = await this.framesOf(other, kind);
    await until(`${this.user} sees ${other.user}'s ${kind}`, async () => {
      const now = await this.framesOf(other, kind);
      return now > before + more || (now < before && now > more); // A new tile counts anew.
    });
  }

  /** Waits until more sound has come than now. */
  async listens() {
    const { energy } = await this.received();
    await until(`${this.user} hears something`, async () => (await this.received()).energy > energy);
  }

  /** Sums over all streams that come in and go out. */
  received() {
    return this.page.evaluate(async () => {
      const sum = { framesDecoded: 0, keyFramesDecoded: 0, freezes: 0, frozenSeconds: 0, energy: 0, asked: 0, wasAsked: 0 };
      for (const peer of globalThis.peers) {
        for (const stats of (await peer.getStats()).values()) {
          if (stats.type === 'inbound-rtp') {
            sum.energy += stats.totalAudioEnergy ?? 0;
            sum.framesDecoded += stats.framesDecoded ?? 0;
            sum.keyFramesDecoded += stats.keyFramesDecoded ?? 0;
            sum.freezes += stats.freezeCount ?? 0;
            sum.frozenSeconds += stats.totalFreezesDuration ?? 0;
            sum.asked += (stats.pliCount ?? 0) + (stats.firCount ?? 0);
          } else if (stats.type === 'outbound-rtp') {
            sum.wasAsked += (stats.pliCount ?? 0) + (stats.firCount ?? 0);
          }
        }
      }
      return sum;
    });
  }

  /** What the frame workers counted last. */
  counts() {
    return this.page.evaluate(() => {
      const sum = { sealed: 0, unsealed: 0, opened: 0, refused: 0 };
      for (const one of globalThis.counts) for (const kind of Object.keys(sum)) sum[kind] += one?.[kind] ?? 0;
      return sum;
    });
  }

  /** Frames that a stubborn page has played, told to stop or not. */
  played() {
    return this.page.evaluate(() => globalThis.playing.reduce((sum, video) => sum + video.getVideoPlaybackQuality().totalVideoFrames, 0));
  }

  /** The kinds of own tracks that are on. */
  captures() {
    return this.page.evaluate(() => globalThis.captured.filter(({ readyState }) => readyState === 'live').map(({ kind }) => kind).sort());
  }

  /** A stubborn page notes from now on when it last played a frame more, and when a worker last told that it opened more. */
  notesGrowth() {
    return this.page.evaluate(() => {
      const sums = { played: () => globalThis.playing.reduce((sum, video) => sum + video.getVideoPlaybackQuality().totalVideoFrames, 0), opened: () => globalThis.counts.reduce((sum, one) => sum + (one?.opened ?? 0), 0) };
      globalThis.grown = {};
      for (const [what, sum] of Object.entries(sums)) {
        let before = sum();
        setInterval(() => {
          const now = sum();
          if (now > before) globalThis.grown[what] = Date.now();
          before = now;
        }, 25);
      }
    });
  }

  lastGrowth() {
    return this.page.evaluate(() => globalThis.grown);
  }

  // What must not happen.

  /** During `act`, and only then, console errors like these are expected. */
  async expecting(errors, act) {
    this.expected = errors;
    const from = this.errors.length;
    try {
      return await act();
    } finally {
      const later = this.errors.splice(from);
      this.errors.push(...later.filter((error) => !errors.some((one) => one.test(error))));
      this.expected = [];
    }
  }

  /** A request elsewhere, a violation of the content security policy, an error. */
  async misdeeds() {
    const own = (url) => url.startsWith(`${this.organisation.origin}/`) || /^(blob|data|about):/u.test(url);
    const elsewhere = this.requests.filter((url) => !own(url)).map((url) => `request: ${url}`);
    const pages = this.context.pages();
    const violations = await Promise.all(pages.map((page) => page.evaluate(() => globalThis.violations ?? []).catch(() => [])));
    return [...elsewhere, ...violations.flat(), ...this.errors];
  }

  /** What was looked at is not looked at again. */
  forget() {
    this.requests = [];
    this.errors = [];
  }

  async picture(path) {
    await this.page.screenshot({ path, timeout: 5_000 }).catch(() => undefined);
  }

  async close() {
    await this.context.close().catch(() => undefined);
  }
}
