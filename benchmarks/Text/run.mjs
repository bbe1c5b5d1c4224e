// Tokenizer speed beside the reference library (npm tokenizers, one thread), the same texts in the same run.
// KVPREFETCH_TOKENIZERS=... node run.mjs [--load | --speed] NAME=FOLDER...
// Load: the tokenizer's file read in a fresh process, ours and the reference's in turn, medians of seven; and again in our process. Speed:   Texts of about 1 MB each: English, code, Chinese, base64, a megabyte without a space, and the English again as documents of 2,000 characters.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { random } from '../../tools/tokenizers/strings.mjs';
process.env.RAYON_NUM_THREADS = '1'; process.env.TOKENIZERS_PARALLELISM = 'false';
const T = createRequire(path.join(process.env.KVPREFETCH_TOKENIZERS ?? process.cwd(), 'x.js'))('tokenizers');
const here = path.dirname(new URL(import.meta.url).pathname);
const program = path.join(here, 'bin/Release/net10.0/TextBenchmark');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'text-'));
const r = random(11);

// Prose and code: this machine's own licence texts, package documentation and sources; Chinese: characters by a falling frequency; all cut to 1 MB.
const collect = (root, test, limit) => { let out = ''; const walk = d => { for (const e of fs.readdirSync(d, { withFileTypes: true })) { if (out.length >= limit) return; const p = path.join(d, e.name); try { if (e.isDirectory()) walk(p); else if (test(p)) out += fs.readFileSync(p, 'utf8') + '\n'; } catch { } } }; walk(root); return out.slice(0, limit); };
const common = Array.from('的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运');
const chinese = () => { let s = ''; while (Buffer.byteLength(s) < 1e6) { for (let i = 3 + r.below(15); i > 0; i--) s += common[Math.floor(common.length * r.next() ** 2.2)]; s += r.pick(['，', '。', '，', '、', '：', '！\n']); } return s; };
const base64 = n => { let s = ''; const a = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'; while (s.length < n) s += a[r.below(64)]; return s; };
const texts = {
  english: collect('/usr/share', p => /copyright$|README|\.txt$/i.test(p), 1e6).replaceAll('\f', ' '),
  code: collect(path.join(here, '../../src'), p => p.endsWith('.cs') && !p.endsWith('Tables.cs'), 1e6),
  chinese: chinese(),
  base64: base64(1e6).replace(/(.{76})/g, '$1\n'),
  nospace: base64(1e6),
  letters: Array.from({ length: 1e6 }, () => 'etaoinshrdlu'[r.below(12)]).join(''),
};
texts.documents = texts.english.replaceAll('\f', ' ').match(/[^]{1,2000}/g).join('\f');
while (texts.code.length < 9e5) texts.code += texts.code.slice(0, 9e5 - texts.code.length);
for (const [name, text] of Object.entries(texts)) fs.writeFileSync(path.join(folder, name + '.txt'), text);

const best = async action => { let b = Infinity; const begin = performance.now(); for (let i = 0; i < 2 || performance.now() - begin < 1000; i++) { const t = performance.now(); await action(); b = Math.min(b, performance.now() - t); if (performance.now() - begin > 20000) break; } return b / 1000; };
console.log(`machine: ${os.cpus()[0].model}, ${os.cpus().length} cores; node ${process.version}, tokenizers ${JSON.parse(fs.readFileSync(path.join(process.env.KVPREFETCH_TOKENIZERS ?? '.', 'node_modules/tokenizers/package.json'))).version}; one thread`);
const targets = process.argv.slice(2).filter(a => !a.startsWith('--')).map(a => a.split('='));
const median = values => values.toSorted((x, y) => x - y)[values.length >> 1];
if (!process.argv.includes('--speed')) {
  console.log(`\nload average ${os.loadavg()[0].toFixed(1)}\n| tokenizer | file MB | ours, first load ms | again | reference ms | reference / ours, median of the rounds |\n|---|---|---|---|---|---|`);
  const fresh = `const T = require('module').createRequire(process.argv[1])('tokenizers'); const t = performance.now(); T.Tokenizer.fromFile(process.argv[2]); console.log(performance.now() - t);`;
  for (const [name, model] of targets) {
    const rounds = Array.from({ length: 7 }, () => {
      const ours = JSON.parse(execFileSync(program, [model], { encoding: 'utf8' }));
      return { ...ours, reference: +execFileSync(process.execPath, ['-e', fresh, path.join(process.env.KVPREFETCH_TOKENIZERS ?? process.cwd(), 'x.js'), path.join(model, 'tokenizer.json')], { encoding: 'utf8' }) };
    });
    const of = f => median(rounds.map(f)).toFixed(0);
    console.log(`| ${name} | ${(fs.statSync(path.join(model, 'tokenizer.json')).size / 1e6).toFixed(1)} | ${of(r => r.loadMs)} | ${of(r => r.secondLoadMs)} | ${of(r => r.reference)} | ${median(rounds.map(r => r.reference / r.loadMs)).toFixed(2)} |`);
  }
}

if (process.argv.includes('--load')) process.exit(0);
console.log('| tokenizer | text | encode MB/s | reference | ratio | decode MB/s | reference | ratio | bytes allocated a token |\n|---|---|---|---|---|---|---|---|---|');
for (const [name, model] of targets) {
  const ours = execFileSync(program, [model, ...Object.keys(texts).map(t => path.join(folder, t + '.txt'))], { encoding: 'utf8', env: { ...process.env, DOTNET_TieredCompilation: '1' } }).trim().split('\n').map(JSON.parse);
  const reference = T.Tokenizer.fromFile(path.join(model, 'tokenizer.json'));
  reference.disablePadding(); reference.disableTruncation();
  for (const row of ours.slice(1)) {
    const text = texts[row.text];
    const documents = text.split('\f');
    const ids = (await reference.encodeBatch(documents, { addSpecialTokens: false })).flatMap(e => e.getIds());
    if (ids.length !== row.tokens) console.log(`different number of tokens: ${ids.length}`);
    const e = row.bytes / await best(() => documents.length > 1 ? reference.encodeBatch(documents, { addSpecialTokens: false }) : reference.encode(text, null, { addSpecialTokens: false })) / 1e6;
    const d = row.bytes / await best(() => reference.decode(ids, false)) / 1e6;
    console.log(`| ${name} | ${row.text} | ${row.encodeMBs} | ${e.toFixed(2)} | ${(row.encodeMBs / e).toFixed(1)} | ${row.decodeMBs} | ${d.toFixed(2)} | ${(row.decodeMBs / d).toFixed(1)} | ${row.allocatedPerToken} |`);
  }
}
fs.rmSync(folder, { recursive: true });
