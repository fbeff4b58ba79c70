/** Files: safetensors, and writing that never leaves half a file. */

export { type FileContent, writeFileAtomic } from './atomic';
export {
  parseSafetensors,
  readSafetensors,
  type Safetensors,
  type SafetensorsData,
  type SafetensorsTensor,
  writeSafetensors,
} from './safetensors';
export type { SafetensorsDtype } from './safetensorsHeader';
