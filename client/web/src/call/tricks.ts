// Characters that turn, hide or fake text, told from the same characters where writing needs them.

/** Controls, line separators, and whatever turns direction or takes no place (bidirectional controls, fillers, tags and the like). */
const TRICKS = String.raw`[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufff9-\ufffb\p{Default_Ignorable_Code_Point}]`;

const PICTURE = String.raw`\p{Extended_Pictographic}`;
/** Scripts in which a joiner changes how its neighbours look. */
const JOINED = ['Arabic', 'Bengali', 'Devanagari', 'Gujarati', 'Gurmukhi', 'Kannada', 'Khmer', 'Malayalam', 'Mongolian', 'Oriya', 'Sinhala', 'Syriac', 'Tamil', 'Telugu']
  .map((script) => String.raw`\p{Script=${script}}`)
  .join('');

/** Invisible characters that pictures, digits in boxes, flags and variants of letters are made of. */
const COMPOSED = [
  String.raw`(?<=[${PICTURE}\p{Emoji_Modifier}]\ufe0f?)\u200d(?=${PICTURE})`,
  String.raw`(?<=[${PICTURE}\p{S}])[\ufe0e\ufe0f]`,
  String.raw`(?<=[0-9#*])\ufe0f(?=\u20e3)`,
  String.raw`(?<=\u{1f3f4})[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{3,6}\u{e007f}`,
  String.raw`(?<=\p{Unified_Ideograph})[\ufe00-\ufe02\u{e0100}-\u{e01ef}]`,
  String.raw`(?<=\p{Script=Mongolian})[\u180b-\u180d\u180f]`,
];

/** Joiners and separators between letters; one may also end a word after a vowel killer, as in Malayalam. */
const joins = (before: string, after: string) => [String.raw`(?<=[${before}])[\u200c\u200d](?=[${after}])`, String.raw`(?<=\p{M})\u200d`];

const WRITTEN = expression([...COMPOSED, ...joins(String.raw`\p{L}\p{M}`, String.raw`\p{L}\p{M}`)]);
/** Nothing in a name may tell it from another that looks alike: here joiners stand only where they show. */
const NAMED = expression([...COMPOSED, ...joins(JOINED, JOINED).slice(0, 1)]);

/** Text with a mark for each trick. */
export function withoutTricks(text: string, isName: boolean): string {
  return text.replace(isName ? NAMED : WRITTEN, (_, honest: string | undefined) => honest ?? '\ufffd');
}

function expression(honest: string[]): RegExp {
  return new RegExp(`(${honest.join('|')})|${TRICKS}`, 'gu');
}
