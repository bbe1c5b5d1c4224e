// Validates texts that were drawn under schemas' masks: node check-walks.mjs FILE.jsonl     (needs npm's ajv, ajv-draft-04 and ajv-formats: AJV_MODULES names the folder with node_modules)
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

let schemas = 0, texts = 0, invalid = 0, uncompiled = 0, dead = 0, left = 0;
for await (const line of readline.createInterface({ input: fs.createReadStream(process.argv[2]) })) {
  const row = JSON.parse(line);
  schemas++;
  dead += row.deadEnds;
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
      if (!shown) console.log(`${row.name}: ${why.slice(0, 300)}\n    ${text.slice(0, 200)}`);
      shown = true;
    }
  }
}
console.log(`${schemas} schemas, ${uncompiled} that ajv does not compile; ${texts} texts, ${invalid} not valid by ajv; ${left} left out for their long numbers; ${dead} dead ends`);
