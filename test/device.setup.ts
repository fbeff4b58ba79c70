/**
 * FLOW_TEST_DEVICE=cuda runs tests with everything made on that device; in the emulation FLOW_TEST_ORDER says in which order the
 * threads of a block take turns. scripts/test-cuda.mjs sets both.
 */
import { native } from '../lib/native';
import { type Device, setDevice } from '../lib/tensor/device';

const device = process.env['FLOW_TEST_DEVICE'];
const order = process.env['FLOW_TEST_ORDER'];
if (device) setDevice(device as Device);
if (order && !native.cudaSet('order', ['ascending', 'descending', 'random'].indexOf(order)))
  throw new Error('FLOW_TEST_ORDER: the plug-in is no emulation');
