import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PACKAGE_ROOT, run } from '../command';
import { installPackage, packPackage, temporaryFolder, versionsNeeded } from './stage';

/** Node 20's own need, and what a build on Debian 12 or Ubuntu 22.04 asks for. A release is built against 2.28. */
const GLIBC_FLOOR = process.env.FLOW_GLIBC_FLOOR ?? '2.34';

let folder = '';
let project = '';
let installed = '';
beforeAll(() => {
  folder = temporaryFolder();
  project = installPackage(packPackage(folder), folder);
  installed = join(project, 'node_modules', 'flow-kernels');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Without build/ and without a compiler: the prebuilt addon alone. */
const environment = { ...process.env, PREBUILDS_ONLY: '1' };

function filesInstalled(): string[] {
  return readdirSync(installed, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1))
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !path.startsWith('node_modules/'));
}

describe('the packed package', () => {
  it('holds what it needs and nothing else', () => {
    const files = filesInstalled();
    const allowed = [
      /^dist\/.*\.(js|d\.ts)$/,
      /^prebuilds\/[a-z0-9]+-[a-z0-9]+\/flow-kernels\.[a-z0-9.]*node$/,
      /^native\/.*\.(cc|h|def|inc|md)$/,
      /^scripts\/(build-native\.mjs|lock\.mjs|machine-sets\.cjs|nodedir\.mjs|sources\.cjs)$/,
      /^(binding\.gyp|CMakeLists\.txt|package\.json|LICENSE|README\.md|CHANGELOG\.md)$/,
    ];
    expect(files.filter((path) => !allowed.some((one) => one.test(path)))).toEqual([]);
    expect(files).toEqual(
      expect.arrayContaining([
        ...['dist/index.js', 'dist/index.d.ts', 'dist/cli/main.js', 'binding.gyp', 'LICENSE'],
        ...['native/ops/registry.def', 'scripts/build-native.mjs', 'CHANGELOG.md'],
        expect.stringMatching(
          new RegExp(`^prebuilds/${process.platform}-${process.arch}/flow-kernels.*\\.node$`),
        ),
      ]),
    );
    expect(files.filter((path) => /test|bench|node_modules/.test(path))).toEqual([]);
  });

  it('has no script that runs at install, and no package that would need one', () => {
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    const atInstall = ['preinstall', 'install', 'postinstall', 'prepare', 'prebuild'];
    expect(Object.keys(manifest.scripts).filter((name) => atInstall.includes(name))).toEqual([]);
    // Without this npm would compile wherever it sees a binding.gyp.
    expect(manifest.gypfile).toBe(false);
    const lock = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8'));
    const withScripts = Object.entries(lock.packages as Record<string, object>)
      .filter(([, entry]) => 'hasInstallScript' in entry)
      .map(([path]) => path);
    expect(withScripts).toEqual([]);
  });

  it('hides what is internal', () => {
    const attempt = `
      for (const name of ['internal/native', 'dist/native.js', 'lib/native.ts']) {
        try {
          require('flow-kernels/' + name);
          console.log(name);
        } catch (error) {
          if (error.code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error;
        }
      }
      console.log(require('flow-kernels/package.json').name);`;
    expect(run(process.execPath, ['-e', attempt], project, environment)).toBe('flow-kernels\n');
  });

  it('pleases publint', () => {
    expect(run('npx', ['publint', '--strict', installed])).toMatch(/All good/);
  });

  describe('used from TypeScript', () => {
    beforeAll(() => {
      const options = {
        compilerOptions: {
          ...{
            target: 'es2023',
            module: 'nodenext',
            strict: true,
            exactOptionalPropertyTypes: true,
          },
          // The package's own declarations are checked too.
          ...{ skipLibCheck: false, types: ['node'], noUncheckedIndexedAccess: true },
          typeRoots: [join(PACKAGE_ROOT, 'node_modules', '@types')],
        },
        include: ['*.cts', '*.mts'],
      };
      writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(options));
      const source = join(__dirname, 'consumer', 'train.ts');
      copyFileSync(source, join(project, 'train.cts'));
      copyFileSync(source, join(project, 'train.mts'));
      const tsc = join(PACKAGE_ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
      run(process.execPath, [tsc, '-p', project], project);
    });

    // Entropy of the data: log(2πe) + log 0.2 nats. 500 test rows have a standard error of 0.045.
    const entropy = Math.log(2 * Math.PI * Math.E) + Math.log(0.2);
    it.each([
      ['require', 'train.cjs'],
      ['import', 'train.mjs'],
    ])('by %s it trains a flow to the entropy of its data', (_name, file) => {
      const { before, after, ...rest } = JSON.parse(
        run(process.execPath, [file], project, environment),
      );
      expect(before).toBeLessThan(-entropy - 0.5);
      expect(Math.abs(after + entropy)).toBeLessThan(4 * 0.045);
      expect(rest).toEqual({ steps: 500, shape: [7, 2], isTensor: true, code: 'SHAPE' });
    });
  });

  it('has a command that prints its help', () => {
    const help = run('npx', ['flow-kernels', '--help'], project, environment);
    for (const command of ['train', 'score', 'sample', 'info']) expect(help).toContain(command);
  });

  // GNU objdump and ELF symbols.
  it.runIf(process.platform === 'linux')('asks for a glibc that is old enough', () => {
    const name = readdirSync(join(installed, 'prebuilds', `linux-${process.arch}`))[0] ?? '';
    const addon = join(installed, 'prebuilds', `linux-${process.arch}`, name);
    const [glibc, glibcxx] = [versionsNeeded(addon, 'GLIBC'), versionsNeeded(addon, 'GLIBCXX')];
    console.log(`${name} needs GLIBC ${glibc.at(-1)}, GLIBCXX ${glibcxx.at(-1)}`);
    const floor = [GLIBC_FLOOR, ...glibc].sort((a, b) =>
      a.localeCompare(b, 'en', { numeric: true }),
    );
    expect(floor.at(-1)).toBe(GLIBC_FLOOR);
  });
});
