// Objects of a List on standard input, against the schemas of the package kubernetes-models in the folder that is
// named: a line for each, with what is wrong.
const fs = require('fs'), path = require('path');
const models = path.join(process.argv[2], 'node_modules/kubernetes-models');

// The fields of a type and their types, as the package declares them; null: it is another package's.
function fields(group, name) {
    const file = [group, 'v1'].map(g => path.join(models, g, name + '.d.ts')).find(f => fs.existsSync(f));
    if (!file) return null;
    const found = {};
    const text = fs.readFileSync(file, 'utf8').split(/^export declare class/m)[0];
    for (const [, field, type] of text.matchAll(/^    "(\w+)"\??: (.*)$/gm)) found[field] = type;
    return found;
}

function unknown(group, name, value, where) {
    const known = fields(group, name);
    return Object.entries(known ? value : {}).flatMap(([key, inner]) => {
        if (!(key in known)) return [`${where}/${key} is not known`];
        const type = /\bI(?:IoK8s\w*?V1)?([A-Z]\w*)/.exec(known[key]);
        if (!type) return [];
        return [inner].flat().filter(i => i && typeof i === 'object')
            .flatMap(i => unknown(group, type[1], i, `${where}/${key}`));
    });
}

for (const item of JSON.parse(fs.readFileSync(0, 'utf8')).items) {
    if (/security-profiles-operator/.test(item.apiVersion)) continue; // whose schema is in none of the packages
    let wrong = unknown(item.apiVersion, item.kind, item, '');
    try {
        new (require(path.join(models, item.apiVersion))[item.kind])(item).validate();
    } catch (error) {
        wrong.push(error.message);
    }
    console.log(`${item.kind}: ${wrong.join('; ') || 'valid'}`);
}
