// Somebody who has no mouse: only keys, and eyes or ears for what the page says.

import { until } from './until.mjs';

/** More stops than any state of the page has. */
const MOST = 80;

export class Keyboard {
  constructor(person) {
    this.person = person;
    this.page = person.page;
  }

  press(key) {
    return this.page.keyboard.press(key);
  }

  type(text) {
    return this.page.keyboard.type(text);
  }

  /** What has the focus, by the name that a screen reader says. */
  focus() {
    return this.page.evaluate(() => {
      const element = document.activeElement;
      if (element === document.body) return { name: '', inDialog: false };
      const label = element.labels?.[0];
      const name = element.getAttribute('aria-label') ?? (label === undefined ? element.textContent : (label.querySelector('span')?.textContent ?? label.textContent));
      return { name: name.trim(), pressed: element.getAttribute('aria-pressed'), expanded: element.getAttribute('aria-expanded'), checked: element.checked, inDialog: element.closest('dialog') !== null };
    });
  }

  /** Tabs on until this has the focus; backwards if told so. */
  async to(name, key = 'Tab') {
    const passed = [];
    for (let press = 0; press < MOST; press += 1) {
      const focus = await this.focus();
      if (focus.name === name) return focus;
      passed.push(focus.name.slice(0, 30));
      await this.press(key);
    }
    throw new Error(`no way by ${key} to «${name}»; passed ${[...new Set(passed)].join(' | ')}`);
  }

  async act(name, key = 'Enter') {
    await this.to(name);
    await this.press(key);
  }

  async write(field, text) {
    await this.to(field);
    await this.type(text);
  }

  /** The focus comes to this without a key. */
  finds(name) {
    return until(`the focus is on «${name}»`, async () => (await this.focus()).name === name);
  }

  /** The focus comes to this kind of element, which holds this text, without a key. */
  async isAt(kind, text) {
    const has = ([kind, text]) => document.activeElement.matches(kind) && document.activeElement.textContent.includes(text);
    await until(`the focus is on a ${kind} with «${text}»`, () => this.page.evaluate(has, [kind, text])).catch(async (error) => {
      throw new Error(`${error.message}; it is on ${await this.page.evaluate(() => document.activeElement.outerHTML.slice(0, 200))}`);
    });
  }

  /** What the page shows now is read from its heading on. */
  reads(heading) {
    return this.isAt('h1', heading);
  }

  /** A live region says this. */
  hears(text) {
    return until(`a live region says «${text}»`, () => this.page.evaluate((text) => globalThis.spoken.some((one) => one.includes(text)), text)).catch(async (error) => {
      throw new Error(`${error.message}; said: ${(await this.page.evaluate(() => globalThis.spoken)).join(' | ')}`);
    });
  }
}

/** Runs in the page before its own scripts: notes what a screen reader would say of its own accord. */
export function listen() {
  const LIVE = '[aria-live]:not([aria-live=off]), [role=status], [role=log], [role=alert]';
  globalThis.spoken = [];
  const say = (node) => globalThis.spoken.push(node.textContent.replace(/[\u2068\u2069]/gu, '').replace(/\s+/gu, ' ').trim());
  new MutationObserver((changes) => {
    for (const { target, addedNodes, type } of changes) {
      const element = target instanceof Element ? target : target.parentElement;
      // What comes into a region that was there before is said; of whole regions that come, only an alert.
      if (element?.closest(LIVE) !== null && element !== null) {
        for (const node of type === 'characterData' ? [target] : addedNodes) say(node);
      } else {
        for (const node of addedNodes) {
          if (!(node instanceof Element)) continue;
          if (node.matches('[role=alert]')) say(node);
          else node.querySelectorAll('[role=alert]').forEach(say);
        }
      }
    }
  }).observe(document, { childList: true, characterData: true, subtree: true });
}
