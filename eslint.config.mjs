import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/**
 * Rules that hold for both languages.
 * @type {import('eslint').Linter.RulesRecord}
 */
const common = {
  eqeqeq: 'error',
  'no-var': 'error',
  'prefer-const': 'error',
  'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'] }],
};

export default defineConfig(
  { ignores: ['build/'] },
  {
    files: ['{src,test,bench,examples}/**/*.ts', '{scripts,examples}/**/*.mjs', '*.mjs'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      ...common,
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // Numbers in messages are what most messages are about.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `return fail(...)` in a function of no result is a common and clear way out.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      // `false` and an empty string are as absent as none, in messages and options.
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true, boolean: true } }],
      // The counterpart of tsc's noPropertyAccessFromIndexSignature.
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ['**/*.d.ts'],
    rules: { '@typescript-eslint/no-extraneous-class': 'off' },
  },
  {
    // A cast by JSDoc is none to these rules.
    files: ['**/*.mjs'],
    rules: { '@typescript-eslint/no-unsafe-assignment': 'off', '@typescript-eslint/no-unsafe-return': 'off' },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/cli/**'],
    rules: { 'no-console': 'error' },
  },
  {
    // AssemblyScript parses as TypeScript, but its types are machine integers: rules that reason about types would
    // reason about another language.
    files: ['assembly/**/*.ts'],
    extends: [tseslint.configs.strict],
    rules: {
      ...common,
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/no-inferrable-types': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      // `===` compares identity there, as `==` does for integers: the house writes the latter.
      eqeqeq: 'off',
    },
  },
);
