// Where tiles stand.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { columns, grid, speaker } from '../src/call/layout';

const DESKTOP = { width: 1248, height: 680 };
const PHONE = { width: 370, height: 700 };
const named = (count: number) => Array.from({ length: count }, (_, at) => `tile ${at}`);

test('as many columns as make the tiles largest', () => {
  const across = (size: { width: number; height: number }) => [1, 2, 3, 4, 5, 6, 7, 9].map((count) => columns(count, size));
  assert.deepEqual(across(DESKTOP), [1, 2, 2, 2, 3, 3, 3, 3]);
  assert.deepEqual(across(PHONE), [1, 1, 1, 1, 1, 1, 2, 2]);
});

test('on a stage of any size, no other number of columns would make larger tiles', () => {
  const widest = (tiles: number, count: number, { width, height }: { width: number; height: number }) => Math.min(width / count, (height / Math.ceil(tiles / count)) * 1.6);
  for (let width = 200; width < 2600; width += 173) {
    for (let height = 150; height < 1500; height += 137) {
      for (const tiles of [1, 2, 3, 5, 8, 9]) {
        const chosen = widest(tiles, columns(tiles, { width, height }), { width, height });
        const best = Math.max(...named(tiles).map((_, at) => widest(tiles, at + 1, { width, height })));
        assert.ok(chosen > best - 2 * tiles, `${tiles} on ${width} by ${height}: ${chosen} of ${best}`);
      }
    }
  }
});

test('the grid shows everybody once over its pages, in order', () => {
  for (const size of [DESKTOP, PHONE, { width: 320, height: 300 }, { width: 90, height: 40 }]) {
    for (const count of [0, 1, 2, 3, 9, 10, 25]) {
      const tiles = named(count);
      const first = grid(tiles, size, 0);
      const all = Array.from({ length: first.pages }, (_, page) => grid(tiles, size, page));
      assert.deepEqual(all.flatMap(({ small }) => small), tiles, `${count} on ${size.width} by ${size.height}`);
      for (const { small, columns, rows } of all) assert.ok(small.length <= columns * rows && small.length <= 9);
    }
  }
});

test('no camera is cut down to a stripe, and only on phones one stands upright', () => {
  for (const size of [DESKTOP, { width: 900, height: 680 }, { width: 1248, height: 300 }, { width: 600, height: 900 }, PHONE]) {
    for (const count of [1, 2, 3, 5, 9]) {
      const { smallWidth, smallHeight, columns, rows } = grid(named(count), size, 0);
      const shape = smallWidth / smallHeight;
      assert.ok(shape < 1.78 && (shape > 1.33 || size === PHONE), `${count} on ${size.width} by ${size.height}: ${shape}`);
      assert.ok(smallWidth * columns <= size.width && smallHeight * rows <= size.height);
    }
  }
});

test('a page that is not there is the nearest one that is', () => {
  const tiles = named(25);
  const { pages } = grid(tiles, DESKTOP, 0);
  assert.equal(pages, 3);
  assert.equal(grid(tiles, DESKTOP, 99).page, pages - 1);
  assert.equal(grid(tiles, DESKTOP, -1).page, 0);
  assert.equal(grid(named(4), DESKTOP, 2).page, 0);
});

test('phones show fewer at once, and never less than two', () => {
  assert.equal(grid(named(25), PHONE, 0).small.length, 9);
  assert.equal(grid(named(25), { width: 320, height: 300 }, 0).small.length, 6);
  assert.equal(grid(named(25), { width: 90, height: 40 }, 0).small.length, 2);
});

test('the speaker view has one tile large and each other in a strip, over its pages', () => {
  const tiles = named(30);
  for (const size of [DESKTOP, PHONE]) {
    const first = speaker(tiles, 'tile 7', size, 0);
    assert.equal(first.large, 'tile 7');
    const all = Array.from({ length: first.pages }, (_, page) => speaker(tiles, 'tile 7', size, page).small);
    assert.deepEqual(all.flat(), tiles.filter((tile) => tile !== 'tile 7'));
    assert.equal(first.largeHeight + first.smallHeight, size.height);
    assert.ok(first.smallHeight >= 92, 'a face can be recognised');
    assert.ok(first.largeHeight > first.smallHeight);
  }
});

test('who is alone has the whole stage', () => {
  const { smallHeight, largeHeight, small, pages } = speaker(['me'], 'me', DESKTOP, 0);
  assert.deepEqual({ smallHeight, largeHeight, small, pages }, { smallHeight: 0, largeHeight: 680, small: [], pages: 1 });
});
