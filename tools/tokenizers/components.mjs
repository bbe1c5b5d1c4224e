// Small tokenizers with random pipelines (every normalizer, pre-tokenizer, model, post-processor and decoder) against the reference: what no single real tokenizer covers.
// node components.mjs [--configs 100] [--strings 300] [--seed 1]
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { random, string } from './strings.mjs';
import { buildCharsmap } from './charsmap.mjs';
import { T, compare } from './compare.mjs';

const option = (name, value) => { const i = process.argv.indexOf(name); return i < 0 ? value : +process.argv[i + 1]; };
const configs = option('--configs', 100), count = option('--strings', 300), seed = option('--seed', 1), only = option('--only', -1);
const regexes = ['\\s+', '\\p{L}+', '\\p{Lu}?\\p{Ll}+|\\d', '[^\\s\\w]+', '\\w+|[^\\w\\s]+', "(?i:'s|'t|'ll)|\\p{L}+", '[a-zA-Z]+(?=\\d)', '(?<=[0-9])[a-z]', '(?<!\\p{L})\\p{N}+', '\\b\\w', '^\\s+|\\s+$', ' {2,}', '.', '(?m).', '[\\p{Han}\\p{Hiragana}\\p{Katakana}]+',
  '\\p{N}{1,3}', '[一-龥぀-ゟ゠-ヿ]+', '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+', '(?:a|ab)+c?', 'a*?b', '[[:punct:]]+', '[^\\x00-\\x7f]', '\\P{L}+', '[\\w&&[^\\d]]+', '(?>a+)b|\\S', '(\\d)(?=(\\d{3})+\\b)', '', 'x*', '\\p{Emoji}', '(?i)straße|[k-s]', '[^a-z]{2,4}?', '[\\p{L}\\p{M}]++', '\\A.|.\\z', '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'];
const behaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'];
// As the maps of T5 and XLM-R: compatibility forms, control characters to nothing or a space, letters with marks to one letter, some whole graphemes.
const charsmap = (() => {
  const map = new Map([['\r\n', '\n'], ['\t', ' '], ['\n', ' '], ['\r', ' '], ['\u00a0', ' '], ['\u3000', ' '], ['\u200b', ''], ['\u00ad', ''], ['\ufeff', ''], ['\x07', ''], ['\x7f', ''], ['k', 'K'], ['©', '(c)'], ['\u0301', ''], ['\u200d', ''], ['日', '日日']]);
  for (const [a, b] of [[0xa0, 0x180], [0x2100, 0x2190], [0x2460, 0x24a0], [0x3300, 0x3340], [0xfb00, 0xfb07], [0xfe50, 0xfe70], [0xff01, 0xff60], [0x1d400, 0x1d420]]) for (let i = a; i < b; i++) { const s = String.fromCodePoint(i), n = s.normalize('NFKC'); if (n !== s) map.set(s, n); }
  for (const base of 'aeiouyn') for (const mark of ['\u0300', '\u0308', '\u0323']) map.set(base + mark, (base + mark).normalize('NFC'));
  return buildCharsmap(map);
})();

