/** What the documents say is there, is there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { PACKAGE_ROOT } from './command';

const rooms = ['.', 'bench', 'cuda', 'docs', 'lib', 'native', 'scripts', 'test'];

/** Every document of the checkout, from its root. */
const documents = rooms.flatMap((room) =>
  readdirSync(join(PACKAGE_ROOT, room), { recursive: room !== '.', withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => join(entry.parentPath, entry.name)),
);

it('links lead to files', () => {
  expect(documents.length).toBeGreaterThan(20);
  const lost = documents.flatMap((path) =>
    [...readFileSync(path, 'utf8').matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(([, link]) => link as string)
      .filter((link) => !/^https?:/.test(link) && !existsSync(join(dirname(path), link)))
      .map((link) => `${path}: ${link}`),
  );
  expect(lost).toEqual([]);
});

it.each([
  ['lib/bijections', 'lib/bijections'],
  ['lib/cli', 'lib/cli'],
  ['lib/nn', 'lib/nn'],
  ['test/reference', 'test/reference'],
  ['bench', 'bench/cases'],
])('the README of %s names each file of %s, and no other', (room, folder) => {
  const text = readFileSync(join(PACKAGE_ROOT, room, 'README.md'), 'utf8');
  const named = new Set(
    [...text.matchAll(/`([\w./-]+\.(?:ts|mjs))`/g)].map(([, name]) => basename(name as string)),
  );
  const there = readdirSync(join(PACKAGE_ROOT, folder)).filter(
    (name) => /\.(ts|mjs)$/.test(name) && !/\.test\.ts$|^index\.ts$/.test(name),
  );
  expect(there.filter((name) => !named.has(name))).toEqual([]);
  if (room === folder) expect([...named].filter((name) => !there.includes(name))).toEqual([]);
});
