// A complete store in memory, in JavaScript: mobstore check "exec:node backends/node/store.js"
//
// The calls of the run store are rows of one table, as in specs/wrapper-table.md; the rest is written by hand.
'use strict';

const { Num, compareStrings, equal } = require('./json.js');

class StoreError extends Error {
  constructor(kind, message, fields = {}) {
    super(message);
    this.kind = kind;
    this.fields = fields;
  }
}

const internal = (detail) => new StoreError('Internal', `Internal error: ${detail}`);
const notFound = (detail) => new StoreError('NotFound', `Not found: ${detail}`);
const conflict = (detail) => new StoreError('CasConflict', `CAS conflict: ${detail}`);
const malformed = (detail) => new StoreError('Serialization', `Serialization error: ${detail}`);

const MAX_I64 = 2n ** 63n - 1n;
const MAX_OUTPUT_INDEX = 1_000_000n;
const FEED = 4096;
const TERMINAL = ['completed', 'failed', 'canceled'];
const TERMINAL_EVENTS = ['flow_completed', 'flow_failed', 'flow_canceled'];

const number = (value) => BigInt(value.text);

// --- the wrapper table ------------------------------------------------------------------------------------------

const CELLS = {
  status: { get: (run) => run.get('status'), put: putStatus },
  'flow state': { get: (run) => run.get('flow_state'), put: (run, _op, value) => run.set('flow_state', value) },
  frame: {
    get: (run, op) => run.get('frames').get(op.get('frame_id')) ?? null,
    put: (run, op, value) => run.get('frames').set(op.get('frame_id'), value),
  },
  loop: {
    get: (run, op) => run.get('loops').get(op.get('loop_instance_id')) ?? null,
    put: (run, op, value) => run.get('loops').set(op.get('loop_instance_id'), value),
  },
  output: { put: putOutput },
};

function putStatus(run, _op, status, now) {
  run.set('status', status);
  if (TERMINAL.includes(status) && run.get('completed_at') === null) run.set('completed_at', now());
}

function putOutput(run, op, value) {
  const key = op.get('step_output_key');
  if (op.get('loop_context') === null) {
    run.get('root_step_outputs').set(key, value);
    return;
  }
  const [loop, iteration] = op.get('loop_context');
  const loops = run.get('loop_iteration_outputs');
  if (!loops.has(loop)) loops.set(loop, new Outputs([]));
  loops.get(loop).put(Number(iteration.text), key, value);
}

/** The outputs of a loop, by iteration: only those that were written take room. */
class Outputs {
  constructor(list) {
    this.length = list.length;
    this.written = new Map([...list.entries()].filter(([, outputs]) => outputs.size > 0));
  }

  put(iteration, key, value) {
    if (!this.written.has(iteration)) this.written.set(iteration, new Map());
    this.written.get(iteration).set(key, value);
    this.length = Math.max(this.length, iteration + 1);
  }

  toJSONText() {
    const { print } = require('./json.js');
    const places = [...this.written.keys()].sort((a, b) => a - b);
    let [text, next] = ['', 0];
    for (const place of places) {
      text += '{},'.repeat(place - next) + print(this.written.get(place)) + ',';
      next = place + 1;
    }
    return `[${(text + '{},'.repeat(this.length - next)).slice(0, -1)}]`;
  }
}

const eq = (cell, argument) => ({ holds: (run, op) => equal(CELLS[cell].get(run, op), op.get(argument)) });
const absent = (cell) => ({ holds: (run, op) => CELLS[cell].get(run, op) === null });
const notTerminal = { holds: (run) => !TERMINAL.includes(run.get('status')) };
const put = (cell, argument) => (run, op, now) => CELLS[cell].put(run, op, op.get(argument), now);
const append = (ledger, argument) => (run, op) => run.get(ledger).push(op.get(argument));
const appendAll = (ledger, argument) => (run, op) => run.get(ledger).push(...op.get(argument));
const appendOnce = (ledger, argument) => (run, op) => {
  const entry = op.get(argument);
  if (entry !== null && !run.get(ledger).some((held) => equal(held, entry))) run.get(ledger).push(entry);
};

