// JSON as the contract has it: what JSON.parse loses is kept.
//
// Numbers stay what they were written as: 9007199254740993 is no double, 1.0 is not 1, and -0.0 is not 0.  Objects are
// Maps: a plain object moves the key "1" before the key "a", and has a key "__proto__" that is none.
'use strict';

/** A number, as the text that it was written as. */
class Num {
  constructor(text) {
    this.text = text;
  }

  get isInteger() {
    return !/[.eE]/.test(this.text);
  }

  /** Two numbers with the same key are the same JSON value. */
  get key() {
    if (this.isInteger) return `i${BigInt(this.text)}`;
    const value = Number(this.text);
    return `f${Object.is(value, -0) ? '-0' : value}`;
  }
}

const TOKEN = /[ \t\n\r]*(?:([{}[\],:])|"((?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null))/y;
const WORDS = { true: true, false: false, null: null };
const DEEPEST = 1000;

/** Read JSON text; throws a SyntaxError. */
function parse(text) {
  let token;
  TOKEN.lastIndex = 0;
  const next = () => {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw new SyntaxError(`no JSON at ${at}`);
    token = match[0].trimStart();
    return match;
  };
  const expect = (wanted) => {
    next();
    if (token !== wanted) throw new SyntaxError(`${wanted} is expected before ${TOKEN.lastIndex}`);
  };
  const value = (match, depth) => {
    if (depth > DEEPEST) throw new SyntaxError(`nested deeper than ${DEEPEST}`);
    if (token === '{') return object(depth);
    if (token === '[') return array(depth);
    if (token[0] === '"') return JSON.parse(token);
    if (match[3] !== undefined) return new Num(token);
    if (match[4] !== undefined) return WORDS[token];
    throw new SyntaxError(`a value is expected before ${TOKEN.lastIndex}`);
  };
  const object = (depth) => {
    const found = new Map();
    let match = next();
    while (token !== '}') {
      if (token[0] !== '"') throw new SyntaxError(`a key is expected before ${TOKEN.lastIndex}`);
      const key = JSON.parse(token);
      expect(':');
      found.set(key, value(next(), depth + 1));
      match = next();
      if (token === '}') break;
      if (token !== ',') throw new SyntaxError(`, or } is expected before ${TOKEN.lastIndex}`);
      match = next();
      if (token === '}') throw new SyntaxError('a key is expected');
    }
    return found;
  };
  const array = (depth) => {
    const found = [];
    let match = next();
    while (token !== ']') {
      found.push(value(match, depth + 1));
      next();
      if (token === ']') break;
      if (token !== ',') throw new SyntaxError(`, or ] is expected before ${TOKEN.lastIndex}`);
      match = next();
      if (token === ']') throw new SyntaxError('a value is expected');
    }
    return found;
  };
  const read = value(next(), 0);
  if (text.slice(TOKEN.lastIndex).trim() !== '') throw new SyntaxError('something follows the value');
  return read;
}

/** Write what `parse` reads, and BigInts. */
function print(value) {
  if (value instanceof Num) return value.text;
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Map) {
    return `{${[...value].map(([key, item]) => `${JSON.stringify(key)}:${print(item)}`).join(',')}}`;
  }
  if (Array.isArray(value)) return `[${value.map(print).join(',')}]`;
  if (value !== null && typeof value === 'object') return value.toJSONText();
  return JSON.stringify(value);
}

/** A text that two values share exactly when they are the same JSON value, whatever the order of their keys. */
function canonical(value) {
  if (value instanceof Num) return value.key;
  if (value instanceof Map) {
    const keys = [...value.keys()].sort();
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value.get(key))}`).join(',')}}`;
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  return JSON.stringify(value);
}

const equal = (left, right) => left === right || canonical(left) === canonical(right);

/** The order of strings by their code points; JavaScript's own is that of UTF-16. */
function compareStrings(left, right) {
  const [a, b] = [[...left], [...right]];
  for (let place = 0; place < Math.min(a.length, b.length); place++) {
    const difference = a[place].codePointAt(0) - b[place].codePointAt(0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

module.exports = { Num, canonical, compareStrings, equal, parse, print };
