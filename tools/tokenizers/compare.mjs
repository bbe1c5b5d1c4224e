// Compares our tokenizer (samples/Tokens --jsonl) with the reference library (npm tokenizers) on generated strings.
// node compare.mjs [--count 200000] [--seed 1] [--tokens PATH_OF_Tokens] NAME=FOLDER...     needs TOKENIZERS_MODULES or KVPREFETCH_TOKENIZERS: the folder with node_modules/tokenizers
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { random, string } from './strings.mjs';

const modules = process.env.TOKENIZERS_MODULES ?? process.env.KVPREFETCH_TOKENIZERS ?? process.cwd();
export const T = createRequire(path.join(modules, 'x.js'))('tokenizers');
const here = path.dirname(new URL(import.meta.url).pathname);
export const defaultTokens = path.join(here, '../../samples/Tokens/bin/Release/net10.0/Tokens');

/** JSON in which lone surrogates are escapes, on one line. */
const json = value => JSON.stringify(value);

/** Runs both over the texts; returns the differences. */
export async function compare(folder, texts, tokens = defaultTokens) {
  const reference = T.Tokenizer.fromFile(path.join(folder, 'tokenizer.json'));
  reference.disablePadding(); reference.disableTruncation();
  const child = spawn(tokens, ['--model', folder, '--jsonl'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let stderr = ''; child.stderr.on('data', d => { stderr += d; });
  child.stdin.on('error', () => {});
  const lines = readline.createInterface({ input: child.stdout, crlfDelay: Infinity })[Symbol.asyncIterator]();
  const differences = [];
  const batch = 2000;
  for (let at = 0; at < texts.length; at += batch) {
    const part = texts.slice(at, at + batch);
    child.stdin.write(part.map(text => json({ text }) + '\n').join(''));
    const whole = part.map(t => t.toWellFormed());
    const ids = (await reference.encodeBatch(whole, { addSpecialTokens: false })).map(e => e.getIds());
    const special = (await reference.encodeBatch(whole, { addSpecialTokens: true })).map(e => e.getIds());
    const decoded = await reference.decodeBatch(ids, false);
    for (let i = 0; i < part.length; i++) {
      const line = await lines.next();
      if (line.done) { await new Promise(r => child.on('close', r)); throw new Error(`our side ended: ${stderr.slice(0, 2000)} at ${json(part[i])}`); }
      const ours = JSON.parse(line.value);
      const what = ours.ids.join() !== ids[i].join() ? 'ids' : ours.with_special.join() !== special[i].join() ? 'with_special' : ours.decoded !== decoded[i] ? 'decoded' : null;
      if (what) differences.push({ what, text: part[i], ours: what === 'decoded' ? ours.decoded : ours[what], reference: what === 'decoded' ? decoded[i] : what === 'ids' ? ids[i] : special[i] });
    }
  }
  child.stdin.end();
  await new Promise(r => child.on('close', r));
  return differences;
}

export const specialsOf = folder => (JSON.parse(fs.readFileSync(path.join(folder, 'tokenizer.json'), 'utf8')).added_tokens ?? []).map(t => t.content);

if (process.argv[1] === new URL(import.meta.url).pathname) {
  let count = 200000, seed = 1, tokens = defaultTokens; const targets = [];
  for (let i = 2; i < process.argv.length; i++) {
    const a = process.argv[i];
    if (a === '--count') count = +process.argv[++i]; else if (a === '--seed') seed = +process.argv[++i]; else if (a === '--tokens') tokens = process.argv[++i]; else targets.push(a.split('='));
  }
  let bad = 0;
  for (const [name, folder] of targets) {
    const started = Date.now();
    const special = specialsOf(folder);
    let differences = [], chars = 0;
    for (let done = 0, chunk = 0; done < count; done += 20000, chunk++) {
      const r = random(seed * 1000003 + chunk);
      const texts = Array.from({ length: Math.min(20000, count - done) }, () => string(r, special));
      for (const t of texts) chars += t.length;
      differences.push(...await compare(folder, texts, tokens));
    }
    console.log(`${name}\t${count} strings\t${chars} chars\tseed ${seed}\t${differences.length} differences\t${((Date.now() - started) / 1000).toFixed(0)} s`);
    for (const d of differences.slice(0, 5)) console.log('  ' + d.what + ' ' + json(d.text).slice(0, 300) + '\n    ours ' + json(d.ours).slice(0, 400) + '\n    ref  ' + json(d.reference).slice(0, 400));
    bad += differences.length;
  }
  process.exit(bad ? 1 : 0);
}
