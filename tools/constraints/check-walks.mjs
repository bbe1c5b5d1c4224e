// Validates texts that were drawn under schemas' masks: node check-walks.mjs FILE.jsonl     (needs npm's ajv, ajv-draft-04 and ajv-formats: AJV_MODULES names the folder with node_modules)
// With a second argument, a Markdown file, its section "Random walks" is written anew.
// Prints what ajv finds not valid. A schema that ajv cannot compile is counted and left out; formats that ajv does not know are annotations, as in the draft.
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { createRequire } from 'node:module';

const require = createRequire(path.join(process.env.AJV_MODULES ?? process.cwd(), 'x.js'));
const formats = require('ajv-formats');
const options = { strict: false, allErrors: false, validateFormats: true, logger: false };
const make = schema => {
  const draft = typeof schema === 'object' && schema !== null ? String(schema.$schema ?? '') : '';
  const Ajv = draft.includes('draft-04') ? require('ajv-draft-04') : /draft-0[67]|draft-06/.test(draft) ? require('ajv') : require('ajv/dist/2020');
  return formats((Ajv.default ? new Ajv.default(options) : new Ajv(options)));
};

// Up to draft 7 what stands beside a $ref is not looked at; ajv looks.
const bare = value => Array.isArray(value) ? value.map(bare) : typeof value !== 'object' || value === null ? value
  : typeof value.$ref === 'string' ? { $ref: value.$ref, ...(value.definitions ? { definitions: bare(value.definitions) } : {}) }
  : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, bare(v)]));
const long = /[0-9]{16}|[0-9][eE]/;    // numbers that do not fit a double: ajv reads others

const deadBy = [], invalidBy = [], unfinishedBy = [];
let walks = 0, finished = 0, unfinished = 0;
let schemas = 0, texts = 0, invalid = 0, uncompiled = 0, dead = 0, left = 0;
for await (const line of readline.createInterface({ input: fs.createReadStream(process.argv[2]) })) {
  const row = JSON.parse(line);
  schemas++;
  dead += row.deadEnds;
  finished += row.texts.length;
  unfinished += row.unfinished;
  walks += row.texts.length + row.deadEnds + row.unfinished;
  if (row.deadEnds) deadBy.push(`${row.name} (${row.deadEnds})`);
  if (row.unfinished) unfinishedBy.push([row.unfinished, row.name]);
  let validate;
  try {
    const { $schema, ...rest } = typeof row.schema === 'object' ? row.schema : {};
    validate = make(row.schema).compile(typeof row.schema !== 'object' ? row.schema : /draft-0[3467]/.test(String($schema)) ? bare(rest) : rest);
  } catch { uncompiled++; continue; }
  let shown = false;
  for (const text of row.texts) {
    if (long.test(text)) { left++; continue; }
    texts++;
    let why;
    try { if (!validate(JSON.parse(text))) why = JSON.stringify(validate.errors[0]); } catch (e) { why = String(e); }
    if (why) {
      invalid++;
      if (!shown) invalidBy.push(`${row.name}: ${why.slice(0, 200)}`);
      if (!shown) console.log(`${row.name}: ${why.slice(0, 300)}\n    ${text.slice(0, 200)}`);
      shown = true;
    }
  }
}
console.log(`${schemas} schemas, ${uncompiled} that ajv does not compile; ${texts} texts, ${invalid} not valid by ajv; ${left} left out for their long numbers; ${dead} dead ends`);

if (process.argv[3]) {
  const heading = '## Random walks\n';
  const before = fs.existsSync(process.argv[3]) ? fs.readFileSync(process.argv[3], 'utf8').split(heading)[0] : '';
  const n = x => x.toLocaleString('en-US');
  const list = names => names.length ? names.slice(0, 40).map(x => `\n- ${x}`).join('') + (names.length > 40 ? `\n- and ${names.length - 40} more` : '') : ' none.';
  fs.writeFileSync(process.argv[3], `${before}${heading}
\`ConstraintsBenchmark ${process.env.WALKS ?? '... --walks N FILE.jsonl'}\`, then \`AJV_MODULES=FOLDER node tools/constraints/check-walks.mjs FILE.jsonl constraints.md\` (ajv ${require('ajv/package.json').version}; commit ${process.env.COMMIT ?? '?'}): compact texts drawn at random
under the masks, every allowed token as likely as the next; from the 500th token on ends are preferred, and keys that the schema asks for; given up after 1,000. Written by the program.

| schemas | walks | finished | dead ends | given up | validated by ajv | not valid |
|---|---|---|---|---|---|---|
| ${n(schemas)} | ${n(walks)} | ${n(finished)} | ${n(dead)} (${(100 * dead / walks).toFixed(3)} %) | ${n(unfinished)} | ${n(texts)} | ${n(invalid)} |

${n(left)} texts hold numbers that no double holds and were left out; ajv compiles ${n(uncompiled)} of the schemas not.

Dead ends by schema (of so many walks):${list(deadBy)}

Not valid by ajv:${list(invalidBy)}

Given up, the schemas with most:${list(unfinishedBy.sort((a, b) => b[0] - a[0]).slice(0, 10).map(([k, v]) => `${v} (${k})`))}
`);
}
