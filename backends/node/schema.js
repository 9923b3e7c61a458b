// The little of JSON Schema that the published schema of the wire uses.
'use strict';

const { Num } = require('./json.js');

const DEEPEST = 100; // containers inside one another that a document may have

/** Return what is wrong with a value, as "PATH: RULE", or null. */
function fault(schema, value, definitions, path = '') {
  if (schema.$ref) return fault(definitions[schema.$ref.replace('#/$defs/', '')], value, definitions, path);
  const wrong = (rule) => `${path || 'the value'}: ${rule}`;
  if (schema.anyOf ?? schema.oneOf) {
    const faults = (schema.anyOf ?? schema.oneOf).map((option) => fault(option, value, definitions, path));
    return faults.includes(null) ? null : faults[0];
  }
  if ('const' in schema && !same(schema.const, value)) return wrong(`not ${JSON.stringify(schema.const)}`);
  if (schema.enum && !schema.enum.some((item) => same(item, value))) return wrong(`none of ${schema.enum}`);
  if (schema.not && fault(schema.not, value, definitions, path) === null) return wrong('not allowed');
  const kinds = { string: faultOfString, integer: faultOfInteger, array: faultOfArray, object: faultOfObject };
  if (schema.type in kinds) return kinds[schema.type](schema, value, definitions, path, wrong);
  if (schema.type === 'boolean') return typeof value === 'boolean' ? null : wrong('not a boolean');
  if (schema.type === 'null') return value === null ? null : wrong('not null');
  return 'const' in schema || schema.enum ? null : faultOfDocument(value, 0, wrong);
}

const same = (wanted, value) => (value instanceof Num ? `i${wanted}` === value.key : wanted === value);

function faultOfString(schema, value, _definitions, _path, wrong) {
  if (typeof value !== 'string') return wrong('not a string');
  if (!value.isWellFormed()) return wrong('half of a surrogate pair');
  return schema.pattern && !new RegExp(schema.pattern, 'u').test(value) ? wrong(`not like ${schema.pattern}`) : null;
}

function faultOfInteger(schema, value, _definitions, _path, wrong) {
  if (!(value instanceof Num) || !value.isInteger) return wrong('not an integer');
  const number = BigInt(value.text);
  // The greatest integers of the schema are no doubles: 2^64 - 1 is read as 2^64, and only the bits are meant.
  const bits = BigInt(Math.round(Math.log2(schema.maximum ?? 2 ** 64)));
  return number < BigInt(schema.minimum) || number >= 2n ** bits ? wrong('out of range') : null;
}

function faultOfArray(schema, value, definitions, path, wrong) {
  if (!Array.isArray(value)) return wrong('not a list');
  if (value.length < (schema.minItems ?? 0) || value.length > (schema.maxItems ?? Infinity)) return wrong('wrong length');
  for (const [place, item] of value.entries()) {
    const found = fault(schema.prefixItems?.[place] ?? schema.items, item, definitions, `${path}[${place}]`);
    if (found !== null) return found;
  }
  return null;
}

function faultOfObject(schema, value, definitions, path, wrong) {
  if (!(value instanceof Map)) return wrong('not an object');
  const properties = schema.properties ?? {};
  const missing = (schema.required ?? []).find((name) => !value.has(name));
  if (missing !== undefined) return wrong(`${missing} is missing`);
  for (const [name, item] of value) {
    if (!name.isWellFormed()) return wrong('half of a surrogate pair in a key');
    const known = Object.hasOwn(properties, name) ? properties[name] : schema.additionalProperties;
    if (known === false || known === undefined) return wrong(`there is no ${name}`);
    const found = fault(known, item, definitions, path ? `${path}.${name}` : name);
    if (found !== null) return found;
  }
  return null;
}

/** What the schema leaves to its description: any JSON, but no number that gets lost, and not too deep. */
function faultOfDocument(value, depth, wrong) {
  if (typeof value === 'string') return value.isWellFormed() ? null : wrong('half of a surrogate pair');
  if (value instanceof Num && value.isInteger) {
    const number = BigInt(value.text);
    return number < -(2n ** 63n) || number >= 2n ** 64n ? wrong('an integer of more than 64 bits') : null;
  }
  if (value instanceof Num) return Number.isFinite(Number(value.text)) ? null : wrong('not a finite number');
  if (value === null || typeof value !== 'object') return null;
  if (depth >= DEEPEST) return wrong(`nested deeper than ${DEEPEST}`);
  for (const item of value instanceof Map ? [...value].flat() : value) {
    const found = faultOfDocument(item, depth + 1, wrong);
    if (found !== null) return found;
  }
  return null;
}

module.exports = { fault };
