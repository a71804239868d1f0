/**
 * What a mutant changes: for a place in a source of the core, the texts that could stand there by a slip of its author.
 * AssemblyScript is TypeScript to the parser, and no types are needed here.
 */
import ts from 'typescript';

/** @typedef {{ readonly text: string, readonly label: string }} Change the mutated text, and what to call it */

/** For each comparison: the one that differs where both sides are equal, and its opposite. */
const COMPARISONS = new Map([
  [ts.SyntaxKind.LessThanToken, ['<=', '>=']],
  [ts.SyntaxKind.LessThanEqualsToken, ['<', '>']],
  [ts.SyntaxKind.GreaterThanToken, ['>=', '<=']],
  [ts.SyntaxKind.GreaterThanEqualsToken, ['>', '<']],
  [ts.SyntaxKind.EqualsEqualsToken, ['!=']],
  [ts.SyntaxKind.ExclamationEqualsToken, ['==']],
]);

const LOGIC = new Map([
  [ts.SyntaxKind.AmpersandAmpersandToken, ['||']],
  [ts.SyntaxKind.BarBarToken, ['&&']],
]);

const ARITHMETIC = new Map([
  [ts.SyntaxKind.PlusToken, ['-']],
  [ts.SyntaxKind.MinusToken, ['+']],
  [ts.SyntaxKind.AsteriskToken, ['+']],
  [ts.SyntaxKind.SlashToken, ['*']],
  [ts.SyntaxKind.LessThanLessThanToken, ['>>>']],
  [ts.SyntaxKind.GreaterThanGreaterThanGreaterThanToken, ['<<']],
  [ts.SyntaxKind.AmpersandToken, ['|']],
  [ts.SyntaxKind.BarToken, ['&']],
  [ts.SyntaxKind.CaretToken, ['|']],
]);

const ASSIGNMENTS = new Map([
  [ts.SyntaxKind.PlusEqualsToken, ['-=']],
  [ts.SyntaxKind.MinusEqualsToken, ['+=']],
  [ts.SyntaxKind.BarEqualsToken, ['&=']],
  [ts.SyntaxKind.AmpersandEqualsToken, ['|=']],
  [ts.SyntaxKind.CaretEqualsToken, ['|=']],
]);

/** Functions of the core that are taken for each other, in assembly/parser/seq.ts and among the builtins. */
const CALLS = new Map([
  ['seqLt', ['seqLe', 'seqGe']],
  ['seqLe', ['seqLt', 'seqGt']],
  ['seqGt', ['seqGe', 'seqLe']],
  ['seqGe', ['seqGt', 'seqLt']],
  ['seqMax', ['seqMin']],
  ['seqMin', ['seqMax']],
  ['min', ['max']],
  ['max', ['min']],
]);

/** The prefix under which a mutated file imports functions of seq.ts that it may not import itself. */
export const ALIAS = 'mutated_';

/** Enums of which one value stands for "nothing to say". */
const VERDICTS = new Set(['Reason', 'Risk', 'Loss']);

/** @param {ts.Node} node */
function isNull(node) {
  return node.kind === ts.SyntaxKind.NullKeyword;
}

/**
 * Whether the compiler learns from this expression what is not null: it would not learn it from a mutant.
 * @param {ts.Node} node
 * @returns {boolean}
 */
function narrows(node) {
  return isNull(node) || ts.forEachChild(node, (child) => (narrows(child) ? true : undefined)) === true;
}

/**
 * @param {ts.Node} node
 * @param {ReadonlySet<string>} constants numbers that the file names
 * @returns {readonly Change[]}
 */
