// Of node's own modules, what the tests use; all of its types would change those of the browser.

declare module 'node:test' {
  interface Context {
    mock: { timers: { enable(options: { apis: string[] }): void; tick(milliseconds: number): void } };
  }
  export function test(name: string, act: (context: Context) => void | Promise<void>): void;
}

declare module 'node:assert/strict' {
  interface Assert {
    ok(value: unknown, message?: string): asserts value;
    equal(actual: unknown, expected: unknown, message?: string): void;
    deepEqual(actual: unknown, expected: unknown, message?: string): void;
    match(actual: string, expected: RegExp, message?: string): void;
    throws(act: () => unknown): void;
  }
  const assert: Assert;
  export default assert;
}
