import js from '@eslint/js';
import hooks from 'eslint-plugin-react-hooks';
import ts from 'typescript-eslint';

const NO_HTML = 'Data is never HTML.';

export default ts.config(js.configs.recommended, ...ts.configs.strictTypeChecked, {
  languageOptions: {
    parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname }
  },
  plugins: { 'react-hooks': hooks },
  rules: {
    ...hooks.configs.recommended.rules,
    'max-lines': ['error', 220],
    'no-restricted-syntax': [
      'error',
      { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: NO_HTML },
      { selector: 'MemberExpression[property.name=/^(inner|outer)HTML$/]', message: NO_HTML }
    ],
    'no-restricted-globals': ['error', { name: 'fetch', message: 'Use api/request.' }],
    '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    // A signal is connected to a method and its `this`, given apart.
    '@typescript-eslint/unbound-method': 'off'
  }
});