const flow = [eq('flow state', 'expected_run_state'), put('flow state', 'next_run_state')];
const frame = [eq('frame', 'expected_frame'), put('frame', 'next_frame')];
const loop = [eq('loop', 'expected_loop'), put('loop', 'next_loop')];
const row = (compares, writes, unknown = 'NotFound') => ({ compares, writes, unknown });

/** The calls that compare cells of a run, and write others; each of those marked has a twin with authority inputs. */
const ROWS = {
  cas_run_status: row([eq('status', 'expected'), notTerminal], [put('status', 'next')], false),
  append_step_entry_if_absent: row(
    [{ holds: (run, op) => !run.get('step_ledger').some((entry) => sameStep(entry, op.get('entry'))) }],
    [append('step_ledger', 'entry')],
  ),
};
const TWINS = {
  cas_flow_state: row([eq('flow state', 'expected')], [put('flow state', 'next')], false),
  cas_run_snapshot: row(
    [eq('status', 'expected_status'), eq('flow state', 'expected_flow_state'), notTerminal],
    [put('status', 'next_status'), put('flow state', 'next_flow_state')],
    false,
  ),
  cas_frame_state: row([eq('frame', 'expected')], [put('frame', 'next')]),
  cas_grant_node_slot: row([flow[0], frame[0]], [flow[1], frame[1]]),
  cas_complete_step_and_record_output: row([frame[0]], [frame[1], put('output', 'step_output')]),
  cas_start_loop: row([flow[0], frame[0], absent('loop')], [flow[1], frame[1], put('loop', 'initial_loop')]),
  cas_loop_request_body_frame: row([flow[0], loop[0]], [flow[1], loop[1]]),
  cas_grant_body_frame_start: row(
    [flow[0], loop[0], absent('frame')],
    [flow[1], loop[1], put('frame', 'initial_frame'), appendOnce('loop_iteration_ledger', 'ledger_entry')],
  ),
  cas_complete_body_frame: row([flow[0], loop[0], frame[0]], [flow[1], loop[1], frame[1]]),
  cas_complete_loop: row([flow[0], loop[0], frame[0]], [flow[1], loop[1], frame[1]]),
};
for (const [name, { compares, writes, unknown }] of Object.entries(TWINS)) {
  ROWS[name] = row(compares, writes, unknown);
  ROWS[`${name}_with_authority`] = row(
    compares,
    [...writes, appendAll('flow_authority_inputs', 'authority_inputs')],
    unknown,
  );
}

const sameStep = (entry, other) =>
  ['step_id', 'agent_identity', 'status'].every((name) => entry.get(name) === other.get(name));

// --- the store --------------------------------------------------------------------------------------------------

/** All five stores; `call` answers, or throws a StoreError and has changed nothing. */
class Store {
  /** @param authorityInputs the names of the machine inputs that a run may keep. */
  constructor(authorityInputs) {
    this.authorityInputs = authorityInputs;
    this.now = systemTime;
    this.reset();
  }

  reset() {
    this.runs = new Map();
    this.events = [];
    this.nextCursor = 1n;
    this.feed = []; // the last events appended, whatever was removed since
    this.appended = 0;
    this.subscriptions = [];
    this.waiting = new Set();
    this.authorities = new Map();
    this.overlays = new Map();
    this.specs = new Map();
    this.profiles = new Map();
  }

  call(store, op, args) {
    return store === 'run' && op in ROWS ? this.cas(ROWS[op], op, args) : this[`${store}_${op}`](args);
  }

  // --- runs ---

