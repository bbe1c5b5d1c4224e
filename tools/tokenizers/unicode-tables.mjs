// Asks the reference library (npm tokenizers, the Rust implementation with Oniguruma) how it classifies every code point, and writes the answers as
// src/Engine/Text/Tokenization/Unicode/UnicodeTables.cs. Run: NODE_PATH=... node unicode-tables.mjs > .../UnicodeTables.cs  (package: tokenizers@0.23.2)
import { createRequire } from 'node:module';
import path from 'node:path';
const require = createRequire(path.join(process.env.TOKENIZERS_MODULES ?? process.cwd(), 'x.js'));
const T = require('tokenizers');
const tokenizerOf = parts => T.Tokenizer.fromString(JSON.stringify({
  version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null,
  model: { type: 'WordLevel', vocab: { '[UNK]': 0 }, unk_token: '[UNK]' }, ...parts }));
const preTokenizer = json => tokenizerOf({ pre_tokenizer: json }).getPreTokenizer();
const normalizer = json => tokenizerOf({ normalizer: json }).getNormalizer();

const LIMIT = 0x110000;
const scalars = [];
for (let c = 0; c < LIMIT; c++) if (c < 0xd800 || c > 0xdfff) scalars.push(c);
const str = c => String.fromCodePoint(c);
function* chunks(size = 20000) { for (let i = 0; i < scalars.length; i += size) yield scalars.slice(i, i + size); }

/** Code points that an Oniguruma class matches. */
function onig(pattern) {
  const split = preTokenizer({ type: 'Split', pattern: { Regex: pattern + '+' }, behavior: 'Removed', invert: true });
  const set = new Uint8Array(LIMIT);
  for (const chunk of chunks()) for (const [piece] of split.preTokenizeString(chunk.map(str).join(''))) for (const ch of piece) set[ch.codePointAt(0)] = 1;
  return set;
}

// ---- categories: 0..29 in the order of .NET's UnicodeCategory; 30 = control that is white space; 31 = other symbol that is alphabetic
const names = ['Lu', 'Ll', 'Lt', 'Lm', 'Lo', 'Mn', 'Mc', 'Me', 'Nd', 'Nl', 'No', 'Zs', 'Zl', 'Zp', 'Cc', 'Cf', 'Cs', 'Co', 'Pc', 'Pd', 'Ps', 'Pe', 'Pi', 'Pf', 'Po', 'Sm', 'Sc', 'Sk', 'So', 'Cn'];
const category = new Uint8Array(LIMIT).fill(29);
for (let c = 0xd800; c < 0xe000; c++) category[c] = 16;
names.forEach((name, index) => {
  if (name === 'Cs' || name === 'Cn') return;
  onig(`\\p{${name}}`).forEach((yes, c) => { if (yes) category[c] = index; });
});
const space = onig('\\s'), word = onig('\\w');
const M = x => names.indexOf(x);
for (const c of scalars) {
  if (space[c] && category[c] === M('Cc')) category[c] = 30;
  else if (word[c] && category[c] === M('So')) category[c] = 31;
}
const isSpace = g => g === 30 || g === M('Zs') || g === M('Zl') || g === M('Zp');
const isWord = g => g === 31 || g <= M('No') && g !== M('No') || g === M('Pc');
const odd = [];
for (const c of scalars) {
  if (!!space[c] !== isSpace(category[c])) odd.push(['space', c.toString(16)]);
  if (!!word[c] !== isWord(category[c])) odd.push(['word', c.toString(16), names[category[c]]]);
}
console.error('oddities against the 32 categories:', odd.length, JSON.stringify(odd.slice(0, 40)));

// ---- what Rust's own classes say
const flags = new Uint8Array(LIMIT);
const RUST_WORD = 1, RUST_SPACE = 2, NUMERIC = 4, PUNCTUATION = 8, BERT_CONTROL = 16, NONSPACING = 32, COMBINING = 64, BERT_SPACE = 128;
const whitespace = preTokenizer({ type: 'Whitespace' }), whitespaceSplit = preTokenizer({ type: 'WhitespaceSplit' });
const digits = preTokenizer({ type: 'Digits', individual_digits: true }), punctuation = preTokenizer({ type: 'Punctuation', behavior: 'Isolated' });
const clean = normalizer({ type: 'BertNormalizer', clean_text: true, handle_chinese_chars: false, strip_accents: false, lowercase: false });
const accents = normalizer({ type: 'BertNormalizer', clean_text: false, handle_chinese_chars: false, strip_accents: true, lowercase: false });
const combining = normalizer({ type: 'StripAccents' });
for (const c of scalars) {
  const s = str(c);
  const pieces = whitespace.preTokenizeString('a' + s).map(p => p[0]);
  if (pieces.length === 1 && pieces[0] === 'a' + s) flags[c] |= RUST_WORD;
  if (whitespaceSplit.preTokenizeString('a' + s + 'a').length === 2) flags[c] |= RUST_SPACE;
  if (digits.preTokenizeString('a' + s + 'a').length === 3) flags[c] |= NUMERIC;
  if (punctuation.preTokenizeString('a' + s + 'a').length === 3) flags[c] |= PUNCTUATION;
  const cleaned = clean.normalizeString(s);
  if (cleaned === '') flags[c] |= BERT_CONTROL;
  if (cleaned === ' ') flags[c] |= BERT_SPACE;
  if (accents.normalizeString(s) === '') flags[c] |= NONSPACING;
  if (combining.normalizeString(s) === '') flags[c] |= COMBINING;
}

