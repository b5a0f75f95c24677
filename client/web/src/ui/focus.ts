// Where the focus goes when what had it is no more.

/** Nothing has the focus: whoever has no mouse would begin at the top again, and hear nothing. */
export function isFocusLost(): boolean {
  return document.activeElement === null || document.activeElement === document.body;
}

/** Gives the focus to something that is read and not acted on. */
export function focusOn(element: HTMLElement | null | undefined): void {
  if (!element) return;
  element.tabIndex = -1;
  element.focus();
}
