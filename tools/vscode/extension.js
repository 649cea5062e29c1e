// Starts the language server that sbxc is, and stops it.
const { workspace } = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');

let client;

exports.activate = () => {
    const settings = workspace.getConfiguration('sbx');
    const args = settings.get('roots').flatMap((folder) => ['-I', folder]);
    const server = { command: settings.get('command'), args: [...args, '--lsp'] };
    client = new LanguageClient('sbx', 'sbx policies', server, { documentSelector: [{ language: 'sbx' }] });
    return client.start();
};

exports.deactivate = () => client && client.stop();