function pattern(r) { return r.chance(0.3) ? { String: r.pick([' ', 'a', '  ', '▁', 'the', '.', 'aa', '\n']) } : { Regex: r.pick(regexes) }; }
function normalizer(r, depth = 0) {
  const b = () => r.chance(0.5);
  return r.pick([
    () => ({ type: r.pick(['NFC', 'NFD', 'NFKC', 'NFKD']) }), () => ({ type: r.pick(['Lowercase', 'StripAccents', 'Nmt', 'ByteLevel']) }),
    () => ({ type: 'BertNormalizer', clean_text: b(), handle_chinese_chars: b(), strip_accents: r.pick([null, true, false]), lowercase: b() }),
    () => ({ type: 'Strip', strip_left: b(), strip_right: b() }), () => ({ type: 'Prepend', prepend: r.pick(['▁', 'x ', ' ']) }),
    () => ({ type: 'Replace', pattern: pattern(r), content: r.pick(['', '▁', ' ', 'xy']) }),
    () => ({ type: 'Precompiled', precompiled_charsmap: charsmap }),
    () => depth < 2 ? { type: 'Sequence', normalizers: Array.from({ length: r.below(4) }, () => normalizer(r, depth + 1)) } : { type: 'NFC' },
  ])();
}
function preTokenizer(r, depth = 0) {
  const b = () => r.chance(0.5);
  return r.pick([
    () => ({ type: 'ByteLevel', add_prefix_space: b(), trim_offsets: b(), use_regex: b() }), () => ({ type: r.pick(['BertPreTokenizer', 'Whitespace', 'WhitespaceSplit', 'UnicodeScripts']) }),
    () => ({ type: 'Split', pattern: pattern(r), behavior: r.pick(behaviors), invert: b() }), () => ({ type: 'Split', pattern: { Regex: r.pick(regexes) }, behavior: r.pick(behaviors), invert: b() }), () => ({ type: 'Digits', individual_digits: b() }), () => ({ type: 'Punctuation', behavior: r.pick(behaviors) }),
    () => ({ type: 'Metaspace', replacement: '▁', prepend_scheme: r.pick(['always', 'first', 'never']), split: b() }), () => ({ type: 'Metaspace', replacement: '▁', add_prefix_space: true }),
    () => ({ type: 'CharDelimiterSplit', delimiter: r.pick([' ', 'a', 'е']) }), () => ({ type: 'FixedLength', length: 1 + r.below(4) }),
    () => depth < 2 ? { type: 'Sequence', pretokenizers: Array.from({ length: 1 + r.below(3) }, () => preTokenizer(r, depth + 1)) } : { type: 'WhitespaceSplit' },
  ])();
}
function decoder(r, depth = 0) {
  const b = () => r.chance(0.5);
  return r.pick([
    () => ({ type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true }), () => ({ type: 'WordPiece', prefix: '##', cleanup: b() }), () => ({ type: 'Metaspace', replacement: '▁', prepend_scheme: r.pick(['always', 'first', 'never']), split: b() }),
    () => ({ type: 'Replace', pattern: { String: '▁' }, content: ' ' }), () => ({ type: 'ByteFallback' }), () => ({ type: 'Fuse' }), () => ({ type: 'Strip', content: ' ', start: r.below(3), stop: 0 }),
    () => ({ type: 'Sequence', decoders: depth ? [{ type: 'Fuse' }] : Array.from({ length: 1 + r.below(4) }, () => decoder(r, 1)) }),
    () => ({ type: 'Sequence', decoders: [{ type: 'Replace', pattern: { String: '▁' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }, { type: 'Strip', content: ' ', start: 1, stop: 0 }] }),
  ])();
}
const alphabet = T.byteLevelAlphabet();
function model(r, sample, endsInBytes) {
  const b = () => r.chance(0.5);
  const pieces = new Set();
  for (const [piece] of sample) { const cp = Array.from(piece); for (let i = 0; i < 3 && cp.length; i++) { const at = r.below(cp.length); pieces.add(cp.slice(at, at + 1 + r.below(5)).join('')); } pieces.add(cp.slice(0, 1 + r.below(6)).join('')); pieces.add(piece.slice(0, 40).toWellFormed()); }
  pieces.delete('');
  const chars = [...new Set([...pieces].flatMap(p => Array.from(p)))].filter(() => r.chance(0.9));
  const kind = r.pick(['BPE', 'BPE', 'BPE', 'Unigram', 'WordPiece', 'WordLevel']);
  const bytes = Array.from({ length: 256 }, (_, i) => '<0x' + i.toString(16).toUpperCase().padStart(2, '0') + '>');
  if (kind === 'WordLevel') { const vocab = {}; for (const t of ['[UNK]', ...pieces]) vocab[t] ??= Object.keys(vocab).length; return { type: kind, vocab, unk_token: '[UNK]' }; }
  if (kind === 'WordPiece') { const vocab = {}; for (const t of ['[UNK]', ...chars, ...chars.map(c => '##' + c), ...pieces, ...[...pieces].map(p => '##' + p)]) vocab[t] ??= Object.keys(vocab).length; return { type: kind, vocab, unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: r.pick([100, 10]) }; }
  if (kind === 'Unigram') { const vocab = [['<unk>', 0], ...(b() ? bytes.map(t => [t, -20]) : []), ...[...new Set([...chars, ...pieces])].map(t => [t, -(1 + r.below(200) / 10)])]; return { type: kind, vocab, unk_id: 0, byte_fallback: b() }; }
  const prefix = r.chance(0.2) ? '##' : null, suffix = r.chance(0.2) ? '</w>' : null;
  const vocab = {}; const add = t => { vocab[t] ??= Object.keys(vocab).length; };
  ['<unk>', ...(b() ? bytes : bytes.slice(0, 100)), ...chars].forEach(add);
  if (prefix) chars.forEach(c => add(prefix + c)); if (suffix) chars.forEach(c => add(c + suffix)); if (prefix && suffix) chars.forEach(c => add(prefix + c + suffix));
  const merges = []; const seen = new Set();
  for (const p of pieces) {                          // train a little: join symbols at random
    let symbols = Array.from(p).map((c, i, a) => (i && prefix ? prefix : '') + c + (i === a.length - 1 && suffix ? suffix : ''));
    if (!symbols.every(s => s in vocab)) continue;
    while (symbols.length > 1 && r.chance(0.85)) { const i = r.below(symbols.length - 1), a = symbols[i], c = symbols[i + 1], t = a + (prefix ? c.slice(prefix.length) : c); if (a.includes(' ') || c.includes(' ')) break; add(t); if (!seen.has(a + ' ' + c)) { seen.add(a + ' ' + c); merges.push([a, c]); } symbols.splice(i, 2, t); }
  }
  for (let i = merges.length - 1; i > 0; i--) if (r.chance(0.3)) { const j = r.below(i + 1); [merges[i], merges[j]] = [merges[j], merges[i]]; }
  return { type: kind, dropout: null, unk_token: r.chance(0.7) ? '<unk>' : null, continuing_subword_prefix: prefix, end_of_word_suffix: suffix, fuse_unk: b(), byte_fallback: b(), ignore_merges: b(), vocab, merges: b() ? merges : merges.map(m => m.join(' ')) };
}
const shell = parts => ({ version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, model: { type: 'WordLevel', vocab: { '[UNK]': 0 }, unk_token: '[UNK]' }, ...parts });

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tokenizer-')); let bad = 0, total = 0, refused = 0;
if (only < 0) {                                      // the reference may abort its process: one child a configuration
  let crashed = 0;
  for (let n = 0; n < configs; n++) {
    const child = spawnSync(process.execPath, [process.argv[1], '--only', n, '--strings', count, '--seed', seed], { encoding: 'utf8', timeout: 60000, maxBuffer: 1 << 26 });
    const last = /1 configurations, (\d+) refused.* (\d+) strings, (\d+) configurations differ/.exec(child.stdout ?? '');
    if (!last) { crashed++; if (child.error) console.log(`config ${n}: ${child.error}`); continue; }
    refused += +last[1]; total += +last[2]; bad += +last[3];
    if (+last[3]) console.log(child.stdout.split('\n').slice(0, -2).join('\n'));
  }
  console.log(`${configs} configurations, ${refused} refused by the reference, ${crashed} that crash it, ${total} strings, ${bad} configurations differ, seed ${seed}`);
  fs.rmSync(folder, { recursive: true });
  process.exit(bad ? 1 : 0);
}
for (let n = only; n <= only; n++) {
  const r = random(seed * 7919 + n);
  const norm = r.chance(0.6) ? normalizer(r) : null, pre = r.chance(0.85) ? preTokenizer(r) : null;
  const tokens = r.chance(0.5) ? ['<s>', '</s>', '<a>', '<a>b', 'the', ' ', '\n\n', 'é', 'ﬁ', '[MASK]', '▁x', 'A'].filter(() => r.chance(0.4)) : [];
  const special = [...tokens, 'a', 'b'];
  const texts = Array.from({ length: count }, () => string(r, special)).filter(t => t.length < 3000);
  let t;
  try {
    const half = T.Tokenizer.fromString(JSON.stringify(shell({ normalizer: norm, pre_tokenizer: pre })));
    const sample = texts.slice(0, 60).flatMap(x => { let s = x.toWellFormed(); if (norm) s = half.getNormalizer().normalizeString(s); return pre ? half.getPreTokenizer().preTokenizeString(s).slice(0, 20) : [[s]]; });
    const m = model(r, sample);
    const added = tokens.map((content, i) => ({ id: 100000 + i, content, single_word: r.chance(0.3), lstrip: r.chance(0.3), rstrip: r.chance(0.3), normalized: r.chance(0.4), special: r.chance(0.5) }))
      // We differ on purpose where the vocabulary spells a control token and the reference's model may then emit it.
      .map(a => a.single_word || a.content.includes('▁') ? { ...a, special: false, single_word: a.single_word, normalized: a.content.includes('▁') ? false : a.normalized } : a).filter(a => !a.content.includes('▁') || !(a.content in m.vocab));
    const post = r.pick([null, { type: 'TemplateProcessing', single: [{ SpecialToken: { id: 'X', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: 'Y', type_id: 0 } }], pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }], special_tokens: { X: { id: 'X', ids: [1, 2], tokens: ['x', 'y'] }, Y: { id: 'Y', ids: [3], tokens: ['z'] } } },
      { type: 'BertProcessing', sep: ['s', 2], cls: ['c', 1] }, { type: 'RobertaProcessing', sep: ['s', 2], cls: ['c', 1], trim_offsets: true, add_prefix_space: true }, { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true }]);
    t = shell({ normalizer: norm, pre_tokenizer: pre, model: m, added_tokens: added, post_processor: post, decoder: r.chance(0.85) ? decoder(r) : null });
    fs.writeFileSync(path.join(folder, 'tokenizer.json'), JSON.stringify(t));
    T.Tokenizer.fromFile(path.join(folder, 'tokenizer.json'));
  } catch (e) { refused++; continue; }
  let differences;
  try { differences = await compare(folder, texts); } catch (e) { differences = [{ what: 'error', text: String(e).slice(0, 700), ours: '', reference: '' }]; }
  total += texts.length;
  if (differences.length) {
    bad++;
    const { vocab, merges, ...rest } = t.model;
    console.log(`config ${n}: ${differences.length} of ${texts.length} differ: ${JSON.stringify({ ...t, model: rest })}`);
    for (const d of differences.sort((a, b) => a.text.length - b.text.length).slice(0, 2)) console.log('   ' + d.what + ' ' + JSON.stringify(d.text).slice(0, 500) + '\n    ours ' + JSON.stringify(d.ours).slice(0, 200) + '\n    ref  ' + JSON.stringify(d.reference).slice(0, 200));
  }
}
if (process.env.KEEP) fs.copyFileSync(path.join(folder, 'tokenizer.json'), process.env.KEEP);
fs.rmSync(folder, { recursive: true });
console.log(`1 configurations, ${refused} refused by the reference, ${total} strings, ${bad} configurations differ, seed ${seed}`);
