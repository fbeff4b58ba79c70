// Dots with error bars, one a flow, the best at the top: an SVG file.
const safe = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** Round places of an axis from low to high. */
function ticks(low, high) {
  const raw = (high - low) / 6;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= raw);
  const count = Math.floor(high / step) - Math.ceil(low / step) + 1;
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  return Array.from({ length: count }, (_, k) => (Math.ceil(low / step) + k) * step).map((at) => ({
    at,
    text: at.toFixed(digits).replace('-', '−'),
  }));
}

/** @param ranked { name, nats, error } of each flow, the best first */
export function chart(title, ranked) {
  const [left, right, top, line] = [230, 30, 50, 22];
  const [width, height] = [820, top + line * ranked.length + 50];
  const lows = ranked.map(({ nats, error }) => nats - 2 * error);
  const highs = ranked.map(({ nats, error }) => nats + 2 * error);
  const [least, most] = [Math.min(...lows), Math.max(...highs)];
  const room = (most - least) * 0.04 || 1;
  const [low, high] = [least - room, most + room];
  const x = (value) => (left + ((value - low) / (high - low)) * (width - left - right)).toFixed(1);
  const bottom = top + line * ranked.length;
  const axis = ticks(low, high).flatMap(({ at, text }) => [
    `<path d="M${x(at)} ${top}V${bottom}" stroke="#e6eaee"/>`,
    `<text x="${x(at)}" y="${bottom + 18}" text-anchor="middle" fill="#5b6673">${text}</text>`,
  ]);
  const dots = ranked.flatMap(({ name, nats, error }, k) => {
    const y = top + line * (k + 0.5);
    return [
      `<text x="${left - 12}" y="${y + 4}" text-anchor="end" fill="#1d2733">${safe(name)}</text>`,
      `<path d="M${x(nats - 2 * error)} ${y}H${x(nats + 2 * error)}" stroke="#1f66ad" stroke-width="2"/>`,
      `<circle cx="${x(nats)}" cy="${y}" r="4" fill="#1f66ad"/>`,
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="18" y="30" font-size="17" font-weight="600" fill="#1d2733">${safe(title)}</text>`,
    ...axis,
    ...dots,
    `<text x="${(left + width - right) / 2}" y="${bottom + 40}" text-anchor="middle" fill="#1d2733">nats, ± 2 standard errors</text>`,
    '</svg>\n',
  ].join('\n');
}
