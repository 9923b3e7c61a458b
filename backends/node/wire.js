// The wire: JSON lines on standard input and output (specs/wire.md).
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const json = require('./json.js');
const { fault } = require('./schema.js');

const SCHEMA = JSON.parse(fs.readFileSync(path.join(__dirname, '../../specs/wire.schema.json'), 'utf8'));
const DEFINITIONS = SCHEMA.$defs;
const REQUESTS = new Map(
  DEFINITIONS.request.oneOf.map((schema) => {
    const { store, op } = schema.properties;
    return [`${store.const}.${op.const}`, schema];
  }),
);
const AUTHORITY_INPUTS = new Set(
  Object.values(DEFINITIONS).flatMap((each) => each.properties?.input?.const ?? []),
);
const GREETING = json.parse(
  '{"protocol":1,"name":"node","capabilities":{"refused":[],"unsupported":[],"not_yet":[]},' +
    '"clock":true,"crash":false,"handles":true}',
);

const CONTROL = {
  hello: () => GREETING,
  reset: (store) => store.reset() ?? null,
  reopen: () => null,
  clock: (store, args) => {
    store.now = () => args.get('now');
    return null;
  },
};

function send(id, field, text) {
  process.stdout.write(`{"id":${id},"${field}":${text}}\n`);
}

function sendError(id, { kind, message, fields = {} }) {
  send(id, 'err', json.print(new Map(Object.entries({ kind, message, ...fields }))));
}

const refuse = (id, rule) => sendError(id, { kind: 'Serialization', message: `Serialization error: ${rule}` });

/** Answer one request, now or later. */
function answer(store, line) {
  let request;
  try {
    request = json.parse(line);
  } catch (error) {
    return refuse(/"id"\s*:\s*(\d+)/.exec(line)?.[1] ?? null, error.message);
  }
  const id = request.get('id')?.text ?? null;
  const [of, op, args] = ['store', 'op', 'args'].map((name) => request.get(name));
  const schema = REQUESTS.get(`${of}.${op}`);
  const wrong = schema === undefined ? `there is no call ${of}.${op}` : fault(schema, request, DEFINITIONS);
  if (wrong !== null) return refuse(id, wrong);
  const failed = (error) => {
    if (error.kind === undefined) throw error; // a mistake of ours is no answer
    sendError(id, error);
  };
  try {
    const found = of === 'control' ? CONTROL[op](store, args) : store.call(of, op, args);
    if (found instanceof Promise) found.then((value) => send(id, 'ok', json.print(value)), failed);
    else send(id, 'ok', json.print(found));
  } catch (error) {
    failed(error);
  }
}

/** Serve a store until the input ends. */
function serve(Store) {
  const store = new Store(AUTHORITY_INPUTS);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let held = [];
  process.stdin.on('data', (chunk) => {
    let from = 0;
    for (let end; (end = chunk.indexOf(10, from)) >= 0; from = end + 1) {
      const line = Buffer.concat([...held, chunk.subarray(from, end)]);
      held = [];
      answer(store, decoder.decode(line));
    }
    if (from < chunk.length) held.push(chunk.subarray(from));
  });
  process.stdin.on('end', () => {
    for (const wake of store.waiting) wake();
  });
}

module.exports = { serve };
