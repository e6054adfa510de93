import * as React from 'react';

import type { AiserError } from '../api/request';
import type { ISignIn } from '../api/types';
import { Button } from '../components/button';
import { ErrorMessage } from '../components/message';
import { Paste } from '../components/paste';
import * as format from '../format';
import type { SignInModel } from './model';
import { page } from './model';

export interface ISignInViewProps {
  model: SignInModel;
  /** Offered where it ended without being done. */
  onAgain?: () => void;
}

/** Where a sign-in is, and what to do now; nothing where there is none. */
export function SignInView({ model, onAgain }: ISignInViewProps): React.JSX.Element | null {
  const { current, ended, going } = model;
  if (!going && !ended) {
    return null;
  }
  return (
    <section className="aiser-SignIn" aria-label="Sign in with the browser">
      {ended && <End model={model} error={ended} onAgain={onAgain} />}
      {going && !current && <Turning>Beginning…</Turning>}
      {going && current && <Waiting model={model} current={current} />}
    </section>
  );
}

function End(props: ISignInViewProps & { error: AiserError }): React.JSX.Element {
  const { model, error, onAgain } = props;
  return (
    <>
      <ErrorMessage error={error} />
      <div className="aiser-Actions">
        {onAgain && (
          <Button accept onClick={onAgain}>
            Try again
          </Button>
        )}
        <Button
          label="Close what the sign-in said"
          onClick={() => {
            model.cancel();
          }}
        >
          Close
        </Button>
      </div>
    </>
  );
}

function Waiting(props: { model: SignInModel; current: ISignIn }): React.JSX.Element {
  const { model, current } = props;
  const { url, redirect, expires_at } = current;
  return (
    <>
      <Turning>
        {model.blocked
          ? 'Your browser kept the page from opening. Open it here:'
          : 'Sign in on the page that has opened in another tab.'}
      </Turning>
      <p>
        <a
          className="aiser-SignIn-link"
          href={page(url)}
          target="_blank"
          rel="noopener noreferrer"
          title={new URL(url).host}
        >
          {model.blocked ? 'Open the sign-in page' : 'Open the sign-in page again'}
        </a>
        <span className="aiser-Dim"> · {left(expires_at)}</span>
      </p>
      {redirect === 'paste' && <PasteAddress model={model} />}
      {model.error && <ErrorMessage error={model.error} />}
      <div className="aiser-Actions">
        <Button
          label="Cancel the sign-in"
          onClick={() => {
            model.cancel();
          }}
        >
          Cancel
        </Button>
      </div>
    </>
  );
}

function Turning({ children }: { children: React.ReactNode }): React.JSX.Element {
  return (
    <p className="aiser-SignIn-state" role="status">
      <span className="aiser-Spinner" aria-hidden="true" />
      <span>{children}</span>
    </p>
  );
}

/** The vendor sends the tab to an address of the person's own machine, where nothing answers. */
function PasteAddress({ model }: { model: SignInModel }): React.JSX.Element {
  const [address, setAddress] = React.useState('');
  const id = React.useId();
  return (
    <div className="aiser-Field">
      <label htmlFor={id}>Address of the page you ended on</label>
      <Paste
        id={id}
        value={address}
        placeholder="http://localhost…"
        action={model.sending ? 'Finishing…' : 'Finish'}
        accept
        busy={model.sending}
        onChange={setAddress}
        onAction={() => {
          void model.paste(address);
          setAddress(''); // it holds once, and is nobody else's
        }}
      />
      <p id={`${id}-help`} className="aiser-Field-note aiser-Dim">
        After the sign-in that tab goes to an address of your own machine and says that it cannot be
        reached: this server is elsewhere, so copy the whole address from there to here.
      </p>
    </div>
  );
}

function left(expires: string): string {
  const seconds = Math.max(0, (Date.parse(expires) - Date.now()) / 1000);
  return seconds < 60
    ? 'less than a minute left'
    : `${format.count(Math.floor(seconds / 60), 'minute')} left`;
}