export function changesOf(node, constants) {
  if (ts.isExpressionStatement(node)) return changesOfStatement(node);
  if (ts.isReturnStatement(node) && node.expression === undefined) return [removal];
  if (ts.isContinueStatement(node) || ts.isBreakStatement(node)) return inLoop(node) ? [removal] : [];
  if (narrows(node)) return [];
  if (ts.isBinaryExpression(node)) return changesOfBinary(node);
  if (ts.isCallExpression(node)) return changesOfCall(node);
  if (ts.isPrefixUnaryExpression(node) && isSign(node.operator)) return [without(node.operand.getText())];
  if (ts.isNumericLiteral(node) || (ts.isIdentifier(node) && constants.has(node.text))) {
    return [change(`${node.text} + 1`)];
  }
  if (node.kind === ts.SyntaxKind.TrueKeyword) return [change('false')];
  if (node.kind === ts.SyntaxKind.FalseKeyword) return [change('true')];
  if (ts.isPropertyAccessExpression(node) && VERDICTS.has(node.expression.getText()) && node.name.text !== 'None') {
    return [change(`${node.expression.getText()}.None`)];
  }
  return [];
}

/**
 * What can stand where a truth value is expected. Comparisons and the like have opposites of their own.
 * @param {ts.Expression} node
 * @returns {readonly Change[]}
 */
export function changesOfCondition(node) {
  const inner = ts.isParenthesizedExpression(node) ? node.expression : node;
  if (narrows(inner) || (ts.isBinaryExpression(inner) && hasOpposite(inner))) return [];
  if (ts.isPrefixUnaryExpression(inner) && inner.operator === ts.SyntaxKind.ExclamationToken) return [];
  if (ts.isCallExpression(inner) && /^seq[LG]/.test(inner.expression.getText())) return [];
  if (inner.kind === ts.SyntaxKind.TrueKeyword || inner.kind === ts.SyntaxKind.FalseKeyword) return [];
  return [change(`!(${inner.getText()})`)];
}

/** @type {Change} */
const removal = { text: '', label: 'removed' };

/** @param {string} text */
function change(text) {
  return { text, label: `\`${oneLine(text)}\`` };
}

/** @param {string} text */
function without(text) {
  return change(`(${text})`);
}

/** @param {string} text */
export function oneLine(text) {
  return text.replaceAll(/\s+/g, ' ');
}

/** @param {ts.PrefixUnaryOperator} operator */
function isSign(operator) {
  return operator === ts.SyntaxKind.MinusToken || operator === ts.SyntaxKind.TildeToken;
}

/** @param {ts.BinaryExpression} node */
function hasOpposite(node) {
  return COMPARISONS.has(node.operatorToken.kind) || LOGIC.has(node.operatorToken.kind);
}

/** @param {ts.BinaryExpression} node */
function changesOfBinary(node) {
  const { kind } = node.operatorToken;
  const others = COMPARISONS.get(kind) ?? LOGIC.get(kind) ?? ARITHMETIC.get(kind) ?? [];
  return others.map((operator) => change(`${node.left.getText()} ${operator} ${node.right.getText()}`));
}

/** @param {ts.CallExpression} node */
function changesOfCall(node) {
  const callee = node.expression.getText();
  const rest = node.getText().slice(callee.length);
  return (CALLS.get(callee) ?? []).map((other) => ({
    text: `${other.startsWith('seq') ? ALIAS : ''}${other}${rest}`,
    label: `\`${oneLine(other + rest)}\``,
  }));
}

/** @param {ts.ExpressionStatement} node */
function changesOfStatement({ expression }) {
  // Those of the debug build only say what cannot happen.
  if (ts.isCallExpression(expression) && expression.expression.getText() === 'assert') return [];
  if (!ts.isBinaryExpression(expression)) return [removal];
  const others = ASSIGNMENTS.get(expression.operatorToken.kind) ?? [];
  const [left, right] = [expression.left.getText(), expression.right.getText()];
  return [removal, ...others.map((operator) => change(`${left} ${operator} ${right};`))];
}

/** @param {ts.Node} node */
function inLoop(node) {
  for (let at = node.parent; !ts.isFunctionLike(at); at = at.parent) {
    if (ts.isSwitchStatement(at) && ts.isBreakStatement(node)) return false;
    if (ts.isIterationStatement(at, false)) return true;
    if (ts.isSourceFile(at)) return false;
  }
  return false;
}
