/** The package packed and installed as a user has it. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PACKAGE_ROOT, run } from '../command';

/** An empty folder in the system's temporary folder. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'flow-package-'));
}

/**
 * Packs the package as a release would: from a copy of the checkout's files in `folder`, so that neither
 * its build/ nor its dist/ is touched. Returns the path of the tarball. The objects in build/ come along:
 * make compiles only what is out of date.
 */
export function packPackage(folder: string): string {
  const copy = join(folder, 'checkout');
  mkdirSync(copy);
  const files = run('git', ['ls-files', '-z', '-co', '--exclude-standard']).split('\0');
  for (const file of files) {
    if (file === '' || !existsSync(join(PACKAGE_ROOT, file))) continue;
    // Times are kept: make compares them.
    cpSync(join(PACKAGE_ROOT, file), join(copy, file), { preserveTimestamps: true });
  }
  if (existsSync(join(PACKAGE_ROOT, 'build'))) {
    cpSync(join(PACKAGE_ROOT, 'build'), join(copy, 'build'), {
      recursive: true,
      preserveTimestamps: true,
    });
  }
  symlinkSync(join(PACKAGE_ROOT, 'node_modules'), join(copy, 'node_modules'), 'junction');
  run('npm', ['run', 'prebuilds'], copy);
  run('npm', ['run', 'build:ts'], copy);
  run('npm', ['pack', '--pack-destination', folder], copy);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack left no tarball');
  return join(folder, tarball);
}

/** Installs a tarball into a fresh project with scripts off, as strict setups do. Returns its folder. */
export function installPackage(tarball: string, folder: string): string {
  const project = join(folder, 'project');
  mkdirSync(project);
  run('npm', ['init', '--yes'], project);
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', tarball], project);
  return project;
}

/** The versions of a library that a file asks its loader for: versionsNeeded(file, 'GLIBC') → ['2.2.5', '2.34']. */
export function versionsNeeded(file: string, library: 'GLIBC' | 'GLIBCXX'): string[] {
  const symbols = run('objdump', ['-T', file]);
  const versions = new Set<string>();
  for (const match of symbols.matchAll(new RegExp(`\\b${library}_([0-9.]+)`, 'g'))) {
    versions.add(match[1] ?? '');
  }
  return [...versions].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}
