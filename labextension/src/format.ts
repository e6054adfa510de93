/** Numbers as people read them. Unknown is said in words by the caller, never as 0. */

const COUNT = new Intl.NumberFormat('en');
const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86400],
  ['hour', 3600],
  ['minute', 60]
];

const DAY = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', timeZone: 'UTC' });

export function number(value: number): string {
  return COUNT.format(value);
}

export function count(value: number, noun: string, plural = `${noun}s`): string {
  return `${COUNT.format(value)} ${value === 1 ? noun : plural}`;
}

/** "Mar 1" of a UTC day. */
export function day(day: string): string {
  return DAY.format(new Date(`${day}T00:00:00Z`));
}

export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let power = 0;
  while (value >= 1024 && power < units.length - 1) {
    value /= 1024;
    power += 1;
  }
  return `${value >= 100 || power === 0 ? Math.round(value) : value.toPrecision(2)} ${units[power] ?? ''}`;
}

export function duration(seconds: number): string {
  if (seconds < 0.001) {
    return seconds === 0 ? '0 ms' : '< 1 ms';
  }
  if (seconds < 1) {
    return `${Math.round(seconds * 1000)} ms`;
  }
  if (seconds < 60) {
    return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  }
  const minutes = Math.floor(seconds / 60);
  return `${minutes} min ${Math.round(seconds - minutes * 60)} s`;
}

/** "3 min. ago"; the clocks of server and browser may differ, so the future is now. */
export function ago(instant: string, now = Date.now()): string {
  const seconds = Math.max(0, (now - Date.parse(instant)) / 1000);
  for (const [unit, size] of UNITS) {
    if (seconds >= size) {
      return RELATIVE.format(-Math.floor(seconds / size), unit);
    }
  }
  return seconds < 5 ? 'now' : RELATIVE.format(-Math.floor(seconds), 'second');
}

/** The first line that says something; the rest is shown when a row is opened. */
export function firstLine(sql: string): string {
  const lines = sql.split('\n').map(line => line.trim());
  return lines.find(line => line !== '' && !line.startsWith('--')) ?? lines[0] ?? '';
}
