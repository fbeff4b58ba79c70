"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.objectsOf = objectsOf;
exports.isaSymbolViolations = isaSymbolViolations;
const node_child_process_1 = require("node:child_process");
const node_fs_1 = require("node:fs");
const node_path_1 = require("node:path");
/** The `.o` files below a folder. */
function objectsOf(folder) {
    return (0, node_fs_1.readdirSync)(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith('.o'))
        .map((entry) => (0, node_path_1.join)(entry.parentPath, entry.name))
        .sort();
}
/**
 * What may not stand in an object that is compiled for one instruction set, one sentence each:
 *
 * - A symbol seen by the linker that is not tied to the namespace `flow::<set>`. Two objects that define
 *   the same inline function share one copy, and the linker may keep the one with AVX-512 instructions for
 *   the whole library: it then dies on every CPU without them.
 * - A function that runs when the library is loaded: it would run on every CPU, chosen or not.
 */
function isaSymbolViolations(objects, set) {
    const found = [];
    for (const object of objects) {
        const lines = (0, node_child_process_1.execFileSync)('nm', ['--demangle', object], {
            encoding: 'utf8',
            maxBuffer: 1 << 28,
        }).split('\n');
        for (const line of lines) {
            const match = /^[0-9a-f]*\s+([A-Za-z])\s(.*)$/.exec(line);
            const [type, name] = [match?.[1], match?.[2]];
            if (type === undefined || name === undefined)
                continue;
            if (/^_GLOBAL__sub_I/.test(name))
                found.push(`${object}: runs at load: ${name}`);
            // U is what the object asks of others, lower case (but for v, w and u) what it keeps to itself.
            const shared = type !== 'U' && /[A-Zuvw]/.test(type);
            if (shared && !name.includes(`flow::${set}::`))
                found.push(`${object}: ${type} ${name}`);
        }
    }
    return found;
}
