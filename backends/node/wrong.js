// The same store, and one mistake that anybody might make: JSON.parse, which has nothing but doubles.
'use strict';

const json = require('./json.js');

function lossy(value) {
  if (typeof value === 'number') return new json.Num(JSON.stringify(value));
  if (Array.isArray(value)) return value.map(lossy);
  if (value === null || typeof value !== 'object') return value;
  return new Map(Object.entries(value).map(([key, item]) => [key, lossy(item)]));
}

json.parse = (text) => lossy(JSON.parse(text));

require('./wire.js').serve(require('./store.js').Store);
