// A stub of the module that Visual Studio Code gives to its extensions, for its language client:
// documents open and change, and the client's providers can be asked. All else is an empty class, or
// a function that does nothing.
"use strict";
const { readFileSync } = require("node:fs");
const { CancellationTokenSource, Emitter } = require("vscode-languageserver-protocol/node");
const { TextDocument } = require("vscode-languageserver-textdocument");
const { URI } = require("vscode-uri");

const nothing = { dispose() {} };
const [opened, changed, saved, closed] = Array.from({ length: 4 }, () => new Emitter());

// Returns an object whose missing members are made at their first use.
function filled(known, make) {
  const get = (_, name) => (name in known ? known[name] : (known[name] = make(name)));
  return new Proxy(known, { get });
}

class Document {
  constructor(uri) {
    this.uri = uri;
    this.languageId = "python";
    this.content = TextDocument.create(`${uri}`, "python", 1, readFileSync(uri.fsPath, "utf8"));
  }
  get version() {
    return this.content.version;
  }
  get lineCount() {
    return this.content.lineCount;
  }
  getText(range) {
    return this.content.getText(range);
  }
  positionAt(offset) {
    return this.content.positionAt(offset);
  }
}

const documents = new Map();
const stub = {
  providers: new Map(),
  registered: new Emitter(),
  open(path) {
    const document = documents.get(path) ?? new Document(URI.file(path));
    if (!documents.has(path)) {
      documents.set(path, document);
      opened.fire(document);
    }
    return document;
  },
  change(document, range, text) {
    const rangeOffset = document.content.offsetAt(range.start);
    const rangeLength = document.content.offsetAt(range.end) - rangeOffset;
    TextDocument.update(document.content, [{ range, text }], document.version + 1);
    changed.fire({ document, contentChanges: [{ range, rangeOffset, rangeLength, text }] });
  },
  save(document) {
    saved.fire(document);
  },
  close(document) {
    documents.delete(document.uri.fsPath);
    closed.fire(document);
  },
};

class Position {
  constructor(line, character) {
    Object.assign(this, { line, character });
  }
}
class Range {
  constructor(line, character, lastLine, lastCharacter) {
    this.start = new Position(line, character);
    this.end = new Position(lastLine, lastCharacter);
  }
}
class Location {
  constructor(uri, range) {
    Object.assign(this, { uri, range });
  }
}
class TextEdit {
  constructor(range, newText) {
    Object.assign(this, { range, newText });
  }
}
class WorkspaceEdit extends Map {} // from a file to pairs of an edit and what is said about it
class MarkdownString {
  constructor(value = "") {
    this.value = value;
  }
  appendText(text) {
    this.value += text;
  }
  appendMarkdown(text) {
    this.value += text;
  }
  appendCodeblock(text) {
    this.value += text;
    return this;
  }
}
class Hover {
  constructor(contents) {
    this.contents = [contents].flat();
  }
}

const folder = { uri: URI.file(process.cwd()), name: "shop", index: 0 };
const workspace = {
  workspaceFolders: [folder],
  notebookDocuments: [],
  get textDocuments() {
    return [...documents.values()];
  },
  getWorkspaceFolder: () => folder,
  getConfiguration: () => ({ get: () => undefined }),
  onDidOpenTextDocument: opened.event,
  onDidChangeTextDocument: changed.event,
  onDidSaveTextDocument: saved.event,
  onDidCloseTextDocument: closed.event,
};

function register(provider, method) {
  const name = method.replace(/^register|Provider$/g, "");
  stub.providers.set(name, provider);
  stub.registered.fire();
  const dispose = () => {
    stub.providers.delete(name);
    stub.registered.fire();
  };
  return { dispose };
}
const languages = {
  match: (selector, { languageId }) => Number(selector.some((one) => one.language === languageId)),
  createDiagnosticCollection: () => filled({}, () => () => {}),
};

const log = filled({ error: console.error }, () => () => nothing);
const show = async (...words) => console.error(...words);
const window = {
  createOutputChannel: () => log,
  showErrorMessage: show,
  showWarningMessage: show,
  visibleTextEditors: [],
  tabGroups: filled({ all: [] }, () => () => nothing),
};

const known = {
  __esModule: true,
  version: "1.106.0",
  env: { appName: "Visual Studio Code", language: "en" },
  workspace: filled(workspace, () => () => nothing),
  languages: filled(languages, (method) => (_, provider) => register(provider, method)),
  window: filled(window, () => () => nothing),
  commands: { registerCommand: () => nothing },
  EventEmitter: Emitter,
  Uri: URI,
  ...{ CancellationTokenSource, Position, Range, Location, TextEdit, WorkspaceEdit },
  ...{ MarkdownString, Hover, stub },
};
module.exports = filled(known, (name) => ({ [name]: class {} })[name]);
