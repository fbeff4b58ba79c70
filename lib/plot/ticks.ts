/** A place on an axis and what is written there. */
export interface Tick {
  value: number;
  label: string;
}

const MINUS = '\u2212';
const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/**
 * Round numbers (1, 2, 2.5 or 5 times a power of ten apart) inside `[low, high]`.
 *
 * @param count about how many; there are between half and twice as many
 */
export function linearTicks(low: number, high: number, count: number): Tick[] {
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.9999) ?? raw;
  const ticks: Tick[] = [];
  // Multiples of the step and not sums, whose error would show in the labels.
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    ticks.push({ value: i * step, label: numberLabel(i * step, step) });
  }
  return ticks;
}

/** Powers of ten inside `[low, high]`, both positive, and 2 and 5 times them where there are few. */
export function logTicks(low: number, high: number, count: number): Tick[] {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.ceil(Math.log10(high) - 1e-9);
  const every = Math.max(1, Math.ceil((last - first) / (1.5 * count)));
  const decades = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const isInside = (value: number) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9);
  const powers = decades.filter((e) => (e - first) % every === 0 && isInside(10 ** e));
  if (powers.length >= 3) return powers.map((e) => ({ value: 10 ** e, label: powerLabel(e) }));
  const fine = decades.flatMap((e) => [1, 2, 5].map((m) => m * 10 ** e)).filter(isInside);
  if (fine.length < 3) return linearTicks(low, high, count).filter(({ value }) => value > 0);
  return fine.map((value) => ({ value, label: numberLabel(value, value) }));
}

/** A number written for reading: as many decimals as `step` needs, thousands apart. */
export function numberLabel(value: number, step: number): string {
  if (Math.abs(value) < step * 1e-6) return '0';
  const size = Math.abs(value);
  if (size >= 1e7 || (size < 1e-4 && step < 1e-4)) {
    const digits = Math.max(0, Math.floor(Math.log10(size)) - Math.floor(Math.log10(step)));
    const [mantissa, exponent] = value.toExponential(Math.min(digits, 6)).split('e');
    return `${mantissa!.replace('-', MINUS)}·${powerLabel(Number(exponent))}`;
  }
  const decimals = [0, 1, 2, 3, 4, 5, 6, 7, 8].find((d) => isMultiple(step, 10 ** -d)) ?? 8;
  const [whole, fraction] = size.toFixed(decimals).split('.');
  const grouped = whole!.replace(/\B(?=(\d{3})+$)/g, ',');
  return `${value < 0 ? MINUS : ''}${grouped}${fraction === undefined ? '' : `.${fraction}`}`;
}

function isMultiple(value: number, unit: number): boolean {
  return Math.abs(value / unit - Math.round(value / unit)) < 1e-6 && value / unit > 0.5;
}

function powerLabel(exponent: number): string {
  const digits = [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[Number(digit)]);
  return `10${exponent < 0 ? '⁻' : ''}${digits.join('')}`;
}
