/** A folder of the test's own. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const folder = mkdtempSync(join(tmpdir(), 'misuse-'));
writeFileSync(join(folder, 'table.csv'), 'a,b\n1,2\n3,4\n');

export const file = (name: string): string => join(folder, name);
