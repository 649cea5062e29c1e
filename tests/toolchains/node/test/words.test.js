const test = require('node:test'), assert = require('node:assert');
test('counts', () => assert.strictEqual(require('../words').count('a b A').get('a'), 2));
