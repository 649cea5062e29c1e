// Starts the language server that sbxc is, and stops it.
const { workspace } = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');

let client;

exports.activate = () => {
    const settings = workspace.getConfiguration('sbx');
    const args = settings.get('roots').flatMap((folder) => ['-I', folder]);
    client = new LanguageClient('sbx', 'sbx policies', { command: settings.get('command'), args: [...args, '--lsp'] }, { documentSelector: [{ language: 'sbx' }] });
    return client.start();
};

exports.deactivate = () => client && client.stop();
