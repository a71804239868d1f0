/**
 * Mutant schemata: one build that holds all mutants (Untch, Offutt, Harrold, "Mutation analysis using mutant schemata",
 * 1993). Each place becomes `mutated(17) ? a < b : a <= b`, so that a mutant costs the tests' run and no compilation.
 */
import ts from 'typescript';
import { ALIAS, changesOf, changesOfCondition, oneLine } from './operators.mjs';

/**
 * @typedef {object} Mutant
 * @property {number} id from 1 on; 0 is the program as it is
 * @property {string} name stable while its function is: file, function, what stands there and what the mutant has
 * @property {string} file
 * @property {number} line
 */

const SWITCH = 'mutated';

/** Functions whose arguments, from this one on, the compiler has to know. */
const IMMEDIATE = new Map([
  ['load', 1],
  ['store', 2],
  ['offsetof', 0],
  ['sizeof', 0],
  ['memory.data', 0],
  ['assert', 0],
  ['ERROR', 0],
]);

/**
 * Rewrites one file so that it holds its mutants.
 * @param {string} file path of the source, relative to the project
 * @param {string} source
 * @param {number} firstId
 * @param {(file: string) => string} pathOf how this file imports another one of assembly/, without extension
 * @returns {{ text: string, mutants: Mutant[] }}
 */
export function withMutants(file, source, firstId, pathOf) {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const constants = numbersNamedIn(tree);
  /** @type {Mutant[]} */
  const mutants = [];
  /** @type {Map<string, number>} */
  const seen = new Map();

  /**
   * @param {ts.Node} node
   * @param {string} label
   */
  function enter(node, label) {
    const stem = `${file} ${nameAround(node)}: \`${oneLine(node.getText())}\` -> ${label}`;
    const nth = (seen.get(stem) ?? 0) + 1;
    seen.set(stem, nth);
    const { line } = tree.getLineAndCharacterOfPosition(node.getStart());
    const id = firstId + mutants.length;
    mutants.push({ id, name: nth === 1 ? stem : `${stem} (${nth})`, file, line: line + 1 });
    return id;
  }

  /**
   * The text of a node with the mutants of all that is inside.
   * @param {ts.Node} node
   * @returns {string}
   */
  function inside(node) {
    let text = '';
    let at = node.getStart();
    for (const child of childrenOf(node)) {
      text += source.slice(at, child.getStart()) + whole(child);
      at = child.end;
    }
    return text + source.slice(at, node.end);
  }

  /**
   * The text of a node with its own mutants too.
   * @param {ts.Node} node
   * @returns {string}
   */
  function whole(node) {
    if (!isMutable(node)) return node.getText();
    const own = [...changesOf(node, constants), ...(isCondition(node) ? changesOfCondition(node) : [])];
    // The ids are given from the outside in, as one reads.
    const entries = own.map(({ text, label }) => ({ id: enter(node, label), text }));
    const original = inside(node);
    if (entries.length === 0) return original;
    if (ts.isStatement(node)) {
      const arms = entries.map(({ id, text }) => `if (${SWITCH}(${id})) { ${text} } else `);
      return `{ ${arms.join('')}{ ${original} } }`;
    }
    return `(${entries.map(({ id, text }) => `${SWITCH}(${id}) ? (${text}) : `).join('')}(${original}))`;
  }

  let text = '';
  let at = 0;
  for (const body of bodiesIn(tree)) {
    text += source.slice(at, body.getStart()) + inside(body);
    at = body.end;
  }
  text += source.slice(at);
  return { text: importsOf(text, pathOf) + text, mutants };
}

/**
 * What every mutated file imports: nothing it does not use, so that the compiler has nothing to say about it.
 * @param {string} text
 * @param {(file: string) => string} pathOf
 */
function importsOf(text, pathOf) {
  const used = [...new Set(text.match(new RegExp(`\\b${ALIAS}seq[A-Z]\\w*`, 'g')) ?? [])];
  const names = used.map((alias) => `${alias.slice(ALIAS.length)} as ${alias}`);
  return (
    (names.length > 0 ? `import { ${names.join(', ')} } from '${pathOf('parser/seq')}';\n` : '') +
    (text.includes(`${SWITCH}(`) ? `import { ${SWITCH} } from '${pathOf('mutants')}';\n` : '')
  );
}

/**
 * The file beside the core that says which mutant is on, which places were passed, and when a loop is endless.
 * @param {number} mutants
 */
