exports.count = (text) => text.split(/\s+/).reduce((counts, word) => counts.set(word.toLowerCase(), (counts.get(word.toLowerCase()) || 0) + 1), new Map());
if (require.main === module) console.log(exports.count('one two two').get('two'));
