// What a page must not do to people who see, hear, point or move otherwise: each look gives findings as sentences, none if all is well.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Target sizes are off by default. */
const RULES = { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } };
const GRAVE = ['serious', 'critical'];

/** Gives the page another size. It hears of that with its next picture, and what it then does is done by the one after. */
export async function resize(page, viewport) {
  await page.setViewportSize(viewport);
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
}

/** What axe-core finds that is serious or worse. */
export async function axe(page) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(AXE);
  const violations = await page.evaluate(async (rules) => (await globalThis.axe.run(document, rules)).violations, RULES);
  return violations
    .filter(({ impact }) => GRAVE.includes(impact))
    .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id} at ${target.join(' ')}: ${failureSummary.replace(/\s+/gu, ' ')}`));
}

/** What can only be seen by scrolling sideways, or not at all. A region that scrolls by keyboard, such as a table, may. */
export function sideways(page) {
  return page.evaluate(() => {
    const found = [];
    const root = document.scrollingElement;
    if (root.scrollWidth > innerWidth) found.push(`the page is ${root.scrollWidth} wide on ${innerWidth}`);
    const told = (element) => `${element.tagName.toLowerCase()} ${element.className} «${element.textContent.trim().slice(0, 30)}»`;
    for (const element of document.body.querySelectorAll('*')) {
      if (element.closest('[role=region][tabindex="0"], .hidden') !== null) continue;
      const { overflowX } = getComputedStyle(element);
      if (/auto|scroll/u.test(overflowX) && element.scrollWidth > element.clientWidth + 1) found.push(`scrolls sideways: ${told(element)}`);
      const { left, right, width } = element.getBoundingClientRect();
      const isSeen = width > 0 && element.checkVisibility({ visibilityProperty: true });
      if (isSeen && element.matches('button, input, select, textarea, a, [role=button]') && (left < -1 || right > innerWidth + 1)) found.push(`cut off: ${told(element)}`);
    }
    return found;
  });
}

/** What can be acted on and is smaller than 24 by 24; a label counts with its field. */
export function small(page) {
  return page.evaluate(() => {
    const LEAST = 24;
    return [...document.querySelectorAll('button, input, select, textarea, a[href], summary, [tabindex="0"]')]
      .filter((element) => element.checkVisibility({ visibilityProperty: true }))
      .flatMap((element) => {
        const boxes = [element, ...(element.labels ?? [])].map((one) => one.getBoundingClientRect());
        const [width, height] = [Math.max(...boxes.map((box) => box.width)), Math.max(...boxes.map((box) => box.height))];
        return width < LEAST || height < LEAST ? [`${element.outerHTML.slice(0, 90)} is ${Math.round(width)} by ${Math.round(height)}`] : [];
      });
  });
}

/** What would move although the person asked for stillness (the context must say that they did). */
export function moving(page) {
  return page.evaluate(() => {
    const seconds = (list) => Math.max(...list.split(',').map((one) => Number.parseFloat(one)));
    const found = [];
    for (const element of document.querySelectorAll('*')) {
      for (const part of [undefined, '::before', '::after', '::backdrop']) {
        const style = getComputedStyle(element, part);
        const moves = style.animationName !== 'none' && seconds(style.animationDuration) > 0.001;
        const turns = seconds(style.transitionDuration) > 0.001;
        if (moves || turns || style.scrollBehavior === 'smooth') found.push(`${element.tagName.toLowerCase()} ${element.className}${part ?? ''} moves`);
      }
    }
    return found;
  });
}

/**
 * Goes through the page with the Tab key (in a menu with the arrows, as the pattern says): everything that can be acted on must be
 * reached, its focus must be visible, and nothing may cover it. The focus then stands where it stood.
 */
export async function unreached(page) {
  const { count, menu } = await page.evaluate(begin);
  for (let press = 0; press < count + 3; press += 1) await page.keyboard.press(menu ? 'ArrowDown' : 'Tab');
  return page.evaluate(finish);
}

function begin() {
  const ACTS = 'button, input, select, textarea, a[href], summary, [tabindex="0"]';
  const told = (element) => (element.getAttribute('aria-label') ?? element.textContent.trim().slice(0, 40)) || element.outerHTML.slice(0, 80);
  const dialog = document.querySelector('dialog:modal');
  const menu = document.activeElement?.closest('[role=menu]') ?? null;
  const within = menu ?? dialog ?? document;
  const wanted = [...within.querySelectorAll(menu === null ? ACTS : '[role^=menuitem]')].filter(
    (element) => !element.disabled && (menu !== null || element.tabIndex >= 0) && element.closest('[inert]') === null && element.checkVisibility({ visibilityProperty: true }),
  );
  const reached = new Set();
  const found = new Set();
  const look = ({ target }) => {
    reached.add(target);
    const { outlineStyle, outlineWidth } = getComputedStyle(target);
    if (!target.matches(':focus-visible') || outlineStyle === 'none' || Number.parseFloat(outlineWidth) < 2) found.add(`focus does not show: ${told(target)}`);
    const box = target.getBoundingClientRect();
    const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    const isFree = top !== null && (target.contains(top) || top.contains(target) || [...(target.labels ?? [])].some((label) => label.contains(top)));
    if (!isFree) found.add(`covered or out of sight with the focus: ${told(target)}`);
    if (Number(getComputedStyle(target.parentElement).opacity) < 1 || Number(getComputedStyle(target).opacity) < 1) found.add(`faint with the focus: ${told(target)}`);
  };
  document.addEventListener('focusin', look);
  globalThis.tour = { wanted, reached, found, look, told, before: document.activeElement };
  // A date's field has a stop for each of its parts, and one for its calendar.
  const parts = wanted.filter((element) => element.type === 'datetime-local').length * 7;
  return { count: wanted.length + parts, menu: menu !== null };
}

function finish() {
  const { wanted, reached, found, look, told, before } = globalThis.tour;
  document.removeEventListener('focusin', look);
  for (const element of wanted) if (element.isConnected && !reached.has(element)) found.add(`not reached by keyboard: ${told(element)}`);
  if (before instanceof HTMLElement && before.isConnected) before.focus();
  return [...found];
}