  cas({ compares, writes, unknown }, op, args) {
    const iteration = args.get('loop_context')?.[1];
    if (iteration !== undefined && number(iteration) > MAX_OUTPUT_INDEX) {
      throw internal(`loop iteration ${iteration.text} exceeds ${MAX_OUTPUT_INDEX}`);
    }
    const run = this.runs.get(args.get('run_id'));
    if (run === undefined && unknown === false) return false;
    if (run === undefined) throw this.unknownRun(args);
    if (!compares.every((comparison) => comparison.holds(run, args))) return false;
    for (const input of args.get('authority_inputs') ?? []) {
      const name = input.get('input');
      if (!this.authorityInputs.has(name)) {
        throw internal(`internal error: MobMachine input ${name} is not a flow authority input`);
      }
    }
    // Nothing fails from here on, so that all of it is written, or nothing was.
    for (const write of writes) write(run, args, this.now);
    return true;
  }

  unknownRun(args) {
    return notFound(`run not found: ${args.get('run_id')}`);
  }

  known(args) {
    const run = this.runs.get(args.get('run_id'));
    if (run === undefined) throw this.unknownRun(args);
    return run;
  }

  run_create_run(args) {
    const run = args.get('run');
    const id = run.get('run_id');
    if (this.runs.has(id)) throw internal(`run already exists: ${id}`);
    const outputs = run.get('loop_iteration_outputs');
    for (const [name, list] of outputs) outputs.set(name, new Outputs(list));
    this.runs.set(id, run);
    return null;
  }

  run_get_run(args) {
    return this.runs.get(args.get('run_id')) ?? null;
  }

  run_list_runs(args) {
    const [mob, flow_] = [args.get('mob_id'), args.get('flow_id')];
    return [...this.runs.values()].filter(
      (run) => run.get('mob_id') === mob && (flow_ === null || run.get('flow_id') === flow_),
    );
  }

  run_append_step_entry(args) {
    this.known(args).get('step_ledger').push(args.get('entry'));
    return null;
  }

  run_append_failure_entry(args) {
    this.known(args).get('failure_ledger').push(args.get('entry'));
    return null;
  }

  run_put_step_output(args) {
    const [ledger, step] = [this.known(args).get('step_ledger'), args.get('step_id')];
    const place = ledger.findLastIndex((entry) => entry.get('step_id') === step);
    if (place < 0) throw internal(`cannot set output for unknown step '${step}' in run '${args.get('run_id')}'`);
    ledger[place] = new Map([...ledger[place], ['output', args.get('output')]]);
    return null;
  }

  run_upsert_loop_snapshot(args) {
    const run = this.known(args);
    run.get('loops').set(args.get('loop_instance_id'), args.get('snapshot'));
    appendOnce('loop_iteration_ledger', 'ledger_entry')(run, args);
    return null;
  }

  // --- events ---

  appendEvents(events) {
    const now = this.now();
    const added = events.map(
      (event, place) =>
        new Map([
          ['cursor', this.nextCursor + BigInt(place)],
          ['timestamp', event.get('timestamp') ?? now],
          ['mob_id', event.get('mob_id')],
          ['kind', event.get('kind')],
        ]),
    );
    this.nextCursor += BigInt(added.length);
    this.events.push(...added);
    this.feed = [...this.feed, ...added].slice(-FEED);
    this.appended += added.length;
    if (added.length > 0) for (const wake of this.waiting) wake();
    return added;
  }

  event_append(args) {
    return this.appendEvents([args.get('event')])[0];
  }

  event_append_batch(args) {
    return this.appendEvents(args.get('events'));
  }

  event_append_terminal_event_if_absent(args) {
    const key = terminalKey(args.get('event'));
    const stands = this.events.some((event) => {
      try {
        return terminalKey(event) === key;
      } catch {
        return false; // no terminal event
      }
    });
    return stands ? null : this.appendEvents([args.get('event')])[0];
  }

  event_poll(args) {
    const [after, limit] = [number(args.get('after_cursor')), number(args.get('limit'))];
    if (after > MAX_I64) throw internal(`cursor value ${after} exceeds i64::MAX`);
    if (limit > MAX_I64) throw internal('limit exceeds i64::MAX');
    const later = this.events.filter((event) => event.get('cursor') > after);
    return limit < BigInt(later.length) ? later.slice(0, Number(limit)) : later;
  }

  event_replay_all() {
    return this.events;
  }

  event_latest_cursor() {
    return this.events.at(-1)?.get('cursor') ?? 0n;
  }

