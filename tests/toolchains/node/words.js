const add = (counts, word) => counts.set(word, (counts.get(word) || 0) + 1);
exports.count = (text) => text.toLowerCase().split(/\s+/).reduce(add, new Map());
if (require.main === module) console.log(exports.count('one two two').get('two'));
