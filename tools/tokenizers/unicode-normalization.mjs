// The second half of unicode-tables.mjs: decompositions, compositions, combining order, lower case, scripts and grapheme classes, all asked from the reference.
import { buildCharsmap } from './charsmap.mjs';

export function normalization({ normalizer, preTokenizer, scalars, str, runs, varint, literal }) {
  const LIMIT = 0x110000;
  const one = type => { const n = normalizer({ type }); return s => n.normalizeString(s); };
  const nfd = one('NFD'), nfkd = one('NFKD'), nfc = one('NFC'), lower = one('Lowercase');
  const cps = s => Array.from(s, ch => ch.codePointAt(0));
  const isHangul = c => c >= 0xac00 && c <= 0xd7a3;

  /** (step from the last code point, length, code points) of every mapping. */
  const mappings = list => {
    const bytes = []; let last = 0;
    for (const [c, to] of list) { varint(bytes, c - last); varint(bytes, to.length); for (const t of to) varint(bytes, t); last = c; }
    return Buffer.from(bytes);
  };

  const canonical = [], compatible = [], lowers = [];
  for (const c of scalars) {
    const s = str(c);
    const l = lower(s); if (l !== s) lowers.push([c, cps(l)]);
    if (isHangul(c)) continue;
    const d = nfd(s); if (d !== s) canonical.push([c, cps(d)]);
    const k = nfkd(s); if (k !== d) compatible.push([c, cps(k)]);
  }
  const compositions = [];
  for (const [c, d] of canonical) {
    if (d.length < 2 || nfc(d.map(str).join('')) !== str(c)) continue;
    const first = cps(nfc(d.slice(0, -1).map(str).join('')));
    if (first.length !== 1 || nfc(str(first[0]) + str(d.at(-1))) !== str(c)) { console.error('no pair for', c.toString(16)); continue; }
    compositions.push([c, [first[0], d.at(-1)]]);
  }

  // combining classes: only their order matters
  const decomposes = new Set(canonical.map(([c]) => c));
  const swaps = (a, b) => nfd(str(a) + str(b)) === str(b) + str(a);
  const moving = scalars.filter(c => !decomposes.has(c) && !isHangul(c) && (swaps(c, 0x334) || swaps(0x345, c)));
  const classes = [];                                // sorted representatives
  const classOf = new Map();
  for (const c of moving) {
    let low = 0, high = classes.length, equal = -1;
    while (low < high) {
      const mid = low + high >> 1, r = classes[mid][0];
      if (swaps(r, c)) high = mid; else if (swaps(c, r)) low = mid + 1; else { equal = mid; break; }
    }
    if (equal >= 0) classes[equal].push(c); else classes.splice(low, 0, [c]);
  }
  const order = new Uint8Array(LIMIT);
  classes.forEach((members, i) => members.forEach(c => { order[c] = i + 1; }));
  console.error('combining classes', classes.length, 'members', moving.length, 'canonical', canonical.length, 'compatible', compatible.length, 'compositions', compositions.length, 'lower', lowers.length);

  // scripts: 0 = any
  const scripts = preTokenizer({ type: 'UnicodeScripts' });
  const together = (a, b) => scripts.preTokenizeString(a + b).length === 1;
  const script = new Uint8Array(LIMIT), representatives = [];
  let last = -1;
  for (const c of scalars) {
    const s = str(c);
    if (together('a', s) && together('\u03b1', s)) continue;
    if (last < 0 || !together(representatives[last], s)) {
      last = representatives.findIndex(r => together(r, s));
      if (last < 0) { last = representatives.length; representatives.push(s); }
    }
    script[c] = last + 1;
  }
  console.error('scripts', representatives.length);

  // grapheme classes, as far as clusters below six bytes show them: through a charsmap that maps single characters to X
  const EXTEND = 1, CONTROL = 2, PREPEND = 4, PICTOGRAPH = 8;
  const grapheme = new Uint8Array(LIMIT);
  const base = charsmap(normalizer, [0x61]);
  const copyright = charsmap(normalizer, [0xa9]);
  for (const c of scalars) {
    if (c === 0x61 || c === 0) continue;
    if (base('a' + str(c)) === 'X') grapheme[c] |= EXTEND;
    if (c !== 0xa9 && copyright('\u00a9\u200d' + str(c)) !== 'X' + str(c)) grapheme[c] |= PICTOGRAPH;
  }
  for (let start = 0; start < LIMIT; start += 4096) {
    const batch = scalars.filter(c => c >= start && c < start + 4096 && c !== 0);
    if (batch.length === 0) continue;
    const map = charsmap(normalizer, batch);
    for (const c of batch) {
      if (c < 0x10000 && c !== 0x301 && map(str(c) + '\u0301') !== 'X') grapheme[c] |= CONTROL;
      const letter = c === 0x61 ? 'b' : 'a';
      if (map(str(c) + letter) === 'X') grapheme[c] |= PREPEND;
    }
  }
  grapheme[0xa9] |= PICTOGRAPH;
  const count = flag => grapheme.reduce((n, g) => n + (g & flag ? 1 : 0), 0);
  console.error('grapheme: extend', count(EXTEND), 'control', count(CONTROL), 'prepend', count(PREPEND), 'pictographs', count(PICTOGRAPH));

  return [
    literal('Canonical', 'Full canonical decompositions, Hangul excepted: (step, length, code points).', mappings(canonical)),
    literal('Compatible', 'Full compatibility decompositions that differ from the canonical ones.', mappings(compatible)),
    literal('Compositions', 'Primary composites: (step, 2, first, second).', mappings(compositions)),
    literal('CombiningOrder', 'Runs of (rank of the canonical combining class, length); 0 = starter.', runs(order)),
    literal('Lowercase', 'Lower case of Rust, where it differs from the character.', mappings(lowers)),
    literal('Scripts', 'Runs of (script number, length) as the UnicodeScripts pre-tokenizer has them; 0 = any.', runs(script)),
    literal('Graphemes', 'Runs of (flags, length): 1 extends, 2 takes no extension, 4 prepends, 8 pictograph.', runs(grapheme)),
  ];
}

/** A Precompiled normalizer that maps each of some code points to X. */
function charsmap(normalizer, codePoints) {
  const n = normalizer({ type: 'Precompiled', precompiled_charsmap: buildCharsmap(new Map(codePoints.map(c => [String.fromCodePoint(c), 'X']))) });
  return s => n.normalizeString(s);
}