  event_clear() {
    this.events = [];
    this.nextCursor = 1n;
    return null;
  }

  event_prune(args) {
    const kept = this.events.filter((event) => !isEarlier(event.get('timestamp'), args.get('older_than')));
    const removed = this.events.length - kept.length;
    this.events = kept;
    return BigInt(removed);
  }

  event_subscribe() {
    this.subscriptions.push(this.appended);
    return BigInt(this.subscriptions.length);
  }

  /** Answers at once, or a promise when there is something to wait for. */
  event_drain(args) {
    const place = Number(args.get('subscription').text) - 1;
    if (!(place in this.subscriptions)) throw internal(`there is no subscription ${place + 1}`);
    const wait = Number(args.get('wait_ms').text);
    if (this.subscriptions[place] < this.appended || wait === 0) return this.drained(place);
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.waiting.delete(wake);
        resolve(this.drained(place));
      };
      const timer = setTimeout(wake, wait);
      this.waiting.add(wake);
    });
  }

  drained(place) {
    const from = this.subscriptions[place];
    const first = Math.max(from, this.appended - FEED);
    this.subscriptions[place] = this.appended;
    const events = this.feed.slice(this.feed.length - (this.appended - first));
    return new Map([['events', events], ['lagged', BigInt(first - from)]]);
  }

  // --- metadata ---

  metadata_load_supervisor_authority(args) {
    return this.authorities.get(args.get('mob_id')) ?? null;
  }

  metadata_put_supervisor_authority(args) {
    this.authorities.set(args.get('mob_id'), args.get('record'));
    return null;
  }

  metadata_compare_and_put_supervisor_authority(args) {
    const held = this.authorities.get(args.get('mob_id'));
    if (held === undefined || !equal(held, args.get('expected'))) return false;
    this.authorities.set(args.get('mob_id'), args.get('record'));
    return true;
  }

  metadata_put_supervisor_authority_if_absent(args) {
    if (this.authorities.has(args.get('mob_id'))) return false;
    this.authorities.set(args.get('mob_id'), args.get('record'));
    return true;
  }

  metadata_delete_supervisor_authority(args) {
    this.authorities.delete(args.get('mob_id'));
    return null;
  }

  overlaysOf(mob) {
    if (!this.overlays.has(mob)) this.overlays.set(mob, new Map());
    return this.overlays.get(mob);
  }

  metadata_list_external_binding_overlays(args) {
    return [...this.overlaysOf(args.get('mob_id')).values()].sort(
      (a, b) =>
        compareStrings(a.get('agent_identity'), b.get('agent_identity')) ||
        Number(number(a.get('generation')) - number(b.get('generation'))),
    );
  }

  metadata_put_external_binding_overlay_if_absent(args) {
    const [held, key] = [this.overlaysOf(args.get('mob_id')), overlayKey(args.get('record'))];
    if (held.has(key)) return false;
    held.set(key, args.get('record'));
    return true;
  }

  metadata_upsert_external_binding_overlay(args) {
    this.overlaysOf(args.get('mob_id')).set(overlayKey(args.get('record')), args.get('record'));
    return null;
  }

  metadata_delete_external_binding_overlay(args) {
    this.overlaysOf(args.get('mob_id')).delete(overlayKey(args));
    return null;
  }

  metadata_delete_external_binding_overlays(args) {
    this.overlays.delete(args.get('mob_id'));
    return null;
  }

  // --- specs ---

  spec_put_spec(args) {
    const [mob, expected] = [args.get('mob_id'), args.get('revision')];
    const present = this.specs.get(mob)?.[1] ?? 0n;
    if (expected !== null && number(expected) !== present) {
      const told = `expected Some(${number(expected)}), actual ${present}`;
      const fields = { mob_id: mob, expected, actual: present };
      throw new StoreError('SpecRevisionConflict', `spec revision conflict for mob ${mob}: ${told}`, fields);
    }
    this.specs.set(mob, [args.get('definition'), present + 1n]);
    return present + 1n;
  }

  spec_get_spec(args) {
    return this.specs.get(args.get('mob_id')) ?? null;
  }

  spec_list_specs() {
    return [...this.specs.keys()].sort(compareStrings);
  }

  spec_delete_spec(args) {
    const [held, expected] = [this.specs.get(args.get('mob_id')), args.get('revision')];
    if (held === undefined || (expected !== null && number(expected) !== held[1])) return false;
    return this.specs.delete(args.get('mob_id'));
  }

  // --- realm profiles ---

  stored(name, profile, revision, created) {
    const stored = new Map([
      ['name', name],
      ['profile', profile],
      ['revision', revision],
      ['created_at', created ?? this.now()],
      ['updated_at', this.now()],
    ]);
    this.profiles.set(name, stored);
    return stored;
  }

  expectedProfile(args) {
    const [name, expected] = [args.get('name'), number(args.get('expected_revision'))];
    const held = this.profiles.get(name);
    if (held === undefined) throw notFound(`realm profile not found: ${name}`);
    const actual = held.get('revision');
    if (actual !== expected) {
      throw conflict(`realm profile '${name}' revision conflict: expected ${expected}, actual ${actual}`);
    }
    return held;
  }

  profile_create(args) {
    const name = args.get('name');
    if (this.profiles.has(name)) throw conflict(`realm profile already exists: ${name}`);
    return this.stored(name, args.get('profile'), 1n);
  }

  profile_get(args) {
    return this.profiles.get(args.get('name')) ?? null;
  }

  profile_list() {
    return [...this.profiles.keys()].sort(compareStrings).map((name) => this.profiles.get(name));
  }

  profile_update(args) {
    const held = this.expectedProfile(args);
    return this.stored(args.get('name'), args.get('profile'), held.get('revision') + 1n, held.get('created_at'));
  }

  profile_delete(args) {
    const held = this.expectedProfile(args);
    this.profiles.delete(args.get('name'));
    return held;
  }
}

