/**
 * SQL highlighting of `%%aiser` cells.
 *
 * JupyterLab colours an IPython cell with its Python grammar. Here that grammar is wrapped: where a cell begins
 * with the magic, all that follows its line is parsed as SQL. Both grammars are JupyterLab's own.
 */

import type { Language } from '@codemirror/language';
import { language as languageFacet, LRLanguage } from '@codemirror/language';
import type { Extension } from '@codemirror/state';
import { Compartment, Prec } from '@codemirror/state';
import { ViewPlugin } from '@codemirror/view';
import type { CodeEditor } from '@jupyterlab/codeeditor';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { parseMixed } from '@lezer/common';

const IPYTHON = 'text/x-ipython';
const SQL = 'text/x-pgsql';

/** Blank and comment lines, then the line of the magic. */
const MAGIC = /^(?:[ \t]*(?:#[^\n]*)?\n)*%%aiser(?![\w-])[^\n]*\n/;

/** Characters in which the magic is looked for. */
const HEAD = 4000;

/** Where the SQL of a cell begins, or null where the cell is not ours or has none yet. */
export function sqlStart(head: string, length: number): number | null {
  const magic = MAGIC.exec(head);
  return magic && magic[0].length < length ? magic[0].length : null;
}

/** Make the IPython language that knows `%%aiser`; null where the front end lacks a grammar. */
export async function mixedLanguage(languages: IEditorLanguageRegistry): Promise<Language | null> {
  const [python, sql] = await Promise.all([
    languages.getLanguage(IPYTHON),
    languages.getLanguage(SQL)
  ]);
  const outer = python?.support?.language;
  const parser = sql?.support?.language.parser;
  if (!(outer instanceof LRLanguage) || !parser) {
    return null;
  }
  const wrap = parseMixed((node, input) => {
    if (!node.type.isTop) {
      return null;
    }
    const from = sqlStart(input.read(0, Math.min(input.length, HEAD)), input.length);
    return from === null ? null : { parser, overlay: [{ from, to: input.length }] };
  });
  return outer.configure({ wrap }, 'ipython-aiser');
}

/** Editor extension: the mixed language, for as long as the editor holds IPython code. */
export function highlight(model: CodeEditor.IModel, mixed: Promise<Language | null>): Extension {
  const slot = new Compartment();
  const plugin = ViewPlugin.define(view => {
    let alive = true;
    const update = async (): Promise<void> => {
      const language = await mixed;
      if (!alive || !language) {
        return;
      }
      const wanted = model.mimeType === IPYTHON;
      const active = view.state.facet(languageFacet) === language;
      if (wanted !== active) {
        view.dispatch({ effects: slot.reconfigure(wanted ? languageFacet.of(language) : []) });
      }
    };
    const onMimeType = (): void => void update();
    model.mimeTypeChanged.connect(onMimeType);
    void update();
    return {
      destroy: () => {
        alive = false;
        model.mimeTypeChanged.disconnect(onMimeType);
      }
    };
  });
  return [Prec.highest(slot.of([])), plugin];
}
