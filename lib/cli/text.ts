/** Numbers as people read them, and words as a shell does. */

/** 1:05 or 2:03:04. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** 12,345. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** A loss: small ones, as those of one moment of a sequence, have more digits. */
export function lossText(loss: number): string {
  return loss.toFixed(Math.abs(loss) < 10 ? 4 : 2);
}

/** Bytes: 12.3 MB. */
export function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** A word as the shell takes it back: a POSIX one, or on Windows cmd and PowerShell. */
export function shellWord(word: string, platform: NodeJS.Platform = process.platform): string {
  if (platform === 'win32') {
    return /^[\w@+=:,./\\~-]+$/.test(word) ? word : `"${word.replaceAll('"', '\\"')}"`;
  }
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
