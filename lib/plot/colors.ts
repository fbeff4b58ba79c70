/** Colours of series, apart from each other also for colour-blind readers and in print. */
export const SERIES_COLORS = [
  '#1f66ad',
  '#d9601a',
  '#2a8f60',
  '#a8327a',
  '#7a6ab8',
  '#8a6a12',
  '#3f4a54',
] as const;

/** Points of the colour map viridis at equal distances. */
const VIRIDIS = [
  ...[0x440154, 0x482475, 0x414487, 0x355f8d, 0x2a788e, 0x21918c],
  ...[0x22a884, 0x44bf70, 0x7ad151, 0xbddf26, 0xfde725],
];

/** The colour of `t` in [0, 1] on the map viridis, as three bytes; values outside are clamped. */
export function viridis(t: number): [red: number, green: number, blue: number] {
  const place = Math.min(1, Math.max(0, t)) * (VIRIDIS.length - 1);
  const index = Math.min(VIRIDIS.length - 2, Math.floor(place));
  const part = place - index;
  const mix = (shift: number) => {
    const a = (VIRIDIS[index]! >> shift) & 255;
    const b = (VIRIDIS[index + 1]! >> shift) & 255;
    return Math.round(a + part * (b - a));
  };
  return [mix(16), mix(8), mix(0)];
}
