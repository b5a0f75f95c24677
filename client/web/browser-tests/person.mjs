// One person with a browser profile of their own, and everything that their page did.

import { chromium } from 'playwright-core';

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
  '--auto-select-desktop-capture-source=Entire screen',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-renderer-backgrounding',
  '--disable-background-timer-throttling',
];
const CHOICES = { width: 160, height: 120, frameRate: 10, cameraOn: true, microphoneOn: true };

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
}

export class Person {
  static async open(browser, organisation, user, password, options = {}) {
    const context = await browser.newContext({ permissions: ['camera', 'microphone', 'clipboard-read', 'clipboard-write'], ...options });
    await context.addInitScript((choices) => {
      if (localStorage.getItem('conclave.choices') === null) localStorage.setItem('conclave.choices', JSON.stringify(choices));
      const Original = globalThis.RTCPeerConnection;
      globalThis.peers = [];
      globalThis.RTCPeerConnection = class extends Original {
        constructor(...args) {
          super(...args);
          globalThis.peers.push(this);
        }
      };
      globalThis.violations = [];
      document.addEventListener('securitypolicyviolation', (event) => globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
    }, CHOICES);
    const person = new Person(context, await context.newPage(), organisation, user, password);
    person.watch();
    return person;
  }

  constructor(context, page, organisation, user, password) {
    Object.assign(this, { context, page, organisation, user, password });
    this.requests = [];
    this.errors = [];
  }

  get address() {
    return `${this.user}@${this.organisation.domain}`;
  }

  watch() {
    this.page.on('request', (request) => this.requests.push(request.url()));
    this.page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text());
    });
    this.page.on('pageerror', (error) => this.errors.push(String(error)));
  }

  async signIn(path = '/') {
    await this.page.goto(`${this.organisation.origin}${path}`);
    if (path !== '/') await this.page.click('button:has-text("I have an account here")');
    await this.page.fill('input[name=user]', this.user);
    await this.page.fill('input[name=password]', this.password);
    await this.page.click('button:has-text("Sign in")');
  }

  /** Meets now, and gives the link's path. */
  async meetNow(title, { lobby = false } = {}) {
    await this.page.fill('input[name=title]', title);
    if (lobby) await this.page.check('input[name=lobby]');
    await this.page.click('form button:has-text("Meet now")');
    await this.page.waitForSelector('button:has-text("Join now")');
    return this.page.evaluate(() => location.pathname + location.hash);
  }

  async join() {
    await this.page.click('button:has-text("Join now")');
  }

  async inRoom() {
    await this.page.waitForSelector('button[aria-label=Leave]', { timeout: 60_000 });
  }

  /** Frames decoded of somebody's camera, as their tile plays them. */
  framesOf(other) {
    return this.page.evaluate((address) => {
      const [user, domain] = address.split('@');
      const tile = [...document.querySelectorAll('figure[data-kind=camera][data-own=false]')].find((one) =>
        one.dataset.device.startsWith(`conclave://${domain}/u/${user}/`),
      );
      return tile?.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0;
    }, other.address);
  }

  /** The energy of all sound that came. */
  energy() {
    return this.page.evaluate(async () => {
      let energy = 0;
      for (const peer of globalThis.peers) {
        for (const stats of (await peer.getStats()).values()) {
          if (stats.type === 'inbound-rtp' && stats.kind === 'audio') energy += stats.totalAudioEnergy ?? 0;
        }
      }
      return energy;
    });
  }

  async open(panel) {
    const button = this.page.locator(`footer button[aria-label=${panel}]`);
    if ((await button.getAttribute('aria-expanded')) !== 'true') await button.click();
  }

  async say(text) {
    await this.open('Chat');
    await this.page.fill('input[name=say]', text);
    await this.page.click('button[aria-label=Send]');
  }

  async hears(text) {
    await this.open('Chat');
    await this.page.waitForSelector(`[role=log] >> text=${text}`, { timeout: 30_000 });
  }

  async code() {
    await this.open('People');
    return this.page.locator('[data-code]').getAttribute('data-code');
  }

  async leave() {
    await this.page.click('button[aria-label=Leave]');
  }

  /** What must never have happened: a request elsewhere, a violation of the content security policy, an error. */
  async misdeeds() {
    const elsewhere = this.requests.filter((url) => !url.startsWith(this.organisation.origin) && !url.startsWith('blob:') && !url.startsWith('data:'));
    const violations = await this.page.evaluate(() => globalThis.violations).catch(() => []);
    return [...elsewhere.map((url) => `request: ${url}`), ...violations, ...this.errors];
  }

  async close() {
    await this.context.close();
  }
}

/** Waits until `look` gives something true. */
export async function until(what, look, within = 45_000) {
  const end = Date.now() + within;
  for (;;) {
    const value = await look();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${within / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