export function switchSource(mutants) {
  return `
let chosen: u32 = 0;
let passed: u32 = 0;
let limit: u32 = 0xffffffff;
const REACHED: usize = memory.data(${mutants + 1});

export function ${SWITCH}(id: u32): bool {
  if (passed++ == limit) unreachable();
  store<u8>(REACHED + id, 1);
  return id == chosen;
}

export function chooseMutant(id: u32, most: u32): void {
  chosen = id;
  limit = most;
}

/** How many places were passed, each as often as it was. */
export function placesPassed(): u32 {
  return passed;
}

/** A byte for each mutant: whether its place was. */
export function placesReached(): usize {
  return REACHED;
}
`;
}

/** @param {ts.SourceFile} tree */
function numbersNamedIn(tree) {
  const declarations = tree.statements.filter(ts.isVariableStatement).flatMap(({ declarationList }) => {
    return (declarationList.flags & ts.NodeFlags.Const) === 0 ? [] : [...declarationList.declarations];
  });
  const numbers = declarations.filter(
    ({ initializer }) => initializer !== undefined && ts.isNumericLiteral(initializer),
  );
  return new Set(numbers.map(({ name }) => name.getText()));
}

/**
 * The bodies of functions and methods, in order. The rest is declarations, and known to the compiler.
 * @param {ts.Node} node
 * @returns {ts.Node[]}
 */
function bodiesIn(node) {
  if (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node) || ts.isGetAccessor(node)) {
    return node.body === undefined ? [] : [node.body];
  }
  return childrenOf(node).flatMap(bodiesIn);
}

/** @param {ts.Node} node */
function childrenOf(node) {
  /** @type {ts.Node[]} */
  const children = [];
  ts.forEachChild(node, (child) => {
    children.push(child);
  });
  return children;
}

/** @param {ts.Node} node */
function isMutable(node) {
  const { parent } = node;
  if (ts.isTypeNode(node)) return false;
  if (ts.isBinaryExpression(parent) && parent.operatorToken === node) return false;
  if (ts.isBinaryExpression(parent) && parent.left === node) return !isAssignment(parent);
  if (ts.isPrefixUnaryExpression(parent) || ts.isPostfixUnaryExpression(parent)) {
    const { operator } = parent;
    return operator !== ts.SyntaxKind.PlusPlusToken && operator !== ts.SyntaxKind.MinusMinusToken;
  }
  if (ts.isPropertyAccessExpression(parent)) return parent.name !== node;
  if (ts.isCaseClause(parent)) return parent.expression !== node;
  if (ts.isVariableDeclaration(parent)) return parent.name !== node;
  if (ts.isForStatement(parent)) return parent.incrementor !== node;
  if (ts.isCallExpression(parent)) {
    const from = IMMEDIATE.get(parent.expression.getText()) ?? Infinity;
    return node !== parent.expression && parent.arguments.findIndex((argument) => argument === node) < from;
  }
  return true;
}

/** @param {ts.BinaryExpression} node */
function isAssignment({ operatorToken: { kind } }) {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

/**
 * Whether a truth value is expected of this expression.
 * @param {ts.Node} node
 * @returns {node is ts.Expression}
 */
function isCondition(node) {
  const { parent } = node;
  if (ts.isIfStatement(parent) || ts.isWhileStatement(parent) || ts.isDoStatement(parent)) {
    return parent.expression === node;
  }
  if (ts.isForStatement(parent) || ts.isConditionalExpression(parent)) return parent.condition === node;
  if (ts.isPrefixUnaryExpression(parent)) return parent.operator === ts.SyntaxKind.ExclamationToken;
  if (ts.isBinaryExpression(parent)) {
    const { kind } = parent.operatorToken;
    return kind === ts.SyntaxKind.AmpersandAmpersandToken || kind === ts.SyntaxKind.BarBarToken;
  }
  return ts.isReturnStatement(parent) && functionAround(node)?.type?.getText() === 'bool';
}

/** @param {ts.Node} node */
function functionAround(node) {
  for (let at = node.parent; !ts.isSourceFile(at); at = at.parent) {
    if (ts.isFunctionDeclaration(at) || ts.isMethodDeclaration(at) || ts.isGetAccessor(at)) return at;
  }
  return undefined;
}

/** @param {ts.Node} node */
function nameAround(node) {
  const around = functionAround(node);
  const owner =
    around !== undefined && ts.isClassDeclaration(around.parent) ? `${around.parent.name?.text ?? ''}.` : '';
  return `${owner}${around?.name?.getText() ?? ''}`;
}
