import * as React from 'react';

import { Button } from '../components/button';
import type { FormModel } from './model';

export interface IFootProps {
  model: FormModel;
  onCancel: () => void;
}

/** What can be done with the form now. */
export function Foot({ model, onCancel }: IFootProps): React.JSX.Element {
  return (
    <div className="aiser-Foot">
      {model.browser === 'needed' ? <SignIn model={model} /> : <TestAndSave model={model} />}
      <Button onClick={onCancel}>Cancel</Button>
      <span className="aiser-Dim" aria-live="polite">
        {note(model)}
      </span>
    </div>
  );
}

function SignIn({ model }: Pick<IFootProps, 'model'>): React.JSX.Element {
  return (
    <Button submit accept disabled={model.busy !== ''}>
      {model.busy === 'saving' ? 'Saving…' : model.signIn.ended ? 'Try again' : 'Sign in and save'}
    </Button>
  );
}

function TestAndSave({ model }: Pick<IFootProps, 'model'>): React.JSX.Element {
  const { busy, passed, browser } = model;
  return (
    <>
      <Button
        submit={!passed}
        accept={!passed}
        disabled={busy !== ''}
        onClick={passed ? () => void model.tryOut() : undefined}
      >
        {busy === 'testing' || busy === 'reading' ? 'Testing…' : passed ? 'Test again' : 'Test'}
      </Button>
      <Button submit={passed} accept={passed} disabled={!passed || busy !== ''}>
        {busy === 'saving' ? 'Saving…' : 'Save'}
      </Button>
      {browser === 'kept' && (
        <Button
          disabled={busy !== ''}
          onClick={() => {
            model.beginSignIn();
          }}
        >
          Sign in again and save
        </Button>
      )}
    </>
  );
}

function note({ busy, passed, browser }: FormModel): string {
  if (busy === 'testing') {
    return 'Asking the database, step by step…';
  }
  if (busy !== '') {
    return '';
  }
  if (browser === 'needed') {
    return 'A page to sign in opens in another tab. Then the connection is tested, and saved if it works.';
  }
  return passed ? '' : 'It is saved once a test has passed.';
}
