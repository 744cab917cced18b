// What a user does in Visual Studio Code, with the extension of the first word; says on stdout, in
// JSON, what came of it.
"use strict";
const children = require("node:child_process");
const { statSync, writeFileSync } = require("node:fs");
const { resolve } = require("node:path");
const { CancellationTokenSource, Position, stub } = require("vscode");

const WANTED = new Position(3, 0);

let exit; // the server's exit status, once it has ended
const { spawn } = children;
children.spawn = (...words) => {
  const server = spawn(...words);
  exit = new Promise((ended) => server.once("exit", ended));
  return server;
};

// The client kills a server that takes longer than two seconds to end; this machine may be busy.
const { setTimeout } = globalThis;
globalThis.setTimeout = (call, delay) => setTimeout(call, delay * 30);

const uncancelled = () => new CancellationTokenSource().token;
const pause = () => new Promise(setImmediate);

async function until(condition) {
  while (!condition()) {
    await new Promise((changed) => {
      const listener = stub.registered.event(() => changed(listener.dispose()));
    });
  }
}

function ask(name, verb, ...words) {
  return stub.providers.get(name)[`provide${verb}`](...words);
}

async function definition(document, position) {
  const found = await ask("Definition", "Definition", document, position, uncancelled());
  return [found].flat()[0].uri.fsPath;
}

async function rename(document, position, name) {
  const edit = await ask("Rename", "RenameEdits", document, position, name, uncancelled());
  for (const [uri, edits] of edit) {
    const renamed = stub.open(uri.fsPath);
    for (const [{ range, newText }] of edits) stub.change(renamed, range, newText);
    writeFileSync(uri.fsPath, renamed.getText());
    stub.save(renamed);
  }
}

async function restart() {
  const ended = until(() => !stub.providers.has("Definition"));
  await new Promise((done) => children.exec(process.env.RESTART, done));
  await ended;
  await until(() => stub.providers.has("Definition"));
}

// What is typed in a minute; the paths in it are the document's own.
const TYPED = `
# file:///srv/shop/stock.py, file://${encodeURI(process.cwd())}/stock.py
def größe(name, number=1):
    """Say → 😀."""
    return os.path.join(name, str(number)), sought()

print(größe("", 1), os.sep)
`;

// Types at the end of a document. An editor asks for completions where a word begins, and gives up
// the last ones at each key; at the end of a line, it asks for more.
async function type(document, text) {
  const answers = [];
  let last = new CancellationTokenSource();
  let before = "";
  for (const key of text) {
    const end = document.positionAt(Infinity);
    stub.change(document, { start: end, end }, key === "\n" ? "\r\n" : key);
    last.cancel();
    last = new CancellationTokenSource();
    const at = document.positionAt(Infinity);
    if (/\w/.test(key) && /[.(]/.test(before)) {
      answers.push(ask("CompletionItem", "CompletionItems", document, at, last.token, {}));
    } else if (key === "\n") {
      await Promise.all(answers.splice(0));
      answers.push(...lookedAt(document, end));
    }
    before = key;
    await pause();
  }
  stub.save(document);
  await Promise.all(answers);
}

// Without what hovers, for which pylsp starts a formatter each time.
function lookedAt(document, end) {
  const at = new Position(end.line, Math.max(0, end.character - 3));
  return [
    ask("Definition", "Definition", document, at, uncancelled()),
    ask("Reference", "References", document, at, { includeDeclaration: true }, uncancelled()),
    ask("DocumentHighlight", "DocumentHighlights", document, at, uncancelled()),
    ask("DocumentSymbol", "DocumentSymbols", document, uncancelled()),
    ask("FoldingRange", "FoldingRanges", document, {}, uncancelled()),
  ];
}

async function main([extension, name]) {
  const { activate, deactivate } = require(extension);
  await activate();
  const shop = stub.open(resolve("shop.py"));
  const seen = { definition: await definition(shop, WANTED) };
  const hover = await ask("Hover", "Hover", shop, WANTED, uncancelled());
  seen.hover = hover.contents.map((one) => one.value).join();
  await restart();
  seen.after_restart = await definition(shop, WANTED);
  const library = await definition(shop, new Position(0, 8));
  seen.library = statSync(library).mode & 0o222 ? "" : library;
  await rename(shop, WANTED, "sought");
  writeFileSync(name, "import os\r\nfrom stock import sought\r\n");
  const document = stub.open(resolve(name));
  await type(document, TYPED);
  stub.close(document);
  await pause();
  await deactivate();
  seen.status = `${await exit}`;
  console.log(JSON.stringify(seen));
}

process.exitCode = 1; // if an answer never comes
main(process.argv.slice(2)).then(() => process.exit(0));