/** Runs of equal values: value, then length as a base-128 number, low group first. */
function runs(values) {
  const bytes = [];
  for (let i = 0; i < values.length;) {
    let j = i; while (j < values.length && values[j] === values[i]) j++;
    bytes.push(values[i]); varint(bytes, j - i); i = j;
  }
  return Buffer.from(bytes);
}
function varint(bytes, n) { while (n >= 128) { bytes.push(n & 127 | 128); n >>>= 7; } bytes.push(n); }
const literal = (name, comment, buffer) => {
  const text = buffer.toString('base64').match(/.{1,140}/g) ?? [''];
  return `    /// <summary>${comment}</summary>\n    internal const string ${name} =\n${text.map(l => `        "${l}"`).join(' +\n')};\n`;
};
const parts = [
  literal('Categories', 'Runs of (category, length): Oniguruma\'s general categories with two of them divided, see <see cref="CodePoints"/>.', runs(category)),
  literal('Flags', 'Runs of (flags, length): classes of the Rust libraries, see <see cref="CodePointFlags"/>.', runs(flags)),
];
// ---- scripts and derived properties of Oniguruma: name:base64 of the lengths of runs, outside first
const properties = ('Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian ' +
  'Caucasian_Albanian Chakma Cham Cherokee Common Coptic Cuneiform Cypriot Cyrillic Deseret Devanagari Ethiopic Georgian Glagolitic Gothic Greek Gujarati Gurmukhi Han Hangul Hebrew Hiragana ' +
  'Inherited Javanese Kannada Katakana Khmer Lao Latin Malayalam Mongolian Myanmar Ogham Old_Italic Oriya Runic Sinhala Syriac Tagalog Tamil Telugu Thaana Thai Tibetan Tifinagh Yi Vai Nko ' +
  'Alpha Alphabetic Lower Lowercase Upper Uppercase Alnum Punct Graph Print Ideographic Emoji Emoji_Presentation Emoji_Modifier Emoji_Modifier_Base Extended_Pictographic ID_Start ID_Continue XID_Start XID_Continue Math ' +
  'Hex_Digit Diacritic Cased Case_Ignorable Default_Ignorable_Code_Point Grapheme_Extend Grapheme_Base Variation_Selector Dash Hyphen Quotation_Mark Unified_Ideograph').split(' ');
const propertyLines = properties.map(name => {
  const set = onig('\\p{' + name + '}'), bytes = [];
  for (let i = 0, inside = 0; i < LIMIT; inside ^= 1) { let j = i; while (j < LIMIT && !!set[j] === !!inside) j++; varint(bytes, j - i); i = j; }
  return name.toLowerCase().replace(/_/g, '') + ':' + Buffer.from(bytes).toString('base64');
});
const propertyLiteral = `    /// <summary>Scripts and derived properties of Oniguruma: a line each, name and the base64 of run lengths, outside first.</summary>\n    internal const string Properties =\n`
  + propertyLines.map((l, i) => l.match(/.{1,140}/g).map((x, k, a) => `        "${x}${k === a.length - 1 && i < propertyLines.length - 1 ? '\\n' : ''}"`).join(' +\n')).join(' +\n') + ';\n';
const { normalization } = await import('./unicode-normalization.mjs').catch(e => { console.error(String(e)); return { normalization: null }; });
parts.push(propertyLiteral);
if (normalization) parts.push(...normalization({ normalizer, preTokenizer, scalars, str, runs, varint, literal }));
process.stdout.write(`// <auto-generated by tools/tokenizers/unicode-tables.mjs from npm tokenizers 0.23.2/>
namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Unicode as the reference library knows it, measured code point by code point; base64 of run-length codes.</summary>
internal static class UnicodeTables
{
${parts.join('\n')}}
`);
