import * as React from 'react';

const WIDTH = 60;
const HEIGHT = 14;

/** How a number went, beside what is said of it: a picture only, not read aloud. */
export function Sparkline({ values }: { values: readonly number[] }): React.JSX.Element | null {
  if (values.length < 3) {
    return null;
  }
  const most = Math.max(...values) || 1;
  const step = WIDTH / (values.length - 1);
  const points = values.map(
    (value, index) =>
      `${(index * step).toFixed(1)},${(HEIGHT - 1 - (value / most) * (HEIGHT - 2)).toFixed(1)}`
  );
  return (
    <svg
      className="aiser-Sparkline"
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      aria-hidden="true"
    >
      <polyline points={points.join(' ')} />
    </svg>
  );
}
