import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PACKAGE_ROOT } from '../command';

type Entry = { optionalDependencies?: Record<string, string>; resolved?: string };

const lock = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Entry>;
};

describe('package-lock.json', () => {
  it('has the platform packages of every platform, not only of the one that wrote it', () => {
    const missing: string[] = [];
    for (const [path, entry] of Object.entries(lock.packages)) {
      for (const name of Object.keys(entry.optionalDependencies ?? {})) {
        const nested = `${path}/node_modules/${name}` in lock.packages;
        if (!nested && !(`node_modules/${name}` in lock.packages)) missing.push(`${path}: ${name}`);
      }
    }
    // `npm ci` refuses such a lock file, even where the package is for another platform.
    expect(missing).toEqual([]);
  });

  it('names no host of a registry', () => {
    const hosts = Object.values(lock.packages).flatMap((entry) => entry.resolved ?? []);
    expect(hosts).toEqual([]);
  });
});