function overlayKey(record) {
  const generation = number(record.get('generation'));
  if (generation > MAX_I64) throw internal(`generation ${generation} exceeds i64::MAX`);
  return JSON.stringify([record.get('agent_identity'), generation.toString()]);
}

/** The (mob, run, flow) of which one terminal event may be appended if absent. */
function terminalKey(event) {
  const kind = event.get('kind');
  if (!(kind instanceof Map) || !TERMINAL_EVENTS.includes(kind.get('type'))) {
    throw internal('append_terminal_event_if_absent requires a terminal flow event');
  }
  if (typeof kind.get('flow_id') !== 'string') throw malformed('kind.flow_id: a terminal flow event names its flow');
  const digits = String(kind.get('run_id')).toLowerCase().replace(/urn:|uuid:|[{}-]/g, '');
  if (!/^[0-9a-f]{32}$/.test(digits)) throw malformed('kind.run_id: not a UUID');
  return JSON.stringify([event.get('mob_id'), digits, kind.get('flow_id')]);
}

// --- times ------------------------------------------------------------------------------------------------------

const systemTime = () => new Date().toISOString().replace('.000Z', 'Z');

/** Seconds since 1970 and nanoseconds: a Date keeps milliseconds only, and knows no leap second. */
function instant(text) {
  const [, year, month, day, hour, minute, second, fraction] =
    /^([+-]?\d+)-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?Z$/.exec(text);
  const leap = second === '60';
  const days = Math.floor(new Date(Date.UTC(2000, month - 1, day)).setUTCFullYear(Number(year), month - 1, day) / 86400000);
  const seconds = days * 86400 + hour * 3600 + minute * 60 + (leap ? 59 : Number(second));
  return [seconds, Number((fraction ?? '').padEnd(9, '0')) + (leap ? 1e9 : 0)];
}

function isEarlier(left, right) {
  const [a, b] = [instant(left), instant(right)];
  return a[0] !== b[0] ? a[0] < b[0] : a[1] < b[1];
}

module.exports = { ROWS, Store, StoreError };

if (require.main === module) require('./wire.js').serve(Store);
