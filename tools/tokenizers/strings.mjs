// Strings that tokenizers find hard, from a seed: all Unicode planes, mixed scripts, white space runs, code, digits, emoji sequences, marks, control characters, lone surrogates.

export function random(seed) {                       // mulberry32
  let a = seed >>> 0;
  const next = () => { a = a + 0x6d2b79f5 | 0; let t = Math.imul(a ^ a >>> 15, 1 | a); t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t; return ((t ^ t >>> 14) >>> 0) / 4294967296; };
  const below = n => Math.floor(next() * n);
  return { next, below, pick: list => list[below(list.length)], chance: p => next() < p };
}

const words = ('the of and to in is that for it as with was on be by this are from at or an not which have has their can more other about into than its time only some could them see other then '
  + "don't I'm you're we've he'll she'd it's DON'T I'M YOU'RE WE'VE HE'LL 'S 'T 'Re 'lL 'ſ n't 'tis rock'n'roll O'Neill isn't a's A'S "
  + 'Donaudampfschifffahrt naïve café São façade Ünïcödé Straße İstanbul ısı ΑΒΓ αβγ ς σ Привет мир как дела здравствуйте 你好 世界 今天天气 こんにちは カタカナ ひらがな 東京タワー 안녕하세요 대한민국 สวัสดี नमस्ते हिन्दी '
  + 'বাংলা தமிழ் العربية مرحبا שלום עברית ქართული Հայերեն አማርኛ ភាសាខ្មែរ မြန်မာ བོད་ཡིག ᠮᠣᠩᠭᠣᠯ ዘመን ᏣᎳᎩ ꦗꦮ 𐍈𐌰𐌽 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙𝟚 ①②③ Ⅷ ½ ² ³ ﬁ ﬂ ﷺ ㎏ ㍿ ｆｕｌｌ ｗｉｄｔｈ ｶﾀｶﾅ 가각 가').split(' ');
const code = ['function f(x) {\n\treturn x + 1;\n}\n', 'for (int i = 0; i < n; ++i) sum += a[i];', 'SELECT * FROM t WHERE id=42;', '<div class="a">text</div>', '{"key": [1, 2.5e-3, null, "v\\n"]}', '    def __init__(self):\n        pass\n',
  'x = y**2 // 3 != 4 && !z || w', '#include <stdio.h>\r\n', 'https://example.com/a?b=c&d=%20#e', 'camelCaseIdentifier snake_case_identifier SCREAMING_CASE kebab-case XMLHttpRequest iPhone', '0xDEADBEEF 1_000_000 3.14159 1e10', '/* comment */ // more ///', '\\frac{a}{b}_{i}^{2}', '$HOME/.config/*', '```python\nprint("hi")\n```', 'a.b.c->d::e', '!!!???...---===***', '[INST] <<SYS>> </s>', 'i++;;\n\n\n}'];
const spaces = [' ', '  ', '   ', '        ', '\t', '\n', '\r\n', '\n\n', '\r', '\v', '\f', '\u0085', '\u00a0', '\u1680', '\u2003', '\u2028', '\u2029', '\u202f', '\u205f', '\u3000', '\u200b', '\ufeff', ' \n', '\n ', '\t \t', '\u180e', '▁', '▁▁'];
const emoji = ['😀', '👍🏽', '👨‍👩‍👧‍👦', '🏳️‍🌈', '🇩🇪', '🇺🇸🇬🇧', '❤️', '☺', '1️⃣', '🧑🏿‍💻', '🫠', '©', '®', '™', '‼️', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '🪿', '👩‍❤️‍💋‍👨'];
const marks = ['\u0301', '\u0300', '\u0308', '\u0323', '\u0345', '\u0327', '\u0334', '\u20dd', '\u093c', '\u094d', '\u05b0', '\u064b', '\u3099', '\u309a', '\u200d', '\u200c', '\ufe0f', '\u0f71', '\u302a', '\u1dce'];
const controls = ['\0', '\x01', '\x07', '\b', '\x1b', '\x1f', '\x7f', '\u0080', '\u009f', '\u00ad', '\ufffd', '\ufffe', '\uffff', '\u202e', '\u2066', '\u2060', '\ue000', '\u{f0000}', '\u{10ffff}', '\u{e0001}'];
const lone = ['\ud800', '\udfff', '\udc00', '\udbff'];
const planes = [[0x20, 0x7e], [0xa0, 0x2ff], [0x300, 0x36f], [0x370, 0x5ff], [0x600, 0x8ff], [0x900, 0x109f], [0x10a0, 0x1fff], [0x2000, 0x2bff], [0x2c00, 0x33ff], [0x3400, 0x9fff], [0xa000, 0xabff], [0xac00, 0xd7a3], [0xe000, 0xffff],
  [0x10000, 0x10fff], [0x11000, 0x1ffff], [0x20000, 0x2ffff], [0x30000, 0x3ffff], [0xe0000, 0xe0fff], [0xf0000, 0x10ffff]];

/** One string. `special` are texts of added tokens to mix in now and then. */
export function string(r, special = []) {
  const codePoint = () => { const [a, b] = r.pick(planes); return String.fromCodePoint(a + r.below(b - a + 1)); };
  const repeat = (make, max) => Array.from({ length: 1 + r.below(max) }, make).join('');
  const kinds = [
    () => r.pick(words), () => r.pick(words) + ' ', () => ' ' + r.pick(words), () => r.pick(words).toUpperCase(), () => repeat(() => r.pick(words) + ' ', 12),
    () => r.pick(code), () => r.pick(spaces), () => repeat(() => r.pick(spaces), 6), () => r.pick(spaces).repeat(1 + r.below(20)),
    () => repeat(() => r.pick('0123456789'), 12), () => repeat(() => r.pick('0123456789٠١٢३४५๑๒①½²Ⅻ𝟗一'), 8), () => r.pick(emoji), () => repeat(() => r.pick(emoji), 4),
    () => r.pick(words) + repeat(() => r.pick(marks), 4), () => repeat(() => r.pick(marks), 5), () => r.pick(controls), () => repeat(codePoint, 8), () => codePoint(),
    () => { const [a, b] = r.pick(planes); return repeat(() => String.fromCodePoint(a + r.below(b - a + 1)), 12); },
    () => r.pick('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~').repeat(1 + r.below(4)), () => repeat(() => r.pick('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'), 6),
    () => repeat(() => r.pick('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/'), 60), () => r.pick('aAzZeE us中の한'.split('')).repeat(1 + r.below(40)),
    () => special.length ? r.pick(special) : r.pick(words), () => special.length && r.chance(0.5) ? r.pick(spaces) + r.pick(special) + r.pick(spaces) : r.pick(words),
    () => special.length ? r.pick(special).slice(r.below(3)) : '', () => r.pick("'’ʼ`") + r.pick(['s', 't', 're', 've', 'm', 'll', 'd', 'S', 'LL', 'ſ', 'x']),
  ];
  let text = '';
  const parts = r.chance(0.1) ? 1 + r.below(40) : 1 + r.below(8);
  for (let i = 0; i < parts; i++) text += r.pick(kinds)();
  if (r.chance(0.02)) { const at = r.below(text.length + 1); text = text.slice(0, at) + r.pick(lone) + text.slice(at); }
  return text;
}
